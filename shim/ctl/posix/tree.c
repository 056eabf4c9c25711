/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and removes folders, never following links nor crossing mounts. */
#include "base/file.h"
#include "shim/ctl/platform.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 64 /* a bundle is two deep */

static void closedirp(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}
#define cleanup_dir SHIM_CLEANUP(closedirp)

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int ctl_dir_list(const char *path, struct shim_strv *ret, struct shim_error *err)
{
    cleanup_dir DIR *dir = opendir(path);
    struct dirent *entry;

    if (!dir)
        return errno == ENOENT ? 0 : shim_fail_os(err, (uint32_t)errno, "open folder %s", path);
    while ((errno = 0, entry = readdir(dir)))
        if (entry->d_name[0] != '.' && !shim_strv_add(ret, entry->d_name))
            return shim_fail_memory(err);
    if (errno)
        return shim_fail_os(err, (uint32_t)errno, "read folder %s", path);
    if (ret->n > 1)
        qsort(ret->v, ret->n, sizeof(*ret->v), compare);
    return 0;
}

struct removal {
    uint64_t device; /* of the whole tree */
    unsigned depth;
    struct shim_error *err;
};

struct entry {
    uint64_t device;
    bool is_dir, is_mount;
};

static int look_at(int parent, const char *name, struct entry *ret, struct shim_error *err)
{
    struct statx st;

    if (statx(parent, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE, &st) != 0)
        return shim_fail_os(err, (uint32_t)errno, "look at %s", name);
    ret->device = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
    ret->is_dir = S_ISDIR(st.stx_mode);
    /* A bind mount of the same file system shows only here (Linux 5.8). */
    ret->is_mount = (st.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
    return 0;
}

static int remove_inside(int fd, struct removal *removal);

static int remove_entry(int parent, const char *name, struct removal *removal)
{
    struct entry entry;
    int fd;
    int r = look_at(parent, name, &entry, removal->err);

    if (r < 0)
        return r;
    if (entry.device != removal->device || entry.is_mount)
        return shim_fail(removal->err, SHIM_E_STATE, "%s is still mounted", name);
    if (!entry.is_dir) {
        if (unlinkat(parent, name, 0) != 0)
            return shim_fail_os(removal->err, (uint32_t)errno, "remove %s", name);
        return 0;
    }
    fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return shim_fail_os(removal->err, (uint32_t)errno, "open folder %s", name);
    r = remove_inside(fd, removal);
    if (r >= 0 && unlinkat(parent, name, AT_REMOVEDIR) != 0)
        r = shim_fail_os(removal->err, (uint32_t)errno, "remove folder %s", name);
    return r;
}

/* Owns fd. */
static int remove_inside(int fd, struct removal *removal)
{
    cleanup_dir DIR *dir = fdopendir(fd);
    struct dirent *entry;
    int r = 0;

    if (!dir) {
        r = shim_fail_os(removal->err, (uint32_t)errno, "open a folder");
        close(fd);
        return r;
    }
    if (removal->depth >= DEPTH_MAX)
        return shim_fail(removal->err, SHIM_E_EXHAUSTED, "more than %d folders deep", DEPTH_MAX);
    removal->depth++;
    while (r >= 0 && (entry = readdir(dir)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            r = remove_entry(fd, entry->d_name, removal);
    removal->depth--;
    return r;
}

int ctl_tree_remove(const char *path, struct shim_error *err)
{
    struct removal removal = {.err = err};
    struct entry top;
    int r = look_at(AT_FDCWD, path, &top, err);

    if (r < 0)
        return r == SHIM_E_NOT_FOUND ? 0 : r;
    removal.device = top.device;
    r = remove_entry(AT_FDCWD, path, &removal);
    return r < 0 ? shim_wrap(err, r, "remove %s", path) : 0;
}

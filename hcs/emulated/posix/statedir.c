/* SPDX-License-Identifier: Apache-2.0 */
/* A private folder for records: made with mode 0700, refused when others could write in it. */
#include "hcs/emulated/statedir.h"
#include "base/file.h"
#include "base/str.h"
#include "hcs/emulated/record.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_NAME "containerd-shim-hcs-emulated"

static int check_private(const char *path, struct shim_error *err)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return shim_fail_os(err, (uint32_t)errno, "state folder %s", path);
    if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() || (st.st_mode & 077))
        return shim_fail(err, SHIM_E_DENIED,
                         "state folder %s: must be a folder of user %u with mode 0700", path,
                         (unsigned)geteuid());
    return 0;
}

/* Whether the next place is worth a try: this one cannot be written by us at all. */
static bool is_elsewhere(int os)
{
    return os == EACCES || os == EPERM || os == EROFS || os == ENOENT || os == ENOTDIR;
}

/* 1 and hands `path` over; 0 when it cannot be made here. */
static int try_folder(char *path, char **ret, struct shim_error *err)
{
    cleanup_free char *owned = path;
    int r;

    if (!owned)
        return shim_fail_memory(err);
    if (mkdir(owned, 0700) != 0 && errno != EEXIST) {
        if (is_elsewhere(errno))
            return 0;
        return shim_fail_os(err, (uint32_t)errno, "make state folder %s", owned);
    }
    r = check_private(owned, err);
    if (r < 0)
        return r;
    *ret = shim_take(owned);
    return 1;
}

int emu_state_folder(char **ret, struct shim_error *err)
{
    static const char *const parents[] = {"/run", "/tmp"};
    const char *wanted = getenv("CONTAINERD_SHIM_HCS_EMULATED_STATE");
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int r = 0;

    if (!shim_str_empty(wanted)) {
        r = try_folder(strdup(wanted), ret, err);
        return r ? (r < 0 ? r : 0)
                 : shim_fail(err, SHIM_E_DENIED, "state folder %s: cannot be made", wanted);
    }
    if (!shim_str_empty(runtime))
        r = try_folder(shim_strf("%s/" FOLDER_NAME, runtime), ret, err);
    for (size_t i = 0; r == 0 && i < SHIM_ARRAY_LEN(parents); i++)
        r = try_folder(shim_strf("%s/" FOLDER_NAME "-%u", parents[i], (unsigned)geteuid()), ret,
                       err);
    if (r == 0)
        return shim_fail(err, SHIM_E_DENIED,
                         "no place for a state folder: set "
                         "CONTAINERD_SHIM_HCS_EMULATED_STATE");
    return r < 0 ? r : 0;
}

int emu_state_lock(const char *path, intptr_t *ret, struct shim_error *err)
{
    cleanup_free char *name = shim_strf("%.*s/.lock", (int)(strrchr(path, '/') - path), path);
    cleanup_handle intptr_t fd = SHIM_NO_HANDLE;

    if (!name)
        return shim_fail_memory(err);
    fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return shim_fail_os(err, (uint32_t)errno, "open %s", name);
    while (flock((int)fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return shim_fail_os(err, (uint32_t)errno, "lock %s", name);
    *ret = fd;
    fd = SHIM_NO_HANDLE;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Programs and working folders: in the rootfs first, then on the host. */
#include "hcs/emulated/lookup.h"
#include "base/str.h"
#include "hcs/hresult.h"
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_LINKS       40
#define HOST_PATH_BYTES ((size_t)2 * PATH_MAX)

/* A path being resolved below a root: what is done (always real, no links) and what is to do. */
struct resolution {
    const char *root;
    char done[PATH_MAX];
    char todo[PATH_MAX];
    unsigned links;
};

static bool append(char *path, const char *part, size_t bytes)
{
    size_t used = strlen(path);

    if (used + 1 + bytes + 1 > PATH_MAX)
        return false;
    path[used] = '/';
    memcpy(path + used + 1, part, bytes);
    path[used + 1 + bytes] = 0;
    return true;
}

/* Puts a link's target in front of what is to do. */
static bool follow(struct resolution *res, const char *host_path, const char *rest)
{
    char target[PATH_MAX];
    ssize_t n = readlink(host_path, target, sizeof(target) - 1);
    size_t rest_bytes = strlen(rest);

    if (n < 0 || ++res->links > MAX_LINKS || (size_t)n + 1 + rest_bytes + 1 > PATH_MAX)
        return false;
    memmove(res->todo + n + 1, rest, rest_bytes + 1);
    memcpy(res->todo, target, (size_t)n);
    res->todo[n] = '/';
    if (*target == '/')
        *res->done = 0;
    else
        *strrchr(res->done, '/') = 0;
    return true;
}

static bool step(struct resolution *res, char host_path[HOST_PATH_BYTES])
{
    char *start = res->todo + strspn(res->todo, "/");
    size_t bytes = strcspn(start, "/");
    struct stat st;

    if (bytes == 2 && !memcmp(start, "..", 2)) {
        char *slash = strrchr(res->done, '/');

        if (slash)
            *slash = 0;
    } else if (bytes > 0 && !(bytes == 1 && *start == '.')) {
        if (!append(res->done, start, bytes))
            return false;
        snprintf(host_path, HOST_PATH_BYTES, "%s%s", res->root, res->done);
        if (lstat(host_path, &st) != 0)
            return false;
        if (S_ISLNK(st.st_mode))
            return follow(res, host_path, start + bytes);
    }
    memmove(res->todo, start + bytes, strlen(start + bytes) + 1);
    return true;
}

char *emu_resolve(const char *root, const char *path)
{
    struct resolution res = {.root = root};
    char host_path[HOST_PATH_BYTES];

    if (strlen(root) >= PATH_MAX || strlen(path) >= PATH_MAX)
        return NULL;
    memcpy(res.todo, path, strlen(path) + 1);
    while (*res.todo)
        if (!step(&res, host_path))
            return NULL;
    return shim_strf("%s%s", root, *res.done || *root ? res.done : "/");
}

static bool is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* 1: can be run; 0: is not there; -1: is there and cannot be run. */
static int runnable(const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0)
        return 0;
    return S_ISREG(st.st_mode) && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) == 0 ? 1 : -1;
}

struct search {
    const char *root, *cwd, *name;
    bool denied; /* something was there that cannot be run */
    char *found;
};

/* True when the search is over. */
static bool try_folder(struct search *s, const char *folder, size_t bytes)
{
    cleanup_free char *inside = *folder == '/'
                                    ? shim_strf("%.*s/%s", (int)bytes, folder, s->name)
                                    : shim_strf("%s/%.*s/%s", s->cwd, (int)bytes, folder, s->name);
    cleanup_free char *path = inside ? emu_resolve(s->root, inside) : NULL;
    int can = path ? runnable(path) : 0;

    if (can > 0)
        s->found = shim_take(path);
    s->denied = s->denied || can < 0;
    return can > 0;
}

static void search_root(struct search *s, const char *path_variable)
{
    if (*s->name == '/') {
        try_folder(s, "/", 1);
        return;
    }
    if (strchr(s->name, '/')) {
        try_folder(s, s->cwd, strlen(s->cwd));
        return;
    }
    for (const char *at = path_variable; at;) {
        size_t bytes = strcspn(at, ":");

        if (try_folder(s, at, bytes))
            return;
        at = at[bytes] ? at + bytes + 1 : NULL;
    }
}

static const char *path_of(const char *const *env)
{
    for (; env && *env; env++)
        if (shim_starts_with(*env, "PATH="))
            return *env + strlen("PATH=");
    return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

int emu_find_program(const char *rootfs, const char *cwd, const char *name, const char *const *env,
                     char **ret, struct shim_error *err)
{
    struct search s = {.root = rootfs, .cwd = cwd, .name = name};

    if (*name)
        search_root(&s, path_of(env));
    if (*name && !s.found) {
        s.root = "";
        search_root(&s, path_of(env));
    }
    if (s.found) {
        *ret = s.found;
        return 0;
    }
    if (s.denied)
        return hcs_fail(err, HRESULT_ACCESS_DENIED, "exec: \"%s\": permission denied", name);
    return hcs_fail(err, HRESULT_FILE_NOT_FOUND, "exec: \"%s\": %s", name,
                    strchr(name, '/') ? "no such file or directory"
                                      : "executable file not found in $PATH");
}

int emu_find_cwd(const char *rootfs, const char *cwd, char **ret, struct shim_error *err)
{
    cleanup_free char *inside = emu_resolve(rootfs, cwd);

    if (!is_folder(rootfs))
        return hcs_fail(err, HRESULT_FILE_NOT_FOUND, "rootfs %s: no such folder", rootfs);
    if (inside && is_folder(inside)) {
        *ret = shim_take(inside);
        return 0;
    }
    *ret = strdup(is_folder(cwd) ? cwd : rootfs);
    return *ret ? 0 : shim_fail_memory(err);
}

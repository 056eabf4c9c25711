/* SPDX-License-Identifier: Apache-2.0 */
/* The user, paths and private folders. */
#include "shim/ctl/platform.h"
#include "base/file.h"
#include "shim/ctl/terminal.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *ctl_default_state_dir(void)
{
    const char *runtime_dir = getenv("XDG_RUNTIME_DIR");

    if (!shim_str_empty(runtime_dir))
        return shim_strf("%s/shimctl", runtime_dir);
    if (geteuid() == 0)
        return shim_strdup0("/run/shimctl");
    return shim_strf("/tmp/shimctl-%u", (unsigned)geteuid());
}

int ctl_dir_private(const char *path, struct shim_error *err)
{
    struct stat st;
    int r = shim_dir_make_all(path, 0700, err);

    if (r < 0)
        return r;
    if (lstat(path, &st) != 0)
        return shim_fail_os(err, (uint32_t)errno, "look at %s", path);
    if (!S_ISDIR(st.st_mode))
        return shim_fail(err, SHIM_E_DENIED, "%s is not a folder", path);
    if (st.st_uid != geteuid() || (st.st_mode & 022))
        return shim_fail(err, SHIM_E_DENIED,
                         "%s: others may write there (owner %u, mode %04o); choose another with "
                         "--state",
                         path, (unsigned)st.st_uid, (unsigned)st.st_mode & 07777);
    return 0;
}

int ctl_dir_temporary(const char *parent, char **ret, struct shim_error *err)
{
    cleanup_free char *path = shim_strf("%s/.io-XXXXXX", parent);

    if (!path)
        return shim_fail_memory(err);
    if (!mkdtemp(path))
        return shim_fail_os(err, (uint32_t)errno, "make a folder in %s", parent);
    *ret = shim_take(path);
    return 0;
}

int ctl_dir_new(const char *path, unsigned mode, struct shim_error *err)
{
    if (mkdir(path, mode) != 0)
        return shim_fail_os(err, (uint32_t)errno, "make folder %s", path);
    return 0;
}

int ctl_path_absolute(const char *path, char **ret, struct shim_error *err)
{
    cleanup_free char *cwd = NULL;

    if (*path != '/') {
        cwd = getcwd(NULL, 0);
        if (!cwd)
            return shim_fail_os(err, (uint32_t)errno, "find the working folder");
    }
    *ret = cwd ? shim_strf("%s/%s", cwd, path) : shim_strdup0(path);
    return *ret ? 0 : shim_fail_memory(err);
}

int ctl_path_real(const char *path, char **ret, struct shim_error *err)
{
    char *real = realpath(path, NULL);

    if (!real)
        return shim_fail_os(err, (uint32_t)errno, "find %s", path);
    *ret = real;
    return 0;
}

int ctl_self_path(char **ret, struct shim_error *err)
{
    return ctl_path_real("/proc/self/exe", ret, err);
}

void ctl_user(uint32_t *ret_uid, uint32_t *ret_gid)
{
    *ret_uid = geteuid();
    *ret_gid = getegid();
}

_Noreturn void ctl_leave(int status)
{
    ctl_terminal_restore();
    _exit(status);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Unix sockets of shims: their folder, and whether one is served. */
#include "base/file.h"
#include "base/str.h"
#include "shim/address.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static const char *socket_path(const char *address)
{
    return shim_starts_with(address, "unix://") ? address + strlen("unix://") : address;
}

/* A folder that only we can use: made if missing, ours, and writable. */
static int use_folder(const char *path, struct shim_error *err)
{
    struct stat st;
    int r = shim_dir_make_all(path, 0711, err);

    if (r < 0)
        return r;
    if (stat(path, &st) != 0)
        return shim_fail_os(err, (uint32_t)errno, "stat %s", path);
    if (st.st_uid != geteuid())
        return shim_fail(err, SHIM_E_DENIED, "%s belongs to uid %u, not to us", path, st.st_uid);
    if ((st.st_mode & 0777) != 0700 && chmod(path, 0700) != 0)
        return shim_fail_os(err, (uint32_t)errno, "chmod %s", path);
    if (access(path, W_OK | X_OK) != 0)
        return shim_fail_os(err, (uint32_t)errno, "use %s", path);
    return 0;
}

static char *candidate(unsigned i)
{
    const char *runtime_dir = getenv("XDG_RUNTIME_DIR");

    switch (i) {
    case 0:
        return strdup("/run/containerd/s");
    case 1:
        return shim_str_empty(runtime_dir) ? NULL : shim_strf("%s/containerd/s", runtime_dir);
    case 2:
        return shim_strf("/run/%u/containerd/s", geteuid());
    default:
        return shim_strf("/tmp/containerd-s-%u", geteuid());
    }
}

static int socket_folder(const char *wanted, char **ret, struct shim_error *err)
{
    int r = SHIM_E_UNKNOWN;

    if (!shim_str_empty(wanted)) {
        r = use_folder(wanted, err);
        if (r < 0)
            return shim_wrap(err, r, "socket folder named by containerd");
        *ret = strdup(wanted);
        return *ret ? 0 : shim_fail_memory(err);
    }
    for (unsigned i = 0; i < 4; i++) {
        cleanup_free char *path = candidate(i);

        if (!path)
            continue;
        r = use_folder(path, err);
        if (r == 0) {
            *ret = shim_take(path);
            return 0;
        }
    }
    return shim_wrap(err, r, "no folder for the socket");
}

int shim_socket_address(const char *socket_dir, const char *grpc_address, const char *ns,
                        const char *group, char **ret, struct shim_error *err)
{
    cleanup_free char *folder = NULL, *address = NULL;
    char name[SHIM_SOCKET_NAME_BYTES];
    int r = shim_socket_name(grpc_address, ns, group, name, err);

    if (r == 0)
        r = socket_folder(socket_dir, &folder, err);
    if (r < 0)
        return r;
    address = shim_strf("unix://%s/%s", folder, name);
    if (!address)
        return shim_fail_memory(err);
    if (strlen(socket_path(address)) >= sizeof(((struct sockaddr_un *)0)->sun_path))
        return shim_fail(err, SHIM_E_INVALID, "socket path is too long: %s", socket_path(address));
    *ret = shim_take(address);
    return 0;
}

/* Connects without waiting for longer than 100 ms; -1 with errno. */
static int try_connect(const char *path)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_usec = 100000};

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
    if (connect(fd, (struct sockaddr *)&name, sizeof(name)) != 0) {
        int os = errno;

        close(fd);
        errno = os;
        return -1;
    }
    return fd;
}

bool shim_socket_is_served(const char *address)
{
    cleanup_handle intptr_t fd = try_connect(socket_path(address));

    /* A full backlog (EAGAIN) is somebody busy, not nobody. */
    return fd >= 0 || errno == EAGAIN;
}

void shim_socket_remove_stale(const char *address)
{
    cleanup_handle intptr_t fd = try_connect(socket_path(address));

    if (fd < 0 && errno == ECONNREFUSED)
        unlink(socket_path(address));
}

int shim_folder_lock(const char *folder, intptr_t *ret, struct shim_error *err)
{
    cleanup_handle intptr_t fd = SHIM_NO_HANDLE;

    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return shim_fail_os(err, (uint32_t)errno, "open %s", folder);
    while (flock((int)fd, LOCK_EX) != 0)
        if (errno != EINTR)
            return shim_fail_os(err, (uint32_t)errno, "lock %s", folder);
    *ret = fd;
    fd = SHIM_NO_HANDLE;
    return 0;
}

int shim_socket_lock(const char *address, intptr_t *ret, struct shim_error *err)
{
    cleanup_free char *folder = strdup(socket_path(address));

    if (!folder)
        return shim_fail_memory(err);
    *strrchr(folder, '/') = 0;
    return shim_folder_lock(folder, ret, err);
}

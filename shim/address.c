/* SPDX-License-Identifier: Apache-2.0 */
/* The name of a shim's socket. Pure. */
#include "shim/address.h"
#include "base/sha256.h"
#include "base/str.h"
#include <string.h>

/* Drops the last component of an output that ends at `end`, but never the root or a leading
 * "..". */
static size_t drop_last(const char *out, size_t end, size_t floor)
{
    while (end > floor && out[end - 1] != '/')
        end--;
    return end > floor && end > 1 ? end - 1 : end;
}

char *shim_path_clean(const char *path)
{
    char *out = malloc(strlen(path) + 2);
    bool rooted = path[0] == '/';
    size_t n = 0, floor = rooted ? 1 : 0;

    if (!out)
        return NULL;
    if (rooted)
        out[n++] = '/';
    while (*path) {
        size_t len = strcspn(path, "/");

        if (len == 2 && memcmp(path, "..", 2) == 0 && n > floor) {
            n = drop_last(out, n, floor);
        } else if (len == 2 && memcmp(path, "..", 2) == 0 && rooted) {
            /* the root's parent is the root */
        } else if (len > 0 && !(len == 1 && *path == '.')) {
            if (n > 0 && out[n - 1] != '/')
                out[n++] = '/';
            memcpy(out + n, path, len);
            n += len;
            if (len == 2 && memcmp(path, "..", 2) == 0)
                floor = n;
        }
        path += len;
        path += *path == '/';
    }
    if (n == 0)
        out[n++] = '.';
    out[n] = 0;
    return out;
}

int shim_socket_name(const char *grpc_address, const char *ns, const char *group,
                     char ret[SHIM_SOCKET_NAME_BYTES], struct shim_error *err)
{
    /* Go's Join leaves empty components out; an empty address must not make the path rooted. */
    cleanup_free char *joined =
        shim_strf("%s%s%s/%s", grpc_address, *grpc_address ? "/" : "", ns, group);
    cleanup_free char *clean = joined ? shim_path_clean(joined) : NULL;

    if (!clean)
        return shim_fail_memory(err);
    shim_sha256_hex(clean, strlen(clean), ret);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as containerd writes them, turned into nng's URLs. Every form is known everywhere;
 * whether it can be served is nng's answer. */
#include "base/buf.h"
#include "base/str.h"
#include "ttrpc/ttrpc.h"
#include <ctype.h>
#include <string.h>

#define PIPE_PREFIX         "\\\\.\\pipe\\"
#define SOCKET_PATH_BYTES   ((size_t)107) /* what sun_path holds with a terminator */
#define PIPE_NAME_BYTES     ((size_t)127) /* nng's limit */
#define ABSTRACT_NAME_BYTES ((size_t)107) /* sun_path, less the leading NUL */

static int give(char *url, char **ret, struct shim_error *err)
{
    if (!url)
        return shim_fail_memory(err);
    *ret = url;
    return 0;
}

static int socket_url(const char *path, char **ret, struct shim_error *err)
{
    if (path[0] != '/')
        return shim_fail(err, SHIM_E_INVALID, "address unix://%s: not an absolute path", path);
    if (strlen(path) > SOCKET_PATH_BYTES)
        return shim_fail(err, SHIM_E_INVALID, "socket path %s: longer than %zu bytes", path,
                         SOCKET_PATH_BYTES);
    return give(shim_strf("ipc://%s", path), ret, err);
}

static int pipe_url(const char *name, char **ret, struct shim_error *err)
{
    if (!*name)
        return shim_fail(err, SHIM_E_INVALID, "address " PIPE_PREFIX ": no name");
    if (strlen(name) > PIPE_NAME_BYTES)
        return shim_fail(err, SHIM_E_INVALID, "pipe name %s: longer than %zu bytes", name,
                         PIPE_NAME_BYTES);
    return give(shim_strf("ipc://%s", name), ret, err);
}

/* nng decodes percent signs in these URLs, and only in these. */
static int abstract_url(const char *name, char **ret, struct shim_error *err)
{
    cleanup_buf struct shim_buf url = {0};
    bool ok = shim_buf_append_str(&url, "abstract://");

    if (strlen(name) > ABSTRACT_NAME_BYTES)
        return shim_fail(err, SHIM_E_INVALID, "abstract socket %s: longer than %zu bytes", name,
                         ABSTRACT_NAME_BYTES);
    for (const unsigned char *c = (const unsigned char *)name; ok && *c; c++)
        ok = isalnum(*c) ? shim_buf_append(&url, c, 1) : shim_buf_appendf(&url, "%%%02x", *c);
    return give(ok ? shim_buf_take(&url) : NULL, ret, err);
}

int ttrpc_address_to_url(const char *address, char **ret, struct shim_error *err)
{
    if (shim_str_empty(address))
        return shim_fail(err, SHIM_E_INVALID, "empty address");
    if (shim_starts_with(address, PIPE_PREFIX))
        return pipe_url(address + strlen(PIPE_PREFIX), ret, err);
    if (shim_starts_with(address, "unix://"))
        return socket_url(address + strlen("unix://"), ret, err);
    if (address[0] == '/')
        return socket_url(address, ret, err);
    if (strstr(address, "://"))
        return shim_fail(err, SHIM_E_INVALID, "address %s: only unix:// is supported", address);
    return abstract_url(address, ret, err);
}

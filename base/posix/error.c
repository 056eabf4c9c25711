/* SPDX-License-Identifier: Apache-2.0 */
/* errno in the terms of base/error.h. */
#include "base/error.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

int shim_code_from_os(uint32_t os)
{
    switch (os) {
    case ENOENT:
    case ESRCH:
        return SHIM_E_NOT_FOUND;
    case EEXIST:
        return SHIM_E_EXISTS;
    case EACCES:
    case EPERM:
        return SHIM_E_DENIED;
    case EAGAIN: /* of fork and thread limits */
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case ENOSPC:
        return SHIM_E_EXHAUSTED;
    case ETIMEDOUT:
        return SHIM_E_DEADLINE;
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
        return SHIM_E_UNAVAILABLE;
    case ENOSYS:
    case EOPNOTSUPP:
        return SHIM_E_UNIMPLEMENTED;
    default:
        return SHIM_E_UNKNOWN;
    }
}

const char *shim_os_text(uint32_t os, char *buf, unsigned buf_bytes)
{
    char scratch[128];

    snprintf(buf, buf_bytes, "%s", strerror_r((int)os, scratch, sizeof(scratch)));
    return buf;
}

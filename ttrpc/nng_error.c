/* SPDX-License-Identifier: Apache-2.0 */
/* nng's codes to ours; what nng passes through from the OS is translated as an OS error. */
#include "ttrpc/nng_error.h"
#include <stdio.h>

static int code_of(int rv)
{
    switch (rv) {
    case NNG_ENOMEM:
    case NNG_ENOFILES:
    case NNG_ENOSPC:
        return SHIM_E_EXHAUSTED;
    case NNG_EINVAL:
    case NNG_EADDRINVAL:
        return SHIM_E_INVALID;
    case NNG_ENOTSUP:
        return SHIM_E_UNIMPLEMENTED;
    case NNG_EADDRINUSE:
    case NNG_EEXIST:
        return SHIM_E_EXISTS;
    case NNG_ENOENT:
        return SHIM_E_NOT_FOUND;
    case NNG_EPERM:
        return SHIM_E_DENIED;
    case NNG_ETIMEDOUT:
        return SHIM_E_DEADLINE;
    case NNG_ECANCELED:
        return SHIM_E_CANCELED;
    default:
        return SHIM_E_UNAVAILABLE;
    }
}

int ttrpc_fail_nng(struct shim_error *err, int rv, const char *fmt, ...)
{
    char what[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(what, sizeof(what), fmt, ap);
    va_end(ap);
    if (rv & NNG_ESYSERR)
        return shim_fail_os(err, (uint32_t)(rv & ~NNG_ESYSERR), "%s", what);
    return shim_fail(err, code_of(rv), "%s: %s", what, nng_strerror(rv));
}

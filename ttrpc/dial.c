/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting, and telling a socket that is not there from one that nobody serves. */
#include "ttrpc/dial.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "ttrpc/nng_error.h"
#include "ttrpc/ttrpc.h"
#include <string.h>

#define DIAL_AGAIN_MS 5 /* while the server's backlog is full */

static int fail_dial(struct shim_error *err, int rv, const char *address, const char *url)
{
    const char *path = url + strlen("ipc://");

    /* nng 1.x says "refused" for both */
    if (rv == NNG_ECONNREFUSED && shim_starts_with(url, "ipc:///") && !shim_file_exists(path))
        return shim_fail(err, SHIM_E_NOT_FOUND, "connect to %s: no such socket", address);
    if (rv == NNG_EAGAIN)
        rv = NNG_ETIMEDOUT;
    return ttrpc_fail_nng(err, rv, "connect to %s", address);
}

/* Returns nng's code. */
static int dial(nng_stream_dialer *dialer, nng_aio *aio, int64_t deadline_ns)
{
    int64_t left_ms;
    int rv;

    for (;;) {
        left_ms = (deadline_ns - shim_monotonic_ns()) / SHIM_NS_PER_MS;
        nng_aio_set_timeout(aio, left_ms > 1 ? (nng_duration)left_ms : 1);
        nng_stream_dialer_dial(dialer, aio);
        nng_aio_wait(aio);
        rv = nng_aio_result(aio);
        if (rv != NNG_EAGAIN || left_ms <= DIAL_AGAIN_MS)
            return rv;
        nng_sleep_aio(DIAL_AGAIN_MS, aio);
        nng_aio_wait(aio);
    }
}

int ttrpc_dial(const char *address, unsigned timeout_ms, nng_stream **ret, struct shim_error *err)
{
    int64_t deadline_ns = shim_monotonic_ns() + timeout_ms * SHIM_NS_PER_MS;
    cleanup_free char *url = NULL;
    nng_stream_dialer *dialer = NULL;
    nng_aio *aio = NULL;
    int rv, r = ttrpc_address_to_url(address, &url, err);

    if (r < 0)
        return r;
    rv = nng_stream_dialer_alloc(&dialer, url);
    if (rv == 0)
        rv = nng_aio_alloc(&aio, NULL, NULL);
    if (rv == 0)
        rv = dial(dialer, aio, deadline_ns);
    if (rv == 0)
        *ret = nng_aio_get_output(aio, 0);
    nng_aio_free(aio);
    nng_stream_dialer_free(dialer);
    return rv == 0 ? 0 : fail_dial(err, rv, address, url);
}

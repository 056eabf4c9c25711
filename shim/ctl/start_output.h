/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what a shim's "start" printed, by the rules of containerd 2.4. Pure. Threads: any. */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdlib.h>

/* Where a shim listens and which task service it speaks. */
struct ctl_endpoint {
    int version;   /* of the task API: 2 or 3; 0: not known */
    char *address; /* owned */
};
static inline void ctl_endpoint_done(struct ctl_endpoint *e)
{
    free(e->address);
    *e = (struct ctl_endpoint){0};
}
#define cleanup_endpoint SHIM_CLEANUP(ctl_endpoint_done)

/**
 * Takes a protobuf BootstrapResult, JSON {"version", "address", "protocol"} or a plain address
 * (version 2), white space around the latter two.
 *
 * @return 0; SHIM_E_INVALID for no address, a version other than 2 and 3, a protocol other than
 *         ttrpc, or text that is no address.
 */
SHIM_MUST_USE int ctl_start_output_parse(const void *data, size_t bytes, struct ctl_endpoint *ret,
                                         struct shim_error *err);

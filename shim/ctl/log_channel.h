/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's log channel: <bundle>/log, whose reader has to be there before the shim starts. */
#pragma once
#include "base/error.h"
#include <stdbool.h>

struct ctl_log; /* opaque */

/* Makes the channel and copies what comes to <bundle>/shim.log, or to our standard error. */
SHIM_MUST_USE int ctl_log_open(const char *bundle, bool to_stderr, struct ctl_log **ret,
                               struct shim_error *err);
/* Copies what has come so far and closes; the shim lives on without a reader. NULL is a no-op. */
void ctl_log_free(struct ctl_log *l);
static inline void ctl_log_freep(struct ctl_log **l)
{
    ctl_log_free(*l);
}
#define cleanup_log SHIM_CLEANUP(ctl_log_freep)

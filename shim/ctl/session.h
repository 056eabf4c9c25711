/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process that the user sits in front of: its streams, the terminal, signals passed on to it, and
 * its end. Used by run and exec. Threads: one, except where said.
 */
#pragma once
#include "base/error.h"
#include "shim/ctl/client.h"
#include "shim/ctl/stdio.h"
#include <stdbool.h>

struct ctl_session; /* opaque */

struct ctl_session_config {
    const char *dir;          /* private, for the pipes */
    const char *id, *exec_id; /* exec_id "" for init; both must outlive the session */
    bool terminal, interactive;
};

/* Makes the pipes and watches for signals: from now on the first INT or the like stops a shim that
 * is being started and sets the session interrupted; the second leaves the program at once. If the
 * process gets to run all the same, the first is passed on to it. */
SHIM_MUST_USE int ctl_session_new(const struct ctl_session_config *config, struct ctl_session **ret,
                                  struct shim_error *err);
/* For shim_run while the shim is being started. Lent. */
struct shim_stopper *ctl_session_stopper(struct ctl_session *s);
const struct ctl_stdio *ctl_session_stdio(const struct ctl_session *s);
/* SHIM_E_CANCELED "interrupted" once a signal came before the process ran, else 0. */
SHIM_MUST_USE int ctl_session_check(struct ctl_session *s, struct shim_error *err);

/* Once the shim knows the process, before it runs: copies output, waits for the end, sets the size
 * of its terminal. `client` must outlive the session. */
SHIM_MUST_USE int ctl_session_attach(struct ctl_session *s, struct ctl_client *client,
                                     struct shim_error *err);
/* Once it runs: copies input, raw terminal, passes signals on. Returns at its end with the terminal
 * restored. SHIM_E_UNAVAILABLE when the shim went away. */
SHIM_MUST_USE int ctl_session_finish(struct ctl_session *s, struct ctl_exit *ret,
                                     struct shim_error *err);
/* After the end: takes what is left of its output, or tells that it was given up. */
void ctl_session_drain(struct ctl_session *s);
void ctl_session_free(struct ctl_session *s); /* NULL is a no-op */
static inline void ctl_session_freep(struct ctl_session **s)
{
    ctl_session_free(*s);
}
#define cleanup_session SHIM_CLEANUP(ctl_session_freep)

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's Events endpoint: shims bring their events here. While nobody serves it, a shim keeps
 * what it cannot deliver and tries again.
 */
#pragma once
#include "base/error.h"
#include "shim/ctl/flags.h"
#include "shim/proto/forward.pb-c.h"

struct ctl;
struct ctl_events; /* opaque */
struct json_object;

/* Where the shims of a state folder bring their events; malloc'ed, NULL when out of memory. */
char *ctl_events_address(const struct ctl *c);

/**
 * Serves the endpoint and prints every event as a line: on standard output, or with `to_stderr` as
 * a note beside a container's output.
 *
 * @param ids  of the containers to print; none: all. Lent, must outlive it.
 * @return     0; SHIM_E_UNAVAILABLE or as the OS failed when the address cannot be had.
 */
SHIM_MUST_USE int ctl_events_serve(const struct ctl *c, const char *address, const char *const *ids,
                                   bool to_stderr, struct ctl_events **ret, struct shim_error *err);
/* Takes what is on its way, then closes. NULL is a no-op. */
void ctl_events_free(struct ctl_events *e);

/* {"timestamp", "namespace", "topic", "event"}; NULL when out of memory. Pure. */
struct json_object *ctl_event_to_json(const Forward__Envelope *envelope);
/* Whether containerd would take it: SHIM_E_INVALID for a wrong namespace or topic, or no time. */
SHIM_MUST_USE int ctl_event_check(const Forward__Envelope *envelope, struct shim_error *err);

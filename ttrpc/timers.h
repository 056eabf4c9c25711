/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deadlines of calls: many timers on one nng_aio. Millisecond steps, never early. The lock inside
 * is a leaf. Threads: any.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

struct ttrpc_timers; /* opaque */

/* Embedded by its owner, zero-initialised, and to stay in place while it is set. */
struct ttrpc_timer {
    struct ttrpc_timer *prev, *next;
    int64_t at_ns; /* monotonic */
    /* On an nng thread, without locks; the timer is no longer set. */
    void (*fn)(struct ttrpc_timer *timer);
    bool set;
};

SHIM_MUST_USE int ttrpc_timers_new(struct ttrpc_timers **ret, struct shim_error *err);
/* Waits for what is being called; timers still set are forgotten. Not from a timer's fn. NULL is a
 * no-op. */
void ttrpc_timers_free(struct ttrpc_timers *timers);

/* at_ns and fn are filled in. */
void ttrpc_timers_set(struct ttrpc_timers *timers, struct ttrpc_timer *timer);
/* True when it was set: then its fn is not going to be called. */
bool ttrpc_timers_clear(struct ttrpc_timers *timers, struct ttrpc_timer *timer);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread that waits for what the platform can wait for (base/posix/loop.h) and for timers. The
 * stdio relay and the OOM notices share it. Callbacks run on its thread, never concurrently, and
 * must not block.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

struct shim_loop; /* opaque */

/* Starts the thread. Free stops and joins it (not from a callback); watches and timers must be
 * gone. */
SHIM_MUST_USE int shim_loop_new(const char *thread_name, struct shim_loop **ret,
                                struct shim_error *err);
void shim_loop_free(struct shim_loop *loop); /* NULL is a no-op */

/* Runs fn(user) on the loop's thread, in order of posting. False when out of memory. Threads:
 * any. */
SHIM_MUST_USE bool shim_loop_post(struct shim_loop *loop, void (*fn)(void *user), void *user);

/* A one-shot timer; embedded by its owner, zero-initialised. On the loop's thread only. */
struct shim_timer {
    int64_t at_ns; /* 0: not set */
    void (*fire)(struct shim_timer *t);
    struct shim_timer *next, **prev; /* the loop's own, sorted */
    struct shim_loop *loop;
};
void shim_timer_set(struct shim_loop *loop, struct shim_timer *t, int64_t delay_ms,
                    void (*fire)(struct shim_timer *t));
void shim_timer_clear(struct shim_timer *t); /* not set is fine */

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread that waits for descriptors and timers with epoll. The stdio relay and the OOM notices
 * share it. Callbacks run on its thread, never concurrently, and must not block.
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

/* Runs fn(user) on the loop's thread, in order of posting. False when out of memory. Threads: any.
 */
SHIM_MUST_USE bool shim_loop_post(struct shim_loop *loop, void (*fn)(void *user), void *user);

/* A descriptor being watched; embedded by its owner. All calls on the loop's thread only. */
struct shim_watch {
    int fd;          /* borrowed; -1 while not added */
    uint32_t events; /* EPOLLIN | EPOLLOUT | …, level-triggered */
    void (*ready)(struct shim_watch *w, uint32_t events);
    struct shim_loop *loop; /* the loop's own */
};
SHIM_MUST_USE int shim_watch_add(struct shim_loop *loop, struct shim_watch *w, int fd,
                                 uint32_t events, void (*ready)(struct shim_watch *, uint32_t),
                                 struct shim_error *err);
void shim_watch_set(struct shim_watch *w, uint32_t events); /* 0: silent, even about hang-ups */
/* Before the descriptor is closed; the callback does not come any more, also not from the batch
 * being worked on. Twice is fine. */
void shim_watch_remove(struct shim_watch *w);

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

/* SPDX-License-Identifier: Apache-2.0 */
/* Descriptors on the loop of base/loop.h, waited for with epoll. */
#pragma once
#include "base/loop.h"

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

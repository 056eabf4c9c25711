/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads for work that may block: started when needed, ended after ten idle seconds (one stays),
 * bounded in number. Work beyond the bound waits in order. Urgent work (Kill, Delete) has threads
 * of its own beyond the bound, so that it never waits behind hung work.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>

struct shim_workers; /* opaque */

struct shim_workers_config {
    unsigned max_threads;    /* for ordinary work */
    unsigned urgent_threads; /* more, for urgent work only */
    unsigned idle_ms;        /* after which a thread beyond the first ends; 0: 10000 */
};

SHIM_MUST_USE int shim_workers_new(const struct shim_workers_config *config,
                                   struct shim_workers **ret, struct shim_error *err);

/* One piece of work; embedded by its owner, which must stay until fn is called. */
struct shim_work {
    void (*fn)(struct shim_work *work);
    struct shim_work *next; /* the pool's own */
};

/* Never blocks, never fails: where no thread can be started, work waits for a running one; the
 * first thread is started by shim_workers_new. Threads: any. */
void shim_workers_run(struct shim_workers *w, struct shim_work *work, bool urgent);

/* Waits until all work has ended, at most timeout_ms; true if it has. */
bool shim_workers_drain(struct shim_workers *w, unsigned timeout_ms);
/* Ends all threads after the work queued so far. NULL is a no-op. */
void shim_workers_free(struct shim_workers *w);

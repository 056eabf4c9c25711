/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads for work that may block: started when needed, ended when idle for a while, bounded in
 * number. Work beyond the bound waits in order. Urgent work (Kill, Delete) has threads of its own
 * beyond the bound, so that it never waits behind hung work.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>

struct shim_workers; /* opaque */

struct shim_workers_config {
    unsigned max_threads;    /* for ordinary work */
    unsigned urgent_threads; /* more, for urgent work only */
    unsigned idle_ms;        /* after which a thread ends; 0: 10000 */
    /* Work waits, there is no thread and none can be started: shim_workers_retry() is to be called
     * some time later. Comes from the giver of work, under its locks; must not block. NULL: one
     * thread is started by shim_workers_new and stays, so that this never happens. */
    void (*starved)(void *user);
    void *user;
};

SHIM_MUST_USE int shim_workers_new(const struct shim_workers_config *config,
                                   struct shim_workers **ret, struct shim_error *err);

/* One piece of work; embedded by its owner, which must stay until fn is called. */
struct shim_work {
    void (*fn)(struct shim_work *work);
    bool background;        /* drain does not wait for it */
    struct shim_work *next; /* the pool's own */
};

/* Never blocks, never fails: where no thread can be started, work waits for a running one.
 * Threads: any. */
void shim_workers_run(struct shim_workers *w, struct shim_work *work, bool urgent);
/* Starts threads for work that waits for one, or says again that it starves. Threads: any. */
void shim_workers_retry(struct shim_workers *w);

/* Waits until all work but that in the background has ended, at most timeout_ms; true if it has. */
bool shim_workers_drain(struct shim_workers *w, unsigned timeout_ms);
/* Ends all threads after the work queued so far; runs itself what starves. NULL is a no-op. */
void shim_workers_free(struct shim_workers *w);

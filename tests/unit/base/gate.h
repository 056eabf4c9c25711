/* SPDX-License-Identifier: Apache-2.0 */
/* Work that stands at a gate until it is opened: how tests see which work runs and in which
 * order. */
#pragma once
#include "base/clock.h"
#include "base/thread.h"
#include "base/workers.h"
#include "tests/test.h"

/* Where work tells that it runs and waits for the door to open. */
struct gate {
    struct shim_mutex lock;
    struct shim_cond cond;
    bool open;
    unsigned arrived, passed;
    unsigned order[16]; /* numbers of the work, as it passed */
};

struct job {
    struct shim_work work;
    struct gate *gate;
    unsigned number;
    bool through; /* does not wait for the door */
};

static inline void gate_init(struct gate *g)
{
    *g = (struct gate){.open = false};
    shim_mutex_init(&g->lock);
    shim_cond_init(&g->cond);
}

static inline void gate_done(struct gate *g)
{
    shim_cond_done(&g->cond);
    shim_mutex_done(&g->lock);
}

static inline void gate_open(struct gate *g)
{
    shim_lock(&g->lock);
    g->open = true;
    shim_cond_broadcast(&g->cond);
    shim_unlock(&g->lock);
}

static inline void pass_gate(struct shim_work *work)
{
    struct job *job = shim_container_of(work, struct job, work);
    struct gate *g = job->gate;

    shim_lock(&g->lock);
    g->arrived++;
    shim_cond_broadcast(&g->cond);
    while (!g->open && !job->through)
        shim_cond_wait(&g->cond, &g->lock);
    if (g->passed < SHIM_ARRAY_LEN(g->order))
        g->order[g->passed] = job->number;
    g->passed++;
    shim_cond_broadcast(&g->cond);
    shim_unlock(&g->lock);
}

/* False when it did not come to this within ten seconds. */
static inline bool await_count(struct gate *g, const unsigned *count, unsigned want)
{
    int64_t deadline = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;
    bool reached;

    shim_lock(&g->lock);
    while (*count < want && shim_cond_wait_until(&g->cond, &g->lock, deadline))
        continue;
    reached = *count == want;
    shim_unlock(&g->lock);
    return reached;
}

static inline void run_jobs(struct shim_workers *w, struct gate *g, struct job *jobs, unsigned n,
                            bool urgent)
{
    for (unsigned i = 0; i < n; i++) {
        jobs[i] = (struct job){.work.fn = pass_gate, .gate = g, .number = i};
        shim_workers_run(w, &jobs[i].work, urgent);
    }
}

static inline struct shim_workers *workers_of(unsigned max, unsigned urgent, unsigned idle_ms)
{
    struct shim_workers_config config = {
        .max_threads = max, .urgent_threads = urgent, .idle_ms = idle_ms};
    struct shim_workers *w = NULL;

    assert_int_equal(shim_workers_new(&config, &w, NULL), 0);
    return w;
}

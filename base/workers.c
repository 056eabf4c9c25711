/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker threads: two pools with a queue each, one for all work and one for urgent work when
 * the first is busy. Promises to start a thread for each piece of work while the bound allows it,
 * so that no work waits behind other work without need.
 */
#include "base/workers.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/thread.h"
#include <stdint.h>
#include <stdlib.h>

#define IDLE_MS_DEFAULT 10000

struct pool {
    struct shim_workers *owner;
    const char *thread_name;
    struct shim_cond work_came;
    struct shim_work *first, **end;
    unsigned queued;
    unsigned threads, max_threads;
    unsigned idle; /* of threads: waiting, or being started, which is as good */
    unsigned keep; /* so many stay when idle */
};

struct shim_workers {
    struct shim_mutex lock;    /* of everything below; taken alone */
    struct shim_cond finished; /* no work is left, or a thread has ended */
    struct pool ordinary, urgent;
    unsigned unfinished; /* without what is in the background */
    unsigned idle_ms;
    void (*starved)(void *user); /* constant */
    void *user;                  /* constant */
    bool ending;
};

static void enqueue(struct pool *pool, struct shim_work *work, bool in_front)
{
    work->next = in_front ? pool->first : NULL;
    if (!in_front)
        *pool->end = work;
    if (!pool->first || !in_front)
        pool->end = &work->next;
    if (in_front)
        pool->first = work;
    pool->queued++;
}

static struct shim_work *dequeue(struct pool *pool)
{
    struct shim_work *work = pool->first;

    if (!work)
        return NULL;
    pool->first = work->next;
    if (!pool->first)
        pool->end = &pool->first;
    pool->queued--;
    return work;
}

/* The next piece of work; NULL when the thread is to end. */
static struct shim_work *await_work_locked(struct shim_workers *w, struct pool *pool)
    SHIM_REQUIRES(w->lock)
{
    int64_t deadline = shim_monotonic_ns() + w->idle_ms * SHIM_NS_PER_MS;
    bool in_time = true;

    while (!pool->first && !w->ending) {
        if (pool->threads <= pool->keep)
            shim_cond_wait(&pool->work_came, &w->lock);
        else if (in_time)
            in_time = shim_cond_wait_until(&pool->work_came, &w->lock, deadline);
        else
            break;
    }
    return dequeue(pool);
}

static void run_thread(void *arg)
{
    struct pool *pool = arg;
    struct shim_workers *w = pool->owner;
    struct shim_work *work;

    shim_lock(&w->lock);
    while ((work = await_work_locked(w, pool))) {
        bool background = work->background;

        pool->idle--;
        shim_unlock(&w->lock);
        work->fn(work); /* it is its owner's again, or gone */
        shim_lock(&w->lock);
        pool->idle++;
        if (!background && --w->unfinished == 0)
            shim_cond_broadcast(&w->finished);
    }
    pool->idle--;
    pool->threads--;
    shim_cond_broadcast(&w->finished);
    shim_unlock(&w->lock);
}

static int start_thread(struct pool *pool, struct shim_error *err)
{
    struct shim_thread thread;
    int r = shim_thread_start(pool->thread_name, 0, run_thread, pool, &thread, err);

    if (r == 0)
        shim_thread_detach(&thread);
    return r;
}

/* Whether the caller is to start a thread; it is counted already. */
static bool reserve_thread(struct pool *pool)
{
    if (pool->queued <= pool->idle || pool->threads == pool->max_threads)
        return false;
    pool->threads++;
    pool->idle++;
    return true;
}

/* Takes the count back. Urgent work must not lie where no thread is. */
static void give_up_thread(struct pool *pool)
{
    struct shim_workers *w = pool->owner;
    struct shim_work *work;
    bool starved;

    shim_lock(&w->lock);
    pool->threads--;
    pool->idle--;
    while (pool->threads == 0 && pool != &w->ordinary && (work = dequeue(pool))) {
        enqueue(&w->ordinary, work, true);
        shim_cond_signal(&w->ordinary.work_came);
    }
    starved = w->ordinary.first && w->ordinary.threads == 0;
    shim_unlock(&w->lock);
    if (starved)
        w->starved(w->user);
}

/* Urgent work takes an idle ordinary thread where there is one to spare, else one of its own. */
static struct pool *choose_pool_locked(struct shim_workers *w, bool urgent) SHIM_REQUIRES(w->lock)
{
    if (!urgent || w->urgent.max_threads == 0 || w->ordinary.queued < w->ordinary.idle)
        return &w->ordinary;
    return &w->urgent;
}

void shim_workers_run(struct shim_workers *w, struct shim_work *work, bool urgent)
{
    struct pool *pool;
    bool start;

    shim_lock(&w->lock);
    pool = choose_pool_locked(w, urgent);
    enqueue(pool, work, urgent && pool == &w->ordinary);
    w->unfinished += !work->background;
    start = reserve_thread(pool);
    shim_cond_signal(&pool->work_came);
    shim_unlock(&w->lock);
    if (start && start_thread(pool, NULL) < 0)
        give_up_thread(pool);
}

void shim_workers_retry(struct shim_workers *w)
{
    bool start;

    do {
        shim_lock(&w->lock);
        start = reserve_thread(&w->ordinary);
        shim_unlock(&w->lock);
        if (start && start_thread(&w->ordinary, NULL) < 0) {
            give_up_thread(&w->ordinary);
            start = false;
        }
    } while (start);
}

/* The thread that stays. */
static int start_first(struct shim_workers *w, struct shim_error *err)
{
    w->ordinary.keep = w->ordinary.threads = w->ordinary.idle = 1;
    return start_thread(&w->ordinary, err);
}

static void pool_init(struct pool *pool, struct shim_workers *owner, const char *thread_name,
                      unsigned max_threads)
{
    *pool = (struct pool){.owner = owner,
                          .thread_name = thread_name,
                          .end = &pool->first,
                          .max_threads = max_threads};
    shim_cond_init(&pool->work_came);
}

static void free_workers(struct shim_workers *w)
{
    shim_cond_done(&w->ordinary.work_came);
    shim_cond_done(&w->urgent.work_came);
    shim_cond_done(&w->finished);
    shim_mutex_done(&w->lock);
    free(w);
}

int shim_workers_new(const struct shim_workers_config *config, struct shim_workers **ret,
                     struct shim_error *err)
{
    struct shim_workers *w = calloc(1, sizeof(*w));
    unsigned max_threads = config->max_threads ? config->max_threads : 1;
    int r = 0;

    if (!w)
        return shim_fail_memory(err);
    w->starved = config->starved;
    w->user = config->user;
    w->idle_ms = config->idle_ms ? config->idle_ms : IDLE_MS_DEFAULT;
    shim_mutex_init(&w->lock);
    shim_cond_init(&w->finished);
    pool_init(&w->ordinary, w, "worker", max_threads);
    pool_init(&w->urgent, w, "urgent", config->urgent_threads);
    if (!w->starved)
        r = start_first(w, err);
    if (r < 0) {
        free_workers(w);
        return r;
    }
    *ret = w;
    return 0;
}

bool shim_workers_drain(struct shim_workers *w, unsigned timeout_ms)
{
    int64_t deadline = shim_monotonic_ns() + timeout_ms * SHIM_NS_PER_MS;
    bool done;

    shim_lock(&w->lock);
    while (w->unfinished > 0 && shim_cond_wait_until(&w->finished, &w->lock, deadline))
        continue;
    done = w->unfinished == 0;
    shim_unlock(&w->lock);
    return done;
}

void shim_workers_free(struct shim_workers *w)
{
    struct shim_work *work;

    if (!w)
        return;
    shim_lock(&w->lock);
    w->ending = true;
    shim_cond_broadcast(&w->ordinary.work_came);
    shim_cond_broadcast(&w->urgent.work_came);
    while (w->ordinary.threads + w->urgent.threads > 0)
        shim_cond_wait(&w->finished, &w->lock);
    shim_unlock(&w->lock);
    while ((work = dequeue(&w->ordinary)))
        work->fn(work); /* it starved */
    free_workers(w);
}

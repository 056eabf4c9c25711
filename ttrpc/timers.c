/* SPDX-License-Identifier: Apache-2.0 */
/* An unsorted list and one sleeping aio: setting and clearing cost the same however many there are,
 * and few calls outlive the moment they were made in. */
#include "ttrpc/timers.h"
#include "base/clock.h"
#include "base/thread.h"
#include "ttrpc/nng_error.h"
#include <stdlib.h>

struct ttrpc_timers {
    struct shim_mutex lock; /* leaf */
    struct ttrpc_timer *list;
    nng_aio *aio;
    bool sleeping;
    int64_t wake_ns;
};

static void unlink_locked(struct ttrpc_timers *timers, struct ttrpc_timer *timer)
    SHIM_REQUIRES(timers->lock)
{
    if (timer->next)
        timer->next->prev = timer->prev;
    if (timer->prev)
        timer->prev->next = timer->next;
    else
        timers->list = timer->next;
    timer->set = false;
}

static void sleep_locked(struct ttrpc_timers *timers, int64_t until_ns, int64_t now_ns)
    SHIM_REQUIRES(timers->lock)
{
    int64_t ms = until_ns > now_ns ? (until_ns - now_ns - 1) / SHIM_NS_PER_MS + 1 : 0;

    timers->sleeping = true;
    timers->wake_ns = until_ns;
    nng_sleep_aio(ms > INT32_MAX ? INT32_MAX : (nng_duration)ms, timers->aio);
}

/* Takes the timers that are due off the list and chains them by `next`. */
static struct ttrpc_timer *take_due_locked(struct ttrpc_timers *timers, int64_t now_ns,
                                           int64_t *ret_next_ns) SHIM_REQUIRES(timers->lock)
{
    struct ttrpc_timer *due = NULL, *next;

    *ret_next_ns = INT64_MAX;
    for (struct ttrpc_timer *timer = timers->list; timer; timer = next) {
        next = timer->next;
        if (timer->at_ns <= now_ns) {
            unlink_locked(timers, timer);
            timer->next = due;
            due = timer;
        } else if (timer->at_ns < *ret_next_ns) {
            *ret_next_ns = timer->at_ns;
        }
    }
    return due;
}

static void wake(void *arg)
{
    struct ttrpc_timers *timers = arg;
    int64_t now_ns = shim_monotonic_ns(), next_ns;
    struct ttrpc_timer *due, *next;

    shim_lock(&timers->lock);
    timers->sleeping = false;
    due = take_due_locked(timers, now_ns, &next_ns);
    if (next_ns != INT64_MAX)
        sleep_locked(timers, next_ns, now_ns);
    shim_unlock(&timers->lock);

    for (; due; due = next) {
        next = due->next;
        due->fn(due);
    }
}

int ttrpc_timers_new(struct ttrpc_timers **ret, struct shim_error *err)
{
    struct ttrpc_timers *timers = calloc(1, sizeof(*timers));
    int rv;

    if (!timers)
        return shim_fail_memory(err);
    rv = nng_aio_alloc(&timers->aio, wake, timers);
    if (rv != 0) {
        free(timers);
        return ttrpc_fail_nng(err, rv, "create a timer");
    }
    shim_mutex_init(&timers->lock);
    *ret = timers;
    return 0;
}

void ttrpc_timers_free(struct ttrpc_timers *timers)
{
    if (!timers)
        return;
    nng_aio_stop(timers->aio); /* later sleeps are refused without a callback */
    nng_aio_free(timers->aio);
    shim_mutex_done(&timers->lock);
    free(timers);
}

void ttrpc_timers_set(struct ttrpc_timers *timers, struct ttrpc_timer *timer)
{
    bool earlier;

    shim_lock(&timers->lock);
    timer->prev = NULL;
    timer->next = timers->list;
    if (timers->list)
        timers->list->prev = timer;
    timers->list = timer;
    timer->set = true;
    earlier = timers->sleeping && timer->at_ns < timers->wake_ns;
    if (!timers->sleeping)
        sleep_locked(timers, timer->at_ns, shim_monotonic_ns());
    shim_unlock(&timers->lock);

    if (earlier)
        nng_aio_cancel(timers->aio); /* wakes it to look again */
}

bool ttrpc_timers_clear(struct ttrpc_timers *timers, struct ttrpc_timer *timer)
{
    bool was_set;

    shim_lock(&timers->lock);
    was_set = timer->set;
    if (was_set)
        unlink_locked(timers, timer);
    shim_unlock(&timers->lock);
    return was_set;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The race of an answer with its caller's going: whoever takes a waiter off the list ends it. */
#include "shim/waiters.h"
#include "base/error.h"
#include "ttrpc/server.h"
#include <stdlib.h>

struct shim_waiter {
    struct shim_waiter *next;
    struct shim_waiters *waiters;
    struct ttrpc_call *call;
    ProtobufCClosure reply;
    bool parked, gone;
};

static void finish(struct shim_waiter *w)
{
    struct shim_waiters *waiters = w->waiters;

    free(w);
    if (waiters->ended)
        waiters->ended(waiters);
}

static bool unpark_locked(struct shim_waiter *w)
{
    for (struct shim_waiter **at = &w->waiters->first; w->parked && *at; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            w->parked = false;
            return true;
        }
    }
    return false;
}

static void on_gone(struct ttrpc_call *call, void *user)
{
    struct shim_waiter *w = user;
    struct shim_mutex *lock = w->waiters->lock;
    bool ours;

    shim_lock(lock);
    w->gone = true;
    ours = unpark_locked(w);
    shim_unlock(lock);
    if (ours) {
        ttrpc_call_fail(call, SHIM_E_CANCELED, "context canceled");
        finish(w);
    }
}

struct shim_waiter *shim_waiter_new(struct shim_waiters *waiters, struct ttrpc_call *call,
                                    ProtobufCClosure reply)
{
    struct shim_waiter *w = calloc(1, sizeof(*w));

    if (!w)
        return NULL;
    *w = (struct shim_waiter){.waiters = waiters, .call = call, .reply = reply};
    ttrpc_call_release_request(call);
    ttrpc_call_on_gone(call, on_gone, w);
    return w;
}

bool shim_waiter_park_locked(struct shim_waiter *w)
{
    if (w->gone)
        return false;
    w->parked = true;
    w->next = w->waiters->first;
    w->waiters->first = w;
    return true;
}

struct shim_waiter *shim_waiters_take_locked(struct shim_waiters *waiters)
{
    struct shim_waiter *taken = shim_take(waiters->first);

    for (struct shim_waiter *w = taken; w; w = w->next)
        w->parked = false;
    return taken;
}

void shim_waiters_answer(struct shim_waiter *taken, const ProtobufCMessage *answer)
{
    while (taken) {
        struct shim_waiter *w = taken;

        taken = w->next;
        w->reply(answer, w->call); /* waits for an on_gone that is under way */
        finish(w);
    }
}

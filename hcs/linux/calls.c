/* SPDX-License-Identifier: Apache-2.0 */
/* A list of running operations under one short lock. Order: linux_calls.lock, then a stopper's. */
#include "hcs/linux/calls.h"

void linux_calls_init(struct linux_calls *calls)
{
    shim_mutex_init(&calls->lock);
    calls->first = NULL;
}

void linux_calls_done(struct linux_calls *calls)
{
    shim_mutex_done(&calls->lock);
}

void linux_call_begin(struct linux_calls *calls, struct linux_call *call)
{
    shim_stopper_init(&call->stopper);
    shim_lock(&calls->lock);
    call->next = calls->first;
    call->prev = &calls->first;
    if (call->next)
        call->next->prev = &call->next;
    calls->first = call;
    shim_unlock(&calls->lock);
}

void linux_call_end(struct linux_calls *calls, struct linux_call *call)
{
    shim_lock(&calls->lock);
    *call->prev = call->next;
    if (call->next)
        call->next->prev = call->prev;
    shim_unlock(&calls->lock);
    shim_stopper_done(&call->stopper);
}

bool linux_call_canceled(struct linux_call *call)
{
    bool canceled;

    shim_lock(&call->stopper.lock);
    canceled = call->stopper.stopped;
    shim_unlock(&call->stopper.lock);
    return canceled;
}

void linux_calls_cancel(struct linux_calls *calls)
{
    shim_lock(&calls->lock);
    for (struct linux_call *call = calls->first; call; call = call->next)
        shim_stopper_stop(&call->stopper);
    shim_unlock(&calls->lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations under way on one system, so that all of them can be cut short. Each has a stopper
 * of its own: cancelling ends those that are under way and none that comes later. Threads: any.
 */
#pragma once
#include "base/child.h"
#include "base/thread.h"
#include <stdbool.h>

struct linux_call { /* on the operation's stack */
    struct shim_stopper stopper;
    struct linux_call *next, **prev;
};
struct linux_calls {
    struct shim_mutex lock;
    struct linux_call *first;
};

void linux_calls_init(struct linux_calls *calls);
void linux_calls_done(struct linux_calls *calls); /* none may be under way */

void linux_call_begin(struct linux_calls *calls, struct linux_call *call);
void linux_call_end(struct linux_calls *calls, struct linux_call *call);
bool linux_call_canceled(struct linux_call *call);

/* The operations under way fail with SHIM_E_CANCELED, their programs get SIGKILL. Does not wait. */
void linux_calls_cancel(struct linux_calls *calls);

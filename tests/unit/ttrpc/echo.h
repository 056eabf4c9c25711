/* SPDX-License-Identifier: Apache-2.0 */
/* The test service of echo.proto, its parked calls in reach of the test. Threads: any. */
#pragma once
#include "base/thread.h"
#include "tests/unit/ttrpc/echo.pb-c.h"
#include "ttrpc/server.h"

#define ECHO_NAME "echo.Echo"

struct echo_parked;

struct echo {
    Echo__Echo_Service service;
    struct shim_mutex lock;
    struct shim_cond changed;
    struct echo_parked *parked;
    unsigned n_parked, n_gone; /* gone: calls that nobody waits for any more */
    bool tell_gone;            /* parked calls ask to be told; set before serving */
};

void echo_init(struct echo *e);
void echo_done(struct echo *e); /* releases what is parked */

/* Answers every parked call with its own text; returns how many. */
unsigned echo_release(struct echo *e);
/* Takes one parked call out, newest first, for the test to answer; NULL when there is none. */
struct ttrpc_call *echo_take(struct echo *e, Echo__Text_Closure *ret_closure);

/* False after ten seconds. */
bool echo_wait_parked(struct echo *e, unsigned at_least);
bool echo_wait_gone(struct echo *e, unsigned at_least);

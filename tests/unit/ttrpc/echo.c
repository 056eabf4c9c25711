/* SPDX-License-Identifier: Apache-2.0 */
/* The test service: answers on the spot, or parks calls. */
#include "tests/unit/ttrpc/echo.h"
#include "base/clock.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct echo_parked {
    struct echo_parked *next;
    struct ttrpc_call *call;
    Echo__Text_Closure closure;
    char text[];
};

static struct echo *echo_of(Echo__Echo_Service *service)
{
    return shim_container_of(service, struct echo, service);
}

static void answer(Echo__Text_Closure closure, void *call, const char *text)
{
    Echo__Text reply = ECHO__TEXT__INIT;

    reply.value = (char *)text;
    closure(&reply, call);
}

static void on_say(Echo__Echo_Service *service, const Echo__Text *input, Echo__Text_Closure closure,
                   void *call)
{
    (void)service;
    answer(closure, call, input->value);
}

static void on_repeat(Echo__Echo_Service *service, const Echo__Text *input,
                      Echo__Text_Closure closure, void *call)
{
    size_t bytes = (size_t)atoi(input->value);
    char *text = malloc(bytes + 1);

    (void)service;
    memset(text, 'x', bytes);
    text[bytes] = 0;
    answer(closure, call, text);
    free(text);
}

static void on_fail(Echo__Echo_Service *service, const Echo__Text *input,
                    Echo__Text_Closure closure, void *call)
{
    const char *space = strchr(input->value, ' ');

    (void)service;
    (void)closure;
    ttrpc_call_fail(call, -atoi(input->value), space ? space + 1 : "");
}

static void on_meta(Echo__Echo_Service *service, const Echo__Text *input,
                    Echo__Text_Closure closure, void *call)
{
    const char *value = ttrpc_call_metadata(call, input->value);

    (void)service;
    if (value)
        answer(closure, call, value);
    else
        ttrpc_call_fail(call, SHIM_E_NOT_FOUND, "no such metadata: not found");
}

static void gone(struct ttrpc_call *call, void *user)
{
    struct echo *e = user;

    (void)call;
    shim_lock(&e->lock);
    e->n_gone++;
    shim_cond_broadcast(&e->changed);
    shim_unlock(&e->lock);
}

static void on_park(Echo__Echo_Service *service, const Echo__Text *input,
                    Echo__Text_Closure closure, void *call)
{
    struct echo *e = echo_of(service);
    struct echo_parked *parked = malloc(sizeof(*parked) + strlen(input->value) + 1);

    parked->call = call;
    parked->closure = closure;
    memcpy(parked->text, input->value, strlen(input->value) + 1);
    ttrpc_call_release_request(call);
    if (e->tell_gone)
        ttrpc_call_on_gone(call, gone, e);
    shim_lock(&e->lock);
    parked->next = e->parked;
    e->parked = parked;
    e->n_parked++;
    shim_cond_broadcast(&e->changed);
    shim_unlock(&e->lock);
}

unsigned echo_release(struct echo *e)
{
    struct echo_parked *list, *next;
    unsigned n = 0;

    shim_lock(&e->lock);
    list = e->parked;
    e->parked = NULL;
    e->n_parked = 0;
    shim_unlock(&e->lock);
    for (; list; list = next, n++) {
        next = list->next;
        answer(list->closure, list->call, list->text);
        free(list);
    }
    return n;
}

struct ttrpc_call *echo_take(struct echo *e, Echo__Text_Closure *ret_closure)
{
    struct echo_parked *parked;
    struct ttrpc_call *call = NULL;

    shim_lock(&e->lock);
    parked = e->parked;
    if (parked) {
        e->parked = parked->next;
        e->n_parked--;
        call = parked->call;
        *ret_closure = parked->closure;
    }
    shim_unlock(&e->lock);
    free(parked);
    return call;
}

static void on_release(Echo__Echo_Service *service, const Echo__Text *input,
                       Echo__Text_Closure closure, void *call)
{
    char text[16];

    (void)input;
    snprintf(text, sizeof(text), "%u", echo_release(echo_of(service)));
    answer(closure, call, text);
}

static bool wait_for(struct echo *e, const unsigned *value, unsigned at_least)
{
    int64_t deadline_ns = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;
    bool reached;

    shim_lock(&e->lock);
    while (*value < at_least && shim_cond_wait_until(&e->changed, &e->lock, deadline_ns))
        ;
    reached = *value >= at_least;
    shim_unlock(&e->lock);
    return reached;
}

bool echo_wait_parked(struct echo *e, unsigned at_least)
{
    return wait_for(e, &e->n_parked, at_least);
}

bool echo_wait_gone(struct echo *e, unsigned at_least)
{
    return wait_for(e, &e->n_gone, at_least);
}

void echo_init(struct echo *e)
{
    static const Echo__Echo_Service service = ECHO__ECHO__INIT(on_);

    *e = (struct echo){.service = service, .tell_gone = true};
    shim_mutex_init(&e->lock);
    shim_cond_init(&e->changed);
}

void echo_done(struct echo *e)
{
    echo_release(e);
    shim_cond_done(&e->changed);
    shim_mutex_done(&e->lock);
}

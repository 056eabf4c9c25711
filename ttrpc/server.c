/* SPDX-License-Identifier: Apache-2.0 */
/* Listens, accepts, and knows the connections; calls are theirs. */
#include "ttrpc/server.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/thread.h"
#include "ttrpc/connection.h"
#include "ttrpc/nng_error.h"
#include "ttrpc/platform.h"
#include <stdlib.h>

#define QUEUED_BYTES_DEFAULT ((size_t)8 << 20)
#define CALLS_DEFAULT        65536u
#define ACCEPT_AGAIN_MS      100 /* after EMFILE and the like */

struct member {
    struct member *next;
    struct ttrpc_connection *connection; /* a reference */
    bool finished;
};

struct ttrpc_server {
    struct ttrpc_connection_config config;
    struct ttrpc_service *services; /* config's, to be freed */
    bool same_user_only;
    nng_stream_listener *listener;
    nng_aio *accept_aio;
    bool resting; /* the aio sleeps instead of accepting; its callback's */

    struct shim_mutex lock; /* before any connection's */
    struct shim_cond changed;
    struct member *members; /* connections that are not lost */
    size_t n_connections;   /* not freed */
    bool closing;
};

/* --- connections ---------------------------------------------------------------------------- */

static void on_lost(struct ttrpc_connection *connection, void *user)
{
    struct ttrpc_server *s = user;
    struct member **at, *member;

    shim_lock(&s->lock);
    for (at = &s->members; (*at)->connection != connection; at = &(*at)->next)
        ;
    member = *at;
    *at = member->next;
    shim_cond_broadcast(&s->changed);
    shim_unlock(&s->lock);

    ttrpc_connection_unref(connection);
    free(member);
}

static void on_freed(void *user)
{
    struct ttrpc_server *s = user;

    shim_lock(&s->lock);
    s->n_connections--;
    shim_cond_broadcast(&s->changed);
    shim_unlock(&s->lock);
}

/* Makes the connection known, unless the server is closing. */
static bool join(struct ttrpc_server *s, struct member *member)
{
    bool closing;

    shim_lock(&s->lock);
    s->n_connections++;
    closing = s->closing;
    if (!closing) {
        member->next = s->members;
        s->members = member;
    }
    shim_unlock(&s->lock);
    return !closing;
}

/* Takes the stream over; drops it where it cannot or must not be served. */
static void serve(struct ttrpc_server *s, nng_stream *stream)
{
    cleanup_free struct member *member = calloc(1, sizeof(*member));
    struct ttrpc_connection *connection;

    if (!member || (s->same_user_only && !ttrpc_peer_is_same_user(stream))) {
        nng_stream_free(stream);
        return;
    }
    if (ttrpc_connection_new(stream, &s->config, &connection, NULL) < 0)
        return;
    ttrpc_connection_ref(connection);
    member->connection = connection;
    if (join(s, member)) {
        (void)shim_take(member); /* on_lost's */
        ttrpc_connection_start(connection);
    } else {
        ttrpc_connection_unref(connection);
    }
    ttrpc_connection_unref(connection);
}

/* --- accepting ------------------------------------------------------------------------------ */

static void accept_done(void *arg)
{
    struct ttrpc_server *s = arg;
    int rv = nng_aio_result(s->accept_aio);
    bool rested = s->resting;

    s->resting = false;
    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED)
        return;
    if (!rested && rv == 0)
        serve(s, nng_aio_get_output(s->accept_aio, 0));
    if (!rested && rv != 0) {
        s->resting = true; /* nng has stopped watching the socket */
        nng_sleep_aio(ACCEPT_AGAIN_MS, s->accept_aio);
        return;
    }
    nng_stream_listener_accept(s->listener, s->accept_aio);
}

int ttrpc_server_listen(struct ttrpc_server *s, const char *address, struct shim_error *err)
{
    cleanup_free char *url = NULL;
    int rv, r = ttrpc_address_to_url(address, &url, err);

    if (r < 0)
        return r;
    if (s->listener)
        return shim_fail(err, SHIM_E_STATE, "listen on %s: listening already", address);
    rv = nng_stream_listener_alloc(&s->listener, url);
    if (rv == 0)
        rv = ttrpc_listen_private(s->listener);
    if (rv != 0) {
        nng_stream_listener_free(s->listener);
        s->listener = NULL;
        return ttrpc_fail_nng(err, rv, "listen on %s", address);
    }
    nng_stream_listener_accept(s->listener, s->accept_aio);
    return 0;
}

/* --- life ----------------------------------------------------------------------------------- */

int ttrpc_server_new(const struct ttrpc_server_config *config, struct ttrpc_server **ret,
                     struct shim_error *err)
{
    struct ttrpc_server *s = calloc(1, sizeof(*s));
    int rv, r;

    if (!s)
        return shim_fail_memory(err);
    s->same_user_only = config->same_user_only;
    s->config.max_queued_bytes =
        config->max_queued_bytes ? config->max_queued_bytes : QUEUED_BYTES_DEFAULT;
    s->config.max_calls = config->max_calls ? config->max_calls : CALLS_DEFAULT;
    s->config.lost = on_lost;
    s->config.freed = on_freed;
    s->config.user = s;
    shim_mutex_init(&s->lock);
    shim_cond_init(&s->changed);

    r = ttrpc_timers_new(&s->config.timers, err);
    rv = r < 0 ? 0 : nng_aio_alloc(&s->accept_aio, accept_done, s);
    if (rv != 0)
        r = ttrpc_fail_nng(err, rv, "create a server");
    if (r < 0) {
        ttrpc_server_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

/* A request that decodes to any depth its sender likes would overflow the stack. */
static int check_depth(const ProtobufCServiceDescriptor *service, struct shim_error *err)
{
    for (unsigned i = 0; i < service->n_methods; i++)
        if (ttrpc_is_recursive(service->methods[i].input))
            return shim_fail(err, SHIM_E_INVALID, "serve %s: %s takes a recursive message",
                             service->name, service->methods[i].name);
    return 0;
}

int ttrpc_server_add(struct ttrpc_server *s, const char *name, ProtobufCService *service,
                     struct shim_error *err)
{
    struct ttrpc_service *entry;
    int r = check_depth(service->descriptor, err);

    if (r < 0)
        return r;
    entry = calloc(1, sizeof(*entry));
    if (!entry)
        return shim_fail_memory(err);
    *entry = (struct ttrpc_service){.next = s->services, .name = name, .service = service};
    s->services = entry;
    s->config.services = entry;
    return 0;
}

/* Another connection to be told to finish, with a reference; NULL when all have been. */
static struct ttrpc_connection *next_to_finish(struct ttrpc_server *s)
{
    struct ttrpc_connection *connection = NULL;

    shim_lock(&s->lock);
    for (struct member *member = s->members; member && !connection; member = member->next) {
        if (member->finished)
            continue;
        member->finished = true;
        connection = member->connection;
        ttrpc_connection_ref(connection);
    }
    shim_unlock(&s->lock);
    return connection;
}

/* Applies `fn` to every connection, without the lock. */
static void for_each_connection(struct ttrpc_server *s,
                                void (*fn)(struct ttrpc_connection *connection))
{
    struct ttrpc_connection *connection;

    shim_lock(&s->lock);
    for (struct member *member = s->members; member; member = member->next)
        member->finished = false;
    shim_unlock(&s->lock);
    while ((connection = next_to_finish(s))) {
        fn(connection);
        ttrpc_connection_unref(connection);
    }
}

/* True once all connections are lost. */
static bool wait_until_lost(struct ttrpc_server *s, int64_t deadline_ns)
{
    bool in_time = true, lost;

    shim_lock(&s->lock);
    while (s->members && in_time)
        in_time = shim_cond_wait_until(&s->changed, &s->lock, deadline_ns);
    lost = !s->members;
    shim_unlock(&s->lock);
    return lost;
}

void ttrpc_server_close(struct ttrpc_server *s, unsigned timeout_ms)
{
    int64_t deadline_ns = shim_monotonic_ns() + timeout_ms * SHIM_NS_PER_MS;

    shim_lock(&s->lock);
    s->closing = true;
    shim_unlock(&s->lock);
    if (s->listener)
        nng_stream_listener_close(s->listener);
    nng_aio_stop(s->accept_aio);

    for_each_connection(s, ttrpc_connection_finish);
    if (wait_until_lost(s, deadline_ns))
        return;
    for_each_connection(s, ttrpc_connection_close);
    wait_until_lost(s, INT64_MAX);
}

void ttrpc_server_free(struct ttrpc_server *s)
{
    struct ttrpc_service *next;

    if (!s)
        return;
    shim_lock(&s->lock);
    while (s->n_connections > 0)
        shim_cond_wait(&s->changed, &s->lock);
    shim_unlock(&s->lock);

    nng_aio_free(s->accept_aio);
    if (s->listener)
        nng_stream_listener_free(s->listener);
    ttrpc_timers_free(s->config.timers);
    for (struct ttrpc_service *entry = s->services; entry; entry = next) {
        next = (struct ttrpc_service *)entry->next;
        free(entry);
    }
    shim_cond_done(&s->changed);
    shim_mutex_done(&s->lock);
    free(s);
}

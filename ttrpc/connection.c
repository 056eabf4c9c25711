/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls from their request to their answer. A call is settled when its caller got an answer or no
 * longer waits for one; the handler still answers it, which then only frees it.
 */
#include "ttrpc/connection.h"
#include "base/clock.h"
#include "base/thread.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

struct ttrpc_connection {
    const struct ttrpc_connection_config *config;
    struct ttrpc_channel *channel;
    atomic_uint refs;
    uint32_t last_id; /* the reader's */

    struct shim_mutex lock;      /* guards what follows, and in calls what says so */
    struct shim_cond gone_ended; /* some call's `gone` has returned */
    struct ttrpc_call *waiting;  /* calls that are not settled */
    unsigned n_calls;            /* not answered by their handlers */
    bool half_closed;
};

enum gone_state { GONE_NOT_YET, GONE_RUNS, GONE_TOLD };

struct ttrpc_call {
    struct ttrpc_connection *connection;
    struct ttrpc_invocation invocation;
    struct ttrpc_timer timer;
    int64_t deadline_ns;
    atomic_uint refs; /* the handler's; the timer's; whoever runs `gone` */
    uint32_t stream_id;

    /* Under the connection's lock: */
    bool settled;
    enum gone_state gone_state;
    struct ttrpc_call *prev, *next; /* waiting */
    void (*gone)(struct ttrpc_call *call, void *user);
    void *gone_user;
    pthread_t gone_thread;

    /* The handler's: */
    void (*sent)(void *user);
    void *sent_user;
};

/* --- references ----------------------------------------------------------------------------- */

void ttrpc_connection_ref(struct ttrpc_connection *connection)
{
    atomic_fetch_add(&connection->refs, 1);
}

void ttrpc_connection_unref(struct ttrpc_connection *connection)
{
    if (atomic_fetch_sub(&connection->refs, 1) != 1)
        return;
    ttrpc_channel_free(connection->channel);
    shim_cond_done(&connection->gone_ended);
    shim_mutex_done(&connection->lock);
    connection->config->freed(connection->config->user);
    free(connection);
}

static void call_ref(struct ttrpc_call *call)
{
    atomic_fetch_add(&call->refs, 1);
}

static void call_unref(struct ttrpc_call *call)
{
    if (atomic_fetch_sub(&call->refs, 1) != 1)
        return;
    ttrpc_invocation_done(&call->invocation);
    ttrpc_connection_unref(call->connection);
    free(call);
}

/* --- settling ------------------------------------------------------------------------------- */

static void wait_locked(struct ttrpc_connection *connection, struct ttrpc_call *call)
    SHIM_REQUIRES(connection->lock)
{
    call->next = connection->waiting;
    if (call->next)
        call->next->prev = call;
    connection->waiting = call;
}

/* True for the one that settles it. */
static bool settle_locked(struct ttrpc_connection *connection, struct ttrpc_call *call)
    SHIM_REQUIRES(connection->lock)
{
    if (call->settled)
        return false;
    call->settled = true;
    if (call->next)
        call->next->prev = call->prev;
    if (call->prev)
        call->prev->next = call->next;
    else
        connection->waiting = call->next;
    return true;
}

static void clear_timer(struct ttrpc_call *call)
{
    if (call->deadline_ns != 0 &&
        ttrpc_timers_clear(call->connection->config->timers, &call->timer))
        call_unref(call);
}

/* Takes `gone` to be run by the caller, who holds a reference. */
static bool begin_gone_locked(struct ttrpc_connection *connection, struct ttrpc_call *call)
    SHIM_REQUIRES(connection->lock)
{
    (void)connection;
    if (!call->gone || call->gone_state != GONE_NOT_YET)
        return false;
    call->gone_state = GONE_RUNS;
    call->gone_thread = pthread_self();
    return true;
}

static void run_gone(struct ttrpc_call *call)
{
    struct ttrpc_connection *connection = call->connection;

    call->gone(call, call->gone_user);
    shim_lock(&connection->lock);
    call->gone_state = GONE_TOLD;
    shim_cond_broadcast(&connection->gone_ended);
    shim_unlock(&connection->lock);
}

/* Settles a call that its handler has not answered. With an error it is the answer. The caller
 * holds a reference. */
static void abandon(struct ttrpc_call *call, const struct shim_error *answer)
{
    struct ttrpc_connection *connection = call->connection;
    bool settled, tell = false;

    shim_lock(&connection->lock);
    settled = settle_locked(connection, call);
    if (settled)
        tell = begin_gone_locked(connection, call);
    shim_unlock(&connection->lock);

    if (settled && answer)
        ttrpc_channel_send(connection->channel,
                           ttrpc_out_status(call->stream_id, answer->code, answer->msg));
    if (tell)
        run_gone(call);
}

static void fail_deadline(struct shim_error *err)
{
    shim_fail(err, SHIM_E_DEADLINE, "context deadline exceeded");
}

static void deadline_passed(struct ttrpc_timer *timer)
{
    struct ttrpc_call *call = shim_container_of(timer, struct ttrpc_call, timer);
    struct shim_error err;

    fail_deadline(&err);
    abandon(call, &err);
    call_unref(call);
}

/* --- answers -------------------------------------------------------------------------------- */

/* The handler's answer: settles the call unless that happened, and waits for a `gone` that another
 * thread is in. True when the answer is wanted. */
static bool settle_by_handler(struct ttrpc_call *call)
{
    struct ttrpc_connection *connection = call->connection;
    bool wanted;

    shim_lock(&connection->lock);
    while (call->gone_state == GONE_RUNS && !pthread_equal(call->gone_thread, pthread_self()))
        shim_cond_wait(&connection->gone_ended, &connection->lock);
    wanted = settle_locked(connection, call);
    shim_unlock(&connection->lock);
    return wanted;
}

/* Frees the handler's side of the call, after its answer was queued. */
static void end_call(struct ttrpc_call *call)
{
    struct ttrpc_connection *connection = call->connection;
    bool finish;

    clear_timer(call);
    shim_lock(&connection->lock);
    if (connection->n_calls-- == connection->config->max_calls)
        ttrpc_channel_hold(connection->channel, false);
    finish = connection->half_closed && connection->n_calls == 0;
    shim_unlock(&connection->lock);

    if (finish)
        ttrpc_channel_finish(connection->channel);
    call_unref(call);
}

static void answer(struct ttrpc_call *call, struct ttrpc_out *out)
{
    bool wanted = settle_by_handler(call);

    if (out && call->sent) {
        out->sent = call->sent;
        out->user = call->sent_user;
    } else if (call->sent) {
        call->sent(call->sent_user); /* no memory: nothing will leave any more */
    }
    if (wanted)
        ttrpc_channel_send(call->connection->channel, out);
    else
        ttrpc_out_drop(out);
    end_call(call);
}

void ttrpc_call_fail(struct ttrpc_call *call, int code, const char *message)
{
    answer(call, ttrpc_out_status(call->stream_id, code, message));
}

/* What protobuf-c's methods answer with. */
static void answer_message(const ProtobufCMessage *message, void *closure_data)
{
    struct ttrpc_call *call = closure_data;
    struct ttrpc_out *out = NULL;
    struct shim_error err;
    int r;

    if (call->deadline_ns != 0 && shim_monotonic_ns() >= call->deadline_ns) {
        fail_deadline(&err);
        r = err.code;
    } else if (message) {
        r = ttrpc_out_response(call->stream_id, message, &out, &err);
    } else {
        r = shim_fail(&err, SHIM_E_INTERNAL, "the method gave no answer");
    }
    if (r < 0)
        out = ttrpc_out_status(call->stream_id, r, err.msg);
    answer(call, out);
}

/* --- what a handler may ask ----------------------------------------------------------------- */

void ttrpc_call_release_request(struct ttrpc_call *call)
{
    ttrpc_invocation_done(&call->invocation);
}

const char *ttrpc_call_metadata(const struct ttrpc_call *call, const char *key)
{
    const Ttrpc__Request *request = call->invocation.request;

    for (size_t i = 0; request && i < request->n_metadata; i++)
        if (strcmp(request->metadata[i]->key, key) == 0)
            return request->metadata[i]->value;
    return NULL;
}

int64_t ttrpc_call_deadline_ns(const struct ttrpc_call *call)
{
    return call->deadline_ns;
}

void ttrpc_call_on_gone(struct ttrpc_call *call, void (*gone)(struct ttrpc_call *, void *user),
                        void *user)
{
    struct ttrpc_connection *connection = call->connection;
    bool tell = false;

    shim_lock(&connection->lock);
    call->gone = gone;
    call->gone_user = user;
    if (call->settled && begin_gone_locked(connection, call)) {
        tell = true;
        call_ref(call);
    }
    shim_unlock(&connection->lock);
    if (tell) {
        run_gone(call);
        call_unref(call);
    }
}

void ttrpc_call_on_sent(struct ttrpc_call *call, void (*sent)(void *user), void *user)
{
    call->sent = sent;
    call->sent_user = user;
}

/* --- requests ------------------------------------------------------------------------------- */

static void refuse(struct ttrpc_connection *connection, uint32_t stream_id,
                   const struct shim_error *why)
{
    ttrpc_channel_send(connection->channel, ttrpc_out_status(stream_id, why->code, why->msg));
}

static int64_t deadline_of(const Ttrpc__Request *request)
{
    int64_t now_ns = shim_monotonic_ns();

    return request->timeout_nano > INT64_MAX - now_ns ? INT64_MAX : now_ns + request->timeout_nano;
}

/* Counted, waiting, with two references: the handler's and the caller's. */
static struct ttrpc_call *call_new(struct ttrpc_connection *connection, uint32_t stream_id,
                                   const struct ttrpc_invocation *invocation)
{
    struct ttrpc_call *call = calloc(1, sizeof(*call));

    if (!call)
        return NULL;
    ttrpc_connection_ref(connection);
    call->connection = connection;
    call->invocation = *invocation;
    call->stream_id = stream_id;
    atomic_init(&call->refs, 2);
    if (invocation->request->timeout_nano > 0)
        call->deadline_ns = deadline_of(invocation->request);

    shim_lock(&connection->lock);
    wait_locked(connection, call);
    if (++connection->n_calls == connection->config->max_calls)
        ttrpc_channel_hold(connection->channel, true);
    shim_unlock(&connection->lock);
    return call;
}

/* Only for calls that are still open once the method has returned: most are not. */
static void watch_deadline(struct ttrpc_call *call)
{
    struct ttrpc_connection *connection = call->connection;

    if (call->deadline_ns == 0)
        return;
    call->timer.at_ns = call->deadline_ns;
    call->timer.fn = deadline_passed;
    shim_lock(&connection->lock);
    if (!call->settled) {
        call_ref(call);
        ttrpc_timers_set(connection->config->timers, &call->timer);
    }
    shim_unlock(&connection->lock);
}

static void invoke(struct ttrpc_connection *connection, uint32_t stream_id,
                   struct ttrpc_invocation *invocation)
{
    struct shim_error err;
    struct ttrpc_call *call = NULL;

    if (invocation->request->timeout_nano < 0)
        fail_deadline(&err);
    else if (!(call = call_new(connection, stream_id, invocation)))
        shim_fail_memory(&err);
    if (!call) {
        ttrpc_invocation_done(invocation);
        refuse(connection, stream_id, &err);
        return;
    }
    invocation->service->invoke(invocation->service, invocation->method, invocation->message,
                                answer_message, call);
    watch_deadline(call);
    call_unref(call);
}

/* Data for a unary call: the call is over if it is open, and else was. */
static void refuse_data(struct ttrpc_connection *connection, uint32_t stream_id,
                        const struct shim_error *not_active)
{
    struct ttrpc_call *call;
    struct shim_error err;

    shim_lock(&connection->lock);
    for (call = connection->waiting; call && call->stream_id != stream_id; call = call->next)
        ;
    if (call)
        call_ref(call);
    shim_unlock(&connection->lock);

    if (!call) {
        refuse(connection, stream_id, not_active);
        return;
    }
    shim_fail(&err, SHIM_E_INVALID, "unexpected Data frame: the method is not a streaming one");
    abandon(call, &err);
    call_unref(call);
}

static void on_frame(void *user, const struct ttrpc_frame *frame)
{
    struct ttrpc_connection *connection = user;
    struct ttrpc_invocation invocation;
    struct shim_error err;

    switch (ttrpc_dispatch(connection->config->services, &connection->last_id, frame, &invocation,
                           &err)) {
    case TTRPC_IGNORE:
        return;
    case TTRPC_REFUSE:
        refuse(connection, frame->stream_id, &err);
        return;
    case TTRPC_STREAM_DATA:
        refuse_data(connection, frame->stream_id, &err);
        return;
    case TTRPC_INVOKE:
        invoke(connection, frame->stream_id, &invocation);
        return;
    }
}

static void on_skipped(void *user, const struct ttrpc_frame *frame, const struct shim_error *why)
{
    refuse(user, frame->stream_id, why);
}

/* --- the end -------------------------------------------------------------------------------- */

static void on_half_closed(void *user)
{
    struct ttrpc_connection *connection = user;
    bool finish;

    shim_lock(&connection->lock);
    connection->half_closed = true;
    finish = connection->n_calls == 0;
    shim_unlock(&connection->lock);
    if (finish)
        ttrpc_channel_finish(connection->channel);
}

static void on_lost(void *user)
{
    struct ttrpc_connection *connection = user;
    struct ttrpc_call *call;

    for (;;) {
        shim_lock(&connection->lock);
        call = connection->waiting;
        if (call)
            call_ref(call);
        shim_unlock(&connection->lock);
        if (!call)
            break;
        clear_timer(call);
        abandon(call, NULL);
        call_unref(call);
    }
    connection->config->lost(connection, connection->config->user);
    ttrpc_connection_unref(connection);
}

/* --- life ----------------------------------------------------------------------------------- */

static const struct ttrpc_channel_ops channel_ops = {
    .frame = on_frame,
    .skipped = on_skipped,
    .half_closed = on_half_closed,
    .lost = on_lost,
};

int ttrpc_connection_new(nng_stream *stream, const struct ttrpc_connection_config *config,
                         struct ttrpc_connection **ret, struct shim_error *err)
{
    struct ttrpc_connection *connection = calloc(1, sizeof(*connection));
    int r;

    if (!connection) {
        nng_stream_free(stream);
        return shim_fail_memory(err);
    }
    connection->config = config;
    atomic_init(&connection->refs, 1);
    r = ttrpc_channel_new(stream, &channel_ops, connection, config->max_queued_bytes,
                          &connection->channel, err);
    if (r < 0) {
        free(connection);
        return r;
    }
    shim_mutex_init(&connection->lock);
    shim_cond_init(&connection->gone_ended);
    *ret = connection;
    return 0;
}

void ttrpc_connection_start(struct ttrpc_connection *connection)
{
    ttrpc_connection_ref(connection); /* the channel's, until it is lost */
    ttrpc_channel_start(connection->channel);
}

void ttrpc_connection_finish(struct ttrpc_connection *connection)
{
    ttrpc_channel_finish(connection->channel);
}

void ttrpc_connection_close(struct ttrpc_connection *connection)
{
    ttrpc_channel_close(connection->channel);
}

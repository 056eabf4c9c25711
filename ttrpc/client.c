/* SPDX-License-Identifier: Apache-2.0 */
/* Calls waiting for answers on one connection: whoever takes a call off the list ends it. */
#include "ttrpc/client.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/thread.h"
#include "ttrpc/channel.h"
#include "ttrpc/dial.h"
#include "ttrpc/timers.h"
#include <stdlib.h>

struct open_call {
    struct open_call *prev, *next;
    struct ttrpc_client *client;
    struct ttrpc_timer timer; /* its fn, once called, ends the call, whatever else happens */
    uint32_t id;
    bool listed;
    bool canceled;    /* the timer was set to end the call now */
    bool keep_answer; /* `done` takes the answer over */
    const ProtobufCMessageDescriptor *output;
    ttrpc_client_done *done;
    void *user;
};

struct ttrpc_client {
    struct ttrpc_channel *channel;
    struct ttrpc_timers *timers;
    ttrpc_client_lost *lost;
    void *user;

    struct shim_mutex lock; /* before the channel's and the timers' */
    struct shim_cond ended; /* is_lost became true */
    struct open_call *first, *last;
    uint32_t next_id;
    bool closed;  /* no new calls */
    bool freeing; /* by ttrpc_client_free */
    bool is_lost; /* the last callback has returned */
};

/* --- the list ------------------------------------------------------------------------------- */

static void add_locked(struct ttrpc_client *c, struct open_call *call) SHIM_REQUIRES(c->lock)
{
    call->listed = true;
    call->prev = c->last;
    if (c->last)
        c->last->next = call;
    else
        c->first = call;
    c->last = call;
}

static void remove_locked(struct ttrpc_client *c, struct open_call *call) SHIM_REQUIRES(c->lock)
{
    if (!call->listed)
        return;
    call->listed = false;
    if (call->prev)
        call->prev->next = call->next;
    else
        c->first = call->next;
    if (call->next)
        call->next->prev = call->prev;
    else
        c->last = call->prev;
}

/* Oldest first: answers mostly come in order. */
static struct open_call *find_locked(struct ttrpc_client *c, uint32_t id) SHIM_REQUIRES(c->lock)
{
    struct open_call *call = c->first;

    while (call && call->id != id)
        call = call->next;
    return call;
}

/* True when the call is now the caller's to end, false when its timer is about to. */
static bool take_locked(struct ttrpc_client *c, struct open_call *call) SHIM_REQUIRES(c->lock)
{
    remove_locked(c, call);
    return !call->timer.fn || ttrpc_timers_clear(c->timers, &call->timer);
}

static struct open_call *take(struct ttrpc_client *c, uint32_t id)
{
    struct open_call *call;

    shim_lock(&c->lock);
    call = find_locked(c, id);
    if (call && !take_locked(c, call))
        call = NULL;
    shim_unlock(&c->lock);
    return call;
}

static struct open_call *take_oldest(struct ttrpc_client *c)
{
    struct open_call *call;

    shim_lock(&c->lock);
    do {
        call = c->first;
    } while (call && !take_locked(c, call));
    shim_unlock(&c->lock);
    return call;
}

/* --- answers -------------------------------------------------------------------------------- */

static void end(struct open_call *call, ProtobufCMessage *answer, const struct shim_error *err)
{
    call->done(answer, err, call->user);
    if (answer && !call->keep_answer)
        protobuf_c_message_free_unpacked(answer, NULL);
    free(call);
}

static int fail_closed(struct shim_error *err)
{
    return shim_fail(err, SHIM_E_UNAVAILABLE, "ttrpc: closed");
}

static int fail_with_status(struct shim_error *err, const Ttrpc__Status *status)
{
    bool known = status->code >= 1 && status->code <= -SHIM_E_UNAUTHENTICATED;

    return shim_fail(err, known ? -status->code : SHIM_E_UNKNOWN, "%s", status->message);
}

/* What the peer sent cannot be read: that is its fault, not the caller's. */
static int unpack_answer(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data,
                         size_t bytes, ProtobufCMessage **ret, struct shim_error *err)
{
    int r = ttrpc_unpack(descriptor, data, bytes, ret, err);

    return r < 0 ? shim_wrap(err, r == SHIM_E_INVALID ? SHIM_E_INTERNAL : r, "answer") : 0;
}

static int decode_answer(const struct ttrpc_frame *frame, const ProtobufCMessageDescriptor *output,
                         ProtobufCMessage **ret, struct shim_error *err)
{
    ProtobufCMessage *message;
    Ttrpc__Response *response;
    int r;

    if (frame->type != TTRPC_RESPONSE)
        return shim_fail(err, SHIM_E_INTERNAL, "answered with a frame of type %u", frame->type);
    r = unpack_answer(&ttrpc__response__descriptor, frame->data, frame->data_bytes, &message, err);
    if (r < 0)
        return r;
    response = (Ttrpc__Response *)message;
    if (response->status && response->status->code != 0)
        r = fail_with_status(err, response->status);
    else
        r = unpack_answer(output, response->payload.data, response->payload.len, ret, err);
    protobuf_c_message_free_unpacked(message, NULL);
    return r;
}

static void on_frame(void *user, const struct ttrpc_frame *frame)
{
    struct open_call *call = take(user, frame->stream_id);
    ProtobufCMessage *answer = NULL;
    struct shim_error err;
    int r;

    if (!call)
        return; /* nobody waits for it any more */
    r = decode_answer(frame, call->output, &answer, &err);
    end(call, answer, r < 0 ? &err : NULL);
}

static void on_skipped(void *user, const struct ttrpc_frame *frame, const struct shim_error *why)
{
    struct open_call *call = take(user, frame->stream_id);

    if (call)
        end(call, NULL, why);
}

static void on_half_closed(void *user)
{
    struct ttrpc_client *c = user;

    ttrpc_channel_close(c->channel); /* no answer will come any more */
}

static void on_lost(void *user)
{
    struct ttrpc_client *c = user;
    struct open_call *call;
    struct shim_error err;
    bool freeing;

    shim_lock(&c->lock);
    c->closed = true;
    freeing = c->freeing;
    shim_unlock(&c->lock);

    if (freeing)
        shim_fail(&err, SHIM_E_CANCELED, "context canceled");
    else
        fail_closed(&err);
    while ((call = take_oldest(c)))
        end(call, NULL, &err);
    if (!freeing && c->lost)
        c->lost(c->user);

    shim_lock(&c->lock);
    c->is_lost = true;
    shim_cond_broadcast(&c->ended);
    shim_unlock(&c->lock);
}

/* The deadline has passed, or the call was canceled. */
static void time_is_up(struct ttrpc_timer *timer)
{
    struct open_call *call = shim_container_of(timer, struct open_call, timer);
    struct ttrpc_client *c = call->client;
    struct shim_error err;
    bool canceled;

    shim_lock(&c->lock);
    remove_locked(c, call);
    canceled = call->canceled;
    shim_unlock(&c->lock);

    if (canceled)
        shim_fail(&err, SHIM_E_CANCELED, "context canceled");
    else
        shim_fail(&err, SHIM_E_DEADLINE, "context deadline exceeded");
    end(call, NULL, &err);
}

/* --- calls ---------------------------------------------------------------------------------- */

/* Gives the call its id and sends it: ids have to reach the wire in order. */
static int submit_locked(struct ttrpc_client *c, struct open_call *call, struct ttrpc_out *out,
                         int64_t timeout_ns, struct shim_error *err) SHIM_REQUIRES(c->lock)
{
    if (c->closed)
        return fail_closed(err);
    if (c->next_id > UINT32_MAX - 2)
        return shim_fail(err, SHIM_E_EXHAUSTED, "all stream ids of the connection are used");
    call->id = c->next_id;
    c->next_id += 2;
    add_locked(c, call);
    if (timeout_ns > 0) {
        int64_t now_ns = shim_monotonic_ns();

        call->timer.at_ns = timeout_ns > INT64_MAX - now_ns ? INT64_MAX : now_ns + timeout_ns;
        call->timer.fn = time_is_up;
        ttrpc_timers_set(c->timers, &call->timer);
    }
    ttrpc_out_set_stream(out, call->id);
    ttrpc_channel_send(c->channel, out);
    return 0;
}

static int find_method(const ProtobufCServiceDescriptor *service, const char *method,
                       const ProtobufCMessage *request, const ProtobufCMessageDescriptor **ret,
                       struct shim_error *err)
{
    const ProtobufCMethodDescriptor *found =
        protobuf_c_service_descriptor_get_method_by_name(service, method);

    if (!found)
        return shim_fail(err, SHIM_E_UNIMPLEMENTED, "%s has no method %s", service->name, method);
    if (request->descriptor != found->input)
        return shim_fail(err, SHIM_E_INVALID, "%s takes a %s, not a %s", method, found->input->name,
                         request->descriptor->name);
    *ret = found->output;
    return 0;
}

/* `call` is taken over on success. */
static int start(struct ttrpc_client *c, const ProtobufCServiceDescriptor *service,
                 const char *method, const ProtobufCMessage *request,
                 const struct ttrpc_call_options *options, struct open_call *call, uint32_t *ret_id,
                 struct shim_error *err)
{
    const char *name = options && options->service ? options->service : service->name;
    struct ttrpc_out *out = NULL;
    int r = find_method(service, method, request, &call->output, err);

    if (r < 0)
        return r;
    r = ttrpc_out_request(name, method, request, options, &out, err);
    if (r < 0)
        return r;
    call->client = c;
    shim_lock(&c->lock);
    if (ret_id)
        *ret_id = c->next_id; /* before it can be done */
    r = submit_locked(c, call, out, options ? options->timeout_ns : 0, err);
    shim_unlock(&c->lock);
    if (r < 0)
        ttrpc_out_drop(out);
    return r;
}

int ttrpc_client_start(struct ttrpc_client *c, const ProtobufCServiceDescriptor *service,
                       const char *method, const ProtobufCMessage *request,
                       const struct ttrpc_call_options *options, ttrpc_client_done *done,
                       void *user, uint32_t *ret_id, struct shim_error *err)
{
    cleanup_free struct open_call *call = calloc(1, sizeof(*call));
    int r;

    if (!call)
        return shim_fail_memory(err);
    call->done = done;
    call->user = user;
    r = start(c, service, method, request, options, call, ret_id, err);
    if (r == 0)
        (void)shim_take(call);
    return r;
}

void ttrpc_client_cancel(struct ttrpc_client *c, uint32_t id)
{
    struct open_call *call;

    shim_lock(&c->lock);
    call = find_locked(c, id);
    if (call && (!call->timer.fn || ttrpc_timers_clear(c->timers, &call->timer))) {
        call->canceled = true;
        call->timer.at_ns = 0;
        call->timer.fn = time_is_up;
        ttrpc_timers_set(c->timers, &call->timer);
    }
    shim_unlock(&c->lock);
}

struct waiter {
    struct shim_mutex lock;
    struct shim_cond done;
    bool is_done;
    ProtobufCMessage *answer;
    struct shim_error err; /* its code is 0 with an answer */
};

static void wake(const ProtobufCMessage *answer, const struct shim_error *err, void *user)
{
    struct waiter *w = user;

    shim_lock(&w->lock);
    w->answer = (ProtobufCMessage *)answer; /* kept */
    if (err)
        w->err = *err;
    w->is_done = true;
    shim_cond_signal(&w->done);
    shim_unlock(&w->lock);
}

static int wait_done(struct waiter *w, ProtobufCMessage **ret, struct shim_error *err)
{
    shim_lock(&w->lock);
    while (!w->is_done)
        shim_cond_wait(&w->done, &w->lock);
    shim_unlock(&w->lock);
    if (!w->answer)
        return shim_fail(err, w->err.code, "%s", w->err.msg);
    *ret = w->answer;
    return 0;
}

int ttrpc_client_call(struct ttrpc_client *c, const ProtobufCServiceDescriptor *service,
                      const char *method, const ProtobufCMessage *request,
                      const struct ttrpc_call_options *options, ProtobufCMessage **ret,
                      struct shim_error *err)
{
    cleanup_free struct open_call *call = calloc(1, sizeof(*call));
    struct waiter w = {.err = {0}};
    int r;

    if (!call)
        return shim_fail_memory(err);
    call->done = wake;
    call->user = &w;
    call->keep_answer = true;
    shim_mutex_init(&w.lock);
    shim_cond_init(&w.done);
    r = start(c, service, method, request, options, call, NULL, err);
    if (r == 0) {
        (void)shim_take(call);
        r = wait_done(&w, ret, err);
    }
    shim_cond_done(&w.done);
    shim_mutex_done(&w.lock);
    return r;
}

/* --- life ----------------------------------------------------------------------------------- */

static const struct ttrpc_channel_ops channel_ops = {
    .frame = on_frame,
    .skipped = on_skipped,
    .half_closed = on_half_closed,
    .lost = on_lost,
};

static void free_parts(struct ttrpc_client *c)
{
    ttrpc_timers_free(c->timers);
    ttrpc_channel_free(c->channel);
    shim_cond_done(&c->ended);
    shim_mutex_done(&c->lock);
    free(c);
}

int ttrpc_client_connect(const char *address, unsigned timeout_ms, ttrpc_client_lost *lost,
                         void *user, struct ttrpc_client **ret, struct shim_error *err)
{
    nng_stream *stream = NULL;
    struct ttrpc_client *c;
    int r = ttrpc_dial(address, timeout_ms, &stream, err);

    if (r < 0)
        return r;
    c = calloc(1, sizeof(*c));
    if (!c) {
        nng_stream_free(stream);
        return shim_fail_memory(err);
    }
    *c = (struct ttrpc_client){.lost = lost, .user = user, .next_id = 1};
    shim_mutex_init(&c->lock);
    shim_cond_init(&c->ended);
    /* Never stops reading: a server that does so would wait for us as we for it. */
    r = ttrpc_channel_new(stream, &channel_ops, c, SIZE_MAX, &c->channel, err);
    if (r == 0)
        r = ttrpc_timers_new(&c->timers, err);
    if (r < 0) {
        free_parts(c);
        return r;
    }
    ttrpc_channel_start(c->channel);
    *ret = c;
    return 0;
}

void ttrpc_client_free(struct ttrpc_client *c)
{
    if (!c)
        return;
    shim_lock(&c->lock);
    c->freeing = true;
    shim_unlock(&c->lock);
    ttrpc_channel_close(c->channel);

    shim_lock(&c->lock);
    while (!c->is_lost)
        shim_cond_wait(&c->ended, &c->lock);
    shim_unlock(&c->lock);
    free_parts(c);
}

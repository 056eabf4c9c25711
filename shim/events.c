/* SPDX-License-Identifier: Apache-2.0 */
/* The event queue and its publisher. Promises that publishing never waits. */
#include "shim/events.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "shim/payload/timestamp.h"
#include "shim/proto/forward.pb-c.h"
#include "ttrpc/client.h"
#include <string.h>

enum {
    CONNECT_TIMEOUT_MS = 2000, /* the one wait that stopping cannot cut short */
    FORWARD_TIMEOUT_MS = 5000,
    RETRY_FIRST_MS = 50,
    RETRY_MAX_MS = 2000,
    REFUSED_TRIES = 5, /* where it is not known whether trying again helps */
};

struct event {
    struct event *next;
    const char *topic;
    int64_t at_ns;
    const char *type_url; /* the message's full name, static */
    size_t bytes;
    uint8_t value[];
};

struct shim_events {
    struct shim_mutex lock;
    struct shim_cond changed; /* answered, stopping, at rest */
    struct event *head, **tail;
    unsigned n, dropped;
    bool stopping;       /* give up when the deadline passes */
    int64_t deadline_ns; /* for stopping */
    bool ended;
    enum { RESTS, QUEUED, RUNS } publisher;
    struct shim_workers *workers;
    struct shim_work work;
    struct shim_stopper stopper; /* of the publish binary */

    /* The publisher's own. */
    char *ns, *ttrpc_address, *publish_binary, *grpc_address;
    unsigned dropped_told;       /* of `dropped`, in the log */
    struct ttrpc_client *client; /* NULL: not connected */
    _Atomic bool lost;           /* the client has lost its connection */
};

/* --- the queue ------------------------------------------------------------------------------ */

static struct event *make_event(const char *topic, const ProtobufCMessage *message)
{
    size_t bytes = protobuf_c_message_get_packed_size(message);
    struct event *event = malloc(sizeof(*event) + bytes);

    if (!event)
        return NULL;
    *event = (struct event){.topic = topic,
                            .at_ns = shim_realtime_ns(),
                            .type_url = message->descriptor->name,
                            .bytes = bytes};
    protobuf_c_message_pack(message, event->value);
    return event;
}

static struct event *pop_locked(struct shim_events *e) SHIM_REQUIRES(e->lock)
{
    struct event *event = e->head;

    if (!event)
        return NULL;
    e->head = event->next;
    if (!e->head)
        e->tail = &e->head;
    e->n--;
    return event;
}

static struct event *pop(struct shim_events *e)
{
    struct event *event;

    shim_lock(&e->lock);
    event = pop_locked(e);
    shim_unlock(&e->lock);
    return event;
}

/* Whether the publisher is to be sent to work. */
static bool wake_publisher_locked(struct shim_events *e) SHIM_REQUIRES(e->lock)
{
    if (e->publisher != RESTS || !e->head || e->ended)
        return false;
    e->publisher = QUEUED;
    return true;
}

/* Says nothing itself: callers hold locks. The publisher tells what was dropped. */
void shim_events_publish(struct shim_events *e, const char *topic, const ProtobufCMessage *message)
{
    struct event *event = make_event(topic, message), *oldest = NULL;
    bool wake;

    shim_lock(&e->lock);
    if (!event || e->n >= SHIM_EVENTS_QUEUED_MAX)
        e->dropped++;
    if (event && e->n >= SHIM_EVENTS_QUEUED_MAX)
        oldest = pop_locked(e);
    if (event) {
        *e->tail = event;
        e->tail = &event->next;
        e->n++;
    }
    wake = wake_publisher_locked(e);
    shim_unlock(&e->lock);
    free(oldest);
    if (wake)
        shim_workers_run(e->workers, &e->work, true);
}

static void tell_dropped(struct shim_events *e)
{
    unsigned dropped;

    shim_lock(&e->lock);
    dropped = e->dropped;
    shim_unlock(&e->lock);
    if (dropped != e->dropped_told)
        shim_log(SHIM_WARN, "%u events dropped, %u so far: no room for more than %d",
                 dropped - e->dropped_told, dropped, SHIM_EVENTS_QUEUED_MAX);
    e->dropped_told = dropped;
}

/* --- giving up ------------------------------------------------------------------------------ */

static bool out_of_time_locked(struct shim_events *e) SHIM_REQUIRES(e->lock)
{
    return e->stopping && shim_monotonic_ns() >= e->deadline_ns;
}

/* Waits for a change, at most until then, or until stopping gives up. */
static void wait_locked(struct shim_events *e, int64_t until_ns) SHIM_REQUIRES(e->lock)
{
    if (e->stopping && e->deadline_ns < until_ns)
        until_ns = e->deadline_ns;
    shim_cond_wait_until(&e->changed, &e->lock, until_ns);
}

/* --- over ttrpc ----------------------------------------------------------------------------- */

static void connection_lost(void *user)
{
    struct shim_events *e = user;

    e->lost = true;
}

static unsigned connect_timeout_ms(struct shim_events *e)
{
    int64_t left_ms = CONNECT_TIMEOUT_MS;

    shim_lock(&e->lock);
    if (e->stopping)
        left_ms = (e->deadline_ns - shim_monotonic_ns()) / SHIM_NS_PER_MS;
    shim_unlock(&e->lock);
    return left_ms < 1 ? 1 : left_ms > CONNECT_TIMEOUT_MS ? CONNECT_TIMEOUT_MS : (unsigned)left_ms;
}

static int connect_client(struct shim_events *e, struct shim_error *err)
{
    if (e->client && !e->lost)
        return 0;
    ttrpc_client_free(e->client);
    e->client = NULL;
    e->lost = false;
    return ttrpc_client_connect(e->ttrpc_address, connect_timeout_ms(e), connection_lost, e,
                                &e->client, err);
}

struct delivery {
    struct shim_events *e;
    bool done;
    struct shim_error err;
};

static void delivered(const ProtobufCMessage *answer, const struct shim_error *err, void *user)
{
    struct delivery *d = user;
    struct shim_events *e = d->e;

    shim_lock(&e->lock);
    if (!answer)
        d->err = *err;
    d->done = true;
    shim_cond_broadcast(&e->changed);
    shim_unlock(&e->lock);
}

/* Sends the request; the answer is not waited for beyond the time that stopping leaves. */
static int deliver(struct shim_events *e, const Forward__ForwardRequest *request,
                   struct shim_error *err)
{
    struct ttrpc_metadata metadata = {"containerd-namespace-ttrpc", e->ns};
    struct ttrpc_call_options options = {
        .timeout_ns = FORWARD_TIMEOUT_MS * SHIM_NS_PER_MS, .metadata = &metadata, .n_metadata = 1};
    struct delivery d = {.e = e};
    bool late;
    uint32_t id;
    int r = ttrpc_client_start(e->client, &forward__events__descriptor, "Forward", &request->base,
                               &options, delivered, &d, &id, err);

    if (r < 0)
        return r;
    shim_lock(&e->lock);
    while (!d.done && !out_of_time_locked(e))
        wait_locked(e, INT64_MAX);
    late = !d.done;
    shim_unlock(&e->lock);
    if (late)
        ttrpc_client_cancel(e->client, id);
    shim_lock(&e->lock);
    while (!d.done)
        shim_cond_wait(&e->changed, &e->lock);
    shim_unlock(&e->lock);
    if (d.err.code < 0 && err)
        *err = d.err;
    return d.err.code;
}

static int forward(struct shim_events *e, struct event *event, struct shim_error *err)
{
    Pb__Timestamp at = shim_timestamp(event->at_ns);
    Pb__Any any = PB__ANY__INIT;
    Forward__Envelope envelope = FORWARD__ENVELOPE__INIT;
    Forward__ForwardRequest request = FORWARD__FORWARD_REQUEST__INIT;
    int r = connect_client(e, err);

    if (r < 0)
        return shim_wrap(err, SHIM_E_UNAVAILABLE, "connect to containerd at %s", e->ttrpc_address);
    any.type_url = (char *)event->type_url;
    any.value = (ProtobufCBinaryData){.len = event->bytes, .data = event->value};
    envelope.timestamp = &at;
    envelope.namespace_ = e->ns;
    envelope.topic = (char *)event->topic;
    envelope.event = &any;
    request.envelope = &envelope;
    return deliver(e, &request, err);
}

/* --- by the publish binary ------------------------------------------------------------------ */

static int run_publish_binary(struct shim_events *e, struct event *event, struct shim_error *err)
{
    const char *argv[] = {e->publish_binary, "--address",   e->grpc_address, "publish", "--topic",
                          event->topic,      "--namespace", e->ns,           NULL};
    cleanup_run_result struct shim_run_result result = {0};
    Pb__Any any = PB__ANY__INIT;
    cleanup_free uint8_t *packed = NULL;
    struct shim_run run = {.spawn.argv = argv,
                           .output_limit_bytes = 4096,
                           .timeout_ms = FORWARD_TIMEOUT_MS,
                           .stopper = &e->stopper};
    int r;

    any.type_url = (char *)event->type_url;
    any.value = (ProtobufCBinaryData){.len = event->bytes, .data = event->value};
    packed = malloc(pb__any__get_packed_size(&any) + 1);
    if (!packed)
        return shim_fail_memory(err);
    run.input = packed;
    run.input_bytes = pb__any__pack(&any, packed);
    r = shim_child_run(&run, &result, err);
    if (r == 0 && result.exit.status != 0)
        r = shim_fail(err, SHIM_E_UNAVAILABLE, "%s publish: exit status %u: %s", e->publish_binary,
                      result.exit.status, shim_buf_str(&result.error));
    return r;
}

/* --- the publisher -------------------------------------------------------------------------- */

/* NULL when none is left, or no time for it: the publisher then rests. */
static struct event *next_event(struct shim_events *e)
{
    struct event *event = NULL;

    shim_lock(&e->lock);
    if (!e->ended && !out_of_time_locked(e))
        event = pop_locked(e);
    e->publisher = event ? RUNS : RESTS;
    if (!event)
        shim_cond_broadcast(&e->changed);
    shim_unlock(&e->lock);
    return event;
}

/* False when it is time to give up. */
static bool pause_before_retry(struct shim_events *e, unsigned wait_ms)
{
    int64_t until = shim_monotonic_ns() + wait_ms * SHIM_NS_PER_MS;
    bool go_on;

    shim_lock(&e->lock);
    while (shim_monotonic_ns() < until && !out_of_time_locked(e))
        wait_locked(e, until);
    go_on = !out_of_time_locked(e);
    shim_unlock(&e->lock);
    return go_on;
}

static int publish_once(struct shim_events *e, struct event *event, struct shim_error *err)
{
    if (*e->ttrpc_address)
        return forward(e, event, err);
    if (*e->publish_binary)
        return run_publish_binary(e, event, err);
    return shim_fail(err, SHIM_E_UNIMPLEMENTED, "containerd named no address to publish to");
}

/* Whether trying again can help: a daemon that is away or busy comes back, one that refuses an
 * event refuses it again, and the events behind it are not to wait for that. */
static bool is_worth_retrying(const struct shim_events *e, int code, unsigned tries)
{
    switch (code) {
    case SHIM_E_INVALID:
    case SHIM_E_UNIMPLEMENTED:
    case SHIM_E_EXHAUSTED:
        return false;
    case SHIM_E_UNAVAILABLE:
    case SHIM_E_DEADLINE:
    case SHIM_E_CANCELED:
        return *e->ttrpc_address || tries < REFUSED_TRIES;
    default:
        return tries < REFUSED_TRIES;
    }
}

static void publish_event(struct shim_events *e, struct event *event)
{
    unsigned wait_ms = RETRY_FIRST_MS, tries = 0;
    struct shim_error err;

    for (;;) {
        int r = publish_once(e, event, &err);

        tries++;
        tell_dropped(e);
        if (r == 0)
            return;
        if (!is_worth_retrying(e, r, tries))
            break;
        if (tries == 1)
            shim_log(SHIM_WARN, "event %s not published, will retry: %s", event->topic, err.msg);
        if (!pause_before_retry(e, wait_ms))
            break;
        wait_ms = wait_ms * 2 > RETRY_MAX_MS ? RETRY_MAX_MS : wait_ms * 2;
    }
    shim_log(*e->ttrpc_address || *e->publish_binary ? SHIM_ERROR : SHIM_DEBUG,
             "event %s lost after %u tries: %s", event->topic, tries, err.msg);
}

static void run_publisher(struct shim_work *work)
{
    struct shim_events *e = shim_container_of(work, struct shim_events, work);
    struct event *event;

    while ((event = next_event(e))) {
        publish_event(e, event);
        free(event);
    }
}

/* --- life ----------------------------------------------------------------------------------- */

void shim_events_free(struct shim_events *e)
{
    if (!e)
        return;
    for (struct event *event = pop(e); event; event = pop(e))
        free(event);
    free(e->ns);
    free(e->ttrpc_address);
    free(e->publish_binary);
    free(e->grpc_address);
    shim_stopper_done(&e->stopper);
    shim_cond_done(&e->changed);
    shim_mutex_done(&e->lock);
    free(e);
}

int shim_events_new(const struct shim_events_config *config, struct shim_events **ret,
                    struct shim_error *err)
{
    struct shim_events *e = calloc(1, sizeof(*e));

    if (!e)
        return shim_fail_memory(err);
    shim_mutex_init(&e->lock);
    shim_cond_init(&e->changed);
    shim_stopper_init(&e->stopper);
    e->tail = &e->head;
    e->workers = config->workers;
    e->work = (struct shim_work){.fn = run_publisher, .background = true};
    e->ns = shim_strdup0(config->ns);
    e->ttrpc_address = shim_strdup0(config->ttrpc_address);
    e->publish_binary = shim_strdup0(config->publish_binary);
    e->grpc_address = shim_strdup0(config->grpc_address);
    if (!e->ns || !e->ttrpc_address || !e->publish_binary || !e->grpc_address) {
        shim_events_free(e);
        return shim_fail_memory(err);
    }
    *ret = e;
    return 0;
}

void shim_events_stop(struct shim_events *e, unsigned timeout_ms)
{
    unsigned lost;
    bool late;

    shim_lock(&e->lock);
    e->stopping = true;
    e->deadline_ns = shim_monotonic_ns() + timeout_ms * SHIM_NS_PER_MS;
    shim_cond_broadcast(&e->changed);
    while (e->publisher != RESTS && !out_of_time_locked(e))
        wait_locked(e, e->deadline_ns);
    late = e->publisher == RUNS;
    shim_unlock(&e->lock);
    if (late)
        shim_stopper_stop(&e->stopper);

    shim_lock(&e->lock);
    while (e->publisher == RUNS)
        shim_cond_wait(&e->changed, &e->lock);
    e->ended = true;
    lost = e->n;
    shim_unlock(&e->lock);
    ttrpc_client_free(e->client);
    if (lost > 0)
        shim_log(SHIM_ERROR, "%u events lost: containerd was away until the end", lost);
}

void shim_events_count(struct shim_events *e, unsigned *ret_queued, unsigned *ret_dropped)
{
    shim_lock(&e->lock);
    *ret_queued = e->n;
    *ret_dropped = e->dropped;
    shim_unlock(&e->lock);
}

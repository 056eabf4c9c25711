/* SPDX-License-Identifier: Apache-2.0 */
/* Takes events as containerd does, and remembers each as one line of text. */
#include "tests/fakes/events_fake.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/thread.h"
#include "shim/proto/events.pb-c.h"
#include "shim/proto/forward.pb-c.h"
#include "tests/test.h"
#include "ttrpc/server.h"
#include <string.h>

enum { WAITING_MAX = 8 };

struct events_fake {
    Forward__Events_Service service; /* first: what the server hands back */
    struct ttrpc_server *server;
    char *address;
    struct shim_mutex lock;
    struct shim_cond changed;
    struct shim_buf text, copy;
    char ns[64], ns_copy[64];
    unsigned count, refused;
    int refuse;
    bool keep_waiting;
    struct ttrpc_call *waiting[WAITING_MAX];
    unsigned n_waiting;
};

/* --- text ----------------------------------------------------------------------------------- */

static void write_create(struct shim_buf *b, const ProtobufCMessage *m)
{
    const Events__TaskCreate *e = (const Events__TaskCreate *)m;

    assert_true(shim_buf_appendf(b, "create %s %u", e->container_id, e->pid));
}

static void write_start(struct shim_buf *b, const ProtobufCMessage *m)
{
    const Events__TaskStart *e = (const Events__TaskStart *)m;

    assert_true(shim_buf_appendf(b, "start %s %u", e->container_id, e->pid));
}

static void write_delete(struct shim_buf *b, const ProtobufCMessage *m)
{
    const Events__TaskDelete *e = (const Events__TaskDelete *)m;

    assert_true(shim_buf_appendf(b, "delete %s %u %u", e->container_id, e->pid, e->exit_status));
}

static void write_exit(struct shim_buf *b, const ProtobufCMessage *m)
{
    const Events__TaskExit *e = (const Events__TaskExit *)m;

    assert_non_null(e->exited_at);
    assert_true(
        shim_buf_appendf(b, "exit %s %s %u %u", e->container_id, e->id, e->pid, e->exit_status));
}

static void write_exec_added(struct shim_buf *b, const ProtobufCMessage *m)
{
    const Events__TaskExecAdded *e = (const Events__TaskExecAdded *)m;

    assert_true(shim_buf_appendf(b, "exec-added %s %s", e->container_id, e->exec_id));
}

static void write_exec_started(struct shim_buf *b, const ProtobufCMessage *m)
{
    const Events__TaskExecStarted *e = (const Events__TaskExecStarted *)m;

    assert_true(shim_buf_appendf(b, "exec-started %s %s %u", e->container_id, e->exec_id, e->pid));
}

static void write_checkpointed(struct shim_buf *b, const ProtobufCMessage *m)
{
    const Events__TaskCheckpointed *e = (const Events__TaskCheckpointed *)m;

    assert_true(shim_buf_appendf(b, "checkpointed %s %s", e->container_id, e->checkpoint));
}

/* Messages whose one field is the container's id. */
static void write_paused(struct shim_buf *b, const ProtobufCMessage *m)
{
    assert_true(shim_buf_appendf(b, "paused %s", ((const Events__TaskPaused *)m)->container_id));
}

static void write_resumed(struct shim_buf *b, const ProtobufCMessage *m)
{
    assert_true(shim_buf_appendf(b, "resumed %s", ((const Events__TaskResumed *)m)->container_id));
}

static void write_oom(struct shim_buf *b, const ProtobufCMessage *m)
{
    assert_true(shim_buf_appendf(b, "oom %s", ((const Events__TaskOOM *)m)->container_id));
}

static const struct {
    const char *topic;
    const ProtobufCMessageDescriptor *kind;
    void (*write)(struct shim_buf *b, const ProtobufCMessage *m);
} topics[] = {
    {"/tasks/create", &events__task_create__descriptor, write_create},
    {"/tasks/start", &events__task_start__descriptor, write_start},
    {"/tasks/delete", &events__task_delete__descriptor, write_delete},
    {"/tasks/exit", &events__task_exit__descriptor, write_exit},
    {"/tasks/oom", &events__task_oom__descriptor, write_oom},
    {"/tasks/exec-added", &events__task_exec_added__descriptor, write_exec_added},
    {"/tasks/exec-started", &events__task_exec_started__descriptor, write_exec_started},
    {"/tasks/paused", &events__task_paused__descriptor, write_paused},
    {"/tasks/resumed", &events__task_resumed__descriptor, write_resumed},
    {"/tasks/checkpointed", &events__task_checkpointed__descriptor, write_checkpointed},
};

/* The topic and the type must belong together. */
static void write_event(struct shim_buf *b, const Forward__Envelope *envelope)
{
    const Pb__Any *any = envelope->event;

    for (size_t i = 0; i < SHIM_ARRAY_LEN(topics); i++) {
        ProtobufCMessage *m;

        if (strcmp(envelope->topic, topics[i].topic) != 0)
            continue;
        assert_string_equal(any->type_url, topics[i].kind->name);
        m = protobuf_c_message_unpack(topics[i].kind, NULL, any->value.len, any->value.data);
        assert_non_null(m);
        topics[i].write(b, m);
        protobuf_c_message_free_unpacked(m, NULL);
        assert_true(shim_buf_append_str(b, "\n"));
        return;
    }
    fail_msg("topic %s is unknown", envelope->topic);
}

/* --- the service ---------------------------------------------------------------------------- */

static void forward(Forward__Events_Service *service, const Forward__ForwardRequest *request,
                    Pb__Empty_Closure closure, void *data)
{
    struct events_fake *f = (struct events_fake *)service;
    Pb__Empty empty = PB__EMPTY__INIT;
    bool kept;
    int code;

    assert_non_null(request->envelope->timestamp);
    shim_lock(&f->lock);
    code = f->refuse;
    kept = code == 0 && f->keep_waiting && f->n_waiting < WAITING_MAX;
    f->refused += code != 0;
    if (kept)
        f->waiting[f->n_waiting++] = data;
    if (code == 0 && !kept) {
        write_event(&f->text, request->envelope);
        strncpy(f->ns, request->envelope->namespace_, sizeof(f->ns) - 1);
        f->count++;
    }
    shim_cond_broadcast(&f->changed);
    shim_unlock(&f->lock);
    if (code != 0)
        ttrpc_call_fail(data, code, "the test refuses it");
    else if (!kept)
        closure(&empty, data);
}

/* --- life ----------------------------------------------------------------------------------- */

void events_fake_come_back(struct events_fake *f)
{
    assert_int_equal(ttrpc_server_new(&(struct ttrpc_server_config){0}, &f->server, NULL), 0);
    assert_int_equal(ttrpc_server_add(f->server, "containerd.services.events.ttrpc.v1.Events",
                                      &f->service.base, NULL),
                     0);
    assert_int_equal(ttrpc_server_listen(f->server, f->address, NULL), 0);
}

struct events_fake *events_fake_new(const char *address)
{
    struct events_fake *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    f->service = (Forward__Events_Service){.base = FORWARD__EVENTS__BASE_INIT, .forward = forward};
    f->address = strdup(address);
    shim_mutex_init(&f->lock);
    shim_cond_init(&f->changed);
    events_fake_come_back(f);
    return f;
}

void events_fake_keep_waiting(struct events_fake *f, bool on)
{
    struct ttrpc_call *calls[WAITING_MAX];
    unsigned n;

    shim_lock(&f->lock);
    f->keep_waiting = on;
    n = on ? 0 : f->n_waiting;
    memcpy(calls, f->waiting, sizeof(calls));
    if (!on)
        f->n_waiting = 0;
    shim_unlock(&f->lock);
    for (unsigned i = 0; i < n; i++)
        ttrpc_call_fail(calls[i], SHIM_E_UNAVAILABLE, "kept waiting, and not taken");
}

void events_fake_go_away(struct events_fake *f)
{
    ttrpc_server_close(f->server, 1000);
    events_fake_keep_waiting(f, false);
    ttrpc_server_free(f->server);
    f->server = NULL;
}

void events_fake_free(struct events_fake *f)
{
    if (!f)
        return;
    if (f->server)
        events_fake_go_away(f);
    shim_buf_done(&f->text);
    shim_buf_done(&f->copy);
    free(f->address);
    shim_cond_done(&f->changed);
    shim_mutex_done(&f->lock);
    free(f);
}

void events_fake_refuse(struct events_fake *f, int code)
{
    shim_lock(&f->lock);
    f->refuse = code;
    shim_unlock(&f->lock);
}

/* --- what came ------------------------------------------------------------------------------ */

static bool await(struct events_fake *f, const unsigned *count, unsigned at_least)
{
    int64_t deadline = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;
    bool reached;

    shim_lock(&f->lock);
    while (*count < at_least && shim_cond_wait_until(&f->changed, &f->lock, deadline))
        continue;
    reached = *count >= at_least;
    shim_unlock(&f->lock);
    return reached;
}

bool events_fake_await(struct events_fake *f, unsigned at_least)
{
    return await(f, &f->count, at_least);
}

bool events_fake_await_refused(struct events_fake *f, unsigned at_least)
{
    return await(f, &f->refused, at_least);
}

bool events_fake_await_waiting(struct events_fake *f, unsigned at_least)
{
    return await(f, &f->n_waiting, at_least);
}

unsigned events_fake_count(struct events_fake *f)
{
    unsigned count;

    shim_lock(&f->lock);
    count = f->count;
    shim_unlock(&f->lock);
    return count;
}

const char *events_fake_text(struct events_fake *f)
{
    f->copy.len = 0;
    shim_lock(&f->lock);
    assert_true(shim_buf_append(&f->copy, f->text.data, f->text.len));
    shim_unlock(&f->lock);
    return shim_buf_str(&f->copy);
}

const char *events_fake_namespace(struct events_fake *f)
{
    shim_lock(&f->lock);
    memcpy(f->ns_copy, f->ns, sizeof(f->ns));
    shim_unlock(&f->lock);
    return f->ns_copy;
}

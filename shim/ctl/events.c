/* SPDX-License-Identifier: Apache-2.0 */
/* Serves the Events endpoint and prints; the command `events`. */
#include "shim/ctl/events.h"
#include "base/file.h"
#include "base/str.h"
#include "base/thread.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/json.h"
#include "shim/ctl/message_json.h"
#include "shim/ctl/output.h"
#include "shim/ctl/signals.h"
#include "ttrpc/server.h"
#include <string.h>

#define CLOSE_TIMEOUT_MS 1000
#define SERVICE          "containerd.services.events.ttrpc.v1.Events"

struct ctl_events {
    Forward__Events_Service service; /* first: what the server hands back */
    struct ttrpc_server *server;
    const char *const *ids;
    bool json, to_stderr;
    char *address;
    struct shim_mutex lock; /* one line at a time */
    bool broken;            /* nobody reads our output any more */
};

char *ctl_events_address(const struct ctl *c)
{
    return shim_strf("%s/events.sock", c->state_dir);
}

/* "/a/b": at least one component, each like a name. */
static bool is_topic(const char *topic)
{
    bool fresh = true; /* right after a slash */

    if (*topic != '/')
        return false;
    for (const char *at = topic + 1; *at; at++) {
        if (*at == '/' && fresh)
            return false;
        fresh = *at == '/';
        if (!strchr("/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", *at))
            return false;
    }
    return !fresh;
}

int ctl_event_check(const Forward__Envelope *envelope, struct shim_error *err)
{
    int r = ctl_check_name("namespace", envelope->namespace_, err);

    if (r < 0)
        return r;
    if (!is_topic(envelope->topic))
        return shim_fail(err, SHIM_E_INVALID, "topic \"%.100s\": expected /a/b", envelope->topic);
    if (!envelope->timestamp)
        return shim_fail(err, SHIM_E_INVALID, "event without a timestamp");
    return 0;
}

struct json_object *ctl_event_to_json(const Forward__Envelope *envelope)
{
    cleanup_json struct json_object *line = json_object_new_object();

    if (!line ||
        !ctl_json_add(line, "timestamp",
                      ctl_json_from_time(ctl_timestamp_ns(envelope->timestamp))) ||
        !ctl_json_add(line, "namespace", json_object_new_string(envelope->namespace_)) ||
        !ctl_json_add(line, "topic", json_object_new_string(envelope->topic)) ||
        !ctl_json_add(line, "event",
                      envelope->event ? ctl_json_from_any(envelope->event)
                                      : json_object_new_object()))
        return NULL;
    return shim_take(line);
}

static bool is_wanted(const struct ctl_events *e, struct json_object *line)
{
    const char *id = ctl_json_text(json_object_object_get(line, "event"), "container_id");

    if (!e->ids || !*e->ids)
        return true;
    for (const char *const *wanted = e->ids; *wanted; wanted++)
        if (strcmp(*wanted, id) == 0)
            return true;
    return false;
}

static char *line_text(const struct ctl_events *e, struct json_object *line)
{
    int style = JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE;
    struct json_object *event = json_object_object_get(line, "event");

    if (e->json)
        return shim_strdup0(json_object_to_json_string_ext(line, style));
    return shim_strf("%s %s %s %s", ctl_json_text(line, "timestamp"),
                     ctl_json_text(line, "namespace"), ctl_json_text(line, "topic"),
                     json_object_to_json_string_ext(event, style));
}

static void print_event(struct ctl_events *e, struct json_object *line)
{
    cleanup_free char *text = line_text(e, line);
    struct shim_error err;

    if (!text || e->broken)
        return;
    if (e->to_stderr)
        ctl_say_line(text);
    else if (ctl_print_line(text, &err) < 0) {
        e->broken = true;
        ctl_say("%s", err.msg);
    }
}

static void forward(Forward__Events_Service *service, const Forward__ForwardRequest *request,
                    Pb__Empty_Closure closure, void *call)
{
    struct ctl_events *e = (struct ctl_events *)service;
    cleanup_json struct json_object *line = NULL;
    Pb__Empty done = PB__EMPTY__INIT;
    struct shim_error err;
    int r = request->envelope ? ctl_event_check(request->envelope, &err)
                              : shim_fail(&err, SHIM_E_INVALID, "request without an envelope");

    if (r < 0) {
        ctl_say("refused an event: %s", err.msg);
        ttrpc_call_fail(call, r, err.msg);
        return;
    }
    line = ctl_event_to_json(request->envelope);
    if (line && is_wanted(e, line)) {
        shim_lock(&e->lock);
        print_event(e, line);
        shim_unlock(&e->lock);
    }
    closure(&done, call);
}

int ctl_events_serve(const struct ctl *c, const char *address, const char *const *ids,
                     bool to_stderr, struct ctl_events **ret, struct shim_error *err)
{
    struct ttrpc_server_config config = {.same_user_only = true};
    struct ctl_events *e = calloc(1, sizeof(*e));
    int r;

    if (!e)
        return shim_fail_memory(err);
    e->service = (Forward__Events_Service){FORWARD__EVENTS__BASE_INIT, forward};
    e->ids = ids;
    e->json = c->json;
    e->to_stderr = to_stderr;
    e->address = shim_strdup0(address);
    shim_mutex_init(&e->lock);
    r = e->address ? ttrpc_server_new(&config, &e->server, err) : shim_fail_memory(err);
    if (r >= 0)
        r = ttrpc_server_add(e->server, SERVICE, &e->service.base, err);
    if (r >= 0)
        r = ttrpc_server_listen(e->server, address, err);
    if (r < 0) {
        free(shim_take(e->address)); /* not ours to remove */
        ctl_events_free(e);
        return shim_wrap(err, r, "serve events at %s", address);
    }
    *ret = e;
    return 0;
}

void ctl_events_free(struct ctl_events *e)
{
    if (!e)
        return;
    if (e->server)
        ttrpc_server_close(e->server, CLOSE_TIMEOUT_MS);
    ttrpc_server_free(e->server);
    if (e->address)
        ctl_best_effort(shim_file_remove(e->address, NULL));
    free(e->address);
    shim_mutex_done(&e->lock);
    free(e);
}

/* --- the command ---------------------------------------------------------------------------- */

struct pause {
    struct shim_mutex lock;
    struct shim_cond told;
    bool over;
};

static void on_signal(int signal, void *user)
{
    struct pause *p = user;

    if (signal == CTL_SIGNAL_RESIZE)
        return;
    shim_lock(&p->lock);
    p->over = true;
    shim_cond_signal(&p->told);
    shim_unlock(&p->lock);
}

static int wait_for_signal(struct shim_error *err)
{
    struct pause p = {.over = false};
    struct ctl_signals *signals;
    int r;

    shim_mutex_init(&p.lock);
    shim_cond_init(&p.told);
    r = ctl_signals_watch(on_signal, &p, &signals, err);
    if (r >= 0) {
        shim_lock(&p.lock);
        while (!p.over)
            shim_cond_wait(&p.told, &p.lock);
        shim_unlock(&p.lock);
        ctl_signals_free(signals);
    }
    shim_cond_done(&p.told);
    shim_mutex_done(&p.lock);
    return r;
}

int ctl_events(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    const struct ctl_parse how = {.max = SIZE_MAX};
    cleanup_words struct ctl_words words = {0};
    cleanup_free char *address = ctl_events_address(c);
    struct ctl_events *events;
    int r = address ? ctl_parse(c, &how, argv, &words, err) : shim_fail_memory(err);

    if (r < 0)
        return r;
    r = ctl_events_serve(c, address, words.v, false, &events, err);
    if (r < 0)
        return r;
    r = wait_for_signal(err);
    ctl_events_free(events);
    return r;
}

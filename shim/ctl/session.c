/* SPDX-License-Identifier: Apache-2.0 */
/* Holds a foreground process's streams, terminal and signals together until it ends. */
#include "shim/ctl/session.h"
#include "base/thread.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/message_json.h"
#include "shim/ctl/output.h"
#include "shim/ctl/platform.h"
#include "shim/ctl/signals.h"
#include "shim/ctl/terminal.h"
#include <stdlib.h>

#define DRAIN_IDLE_MS 10000

enum stage { STARTING, RUNNING, ENDING };

struct ctl_session {
    struct ctl_session_config config;
    struct ctl_stdio *stdio;
    struct ctl_signals *signals;
    struct ctl_client *client; /* from attach on */
    struct shim_stopper stopper;
    struct shim_mutex lock;
    struct shim_cond ended_cond;
    enum stage stage;
    int interrupted;     /* by that signal, before or after it runs; 0: no */
    bool waiting, ended; /* the Wait call: sent, answered */
    uint32_t wait_id;
    struct ctl_exit exit;
    struct shim_error wait_err; /* code 0: it ended well */
};

static void resize(struct ctl_session *s)
{
    Task__ResizePtyRequest request = TASK__RESIZE_PTY_REQUEST__INIT;
    uint16_t width, height;

    if (!s->config.terminal || !ctl_terminal_size(&width, &height))
        return;
    request.id = ctl_lend(s->config.id);
    request.exec_id = ctl_lend(s->config.exec_id);
    request.width = width;
    request.height = height;
    /* A process that just ended has no terminal to resize. */
    ctl_best_effort(ctl_call_start(s->client, "ResizePty", &request.base, NULL, NULL, NULL, NULL));
}

static void told_killed(const ProtobufCMessage *answer, const struct shim_error *err, void *user)
{
    (void)answer;
    (void)user;
    if (err && err->code != SHIM_E_NOT_FOUND && err->code != SHIM_E_CANCELED)
        ctl_say("signal not passed on: %s", err->msg);
}

static void pass_on(struct ctl_session *s, int signal)
{
    Task__KillRequest request = TASK__KILL_REQUEST__INIT;
    struct shim_error err;

    request.id = ctl_lend(s->config.id);
    request.exec_id = ctl_lend(s->config.exec_id);
    request.signal = (uint32_t)signal;
    if (ctl_call_start(s->client, "Kill", &request.base, told_killed, NULL, NULL, &err) < 0)
        ctl_say("signal not passed on: %s", err.msg);
}

/* Nothing runs (yet, any more) that a signal could be passed to. */
static void interrupt(struct ctl_session *s, int signal, bool again, enum stage stage)
{
    if (again)
        ctl_leave(128 + signal);
    if (stage == ENDING) {
        ctl_stdio_stop(s->stdio);
        return;
    }
    ctl_say("interrupted (once more: leave at once)");
    shim_stopper_stop(&s->stopper);
}

static void on_signal(int signal, void *user)
{
    struct ctl_session *s = user;
    enum stage stage;
    bool again;

    shim_lock(&s->lock);
    stage = s->stage;
    again = s->interrupted != 0;
    if (stage != RUNNING && signal != CTL_SIGNAL_RESIZE)
        s->interrupted = signal;
    shim_unlock(&s->lock);
    if (stage == RUNNING && signal == CTL_SIGNAL_RESIZE)
        resize(s);
    else if (stage == RUNNING)
        pass_on(s, signal);
    else if (signal != CTL_SIGNAL_RESIZE)
        interrupt(s, signal, again, stage);
}

/* Our standard input is at its end: so is the process's. */
static void on_input_end(void *user)
{
    struct ctl_session *s = user;
    Task__CloseIORequest request = TASK__CLOSE_IOREQUEST__INIT;

    request.id = ctl_lend(s->config.id);
    request.exec_id = ctl_lend(s->config.exec_id);
    request.close_stdin = true;
    ctl_best_effort(ctl_call_start(s->client, "CloseIO", &request.base, NULL, NULL, NULL, NULL));
}

int ctl_session_new(const struct ctl_session_config *config, struct ctl_session **ret,
                    struct shim_error *err)
{
    cleanup_session struct ctl_session *s = calloc(1, sizeof(*s));
    struct ctl_stdio_config stdio = {.dir = config->dir,
                                     .in = config->interactive,
                                     .out = true,
                                     .err = !config->terminal,
                                     .in_ended = on_input_end,
                                     .user = s};
    int r;

    if (!s)
        return shim_fail_memory(err);
    s->config = *config;
    shim_mutex_init(&s->lock);
    shim_cond_init(&s->ended_cond);
    shim_stopper_init(&s->stopper);
    r = ctl_stdio_open(&stdio, &s->stdio, err);
    if (r >= 0)
        r = ctl_signals_watch(on_signal, s, &s->signals, err);
    if (r < 0)
        return r;
    *ret = shim_take(s);
    return 0;
}

static void wait_for_end(struct ctl_session *s)
{
    shim_lock(&s->lock);
    while (!s->ended)
        shim_cond_wait(&s->ended_cond, &s->lock);
    shim_unlock(&s->lock);
}

void ctl_session_free(struct ctl_session *s)
{
    if (!s)
        return;
    ctl_terminal_restore();
    ctl_signals_free(s->signals);
    ctl_stdio_free(s->stdio);
    if (s->waiting) {
        ctl_call_cancel(s->client, s->wait_id);
        wait_for_end(s); /* its callback uses the session */
    }
    shim_stopper_done(&s->stopper);
    shim_cond_done(&s->ended_cond);
    shim_mutex_done(&s->lock);
    free(s);
}

struct shim_stopper *ctl_session_stopper(struct ctl_session *s)
{
    return &s->stopper;
}

const struct ctl_stdio *ctl_session_stdio(const struct ctl_session *s)
{
    return s->stdio;
}

int ctl_session_check(struct ctl_session *s, struct shim_error *err)
{
    int interrupted;

    shim_lock(&s->lock);
    interrupted = s->interrupted;
    shim_unlock(&s->lock);
    return interrupted ? shim_fail(err, SHIM_E_CANCELED, "interrupted") : 0;
}

static void on_end(const ProtobufCMessage *answer, const struct shim_error *err, void *user)
{
    struct ctl_session *s = user;
    const Task__WaitResponse *m = (const Task__WaitResponse *)answer;

    shim_lock(&s->lock);
    if (m)
        s->exit = (struct ctl_exit){0, m->exit_status, ctl_timestamp_ns(m->exited_at)};
    else
        s->wait_err = *err;
    s->ended = true;
    shim_cond_signal(&s->ended_cond);
    shim_unlock(&s->lock);
}

int ctl_session_attach(struct ctl_session *s, struct ctl_client *client, struct shim_error *err)
{
    Task__WaitRequest request = TASK__WAIT_REQUEST__INIT;
    int r;

    s->client = client;
    request.id = ctl_lend(s->config.id);
    request.exec_id = ctl_lend(s->config.exec_id);
    r = ctl_stdio_start_output(s->stdio, err);
    if (r >= 0)
        r = ctl_call_start(client, "Wait", &request.base, on_end, s, &s->wait_id, err);
    if (r < 0)
        return r;
    s->waiting = true;
    resize(s);
    return 0;
}

/* Returns the signal that came in the stage before and was not dealt with yet, else 0. */
static int enter(struct ctl_session *s, enum stage stage)
{
    int signal;

    shim_lock(&s->lock);
    signal = s->interrupted;
    s->interrupted = 0;
    s->stage = stage;
    shim_unlock(&s->lock);
    return signal;
}

int ctl_session_finish(struct ctl_session *s, struct ctl_exit *ret, struct shim_error *err)
{
    int late = enter(s, RUNNING);
    int r = 0;

    if (late)
        pass_on(s, late); /* it came too late to prevent the start */
    resize(s);            /* a provider may have no terminal before the start */
    if (s->config.terminal && s->config.interactive)
        r = ctl_terminal_raw(err);
    if (r >= 0)
        r = ctl_stdio_start_input(s->stdio, err);
    if (r >= 0)
        wait_for_end(s);
    enter(s, ENDING);
    ctl_terminal_restore();
    if (r < 0)
        return r;
    if (s->wait_err.code != 0) {
        if (err)
            *err = s->wait_err;
        return s->wait_err.code;
    }
    *ret = s->exit;
    return 0;
}

void ctl_session_drain(struct ctl_session *s)
{
    struct ctl_progress *p = ctl_progress_begin("waiting for the end of its output");
    bool drained = ctl_stdio_drain(s->stdio, DRAIN_IDLE_MS);

    ctl_progress_end(p);
    if (!drained)
        ctl_say("some other process still holds its output; gave up reading");
}

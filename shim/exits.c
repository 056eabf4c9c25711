/* SPDX-License-Identifier: Apache-2.0 */
/* How processes end: exits are recorded, waiters answered, output drained, events put in order. */
#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "shim/payload/timestamp.h"
#include "shim/proto/events.pb-c.h"
#include "shim/proto/task.pb-c.h"
#include "shim/shim.h"
#include "ttrpc/server.h"

/* --- events --------------------------------------------------------------------------------- */

static bool is_init(const struct shim_process *p)
{
    return p == p->task->init;
}

static void publish_exit_locked(struct shim_process *p)
{
    Pb__Timestamp at = shim_timestamp(p->exit.at_ns);
    Events__TaskExit event = EVENTS__TASK_EXIT__INIT;

    event.container_id = p->task->id;
    event.id = is_init(p) ? p->task->id : p->exec_id;
    event.pid = p->pid;
    event.exit_status = p->exit.status;
    event.exited_at = &at;
    shim_events_publish(p->task->shim->events, "/tasks/exit", &event.base);
    p->exit_queued = true;
}

/* Whether an exec's exit event is still to come. */
static bool exit_due_locked(const struct shim_process *p)
{
    return p->exit_comes && !p->exit_queued;
}

/* The exits that may be published now: init's is the last of its container. */
static void publish_exits_locked(struct shim_task *task)
{
    bool due = false;

    if (task->init->state == SHIM_DELETED)
        return; /* its last event is out, or it never had one */
    for (struct shim_process *p = task->execs; p; p = p->next) {
        if (p->drained && !p->exit_queued)
            publish_exit_locked(p);
        due |= exit_due_locked(p);
    }
    if (!due && task->init->drained && !task->init->exit_queued)
        publish_exit_locked(task->init);
    shim_cond_broadcast(&task->shim->tasks.changed);
}

/* --- waiting -------------------------------------------------------------------------------- */

/* With no lock held. */
static void answer_waits(struct shim_waiter *taken, const struct hcs_exit *exit)
{
    Pb__Timestamp at = shim_timestamp(exit->at_ns);
    Task__WaitResponse answer = TASK__WAIT_RESPONSE__INIT;

    answer.exit_status = exit->status;
    answer.exited_at = exit->at_ns ? &at : NULL;
    shim_waiters_answer(taken, &answer.base);
}

void shim_process_end_waits(struct shim_process *p)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;
    struct shim_waiter *taken;
    struct hcs_exit exit;

    shim_lock(&tasks->lock);
    taken = shim_waiters_take_locked(&p->waiters);
    exit = p->exit;
    shim_unlock(&tasks->lock);
    answer_waits(taken, &exit);
}

void shim_process_wait(struct shim_process *p, struct shim_request *request)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;
    struct shim_waiter *w = shim_waiter_new(&p->waiters, request->call, request->reply);
    struct hcs_exit exit;
    bool over;

    if (!w) {
        shim_request_fail(request,
                          &(struct shim_error){.code = SHIM_E_EXHAUSTED, .msg = "out of memory"});
        return;
    }
    shim_request_detach(request);
    shim_lock(&tasks->lock);
    shim_process_ref_locked(p); /* the waiter's */
    exit = p->exit;
    over = p->state == SHIM_STOPPED || p->state == SHIM_DELETED || p->failed ||
           !shim_waiter_park_locked(w);
    shim_unlock(&tasks->lock);
    if (over)
        answer_waits(w, &exit);
}

/* --- ending --------------------------------------------------------------------------------- */

/* What only a worker can do after init's exit: end what the kernel has not ended with it. */
static void end_leftovers(struct shim_work *work)
{
    struct shim_process *init = shim_container_of(work, struct shim_process, work);
    struct shim_task *task = init->task;
    struct shim_error err;

    if (hcs_system_signal_all(task->system, SHIM_SIGNAL_KILL, &err) < 0 &&
        err.code != SHIM_E_NOT_FOUND)
        shim_log(SHIM_WARN, "task=%s: processes left by init not killed: %s", task->id, err.msg);
    shim_process_put(init);
}

static void drained(void *user)
{
    struct shim_process *p = user;
    struct shim_tasks *tasks = &p->task->shim->tasks;

    shim_lock(&tasks->lock);
    p->drained = true;
    publish_exits_locked(p->task);
    shim_unlock(&tasks->lock);
    shim_process_put(p); /* the exit's reference */
}

struct ending {
    struct shim_waiter *waits;
    struct hcs_exit exit;
    bool leftovers;
};

/* With a reference for end_unlocked: the exit's own can go before the relay has returned to it. */
static void end_locked(struct shim_process *p, struct ending *ret)
{
    *ret = (struct ending){.exit = p->exit};
    shim_process_ref_locked(p);
    if (is_init(p)) {
        ret->leftovers = !p->task->private_pids || p->state == SHIM_PAUSED;
        if (ret->leftovers)
            shim_process_ref_locked(p);
    }
    if (p->state != SHIM_DELETED)
        p->state = SHIM_STOPPED;
    ret->waits = shim_waiters_take_locked(&p->waiters);
    shim_cond_broadcast(&p->task->shim->tasks.changed);
}

static void end_unlocked(struct shim_process *p, struct ending *ending)
{
    answer_waits(ending->waits, &ending->exit);
    if (ending->leftovers) {
        p->work.fn = end_leftovers;
        shim_workers_run(p->task->shim->workers, &p->work, true);
    }
    if (p->io)
        shim_io_exited(p->io, drained, p);
    else
        drained(p);
    shim_process_put(p);
}

void shim_process_exited(struct hcs_process *hcs, const struct hcs_exit *exit, void *user)
{
    struct shim_process *p = user;
    struct shim_tasks *tasks = &p->task->shim->tasks;
    struct ending ending;
    bool held;

    (void)hcs;
    shim_lock(&tasks->lock);
    p->exit = *exit;
    held = p->starting || p->replies_due > 0;
    if (held)
        p->exit_held = true;
    else
        end_locked(p, &ending);
    shim_unlock(&tasks->lock);
    if (!held)
        end_unlocked(p, &ending);
}

/* --- starting ------------------------------------------------------------------------------- */

int shim_start_begin(struct shim_process *p, enum shim_state from, struct shim_error *err)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;
    enum shim_state state;
    bool starting;

    shim_lock(&tasks->lock);
    state = p->state;
    starting = p->starting;
    if (state == from && !starting) {
        p->starting = true;
        p->failed = false;
    }
    shim_unlock(&tasks->lock);
    if (state != from || starting)
        return shim_fail(err, SHIM_E_UNKNOWN, "cannot start a %s process",
                         starting ? "starting" : shim_state_name(state));
    return 0;
}

/* Whether an exit that was held back comes now. */
static bool take_held_exit_locked(struct shim_process *p)
{
    bool now = p->exit_held && !p->starting && p->replies_due == 0;

    if (now)
        p->exit_held = false;
    return now;
}

void shim_exit_hold(struct shim_process *p)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;

    shim_lock(&tasks->lock);
    p->replies_due++;
    shim_unlock(&tasks->lock);
}

void shim_exit_release(struct shim_process *p)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;
    struct ending ending;
    bool ended;

    shim_lock(&tasks->lock);
    p->replies_due--;
    ended = take_held_exit_locked(p);
    if (ended)
        end_locked(p, &ending);
    shim_unlock(&tasks->lock);
    if (ended)
        end_unlocked(p, &ending);
}

void shim_start_done(struct shim_process *p, enum shim_state state, const char *topic,
                     const ProtobufCMessage *event)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;
    struct ending ending;
    bool ended;

    shim_lock(&tasks->lock);
    p->starting = false;
    if (p->state != SHIM_DELETED) { /* with its whole task, meanwhile */
        p->state = state;
        shim_events_publish(p->task->shim->events, topic, event);
    }
    ended = take_held_exit_locked(p);
    if (ended)
        end_locked(p, &ending);
    shim_cond_broadcast(&tasks->changed);
    shim_unlock(&tasks->lock);
    if (ended)
        end_unlocked(p, &ending);
}

void shim_start_failed(struct shim_process *p)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;
    struct shim_waiter *waits = NULL;
    struct ending ending;
    bool ended;

    shim_lock(&tasks->lock);
    p->starting = false;
    ended = take_held_exit_locked(p);
    if (p->exit_comes && !is_init(p)) {
        p->state = p->state == SHIM_DELETED ? SHIM_DELETED : SHIM_RUNNING; /* until it has ended */
        p->exit_queued = true; /* no start event, no exit event */
    }
    if (ended) {
        end_locked(p, &ending);
    } else if (!p->exit_comes) {
        p->failed = true;
        waits = shim_waiters_take_locked(&p->waiters);
    }
    publish_exits_locked(p->task); /* init's may have waited for this one */
    shim_unlock(&tasks->lock);

    if (ended)
        end_unlocked(p, &ending);
    answer_waits(waits, &(struct hcs_exit){0});
}

void shim_process_set_hcs(struct shim_process *p, struct hcs_process *hcs)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;
    uint32_t pid = hcs_process_pid(hcs);

    shim_lock(&tasks->lock);
    p->hcs = hcs;
    p->pid = pid;
    shim_unlock(&tasks->lock);
}

void shim_exit_expect(struct shim_process *p)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;

    shim_lock(&tasks->lock);
    p->exit_comes = true;
    shim_process_ref_locked(p);
    shim_unlock(&tasks->lock);
}

void shim_exit_forget(struct shim_process *p)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;

    shim_lock(&tasks->lock);
    p->exit_comes = false;
    shim_unlock(&tasks->lock);
    shim_process_put(p);
}

/* --- settling ------------------------------------------------------------------------------- */

/* Publishes it where the output of its end has not been taken in time. */
static void publish_overdue_locked(struct shim_process *p)
{
    if (p->state == SHIM_STOPPED && exit_due_locked(p) && p->task->init->state != SHIM_DELETED)
        publish_exit_locked(p);
}

static bool settled_locked(struct shim_task *task)
{
    for (struct shim_process *p = task->execs; p; p = p->next)
        if (exit_due_locked(p))
            return false;
    return !exit_due_locked(task->init);
}

void shim_task_settle(struct shim_task *task, unsigned timeout_ms)
{
    struct shim_tasks *tasks = &task->shim->tasks;
    int64_t deadline = shim_monotonic_ns() + timeout_ms * SHIM_NS_PER_MS;

    shim_lock(&tasks->lock);
    while (!settled_locked(task) && shim_cond_wait_until(&tasks->changed, &tasks->lock, deadline))
        continue;
    for (struct shim_process *p = task->execs; p; p = p->next)
        publish_overdue_locked(p);
    publish_overdue_locked(task->init);
    shim_unlock(&tasks->lock);
}

void shim_exec_settle(struct shim_process *p, unsigned timeout_ms)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;
    int64_t deadline = shim_monotonic_ns() + timeout_ms * SHIM_NS_PER_MS;

    shim_lock(&tasks->lock);
    while (exit_due_locked(p) && p->task->init->state != SHIM_DELETED &&
           shim_cond_wait_until(&tasks->changed, &tasks->lock, deadline))
        continue;
    publish_overdue_locked(p);
    shim_unlock(&tasks->lock);
}

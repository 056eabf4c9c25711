/* SPDX-License-Identifier: Apache-2.0 */
/* Delete: of a task and of an exec. */
#include "shim/ops.h"
#include "shim/payload/timestamp.h"
#include "shim/proto/events.pb-c.h"
#include "shim/shim.h"

#define COPY_LIMIT_MS   10000 /* a grandchild may hold the pipe that long; containerd's own limit */
#define SETTLE_LIMIT_MS 10000

static void fill_deleted(struct shim_process *p, struct shim_deleted *ret)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;

    shim_lock(&tasks->lock);
    ret->pid = p->pid;
    ret->exit = p->exit;
    shim_unlock(&tasks->lock);
}

/* --- of an exec ----------------------------------------------------------------------------- */

/* One that never ran is as good as deleted from here on, so that nobody starts it meanwhile. */
static int begin_exec_delete(struct shim_process *p, bool *ret_ended, struct shim_error *err)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;
    enum shim_state state;
    bool starting;

    shim_lock(&tasks->lock);
    state = p->state;
    starting = p->starting;
    if (state == SHIM_CREATED && !starting)
        p->state = SHIM_DELETED;
    shim_unlock(&tasks->lock);
    *ret_ended = state == SHIM_STOPPED;
    if (state == SHIM_DELETED)
        return shim_fail(err, SHIM_E_NOT_FOUND, "process %s in container %s: not found", p->exec_id,
                         p->task->id);
    if (starting || (state != SHIM_CREATED && state != SHIM_STOPPED))
        return shim_fail(err, SHIM_E_UNKNOWN, "cannot delete a %s process",
                         starting ? "starting" : shim_state_name(state));
    return 0;
}

int shim_exec_delete(struct shim_process *p, struct shim_deleted *ret, struct shim_error *err)
{
    bool ended;
    int r = begin_exec_delete(p, &ended, err);

    if (r < 0)
        return r;
    if (p->io)
        shim_io_finish(p->io, ended ? COPY_LIMIT_MS : 0);
    if (ended)
        shim_exec_settle(p, SETTLE_LIMIT_MS);
    fill_deleted(p, ret);
    shim_exec_remove(p);
    return 0;
}

/* --- of a task ------------------------------------------------------------------------------ */

/* Removes an exec; its streams end at once unless it is being started, which then ends them. */
static void drop_exec(struct shim_process *p)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;
    struct shim_io *io;

    shim_exec_remove(p);
    shim_lock(&tasks->lock);
    io = p->starting ? NULL : p->io; /* a deleted one is not started again */
    shim_unlock(&tasks->lock);
    if (io)
        shim_io_finish(io, 0);
}

static void finish_execs(struct shim_task *task)
{
    struct shim_tasks *tasks = &task->shim->tasks;

    for (;;) {
        cleanup_process struct shim_process *p = NULL;

        shim_lock(&tasks->lock);
        p = task->execs;
        if (p)
            shim_process_ref_locked(p);
        shim_unlock(&tasks->lock);
        if (!p)
            return;
        drop_exec(p);
    }
}

static void announce_delete(struct shim_task *task, const struct shim_deleted *deleted)
{
    Pb__Timestamp at = shim_timestamp(deleted->exit.at_ns);
    Events__TaskDelete event = EVENTS__TASK_DELETE__INIT;

    event.container_id = task->id;
    event.pid = deleted->pid;
    event.exit_status = deleted->exit.status;
    event.exited_at = deleted->exit.at_ns ? &at : NULL;
    shim_events_publish(task->shim->events, "/tasks/delete", &event.base);
}

int shim_task_delete(struct shim_task *task, struct shim_deleted *ret, struct shim_error *err)
{
    enum shim_state state = shim_task_state(task);
    int r;

    if (state == SHIM_DELETED)
        return shim_fail(err, SHIM_E_NOT_FOUND, "container %s: not found", task->id);
    if (state != SHIM_CREATED && state != SHIM_STOPPED)
        return shim_fail(err, SHIM_E_UNKNOWN, "cannot delete a %s process", shim_state_name(state));
    if (state == SHIM_STOPPED)
        shim_io_finish(task->init->io, COPY_LIMIT_MS);
    r = hcs_system_delete(task->system, err);
    if (r < 0)
        return r;
    shim_task_settle(task, SETTLE_LIMIT_MS);
    shim_io_finish(task->init->io, 0);
    if (task->rootfs_mounted) {
        r = hcs_storage_unmount(task->provider, task->rootfs, err);
        if (r < 0)
            return shim_wrap(err, r, "unmount rootfs");
        task->rootfs_mounted = false;
    }
    finish_execs(task);
    fill_deleted(task->init, ret);
    announce_delete(task, ret);
    shim_task_remove(task);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Start, pause, resume, update, checkpoint and kill. Our own records decide what is allowed. */
#include "shim/ops.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "oci/spec.h"
#include "shim/proto/events.pb-c.h"
#include "shim/proto/options.pb-c.h"
#include "shim/shim.h"
#include <json-c/json.h>
#include <string.h>

#define UNSTICK_MS    1000
#define RESOURCES_MAX ((size_t)1024 * 1024)

enum shim_state shim_task_state(struct shim_task *task)
{
    enum shim_state state;

    shim_lock(&task->shim->tasks.lock);
    state = task->init->state;
    shim_unlock(&task->shim->tasks.lock);
    return state;
}

static int fail_state(struct shim_error *err, const char *verb, enum shim_state state)
{
    return shim_fail(err, SHIM_E_UNKNOWN, "cannot %s a %s container", verb, shim_state_name(state));
}

/* Changes the state only if it is still `from`: init may have ended meanwhile. */
static bool change_state(struct shim_task *task, enum shim_state from, enum shim_state to)
{
    struct shim_tasks *tasks = &task->shim->tasks;
    bool changed;

    shim_lock(&tasks->lock);
    changed = task->init->state == from;
    if (changed)
        task->init->state = to;
    shim_cond_broadcast(&tasks->changed);
    shim_unlock(&tasks->lock);
    return changed;
}

/* --- start ---------------------------------------------------------------------------------- */

static int restore(struct shim_task *task, struct shim_error *err)
{
    struct hcs_restore from = {.image_path = task->checkpoint};
    int r;

    shim_exit_expect(task->init);
    r = hcs_system_create(task->system, &from, &task->stdio, err);
    if (r < 0) {
        shim_exit_forget(task->init);
        return r;
    }
    shim_process_set_hcs(task->init, hcs_system_init(task->system));
    r = shim_process_start_io(task->init, &task->stdio, err);
    if (r < 0 && hcs_system_terminate(task->system, NULL) < 0)
        shim_log(SHIM_WARN, "task=%s: not ended after its streams failed", task->id);
    return r;
}

int shim_task_start(struct shim_task *task, uint32_t *ret_pid, struct shim_error *err)
{
    Events__TaskStart event = EVENTS__TASK_START__INIT;
    int r = shim_start_begin(task->init, SHIM_CREATED, err);

    if (r < 0)
        return r;
    r = *task->checkpoint ? restore(task, err) : hcs_system_start(task->system, err);
    if (r < 0) {
        shim_start_failed(task->init);
        return r;
    }
    shim_process_set_hcs(task->init, hcs_system_init(task->system));
    event.container_id = task->id;
    event.pid = *ret_pid = task->init->pid;
    shim_start_done(task->init, SHIM_RUNNING, "/tasks/start", &event.base);
    return 0;
}

/* --- pause and resume ----------------------------------------------------------------------- */

/* Init ended while its container was being paused: what is frozen now must not stay. */
static void end_frozen(struct shim_task *task)
{
    struct shim_error err;

    if (hcs_system_signal_all(task->system, SHIM_SIGNAL_KILL, &err) < 0 &&
        err.code != SHIM_E_NOT_FOUND)
        shim_log(SHIM_WARN, "task=%s: processes left by init not killed: %s", task->id, err.msg);
}

int shim_task_pause(struct shim_task *task, struct shim_error *err)
{
    Events__TaskPaused event = EVENTS__TASK_PAUSED__INIT;
    int r;

    if (!change_state(task, SHIM_RUNNING, SHIM_PAUSING))
        return fail_state(err, "pause", shim_task_state(task));
    r = hcs_system_pause(task->system, err);
    if (r < 0) {
        change_state(task, SHIM_PAUSING, SHIM_RUNNING);
        return r;
    }
    if (!change_state(task, SHIM_PAUSING, SHIM_PAUSED)) {
        end_frozen(task);
        return fail_state(err, "pause", shim_task_state(task));
    }
    event.container_id = task->id;
    shim_events_publish(task->shim->events, "/tasks/paused", &event.base);
    return 0;
}

int shim_task_resume(struct shim_task *task, struct shim_error *err)
{
    Events__TaskResumed event = EVENTS__TASK_RESUMED__INIT;
    enum shim_state state = shim_task_state(task);
    int r;

    if (state != SHIM_PAUSED)
        return fail_state(err, "resume", state);
    r = hcs_system_resume(task->system, err);
    if (r < 0)
        return r;
    if (!change_state(task, SHIM_PAUSED, SHIM_RUNNING))
        return fail_state(err, "resume", shim_task_state(task));
    event.container_id = task->id;
    shim_events_publish(task->shim->events, "/tasks/resumed", &event.base);
    return 0;
}

/* --- update --------------------------------------------------------------------------------- */

int shim_task_update(struct shim_task *task, const Pb__Any *resources, struct shim_error *err)
{
    cleanup_json struct json_object *json = NULL;
    enum shim_state state = shim_task_state(task);
    int r;

    if (state != SHIM_CREATED && state != SHIM_RUNNING && state != SHIM_PAUSED)
        return fail_state(err, "update", state);
    if (!resources || resources->value.len == 0)
        return shim_fail(err, SHIM_E_INVALID, "update %s: no resources: invalid argument",
                         task->id);
    if (resources->value.len > RESOURCES_MAX)
        return shim_fail(err, SHIM_E_EXHAUSTED, "update %s: resources are over %zu bytes", task->id,
                         RESOURCES_MAX);
    r = oci_json_parse("resources", (const char *)resources->value.data, resources->value.len,
                       &json, err);
    if (r < 0)
        return r;
    if (!json_object_is_type(json, json_type_object))
        return shim_fail(err, SHIM_E_INVALID, "update %s: resources are no JSON object", task->id);
    return hcs_system_update(task->system,
                             json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN), err);
}

/* --- checkpoint ----------------------------------------------------------------------------- */

static int checkpoint_options(const Pb__Any *any, Runc__CheckpointOptions **ret,
                              struct shim_error *err)
{
    if (!any || !any->type_url || !*any->type_url) {
        *ret = NULL;
        return 0;
    }
    if (!shim_ends_with(any->type_url, runc__checkpoint_options__descriptor.name))
        return shim_fail(err, SHIM_E_INVALID, "checkpoint options of type %s are unknown",
                         any->type_url);
    *ret = runc__checkpoint_options__unpack(NULL, any->value.len, any->value.data);
    return *ret ? 0 : shim_fail(err, SHIM_E_INVALID, "checkpoint options cannot be decoded");
}

static int run_checkpoint(struct shim_task *task, const char *path,
                          const Runc__CheckpointOptions *options, struct shim_error *err)
{
    struct hcs_checkpoint c = {.image_path = path};
    cleanup_free const char **namespaces = NULL;

    if (!*path)
        return shim_fail(err, SHIM_E_INVALID, "checkpoint %s: no image path", task->id);
    if (options) {
        namespaces = calloc(options->n_empty_namespaces + 1, sizeof(*namespaces));
        if (!namespaces)
            return shim_fail_memory(err);
        for (size_t i = 0; i < options->n_empty_namespaces; i++)
            namespaces[i] = options->empty_namespaces[i];
        c.work_path = *options->work_path ? options->work_path : NULL;
        c.parent_path = *options->parent_path ? options->parent_path : NULL;
        c.exit = options->exit;
        c.open_tcp = options->open_tcp;
        c.external_unix_sockets = options->external_unix_sockets;
        c.terminal = options->terminal;
        c.file_locks = options->file_locks;
        c.empty_namespaces = namespaces;
        c.cgroups_mode = options->cgroups_mode;
    }
    return hcs_system_checkpoint(task->system, &c, err);
}

int shim_task_checkpoint(struct shim_task *task, const Task__CheckpointTaskRequest *request,
                         struct shim_error *err)
{
    Events__TaskCheckpointed event = EVENTS__TASK_CHECKPOINTED__INIT;
    Runc__CheckpointOptions *options = NULL;
    enum shim_state state = shim_task_state(task);
    char *path = request->path;
    int r;

    if (state != SHIM_RUNNING && state != SHIM_PAUSED)
        return fail_state(err, "checkpoint", state);
    r = checkpoint_options(request->options, &options, err);
    if (options && !*path)
        path = options->image_path;
    if (r == 0)
        r = run_checkpoint(task, path, options, err);
    if (r == 0) {
        event.container_id = task->id;
        event.checkpoint = path;
        shim_events_publish(task->shim->events, "/tasks/checkpointed", &event.base);
    }
    if (options)
        runc__checkpoint_options__free_unpacked(options, NULL);
    return r;
}

/* --- kill ----------------------------------------------------------------------------------- */

/* What may be signalled now; lends the handle. Processes can outlive a stopped init. */
static int signal_target(struct shim_process *p, bool all, struct hcs_process **ret,
                         struct shim_error *err)
{
    struct shim_tasks *tasks = &p->task->shim->tasks;
    enum shim_state state;

    shim_lock(&tasks->lock);
    state = p->state;
    *ret = p->hcs;
    shim_unlock(&tasks->lock);
    if (all && state != SHIM_DELETED && *ret)
        return 0;
    if (state == SHIM_STOPPED || state == SHIM_DELETED)
        return shim_fail(err, SHIM_E_NOT_FOUND, "process already finished: not found");
    if (!*ret || (*p->exec_id && state == SHIM_CREATED))
        return shim_fail(err, SHIM_E_STATE,
                         "process %s of container %s is not started: failed precondition",
                         *p->exec_id ? p->exec_id : "init", p->task->id);
    return 0;
}

int shim_process_kill(struct shim_process *p, uint32_t signal, bool all, struct shim_error *err)
{
    struct hcs_process *hcs;
    int r;

    all = all && !*p->exec_id;
    r = signal_target(p, all, &hcs, err);
    if (r < 0)
        return r;
    return all ? hcs_system_signal_all(p->task->system, signal, err)
               : hcs_process_signal(hcs, signal, err);
}

/* Whether the operation that had the slot then, or an exec's start, is still under way. */
static bool stuck_locked(struct shim_task *task, unsigned serial)
{
    for (struct shim_process *p = task->execs; p; p = p->next)
        if (p->starting)
            return true;
    return task->busy && !task->deleting && task->op_serial == serial;
}

void shim_task_unstick(struct shim_task *task)
{
    struct shim_tasks *tasks = &task->shim->tasks;
    int64_t deadline = shim_monotonic_ns() + UNSTICK_MS * SHIM_NS_PER_MS;
    unsigned serial;
    bool stuck;

    shim_lock(&tasks->lock);
    serial = task->op_serial;
    while (stuck_locked(task, serial) &&
           shim_cond_wait_until(&tasks->changed, &tasks->lock, deadline))
        continue;
    stuck = stuck_locked(task, serial) && task->system;
    shim_unlock(&tasks->lock);
    if (stuck)
        hcs_system_cancel(task->system);
}

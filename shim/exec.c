/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that are exec'ed in a running container. They never take their task's slot. */
#include "base/str.h"
#include "oci/document.h"
#include "oci/spec.h"
#include "shim/ops.h"
#include "shim/proto/events.pb-c.h"
#include "shim/shim.h"
#include <string.h>

static int fail_state(struct shim_error *err, enum shim_state state)
{
    return shim_fail(err, SHIM_E_UNKNOWN, "cannot exec in a %s container", shim_state_name(state));
}

static int check_exec(struct shim_task *task, const Task__ExecProcessRequest *request,
                      struct shim_error *err)
{
    enum shim_state state = shim_task_state(task);

    if (shim_str_empty(request->exec_id) || strchr(request->exec_id, '/') ||
        request->exec_id[0] == '.' || request->exec_id[0] == '-')
        return shim_fail(err, SHIM_E_INVALID, "exec in %s: \"%s\" is no exec id: invalid argument",
                         task->id, request->exec_id);
    if (!request->spec || request->spec->value.len == 0)
        return shim_fail(err, SHIM_E_INVALID, "exec %s in %s: no process spec: invalid argument",
                         request->exec_id, task->id);
    if ((state == SHIM_CREATED && !*task->checkpoint) || state == SHIM_RUNNING)
        return 0;
    return fail_state(err, state);
}

int shim_exec_create(struct shim_task *task, const Task__ExecProcessRequest *request,
                     struct shim_error *err)
{
    struct shim_process_config config = {.exec_id = request->exec_id,
                                         .terminal = request->terminal,
                                         .stdin_path = request->stdin_path,
                                         .stdout_path = request->stdout_path,
                                         .stderr_path = request->stderr_path};
    cleanup_json struct json_object *parameters = NULL;
    cleanup_process struct shim_process *p = NULL;
    Events__TaskExecAdded event = EVENTS__TASK_EXEC_ADDED__INIT;
    struct hcs_process *hcs = NULL;
    int r = check_exec(task, request, err);

    if (r == 0)
        r = oci_process_parameters((const char *)request->spec->value.data,
                                   request->spec->value.len, request->terminal, &task->options,
                                   &parameters, err);
    if (r == 0)
        r = shim_exec_add(task, &config, &p, err);
    if (r != 0)
        return r;
    r = hcs_process_new(task->system, request->exec_id, parameters, p, &hcs, err);
    if (r < 0) {
        shim_exec_remove(p);
        return r;
    }
    shim_process_set_hcs(p, hcs);
    event.container_id = task->id;
    event.exec_id = p->exec_id;
    shim_start_done(p, SHIM_CREATED, "/tasks/exec-added", &event.base);
    return 0;
}

static int start_process(struct shim_process *p, struct shim_error *err)
{
    struct hcs_stdio stdio = HCS_STDIO_INIT;
    int r = shim_process_open_io(p, &stdio, err);

    if (r < 0)
        return r;
    shim_exit_expect(p);
    r = hcs_process_start(p->hcs, &stdio, err);
    if (r < 0) {
        shim_exit_forget(p);
        shim_io_finish(p->io, 0);
        return r;
    }
    shim_process_set_hcs(p, p->hcs);
    r = shim_process_start_io(p, &stdio, err);
    if (r < 0 && hcs_process_signal(p->hcs, 9, NULL) < 0)
        return shim_wrap(err, r, "its streams failed, and it ended");
    return r;
}

int shim_exec_start(struct shim_process *p, uint32_t *ret_pid, struct shim_error *err)
{
    Events__TaskExecStarted event = EVENTS__TASK_EXEC_STARTED__INIT;
    enum shim_state state = shim_task_state(p->task);
    int r;

    if (state == SHIM_PAUSING || state == SHIM_PAUSED)
        return fail_state(err, state); /* a runtime may let it freeze with the others, unanswered */
    if (state != SHIM_RUNNING && state != SHIM_CREATED)
        return shim_fail(err, SHIM_E_STATE,
                         "container %s init process is not running: failed precondition",
                         p->task->id);
    r = shim_start_begin(p, SHIM_CREATED, err);
    if (r < 0)
        return r;
    r = start_process(p, err);
    if (r < 0) {
        shim_start_failed(p);
        return r;
    }
    event.container_id = p->task->id;
    event.exec_id = p->exec_id;
    event.pid = *ret_pid = p->pid;
    shim_start_done(p, SHIM_RUNNING, "/tasks/exec-started", &event.base);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The task service: each method of the generated service finds its task, does its work through
 * ops.h and answers. Which thread a method runs on is one table.
 */
#include "base/child.h"
#include "base/str.h"
#include "shim/daemon.h"
#include "shim/ops.h"
#include "shim/payload/stats.h"
#include "shim/payload/timestamp.h"
#include "shim/proto/options.pb-c.h"
#include "shim/proto/task.pb-c.h"
#include "shim/shim.h"
#include "ttrpc/server.h"
#include <string.h>

/* --- requests ------------------------------------------------------------------------------- */

void shim_request_reply(const ProtobufCMessage *answer, void *data)
{
    struct shim_request *request = data;

    request->reply(answer, request->call);
    free(request);
}

void shim_request_fail(struct shim_request *request, const struct shim_error *err)
{
    ttrpc_call_fail(request->call, err->code, err->msg);
    free(request);
}

struct ttrpc_call *shim_request_detach(struct shim_request *request)
{
    struct ttrpc_call *call = request->call;

    ttrpc_call_release_request(call);
    free(request);
    return call;
}

static void run_request(struct shim_work *work)
{
    struct shim_request *request = shim_container_of(work, struct shim_request, work);

    protobuf_c_service_invoke_internal(request->service, request->method, request->input,
                                       shim_request_reply, request);
}

void shim_request_rerun(struct shim_request *request)
{
    shim_workers_run(request->shim->workers, &request->work, request->urgent);
}

static void answer_empty(struct shim_request *request, int r, const struct shim_error *err)
{
    Pb__Empty empty = PB__EMPTY__INIT;

    if (r < 0)
        shim_request_fail(request, err);
    else
        shim_request_reply(&empty.base, request);
}

/* --- methods that never block --------------------------------------------------------------- */

static Task__Status wire_status(const struct shim_process *p)
{
    static const Task__Status names[] = {
        [SHIM_CREATING] = TASK__STATUS__CREATED, [SHIM_CREATED] = TASK__STATUS__CREATED,
        [SHIM_RUNNING] = TASK__STATUS__RUNNING,  [SHIM_PAUSING] = TASK__STATUS__PAUSING,
        [SHIM_PAUSED] = TASK__STATUS__PAUSED,    [SHIM_STOPPED] = TASK__STATUS__STOPPED,
        [SHIM_DELETED] = TASK__STATUS__STOPPED,
    };
    enum shim_state container = p->task->init->state;

    /* A running exec shares its container's pause. */
    if (p->state == SHIM_RUNNING && (container == SHIM_PAUSING || container == SHIM_PAUSED))
        return names[container];
    return names[p->state];
}

static void task_state(Task__Task_Service *service, const Task__StateRequest *in,
                       Task__StateResponse_Closure closure, void *data)
{
    struct shim_request *request = data;
    cleanup_process struct shim_process *p = NULL;
    Task__StateResponse answer = TASK__STATE_RESPONSE__INIT;
    Pb__Timestamp at;
    struct shim_error err;

    (void)service;
    if (shim_process_find(request->shim, in->id, in->exec_id, &p, &err) < 0) {
        shim_request_fail(request, &err);
        return;
    }
    shim_lock(&request->shim->tasks.lock);
    answer.pid = p->pid;
    answer.status = wire_status(p);
    answer.exit_status = p->exit.status;
    at = shim_timestamp(p->exit.at_ns);
    answer.exited_at = p->state == SHIM_STOPPED ? &at : NULL;
    shim_unlock(&request->shim->tasks.lock);
    answer.id = *p->exec_id ? p->exec_id : p->task->id;
    answer.bundle = p->task->bundle;
    answer.stdin_path = p->stdin_path;
    answer.stdout_path = p->stdout_path;
    answer.stderr_path = p->stderr_path;
    answer.terminal = p->terminal;
    closure(&answer, data);
}

static void task_connect(Task__Task_Service *service, const Task__ConnectRequest *in,
                         Task__ConnectResponse_Closure closure, void *data)
{
    struct shim_request *request = data;
    cleanup_process struct shim_process *init = NULL;
    Task__ConnectResponse answer = TASK__CONNECT_RESPONSE__INIT;

    (void)service;
    answer.shim_pid = shim_daemon_pid();
    if (shim_process_find(request->shim, in->id, "", &init, NULL) == 0) {
        shim_lock(&request->shim->tasks.lock);
        answer.task_pid = init->pid;
        shim_unlock(&request->shim->tasks.lock);
    }
    closure(&answer, data);
}

static void task_wait(Task__Task_Service *service, const Task__WaitRequest *in,
                      Task__WaitResponse_Closure closure, void *data)
{
    struct shim_request *request = data;
    cleanup_process struct shim_process *p = NULL;
    struct shim_error err;

    (void)service;
    (void)closure; /* answered when the process ends */
    if (shim_process_find(request->shim, in->id, in->exec_id, &p, &err) < 0)
        shim_request_fail(request, &err);
    else
        shim_process_wait(p, request);
}

static void task_resize_pty(Task__Task_Service *service, const Task__ResizePtyRequest *in,
                            Pb__Empty_Closure closure, void *data)
{
    struct shim_request *request = data;
    cleanup_process struct shim_process *p = NULL;
    struct shim_error err;
    struct hcs_process *hcs;
    int r = shim_process_find(request->shim, in->id, in->exec_id, &p, &err);

    (void)service;
    (void)closure;
    if (r == 0) {
        shim_lock(&request->shim->tasks.lock);
        p->width = (uint16_t)in->width;
        p->height = (uint16_t)in->height;
        hcs = p->state == SHIM_STOPPED ? NULL : p->hcs;
        shim_unlock(&request->shim->tasks.lock);
        if (hcs && p->terminal)
            r = hcs_process_resize(hcs, (uint16_t)in->width, (uint16_t)in->height, &err);
    }
    answer_empty(request, r, &err);
}

static void task_close_io(Task__Task_Service *service, const Task__CloseIORequest *in,
                          Pb__Empty_Closure closure, void *data)
{
    struct shim_request *request = data;
    cleanup_process struct shim_process *p = NULL;
    struct shim_error err;
    int r = shim_process_find(request->shim, in->id, in->exec_id, &p, &err);

    (void)service;
    (void)closure;
    if (r == 0 && in->close_stdin) {
        shim_lock(&request->shim->tasks.lock); /* the next try of a failed start replaces io */
        p->stdin_closed = true;
        if (p->io)
            shim_io_close_stdin(p->io);
        shim_unlock(&request->shim->tasks.lock);
    }
    answer_empty(request, r, &err);
}

static void task_shutdown(Task__Task_Service *service, const Task__ShutdownRequest *in,
                          Pb__Empty_Closure closure, void *data)
{
    struct shim_request *request = data;

    (void)service;
    (void)in; /* id and now decide nothing: containers left do */
    (void)closure;
    shim_end_wanted(request->shim, request->call);
    answer_empty(request, 0, NULL);
}

/* --- methods on a worker, without the slot -------------------------------------------------- */

static void task_create(Task__Task_Service *service, const Task__CreateTaskRequest *in,
                        Task__CreateTaskResponse_Closure closure, void *data)
{
    struct shim_request *request = data;
    Task__CreateTaskResponse answer = TASK__CREATE_TASK_RESPONSE__INIT;
    struct shim_error err;

    (void)service;
    if (shim_create(request->shim, in, &answer.pid, &err) < 0) {
        shim_end_if_idle(request->shim, request->call);
        shim_request_fail(request, &err);
    } else {
        closure(&answer, data);
    }
}

static void task_exec(Task__Task_Service *service, const Task__ExecProcessRequest *in,
                      Pb__Empty_Closure closure, void *data)
{
    struct shim_request *request = data;
    cleanup_task struct shim_task *task = NULL;
    struct shim_error err;
    int r = shim_task_find(request->shim, in->id, &task, &err);

    (void)service;
    (void)closure;
    if (r == 0)
        r = shim_exec_create(task, in, &err);
    answer_empty(request, r, &err);
}

/* Cuts short the creation that a client has given up on. */
static int cancel_creation(struct shim *shim, const char *id, struct shim_error *err)
{
    cleanup_task struct shim_task *task = NULL;
    struct hcs_system *system;
    int r = shim_task_find_any(shim, id, &task, err);

    if (r < 0)
        return r;
    shim_lock(&shim->tasks.lock);
    system = task->init->state == SHIM_CREATING ? task->system : NULL;
    shim_unlock(&shim->tasks.lock);
    if (system)
        hcs_system_cancel(system);
    return shim_fail(err, SHIM_E_NOT_FOUND, "container %s is not created: not found", id);
}

static void task_kill(Task__Task_Service *service, const Task__KillRequest *in,
                      Pb__Empty_Closure closure, void *data)
{
    struct shim_request *request = data;
    struct shim *shim = request->shim;
    cleanup_process struct shim_process *p = NULL;
    struct shim_error err;
    uint32_t signal = in->signal;
    int r = shim_process_find(shim, in->id, in->exec_id, &p, &err);

    (void)service;
    (void)closure;
    if (r == 0)
        r = shim_process_kill(p, signal, in->all, &err);
    else if (signal == SHIM_SIGNAL_KILL && shim_str_empty(in->exec_id))
        r = cancel_creation(shim, in->id, &err);
    answer_empty(request, r, &err);
    if (r == 0 && signal == SHIM_SIGNAL_KILL && !*p->exec_id)
        shim_task_unstick(p->task);
}

static int fill_stats(struct shim_task *task, Task__StatsResponse *answer, struct shim_error *err)
{
    cleanup_hcs_stats struct hcs_stats stats = {0};
    int r = hcs_system_stats(task->system, &stats, err);

    return r < 0 ? r : shim_stats_to_any(&stats, &answer->stats, err);
}

static void task_stats(Task__Task_Service *service, const Task__StatsRequest *in,
                       Task__StatsResponse_Closure closure, void *data)
{
    struct shim_request *request = data;
    cleanup_task struct shim_task *task = NULL;
    Task__StatsResponse answer = TASK__STATS_RESPONSE__INIT;
    struct shim_error err;
    int r = shim_task_find(request->shim, in->id, &task, &err);

    (void)service;
    if (r == 0)
        r = fill_stats(task, &answer, &err);
    if (r < 0) {
        shim_request_fail(request, &err);
        return;
    }
    closure(&answer, data);
    pb__any__free_unpacked(answer.stats, NULL);
}

/* --- Pids ----------------------------------------------------------------------------------- */

/* The exec that a pid belongs to, malloc'ed; NULL for others. */
static char *exec_of_pid(struct shim_task *task, uint32_t pid)
{
    char *exec_id = NULL;

    shim_lock(&task->shim->tasks.lock);
    for (struct shim_process *p = task->execs; p && !exec_id; p = p->next)
        if (p->pid == pid && p->state == SHIM_RUNNING)
            exec_id = strdup(p->exec_id);
    shim_unlock(&task->shim->tasks.lock);
    return exec_id;
}

static int add_details(struct shim_task *task, Task__ProcessInfo *info, struct shim_error *err)
{
    cleanup_free char *exec_id = exec_of_pid(task, info->pid);
    Runc__ProcessDetails details = RUNC__PROCESS_DETAILS__INIT;
    Pb__Any *any;

    if (!exec_id)
        return 0;
    details.exec_id = exec_id;
    any = malloc(sizeof(*any));
    if (!any)
        return shim_fail_memory(err);
    *any = (Pb__Any)PB__ANY__INIT;
    info->info = any;
    any->type_url = strdup(details.base.descriptor->name);
    any->value.data = malloc(runc__process_details__get_packed_size(&details) + 1);
    if (!any->type_url || !any->value.data)
        return shim_fail_memory(err);
    any->value.len = runc__process_details__pack(&details, any->value.data);
    return 0;
}

/* containerd forgets a task whose list is empty when it comes back: a stopped one, not deleted
 * yet, therefore still shows its init process. */
static int list_pids(struct shim_task *task, struct hcs_pids *ret, struct shim_error *err)
{
    enum shim_state state;
    uint32_t pid;
    bool known;
    int r = 0;

    shim_lock(&task->shim->tasks.lock);
    known = task->init->hcs != NULL; /* not before a restore */
    shim_unlock(&task->shim->tasks.lock);
    if (known)
        r = hcs_system_pids(task->system, ret, err);
    shim_lock(&task->shim->tasks.lock);
    state = task->init->state;
    pid = task->init->pid;
    shim_unlock(&task->shim->tasks.lock);
    if (r < 0 && state != SHIM_STOPPED)
        return r;
    if (r == 0 && ret->n > 0)
        return 0;
    hcs_pids_done(ret);
    ret->pid = malloc(sizeof(*ret->pid));
    if (!ret->pid)
        return shim_fail_memory(err);
    ret->pid[ret->n++] = pid;
    return 0;
}

static int fill_pids(struct shim_task *task, Task__PidsResponse *answer, struct shim_error *err)
{
    cleanup_hcs_pids struct hcs_pids pids = {0};
    int r = list_pids(task, &pids, err);

    if (r < 0)
        return r;
    answer->processes = calloc(pids.n, sizeof(Task__ProcessInfo *));
    if (!answer->processes)
        return shim_fail_memory(err);
    for (size_t i = 0; i < pids.n && r == 0; i++) {
        Task__ProcessInfo *info = malloc(sizeof(*info));

        if (!info)
            return shim_fail_memory(err);
        *info = (Task__ProcessInfo)TASK__PROCESS_INFO__INIT;
        info->pid = pids.pid[i];
        answer->processes[answer->n_processes++] = info;
        r = add_details(task, info, err);
    }
    return r;
}

static void task_pids(Task__Task_Service *service, const Task__PidsRequest *in,
                      Task__PidsResponse_Closure closure, void *data)
{
    struct shim_request *request = data;
    cleanup_task struct shim_task *task = NULL;
    Task__PidsResponse *answer = malloc(sizeof(*answer));
    struct shim_error err;
    int r = answer ? shim_task_find(request->shim, in->id, &task, &err) : shim_fail_memory(&err);

    (void)service;
    if (answer)
        *answer = (Task__PidsResponse)TASK__PIDS_RESPONSE__INIT;
    if (r == 0)
        r = fill_pids(task, answer, &err);
    if (r < 0)
        shim_request_fail(request, &err);
    else
        closure(answer, data);
    if (answer)
        task__pids_response__free_unpacked(answer, NULL);
}

/* --- methods on a worker, in the task's slot ------------------------------------------------ */

typedef int slot_op(struct shim_task *task, const ProtobufCMessage *in, struct shim_error *err);

/* Runs op in the slot and answers Empty; parks the request while the slot is taken. */
static void run_in_slot(struct shim_request *request, const char *id, slot_op *op)
{
    cleanup_task struct shim_task *task = NULL;
    struct shim_error err;
    int r = shim_task_find(request->shim, id, &task, &err);

    if (r == 0) {
        if (!shim_slot_take(task, request, false))
            return;
        r = op(task, request->input, &err);
        shim_slot_release(task);
    }
    answer_empty(request, r, &err);
}

static int pause_op(struct shim_task *task, const ProtobufCMessage *in, struct shim_error *err)
{
    (void)in;
    return shim_task_pause(task, err);
}

static int resume_op(struct shim_task *task, const ProtobufCMessage *in, struct shim_error *err)
{
    (void)in;
    return shim_task_resume(task, err);
}

static int update_op(struct shim_task *task, const ProtobufCMessage *in, struct shim_error *err)
{
    return shim_task_update(task, ((const Task__UpdateTaskRequest *)in)->resources, err);
}

static int checkpoint_op(struct shim_task *task, const ProtobufCMessage *in, struct shim_error *err)
{
    return shim_task_checkpoint(task, (const Task__CheckpointTaskRequest *)in, err);
}

static void task_pause(Task__Task_Service *service, const Task__PauseRequest *in,
                       Pb__Empty_Closure closure, void *data)
{
    (void)service;
    (void)closure;
    run_in_slot(data, in->id, pause_op);
}

static void task_resume(Task__Task_Service *service, const Task__ResumeRequest *in,
                        Pb__Empty_Closure closure, void *data)
{
    (void)service;
    (void)closure;
    run_in_slot(data, in->id, resume_op);
}

static void task_update(Task__Task_Service *service, const Task__UpdateTaskRequest *in,
                        Pb__Empty_Closure closure, void *data)
{
    (void)service;
    (void)closure;
    run_in_slot(data, in->id, update_op);
}

static void task_checkpoint(Task__Task_Service *service, const Task__CheckpointTaskRequest *in,
                            Pb__Empty_Closure closure, void *data)
{
    (void)service;
    (void)closure;
    run_in_slot(data, in->id, checkpoint_op);
}

static void task_start(Task__Task_Service *service, const Task__StartRequest *in,
                       Task__StartResponse_Closure closure, void *data)
{
    struct shim_request *request = data;
    cleanup_process struct shim_process *p = NULL;
    Task__StartResponse answer = TASK__START_RESPONSE__INIT;
    struct shim_error err;
    bool is_init;
    int r = shim_process_find(request->shim, in->id, in->exec_id, &p, &err);

    (void)service;
    if (r < 0) {
        shim_request_fail(request, &err);
        return;
    }
    is_init = !*p->exec_id;
    if (is_init && !shim_slot_take(p->task, request, false))
        return;
    shim_exit_hold(p);
    r = is_init ? shim_task_start(p->task, &answer.pid, &err)
                : shim_exec_start(p, &answer.pid, &err);
    if (r < 0)
        shim_request_fail(request, &err);
    else
        closure(&answer, data);
    shim_exit_release(p);
    if (is_init)
        shim_slot_release(p->task); /* what is parked sees the exit, if there was one */
}

/* A client that deletes does not want what is under way to end first. */
static int take_slot_to_delete(struct shim_request *request, struct shim_task *task)
{
    struct shim_tasks *tasks = &task->shim->tasks;
    bool hung;

    shim_lock(&tasks->lock);
    hung = task->busy && !task->deleting && task->system &&
           (task->init->state == SHIM_CREATING || task->init->state == SHIM_CREATED ||
            task->init->state == SHIM_STOPPED);
    shim_unlock(&tasks->lock);
    if (hung)
        hcs_system_cancel(task->system);
    return shim_slot_take(task, request, true);
}

static void answer_deleted(struct shim_request *request, const struct shim_deleted *deleted)
{
    Task__DeleteResponse answer = TASK__DELETE_RESPONSE__INIT;
    Pb__Timestamp at = shim_timestamp(deleted->exit.at_ns);

    answer.pid = deleted->pid;
    answer.exit_status = deleted->exit.status;
    answer.exited_at = deleted->exit.at_ns ? &at : NULL;
    shim_request_reply(&answer.base, request);
}

static void delete_exec(struct shim_request *request, const Task__DeleteRequest *in)
{
    cleanup_process struct shim_process *p = NULL;
    struct shim_deleted deleted;
    struct shim_error err;
    int r = shim_process_find(request->shim, in->id, in->exec_id, &p, &err);

    if (r == 0)
        r = shim_exec_delete(p, &deleted, &err);
    if (r == 0)
        answer_deleted(request, &deleted);
    else
        shim_request_fail(request, &err);
}

static void task_delete(Task__Task_Service *service, const Task__DeleteRequest *in,
                        Task__DeleteResponse_Closure closure, void *data)
{
    struct shim_request *request = data;
    cleanup_task struct shim_task *task = NULL;
    struct shim_deleted deleted;
    struct shim_error err;
    int r;

    (void)service;
    (void)closure;
    if (!shim_str_empty(in->exec_id)) {
        delete_exec(request, in);
        return;
    }
    r = shim_task_find_any(request->shim, in->id, &task, &err);
    if (r == 0) {
        if (!take_slot_to_delete(request, task))
            return;
        r = shim_task_delete(task, &deleted, &err);
        if (r < 0)
            shim_slot_release(task);
    }
    if (r != 0) {
        shim_request_fail(request, &err);
        return;
    }
    shim_end_if_idle(request->shim, request->call);
    answer_deleted(request, &deleted);
}

/* --- dispatch ------------------------------------------------------------------------------- */

enum where { INLINE, WORKER, URGENT };

/* Urgent: what must not wait behind runtimes that hang; all but Kill and Delete only read files or
 * our own records. What is not named here may block for as long as a runtime does. */
static enum where where_to_run(const char *method)
{
    static const struct {
        const char *method;
        enum where where;
    } table[] = {
        {"State", INLINE},   {"Connect", INLINE},  {"Wait", INLINE}, {"ResizePty", INLINE},
        {"CloseIO", INLINE}, {"Shutdown", INLINE}, {"Kill", URGENT}, {"Delete", URGENT},
        {"Pids", URGENT},    {"Stats", URGENT},    {"Exec", URGENT},
    };

    for (size_t i = 0; i < SHIM_ARRAY_LEN(table); i++)
        if (strcmp(table[i].method, method) == 0)
            return table[i].where;
    return WORKER;
}

struct task_service {
    Task__Task_Service generated;
    struct shim *shim;
};

static void invoke(ProtobufCService *service, unsigned method, const ProtobufCMessage *input,
                   ProtobufCClosure closure, void *closure_data)
{
    struct shim_request *request = calloc(1, sizeof(*request));
    enum where where = where_to_run(service->descriptor->methods[method].name);

    if (!request) {
        ttrpc_call_fail(closure_data, SHIM_E_EXHAUSTED, "out of memory");
        return;
    }
    *request = (struct shim_request){.work.fn = run_request,
                                     .shim = ((struct task_service *)service)->shim,
                                     .service = service,
                                     .method = method,
                                     .urgent = where == URGENT,
                                     .input = input,
                                     .reply = closure,
                                     .call = closure_data};
    if (where == INLINE)
        run_request(&request->work);
    else
        shim_request_rerun(request);
}

ProtobufCService *shim_task_service(struct shim *shim)
{
    static struct task_service service = {.generated = TASK__TASK__INIT(task_)};

    service.generated.base.invoke = invoke;
    service.shim = shim;
    return &service.generated.base;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The table of tasks and their processes, references, and the operation slot. */
#include "shim/task.h"
#include "base/str.h"
#include "shim/shim.h"
#include <string.h>

const char *shim_state_name(enum shim_state state)
{
    static const char *const names[] = {"creating", "created", "running", "pausing",
                                        "paused",   "stopped", "deleted"};

    return names[state];
}

void shim_tasks_init(struct shim_tasks *tasks)
{
    shim_mutex_init(&tasks->lock);
    shim_cond_init(&tasks->changed);
}

void shim_tasks_done(struct shim_tasks *tasks)
{
    shim_cond_done(&tasks->changed);
    shim_mutex_done(&tasks->lock);
}

/* --- references ----------------------------------------------------------------------------- */

static bool is_init(const struct shim_process *p)
{
    return p == p->task->init;
}

/* What a process owns besides its place in a task. */
static void free_fields(struct shim_process *p)
{
    shim_io_free(p->io);
    free(p->exec_id);
    free(p->stdin_path);
    free(p->stdout_path);
    free(p->stderr_path);
    free(p);
}

static void free_task(struct shim_work *work)
{
    struct shim_task *task = shim_container_of(work, struct shim_task, work);

    hcs_system_free(task->system);
    if (task->init)
        free_fields(task->init);
    oci_options_done(&task->options);
    free(task->id);
    free(task->bundle);
    free(task->rootfs);
    free(task->checkpoint);
    free(task);
}

static void free_exec(struct shim_work *work)
{
    struct shim_process *p = shim_container_of(work, struct shim_process, work);
    struct shim_task *task = p->task;

    hcs_process_free(p->hcs);
    free_fields(p);
    shim_task_put(task);
}

/* The last reference can go on the relay's thread, which must not wait for itself: a worker
 * frees. */
void shim_task_put(struct shim_task *task)
{
    struct shim *shim;
    bool last;

    if (!task)
        return;
    shim = task->shim;
    shim_lock(&shim->tasks.lock);
    last = --task->refs == 0;
    shim_unlock(&shim->tasks.lock);
    if (last)
        shim_workers_run(shim->workers, &task->work, true);
}

void shim_process_put(struct shim_process *p)
{
    struct shim *shim;
    bool last;

    if (!p)
        return;
    if (is_init(p)) {
        shim_task_put(p->task);
        return;
    }
    shim = p->task->shim;
    shim_lock(&shim->tasks.lock);
    last = --p->refs == 0;
    shim_unlock(&shim->tasks.lock);
    if (!last)
        return;
    p->work.fn = free_exec;
    shim_workers_run(shim->workers, &p->work, true);
}

void shim_process_ref_locked(struct shim_process *p)
{
    if (is_init(p))
        p->task->refs++;
    else
        p->refs++;
}

/* --- finding -------------------------------------------------------------------------------- */

static struct shim_task *find_task_locked(struct shim *shim, const char *id)
{
    struct shim_task *task;

    for (task = shim->tasks.list; task; task = task->next)
        if (shim_str_equal(task->id, id))
            return task;
    return NULL;
}

static struct shim_process *find_exec_locked(struct shim_task *task, const char *exec_id)
{
    struct shim_process *p;

    for (p = task->execs; p; p = p->next)
        if (shim_str_equal(p->exec_id, exec_id))
            return p;
    return NULL;
}

static int fail_no_task(struct shim_error *err, const char *id)
{
    return shim_fail(err, SHIM_E_NOT_FOUND, "container %s: not found", id ? id : "");
}

int shim_task_find_any(struct shim *shim, const char *id, struct shim_task **ret,
                       struct shim_error *err)
{
    struct shim_task *task;

    shim_lock(&shim->tasks.lock);
    task = find_task_locked(shim, id);
    if (task)
        task->refs++;
    shim_unlock(&shim->tasks.lock);
    if (!task)
        return fail_no_task(err, id);
    *ret = task;
    return 0;
}

int shim_task_find(struct shim *shim, const char *id, struct shim_task **ret,
                   struct shim_error *err)
{
    struct shim_task *task;

    shim_lock(&shim->tasks.lock);
    task = find_task_locked(shim, id);
    if (task && task->init->state == SHIM_CREATING)
        task = NULL;
    if (task)
        task->refs++;
    shim_unlock(&shim->tasks.lock);
    if (!task)
        return fail_no_task(err, id);
    *ret = task;
    return 0;
}

int shim_process_find(struct shim *shim, const char *id, const char *exec_id,
                      struct shim_process **ret, struct shim_error *err)
{
    cleanup_task struct shim_task *task = NULL;
    struct shim_process *p;
    int r = shim_task_find(shim, id, &task, err);

    if (r < 0)
        return r;
    shim_lock(&shim->tasks.lock);
    p = shim_str_empty(exec_id) ? task->init : find_exec_locked(task, exec_id);
    if (p && p->state == SHIM_CREATING)
        p = NULL;
    if (p)
        shim_process_ref_locked(p);
    shim_unlock(&shim->tasks.lock);
    if (!p)
        return shim_fail(err, SHIM_E_NOT_FOUND, "process %s in container %s: not found", exec_id,
                         id);
    *ret = p;
    return 0;
}

bool shim_tasks_empty(struct shim *shim)
{
    bool empty;

    shim_lock(&shim->tasks.lock);
    empty = !shim->tasks.list;
    shim_unlock(&shim->tasks.lock);
    return empty;
}

/* --- making and removing -------------------------------------------------------------------- */

static void wait_ended(struct shim_waiters *waiters)
{
    shim_process_put(shim_container_of(waiters, struct shim_process, waiters));
}

/* An exec has two references: the caller's and its task's. */
static struct shim_process *new_process(struct shim_task *task,
                                        const struct shim_process_config *config)
{
    struct shim_process *p = calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->task = task;
    p->refs = 2;
    p->state = SHIM_CREATING;
    p->waiters = (struct shim_waiters){.lock = &task->shim->tasks.lock, .ended = wait_ended};
    p->terminal = config->terminal;
    p->exec_id = shim_strdup0(config->exec_id);
    p->stdin_path = shim_strdup0(config->stdin_path);
    p->stdout_path = shim_strdup0(config->stdout_path);
    p->stderr_path = shim_strdup0(config->stderr_path);
    if (!p->exec_id || !p->stdin_path || !p->stdout_path || !p->stderr_path) {
        free_fields(p);
        return NULL;
    }
    return p;
}

/* References: the caller's and the table's. */
static struct shim_task *new_task(struct shim *shim, const char *id, const char *bundle,
                                  const struct shim_process_config *init)
{
    struct shim_task *task = calloc(1, sizeof(*task));

    if (!task)
        return NULL;
    task->shim = shim;
    task->refs = 2;
    task->busy = true;
    task->parked_tail = &task->parked;
    task->work.fn = free_task;
    task->stdio = (struct hcs_stdio)HCS_STDIO_INIT;
    task->id = strdup(id);
    task->bundle = strdup(bundle);
    task->rootfs = shim_strf("%s/rootfs", bundle);
    task->checkpoint = strdup("");
    task->init = new_process(task, init);
    if (!task->id || !task->bundle || !task->rootfs || !task->checkpoint || !task->init) {
        free_task(&task->work);
        return NULL;
    }
    return task;
}

int shim_task_add(struct shim *shim, const char *id, const char *bundle,
                  const struct shim_process_config *init, struct shim_task **ret,
                  struct shim_error *err)
{
    struct shim_task *task = new_task(shim, id, bundle, init);
    bool exists;

    if (!task)
        return shim_fail_memory(err);
    shim_lock(&shim->tasks.lock);
    exists = find_task_locked(shim, id) != NULL;
    if (!exists) {
        task->next = shim->tasks.list;
        shim->tasks.list = task;
    }
    shim_unlock(&shim->tasks.lock);
    if (exists) {
        free_task(&task->work);
        return shim_fail(err, SHIM_E_EXISTS, "container %s: already exists", id);
    }
    *ret = task;
    return 0;
}

void shim_task_remove(struct shim_task *task)
{
    struct shim_tasks *tasks = &task->shim->tasks;
    struct shim_process *execs;
    struct shim_request *parked;

    shim_lock(&tasks->lock);
    for (struct shim_task **at = &tasks->list; *at; at = &(*at)->next) {
        if (*at == task) {
            *at = task->next;
            break;
        }
    }
    task->init->state = SHIM_DELETED;
    execs = shim_take(task->execs);
    parked = shim_take(task->parked);
    task->parked_tail = &task->parked;
    task->busy = false;
    shim_cond_broadcast(&tasks->changed);
    shim_unlock(&tasks->lock);

    while (parked) {
        struct shim_request *request = parked;

        parked = request->next;
        shim_request_rerun(request);
    }
    while (execs) {
        struct shim_process *p = execs;

        execs = p->next;
        shim_process_end_waits(p);
        shim_process_put(p);
    }
    shim_process_end_waits(task->init);
    shim_task_put(task);
}

int shim_exec_add(struct shim_task *task, const struct shim_process_config *config,
                  struct shim_process **ret, struct shim_error *err)
{
    struct shim_process *p = new_process(task, config);
    bool exists, deleted;

    if (!p)
        return shim_fail_memory(err);
    shim_lock(&task->shim->tasks.lock);
    deleted = task->init->state == SHIM_DELETED;
    exists = find_exec_locked(task, config->exec_id) != NULL ||
             shim_str_equal(task->id, config->exec_id);
    if (!exists && !deleted) {
        task->refs++; /* the process' */
        p->next = task->execs;
        task->execs = p;
    }
    shim_unlock(&task->shim->tasks.lock);
    if (exists || deleted) {
        free_fields(p);
        return deleted ? fail_no_task(err, task->id)
                       : shim_fail(err, SHIM_E_EXISTS, "id %s: already exists", config->exec_id);
    }
    *ret = p;
    return 0;
}

void shim_exec_remove(struct shim_process *process)
{
    struct shim_tasks *tasks = &process->task->shim->tasks;
    bool found = false;

    shim_lock(&tasks->lock);
    for (struct shim_process **at = &process->task->execs; *at; at = &(*at)->next) {
        if (*at == process) {
            *at = process->next;
            found = true;
            break;
        }
    }
    process->state = SHIM_DELETED;
    shim_cond_broadcast(&tasks->changed);
    shim_unlock(&tasks->lock);
    shim_process_end_waits(process);
    if (found)
        shim_process_put(process);
}

/* --- the slot ------------------------------------------------------------------------------- */

bool shim_slot_take(struct shim_task *task, struct shim_request *request, bool deleting)
{
    struct shim_tasks *tasks = &task->shim->tasks;
    bool taken;

    shim_lock(&tasks->lock);
    taken = !task->busy;
    if (taken) {
        task->busy = true;
        task->deleting = deleting;
        task->op_serial++;
    } else {
        request->next = NULL;
        *task->parked_tail = request;
        task->parked_tail = &request->next;
    }
    shim_unlock(&tasks->lock);
    return taken;
}

void shim_slot_release(struct shim_task *task)
{
    struct shim_tasks *tasks = &task->shim->tasks;
    struct shim_request *next;

    shim_lock(&tasks->lock);
    task->busy = task->deleting = false;
    next = task->parked;
    if (next) {
        task->parked = next->next;
        if (!task->parked)
            task->parked_tail = &task->parked;
    }
    shim_cond_broadcast(&tasks->changed);
    shim_unlock(&tasks->lock);
    if (next)
        shim_request_rerun(next);
}

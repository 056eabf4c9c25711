/* SPDX-License-Identifier: Apache-2.0 */
/* Puts a shim together as the daemon does, around the fake provider, and calls it as a client. */
#include "tests/unit/shim/world.h"
#include "base/child.h"
#include "base/clock.h"
#include "shim/proto/options.pb-c.h"
#include "ttrpc/server.h"
#include <sched.h>

#define WAIT_NS (10 * SHIM_NS_PER_S)

/* --- life ----------------------------------------------------------------------------------- */

int world_init(void)
{
    struct shim_error err;

    if (shim_child_init(false, &err) == 0)
        return 0;
    fprintf(stderr, "%s\n", err.msg);
    return 1;
}

static void run_daemon(void *arg)
{
    struct world *w = arg;

    shim_child_main((const int[]){0}, NULL, NULL);
    shim_lock(&w->lock);
    w->ended = true;
    shim_cond_broadcast(&w->changed);
    shim_unlock(&w->lock);
}

/* A stop that came after an earlier world had ended is not for this one. */
static void forget_stops(void)
{
    shim_child_stop();
    shim_child_main((const int[]){0}, NULL, NULL);
}

static void make_shim(struct world *w)
{
    struct shim *shim = &w->shim;
    cleanup_free char *events = shim_strf("unix://%s/events.sock", w->folder);
    struct shim_events_config config = {.ns = "ns1", .ttrpc_address = events};
    ProtobufCService *service = shim_task_service(shim);

    w->containerd = events_fake_new(events);
    shim->ns = "ns1";
    shim->provider = "fake";
    shim->find_provider = hcs_fake_find;
    shim->default_root = shim_strf("%s/root", w->folder);
    shim_tasks_init(&shim->tasks);
    assert_int_equal(shim_loop_new("relay", &shim->loop, NULL), 0);
    assert_int_equal(
        shim_workers_new(&(struct shim_workers_config){.max_threads = 16, .urgent_threads = 8},
                         &shim->workers, NULL),
        0);
    config.workers = shim->workers;
    assert_int_equal(shim_events_new(&config, &shim->events, NULL), 0);
    assert_int_equal(ttrpc_server_new(&(struct ttrpc_server_config){0}, &shim->server, NULL), 0);
    assert_int_equal(ttrpc_server_add(shim->server, "containerd.task.v2.Task", service, NULL), 0);
    assert_int_equal(ttrpc_server_add(shim->server, "containerd.task.v3.Task", service, NULL), 0);
    assert_int_equal(shim_sandbox_new(shim, &shim->sandbox, NULL), 0);
    assert_int_equal(ttrpc_server_add(shim->server, "containerd.runtime.sandbox.v1.Sandbox",
                                      shim_sandbox_service(shim->sandbox), NULL),
                     0);
    assert_int_equal(ttrpc_server_listen(shim->server, w->address, NULL), 0);
}

struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    hcs_fake_reset();
    forget_stops();
    w->folder = folder_new();
    w->address = shim_strf("unix://%s/shim.sock", w->folder);
    shim_mutex_init(&w->lock);
    shim_cond_init(&w->changed);
    make_shim(w);
    assert_int_equal(shim_thread_start("daemon", 0, run_daemon, w, &w->daemon, NULL), 0);
    assert_int_equal(ttrpc_client_connect(w->address, 5000, NULL, NULL, &w->client, NULL), 0);
    return w;
}

/* The id of some task that is left, malloc'ed. */
static char *some_task(struct world *w)
{
    char *id = NULL;

    shim_lock(&w->shim.tasks.lock);
    if (w->shim.tasks.list)
        id = strdup(w->shim.tasks.list->id);
    shim_unlock(&w->shim.tasks.lock);
    return id;
}

static void delete_tasks(struct world *w)
{
    for (;;) {
        cleanup_free char *id = some_task(w);

        if (!id)
            return;
        if (world_kill(w, id, "", 9) == 0)
            world_wait(w, id, "");
        if (world_delete(w, id, "") < 0)
            assert_int_equal(w->err.code, SHIM_E_NOT_FOUND); /* it was still being created */
    }
}

static void take_back_orders(void)
{
    for (int op = 0; op < FAKE_OPS; op++) {
        hcs_fake_fail(op, 0);
        hcs_fake_hang(op, false);
    }
    hcs_fake_deafen(false);
    hcs_fake_hold_pipes(false);
}

void world_free(struct world *w)
{
    struct shim *shim = &w->shim;

    take_back_orders();
    delete_tasks(w);
    ttrpc_client_free(w->client);
    ttrpc_server_close(shim->server, 1000);
    ttrpc_server_free(shim->server);
    assert_true(shim_workers_drain(shim->workers, 10000));
    shim_loop_free(shim->loop); /* may put the last references */
    assert_true(shim_workers_drain(shim->workers, 10000));
    shim_events_stop(shim->events, 10000);
    shim_workers_free(shim->workers);
    shim_events_free(shim->events);
    shim_tasks_done(&shim->tasks);
    shim_sandbox_free(shim->sandbox);
    events_fake_free(w->containerd);
    shim_child_stop();
    shim_thread_join(&w->daemon);
    assert_int_equal(hcs_fake_left(), 0);
    free(shim->default_root);
    free(w->address);
    folder_done(&w->folder);
    shim_cond_done(&w->changed);
    shim_mutex_done(&w->lock);
    free(w);
}

bool world_has_ended(struct world *w)
{
    bool ended;

    shim_lock(&w->lock);
    ended = w->ended;
    shim_unlock(&w->lock);
    return ended;
}

bool world_await_end(struct world *w)
{
    int64_t deadline = shim_monotonic_ns() + WAIT_NS;
    bool ended;

    shim_lock(&w->lock);
    while (!w->ended && shim_cond_wait_until(&w->changed, &w->lock, deadline))
        continue;
    ended = w->ended;
    shim_unlock(&w->lock);
    return ended;
}

/* --- calls ---------------------------------------------------------------------------------- */

int world_call(struct world *w, const char *method, const ProtobufCMessage *request,
               ProtobufCMessage **ret_answer)
{
    struct ttrpc_call_options options = {.timeout_ns = 3 * WAIT_NS};
    ProtobufCMessage *answer = NULL;
    int r;

    w->err = (struct shim_error){0};
    r = ttrpc_client_call(w->client, &task__task__descriptor, method, request, &options, &answer,
                          &w->err);
    if (ret_answer)
        *ret_answer = answer;
    else if (answer)
        protobuf_c_message_free_unpacked(answer, NULL);
    return r;
}

const char *world_bundle(struct world *w, const char *id)
{
    static char path[256];

    snprintf(path, sizeof(path), "%s/%s", w->folder, id);
    if (!shim_file_exists(path)) {
        assert_int_equal(shim_dir_make(path, 0700, NULL), 0);
        folder_write(path, "config.json",
                     "{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"x\"],\"cwd\":\"/\"},"
                     "\"root\":{\"path\":\"rootfs\"},"
                     "\"linux\":{\"namespaces\":[{\"type\":\"pid\"}]}}");
    }
    return path;
}

static Task__CreateTaskRequest create_request(struct world *w, const char *id)
{
    Task__CreateTaskRequest m = TASK__CREATE_TASK_REQUEST__INIT;

    m.id = (char *)id;
    m.bundle = (char *)world_bundle(w, id);
    return m;
}

int world_create_from(struct world *w, const char *id, const char *checkpoint)
{
    Task__CreateTaskRequest m = create_request(w, id);

    m.checkpoint = (char *)checkpoint;
    return world_call(w, "Create", &m.base, NULL);
}

int world_create(struct world *w, const char *id)
{
    return world_create_from(w, id, "");
}

static Task__StartRequest start_request(const char *id, const char *exec_id)
{
    Task__StartRequest m = TASK__START_REQUEST__INIT;

    m.id = (char *)id;
    m.exec_id = (char *)exec_id;
    return m;
}

int world_start(struct world *w, const char *id, const char *exec_id)
{
    Task__StartRequest m = start_request(id, exec_id);

    return world_call(w, "Start", &m.base, NULL);
}

int world_exec(struct world *w, const char *id, const char *exec_id)
{
    static const char spec[] = "{\"args\":[\"x\"],\"cwd\":\"/\"}";
    Task__ExecProcessRequest m = TASK__EXEC_PROCESS_REQUEST__INIT;
    Pb__Any any = PB__ANY__INIT;

    any.value = (ProtobufCBinaryData){.len = strlen(spec), .data = (uint8_t *)spec};
    m.id = (char *)id;
    m.exec_id = (char *)exec_id;
    m.spec = &any;
    return world_call(w, "Exec", &m.base, NULL);
}

static int kill_call(struct world *w, const char *id, const char *exec_id, uint32_t signal,
                     bool all)
{
    Task__KillRequest m = TASK__KILL_REQUEST__INIT;

    m.id = (char *)id;
    m.exec_id = (char *)exec_id;
    m.signal = signal;
    m.all = all;
    return world_call(w, "Kill", &m.base, NULL);
}

int world_kill(struct world *w, const char *id, const char *exec_id, uint32_t signal)
{
    return kill_call(w, id, exec_id, signal, false);
}

int world_kill_all(struct world *w, const char *id, uint32_t signal)
{
    return kill_call(w, id, "", signal, true);
}

int world_pause(struct world *w, const char *id)
{
    Task__PauseRequest m = TASK__PAUSE_REQUEST__INIT;

    m.id = (char *)id;
    return world_call(w, "Pause", &m.base, NULL);
}

int world_resume(struct world *w, const char *id)
{
    Task__ResumeRequest m = TASK__RESUME_REQUEST__INIT;

    m.id = (char *)id;
    return world_call(w, "Resume", &m.base, NULL);
}

int world_update(struct world *w, const char *id, const char *json)
{
    Task__UpdateTaskRequest m = TASK__UPDATE_TASK_REQUEST__INIT;
    Pb__Any any = PB__ANY__INIT;

    any.value = (ProtobufCBinaryData){.len = strlen(json), .data = (uint8_t *)json};
    m.id = (char *)id;
    m.resources = &any;
    return world_call(w, "Update", &m.base, NULL);
}

int world_checkpoint(struct world *w, const char *id)
{
    Task__CheckpointTaskRequest m = TASK__CHECKPOINT_TASK_REQUEST__INIT;

    m.id = (char *)id;
    m.path = (char *)"/image";
    return world_call(w, "Checkpoint", &m.base, NULL);
}

int world_shutdown(struct world *w)
{
    Task__ShutdownRequest m = TASK__SHUTDOWN_REQUEST__INIT;

    return world_call(w, "Shutdown", &m.base, NULL);
}

/* Of the answers of Wait and Delete; 0 for others. */
static uint32_t exit_status_of(const ProtobufCMessage *m)
{
    if (m->descriptor == &task__wait_response__descriptor)
        return ((const Task__WaitResponse *)m)->exit_status;
    if (m->descriptor == &task__delete_response__descriptor)
        return ((const Task__DeleteResponse *)m)->exit_status;
    return 0;
}

static int call_for_status(struct world *w, const char *method, const ProtobufCMessage *request)
{
    ProtobufCMessage *answer = NULL;
    int r = world_call(w, method, request, &answer);

    if (r < 0)
        return r;
    r = (int)exit_status_of(answer);
    protobuf_c_message_free_unpacked(answer, NULL);
    return r;
}

static Task__WaitRequest wait_request(const char *id, const char *exec_id)
{
    Task__WaitRequest m = TASK__WAIT_REQUEST__INIT;

    m.id = (char *)id;
    m.exec_id = (char *)exec_id;
    return m;
}

int world_wait(struct world *w, const char *id, const char *exec_id)
{
    Task__WaitRequest m = wait_request(id, exec_id);

    return call_for_status(w, "Wait", &m.base);
}

static Task__DeleteRequest delete_request(const char *id, const char *exec_id)
{
    Task__DeleteRequest m = TASK__DELETE_REQUEST__INIT;

    m.id = (char *)id;
    m.exec_id = (char *)exec_id;
    return m;
}

int world_delete(struct world *w, const char *id, const char *exec_id)
{
    Task__DeleteRequest m = delete_request(id, exec_id);

    return call_for_status(w, "Delete", &m.base);
}

int world_state(struct world *w, const char *id, const char *exec_id)
{
    Task__StateRequest m = TASK__STATE_REQUEST__INIT;
    ProtobufCMessage *answer;
    int r;

    m.id = (char *)id;
    m.exec_id = (char *)exec_id;
    r = world_call(w, "State", &m.base, &answer);
    if (r < 0)
        return r;
    r = (int)((Task__StateResponse *)answer)->status;
    protobuf_c_message_free_unpacked(answer, NULL);
    return r;
}

static void add_pid(struct shim_buf *text, const Task__ProcessInfo *info)
{
    Runc__ProcessDetails *details;

    assert_true(shim_buf_appendf(text, "%s%u", text->len ? " " : "", info->pid));
    if (!info->info)
        return;
    assert_string_equal(info->info->type_url, "containerd.runc.v1.ProcessDetails");
    details = runc__process_details__unpack(NULL, info->info->value.len, info->info->value.data);
    assert_non_null(details);
    assert_true(shim_buf_appendf(text, "/%s", details->exec_id));
    runc__process_details__free_unpacked(details, NULL);
}

char *world_pids(struct world *w, const char *id)
{
    Task__PidsRequest m = TASK__PIDS_REQUEST__INIT;
    cleanup_buf struct shim_buf text = {0};
    Task__PidsResponse *pids;
    ProtobufCMessage *answer;

    m.id = (char *)id;
    if (world_call(w, "Pids", &m.base, &answer) < 0)
        return NULL;
    pids = (Task__PidsResponse *)answer;
    for (size_t i = 0; i < pids->n_processes; i++)
        add_pid(&text, pids->processes[i]);
    protobuf_c_message_free_unpacked(answer, NULL);
    return shim_buf_take(&text);
}

void world_exit(struct world *w, const char *id, const char *exec_id, uint32_t status)
{
    hcs_fake_exit(id, exec_id, status);
    assert_int_equal(world_wait(w, id, exec_id), status);
}

void world_run(struct world *w, const char *id)
{
    assert_int_equal(world_create(w, id), 0);
    assert_int_equal(world_start(w, id, ""), 0);
}

void world_run_exec(struct world *w, const char *id, const char *exec_id)
{
    assert_int_equal(world_exec(w, id, exec_id), 0);
    assert_int_equal(world_start(w, id, exec_id), 0);
}

/* --- calls that are not waited for ---------------------------------------------------------- */

static void answered(const ProtobufCMessage *answer, const struct shim_error *err, void *user)
{
    struct world_pending *p = user;
    struct world *w = p->w;

    shim_lock(&w->lock);
    p->r = answer ? 0 : err->code;
    if (answer)
        p->exit_status = exit_status_of(answer);
    else
        p->err = *err;
    p->done = true;
    shim_cond_broadcast(&w->changed);
    shim_unlock(&w->lock);
}

void world_begin(struct world *w, const char *method, const ProtobufCMessage *request,
                 struct world_pending *ret)
{
    *ret = (struct world_pending){.w = w};
    assert_int_equal(ttrpc_client_start(w->client, &task__task__descriptor, method, request, NULL,
                                        answered, ret, &ret->id, NULL),
                     0);
}

void world_begin_create(struct world *w, const char *id, struct world_pending *ret)
{
    Task__CreateTaskRequest m = create_request(w, id);

    world_begin(w, "Create", &m.base, ret);
}

void world_begin_start(struct world *w, const char *id, const char *exec_id,
                       struct world_pending *ret)
{
    Task__StartRequest m = start_request(id, exec_id);

    world_begin(w, "Start", &m.base, ret);
}

void world_begin_wait(struct world *w, const char *id, const char *exec_id,
                      struct world_pending *ret)
{
    Task__WaitRequest m = wait_request(id, exec_id);

    world_begin(w, "Wait", &m.base, ret);
    world_state(w, id, exec_id); /* its answer comes after the Wait was parked */
}

void world_begin_delete(struct world *w, const char *id, struct world_pending *ret)
{
    Task__DeleteRequest m = delete_request(id, "");

    world_begin(w, "Delete", &m.base, ret);
}

void world_begin_pause(struct world *w, const char *id, struct world_pending *ret)
{
    Task__PauseRequest m = TASK__PAUSE_REQUEST__INIT;

    m.id = (char *)id;
    world_begin(w, "Pause", &m.base, ret);
}

void world_begin_resume(struct world *w, const char *id, struct world_pending *ret)
{
    Task__ResumeRequest m = TASK__RESUME_REQUEST__INIT;

    m.id = (char *)id;
    world_begin(w, "Resume", &m.base, ret);
}

int world_end(struct world_pending *p)
{
    int64_t deadline = shim_monotonic_ns() + WAIT_NS;
    bool done;

    shim_lock(&p->w->lock);
    while (!p->done && shim_cond_wait_until(&p->w->changed, &p->w->lock, deadline))
        continue;
    done = p->done;
    p->w->err = p->err;
    shim_unlock(&p->w->lock);
    if (!done)
        fail_msg("no answer came");
    return p->r;
}

bool world_is_pending(struct world_pending *p)
{
    bool pending;

    shim_lock(&p->w->lock);
    pending = !p->done;
    shim_unlock(&p->w->lock);
    return pending;
}

/* --- looking inside ------------------------------------------------------------------------- */

static unsigned count_parked(struct shim_task *task)
{
    unsigned n = 0;

    shim_lock(&task->shim->tasks.lock);
    for (struct shim_request *r = task->parked; r; r = r->next)
        n++;
    shim_unlock(&task->shim->tasks.lock);
    return n;
}

/* Nobody tells when a request is parked: looks again and again. */
bool world_await_parked(struct world *w, const char *id, unsigned n)
{
    cleanup_task struct shim_task *task = NULL;
    int64_t deadline = shim_monotonic_ns() + WAIT_NS;

    assert_int_equal(shim_task_find_any(&w->shim, id, &task, NULL), 0);
    while (count_parked(task) < n) {
        if (shim_monotonic_ns() > deadline)
            return false;
        sched_yield();
    }
    return true;
}

void world_expect_events(struct world *w, const char *text)
{
    unsigned lines = 0;

    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_true(events_fake_await(w->containerd, lines));
    assert_string_equal(events_fake_text(w->containerd), text);
}

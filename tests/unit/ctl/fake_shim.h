/* SPDX-License-Identifier: Apache-2.0 */
/* A task service in the test's own process: answers what shimctl asks and notes what it heard. */
#pragma once
#include "base/thread.h"
#include "capture.h"
#include "shim/ctl/ctl.h"
#include "shim/proto/task.pb-c.h"
#include "tests/folder.h"
#include "ttrpc/server.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct fake_shim {
    Task__Task_Service service; /* first: what the server hands back */
    struct ttrpc_server *server;
    char *address;
    struct shim_mutex lock;
    struct shim_cond heard;
    uint32_t killed_with; /* the last signal */
    unsigned closed_stdin;
    uint32_t width;
    bool ended, closed;
    bool ends_at_start; /* the process is over by the time Start answers */
    bool refuses_create;
    unsigned deleted, shut_down;
    char document[4096]; /* of the last Exec or Update */
    void *waiter;        /* a Wait not answered yet, with its closure */
    Task__WaitResponse_Closure answer_wait;
};

static inline void fake_answer_wait(Task__WaitResponse_Closure closure, void *call)
{
    Task__WaitResponse m = TASK__WAIT_RESPONSE__INIT;

    m.exit_status = 143;
    closure(&m, call);
}

static inline void fake_wait(Task__Task_Service *s, const Task__WaitRequest *request,
                             Task__WaitResponse_Closure closure, void *call)
{
    struct fake_shim *f = (struct fake_shim *)s;
    bool ended;

    (void)request;
    shim_lock(&f->lock);
    ended = f->ended;
    if (!ended) {
        f->waiter = call;
        f->answer_wait = closure;
        shim_cond_broadcast(&f->heard);
    }
    shim_unlock(&f->lock);
    if (ended)
        fake_answer_wait(closure, call);
}

/* Every signal ends the process. */
static inline void fake_end(struct fake_shim *f)
{
    void *waiter;

    shim_lock(&f->lock);
    waiter = shim_take(f->waiter);
    f->ended = true;
    shim_cond_broadcast(&f->heard);
    shim_unlock(&f->lock);
    if (waiter)
        fake_answer_wait(f->answer_wait, waiter);
}

static inline void fake_kill(Task__Task_Service *s, const Task__KillRequest *request,
                             Pb__Empty_Closure closure, void *call)
{
    struct fake_shim *f = (struct fake_shim *)s;
    Pb__Empty done = PB__EMPTY__INIT;

    shim_lock(&f->lock);
    f->killed_with = request->signal;
    shim_unlock(&f->lock);
    fake_end(f);
    closure(&done, call);
}

static inline void fake_resize(Task__Task_Service *s, const Task__ResizePtyRequest *request,
                               Pb__Empty_Closure closure, void *call)
{
    struct fake_shim *f = (struct fake_shim *)s;
    Pb__Empty done = PB__EMPTY__INIT;

    shim_lock(&f->lock);
    f->width = request->width;
    shim_cond_broadcast(&f->heard);
    shim_unlock(&f->lock);
    closure(&done, call);
}

static inline void fake_close_io(Task__Task_Service *s, const Task__CloseIORequest *request,
                                 Pb__Empty_Closure closure, void *call)
{
    struct fake_shim *f = (struct fake_shim *)s;
    Pb__Empty done = PB__EMPTY__INIT;

    shim_lock(&f->lock);
    f->closed_stdin += request->close_stdin;
    shim_cond_broadcast(&f->heard);
    shim_unlock(&f->lock);
    closure(&done, call);
}

static inline void fake_state(Task__Task_Service *s, const Task__StateRequest *request,
                              Task__StateResponse_Closure closure, void *call)
{
    Task__StateResponse m = TASK__STATE_RESPONSE__INIT;

    (void)s;
    if (strcmp(request->id, "c1") != 0) {
        ttrpc_call_fail(call, SHIM_E_NOT_FOUND, "no such container");
        return;
    }
    m.id = request->id;
    m.pid = 42;
    m.status = TASK__STATUS__RUNNING;
    closure(&m, call);
}

static inline void fake_connect(Task__Task_Service *s, const Task__ConnectRequest *request,
                                Task__ConnectResponse_Closure closure, void *call)
{
    Task__ConnectResponse m = TASK__CONNECT_RESPONSE__INIT;

    (void)s;
    (void)request;
    m.shim_pid = 1;
    closure(&m, call);
}

/* Writes to the output that it is given, as a process would, and closes it. */
static inline void fake_output(const char *path, const char *text)
{
    int fd = *path ? open(path, O_WRONLY | O_CLOEXEC) : -1;

    if (fd < 0)
        return;
    if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        abort();
    close(fd);
}

static inline void fake_create(Task__Task_Service *s, const Task__CreateTaskRequest *request,
                               Task__CreateTaskResponse_Closure closure, void *call)
{
    Task__CreateTaskResponse m = TASK__CREATE_TASK_RESPONSE__INIT;

    if (((struct fake_shim *)s)->refuses_create) {
        ttrpc_call_fail(call, SHIM_E_UNKNOWN, "no luck today");
        return;
    }
    fake_output(request->stdout_path, "from create\n");
    fake_output(request->stderr_path, "");
    closure(&m, call);
}

static inline void fake_exec(Task__Task_Service *s, const Task__ExecProcessRequest *request,
                             Pb__Empty_Closure closure, void *call)
{
    struct fake_shim *f = (struct fake_shim *)s;
    Pb__Empty done = PB__EMPTY__INIT;

    snprintf(f->document, sizeof(f->document), "%.*s", (int)request->spec->value.len,
             (const char *)request->spec->value.data);
    fake_output(request->stdout_path, "from exec\n");
    fake_output(request->stderr_path, "");
    closure(&done, call);
}

static inline void fake_start(Task__Task_Service *s, const Task__StartRequest *request,
                              Task__StartResponse_Closure closure, void *call)
{
    struct fake_shim *f = (struct fake_shim *)s;
    Task__StartResponse m = TASK__START_RESPONSE__INIT;

    (void)request;
    m.pid = 42;
    if (f->ends_at_start)
        fake_end(f);
    closure(&m, call);
}

static inline void fake_delete(Task__Task_Service *s, const Task__DeleteRequest *request,
                               Task__DeleteResponse_Closure closure, void *call)
{
    Task__DeleteResponse m = TASK__DELETE_RESPONSE__INIT;

    (void)request;
    ((struct fake_shim *)s)->deleted++;
    m.pid = 42;
    m.exit_status = 143;
    closure(&m, call);
}

static inline void fake_shutdown(Task__Task_Service *s, const Task__ShutdownRequest *request,
                                 Pb__Empty_Closure closure, void *call)
{
    Pb__Empty done = PB__EMPTY__INIT;

    (void)request;
    ((struct fake_shim *)s)->shut_down++;
    closure(&done, call);
}

static inline void fake_pids(Task__Task_Service *s, const Task__PidsRequest *request,
                             Task__PidsResponse_Closure closure, void *call)
{
    Task__ProcessInfo one = TASK__PROCESS_INFO__INIT;
    Task__ProcessInfo *list[] = {&one};
    Task__PidsResponse m = TASK__PIDS_RESPONSE__INIT;

    (void)s;
    (void)request;
    one.pid = 42;
    m.processes = list;
    m.n_processes = 1;
    closure(&m, call);
}

static inline void fake_update(Task__Task_Service *s, const Task__UpdateTaskRequest *request,
                               Pb__Empty_Closure closure, void *call)
{
    struct fake_shim *f = (struct fake_shim *)s;
    Pb__Empty done = PB__EMPTY__INIT;

    snprintf(f->document, sizeof(f->document), "%.*s", (int)request->resources->value.len,
             (const char *)request->resources->value.data);
    closure(&done, call);
}

static inline void fake_shim_begin(struct fake_shim *f, const char *folder, const char *name)
{
    static const struct ttrpc_server_config config = {0};

    *f = (struct fake_shim){.service = {.base = TASK__TASK__BASE_INIT,
                                        .state = fake_state,
                                        .wait = fake_wait,
                                        .kill = fake_kill,
                                        .resize_pty = fake_resize,
                                        .close_io = fake_close_io,
                                        .create = fake_create,
                                        .exec = fake_exec,
                                        .start = fake_start,
                                        .delete = fake_delete,
                                        .shutdown = fake_shutdown,
                                        .pids = fake_pids,
                                        .update = fake_update,
                                        .connect = fake_connect}};
    f->address = shim_strf("unix://%s/fake.sock", folder);
    shim_mutex_init(&f->lock);
    shim_cond_init(&f->heard);
    assert_int_equal(ttrpc_server_new(&config, &f->server, NULL), 0);
    assert_int_equal(ttrpc_server_add(f->server, name, &f->service.base, NULL), 0);
    assert_int_equal(ttrpc_server_listen(f->server, f->address, NULL), 0);
}

/* Closes all connections, with calls not answered. Once. */
static inline void fake_shim_hang_up(struct fake_shim *f)
{
    if (!f->closed)
        ttrpc_server_close(f->server, 1000);
    f->closed = true;
}

static inline void fake_shim_end(struct fake_shim *f)
{
    fake_end(f); /* a parked call must be answered */
    fake_shim_hang_up(f);
    ttrpc_server_free(f->server);
    free(f->address);
    shim_cond_done(&f->heard);
    shim_mutex_done(&f->lock);
}

/* Runs a command with the standard output captured; the caller frees *ret_out. */
static inline int fake_command(ctl_command *command, struct ctl *c, const char *const *argv,
                               char **ret_out, struct shim_error *err)
{
    char *text = calloc(1, 65536);
    struct capture out;
    int r;

    capture_begin(&out, STDOUT_FILENO);
    r = command(c, argv, err);
    capture_restore(&out);
    capture_read(&out, text, 65536);
    *ret_out = text;
    return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Further processes of a container (execs), and what init has in common with them. */
#include "base/str.h"
#include "hcs/linux/launch.h"
#include "hcs/linux/system.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void linux_process_setup(struct linux_process *p, struct hcs_system *s, void *user)
{
    p->base.system = s;
    p->base.user = user;
    p->console = SHIM_NO_HANDLE;
    shim_mutex_init(&p->lock);
}

void linux_process_done(struct linux_process *p)
{
    shim_handle_close(&p->console);
    shim_mutex_done(&p->lock);
    linux_parameters_done(&p->parameters);
    free(p->pid_path);
}

void linux_process_began(struct linux_process *p, int64_t pid, intptr_t *console)
{
    shim_lock(&p->lock);
    p->pid = pid;
    p->console = *console;
    shim_unlock(&p->lock);
    *console = SHIM_NO_HANDLE;
}

static intptr_t take_console(struct linux_process *p, bool exited)
{
    intptr_t console;

    shim_lock(&p->lock);
    p->exited = exited;
    console = p->console;
    p->console = SHIM_NO_HANDLE;
    if (!exited)
        p->pid = 0;
    shim_unlock(&p->lock);
    return console;
}

void linux_process_failed(struct linux_process *p)
{
    intptr_t console = take_console(p, false);

    shim_handle_close(&console);
}

void linux_process_ended(struct linux_process *p)
{
    intptr_t console = take_console(p, true);

    shim_handle_close(&console);
}

bool linux_process_has_ended(struct linux_process *p)
{
    bool exited;

    shim_lock(&p->lock);
    exited = p->exited;
    shim_unlock(&p->lock);
    return exited;
}

uint32_t linux_process_pid(struct hcs_process *base)
{
    struct linux_process *p = linux_process_of(base);
    int64_t pid;

    shim_lock(&p->lock);
    pid = p->pid;
    shim_unlock(&p->lock);
    return (uint32_t)pid;
}

int linux_process_resize(struct hcs_process *base, uint16_t width, uint16_t height,
                         struct shim_error *err)
{
    struct winsize size = {.ws_col = width, .ws_row = height};
    struct linux_process *p = linux_process_of(base);
    int os = 0;

    shim_lock(&p->lock);
    if (p->console != SHIM_NO_HANDLE && ioctl((int)p->console, TIOCSWINSZ, &size) != 0)
        os = errno;
    shim_unlock(&p->lock);
    return os == 0 ? 0 : shim_fail_os(err, (uint32_t)os, "resize the console");
}

/* --- execs ---------------------------------------------------------------------------------- */

/* It names a file in the bundle, beside others of the same ending. */
static int check_exec_id(const char *exec_id, struct shim_error *err)
{
    if (!*exec_id || strchr(exec_id, '/') || exec_id[0] == '.' || strlen(exec_id) > NAME_MAX - 8)
        return shim_fail(err, SHIM_E_INVALID, "exec id \"%s\" cannot name a file", exec_id);
    if (strcmp(exec_id, "init") == 0 || strcmp(exec_id, "shim") == 0)
        return shim_fail(err, SHIM_E_INVALID, "exec id \"%s\" names a file of the container's own",
                         exec_id);
    return 0;
}

int linux_process_new(struct hcs_system *base, const char *exec_id, struct json_object *parameters,
                      void *process_user, struct hcs_process **ret, struct shim_error *err)
{
    struct linux_system *s = linux_system_of(base);
    cleanup_linux_parameters struct linux_parameters params = {0};
    cleanup_free struct linux_process *p = NULL;
    cleanup_free char *pid_path = NULL;
    int r = check_exec_id(exec_id, err);

    if (r == 0)
        r = linux_parameters_read(parameters, &params, err);
    if (r < 0)
        return r;
    pid_path = shim_strf("%s/%s.pid", s->doc.bundle, exec_id);
    p = calloc(1, sizeof(*p));
    if (!p || !pid_path)
        return shim_fail_memory(err);
    linux_process_setup(p, base, process_user);
    p->pid_path = shim_take(pid_path);
    p->parameters = params;
    params = (struct linux_parameters){0};
    *ret = &shim_take(p)->base;
    return 0;
}

void linux_process_free(struct hcs_process *base)
{
    struct linux_process *p = linux_process_of(base);

    unlink(p->pid_path); /* not there is fine, and no other failure could be told to anybody */
    linux_process_done(p);
    free(p);
}

/* A shim_child_exited. The callback comes last: it may lead to the process being freed. */
static void exec_exited(int64_t pid, const struct shim_exit *exit, void *user)
{
    struct linux_process *p = user;
    const struct hcs_callbacks *cb = p->base.system->cb;

    (void)pid;
    linux_process_ended(p);
    if (cb && cb->exited)
        cb->exited(&p->base, &(struct hcs_exit){exit->status, exit->at_ns}, p->base.user);
}

/* Writes the OCI process object where the runtime can read it; malloc'ed path. */
static int write_process_file(const struct linux_system *s, const struct linux_process *p,
                              char **ret, struct shim_error *err)
{
    cleanup_free char *path = shim_strf("%s/.exec-process-XXXXXX", s->doc.bundle);
    cleanup_handle intptr_t fd = SHIM_NO_HANDLE;
    int r;

    if (!path)
        return shim_fail_memory(err);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return shim_fail_os(err, (uint32_t)errno, "create %s", path);
    r = shim_handle_write(fd, p->parameters.process_json, strlen(p->parameters.process_json), err);
    if (r < 0) {
        unlink(path);
        return shim_wrap(err, r, "%s", path);
    }
    *ret = shim_take(path);
    return 0;
}

static int run_exec(struct linux_system *s, struct linux_process *p, struct linux_launch *l,
                    struct linux_call *call, struct shim_error *err)
{
    cleanup_strv struct shim_strv args = {0};
    cleanup_free char *process_path = NULL;
    int r = write_process_file(s, p, &process_path, err);

    if (r < 0)
        return r;
    r = linux_args_exec(s->base.id, process_path, p->pid_path, linux_launch_console(l), &args, err);
    if (r == 0)
        r = linux_launch_run(l, &s->doc, "exec", &args, p->pid_path, call, err);
    unlink(process_path);
    return r;
}

static int launch_exec(struct linux_system *s, struct linux_process *p, struct hcs_stdio *io,
                       struct linux_call *call, struct shim_error *err)
{
    cleanup_launch struct linux_launch l = LINUX_LAUNCH_INIT;
    int r = linux_launch_open(&l, io, p->parameters.io_uid, p->parameters.io_gid, err);

    if (r == 0)
        r = run_exec(s, p, &l, call, err);
    if (r == 0)
        r = linux_launch_give(&l, err);
    if (r == 0) {
        linux_process_began(p, l.pid, &l.master);
        r = linux_launch_watch(&l, exec_exited, p, err);
        if (r < 0)
            linux_process_failed(p);
    }
    if (r < 0) {
        linux_launch_kill(&l);
        unlink(p->pid_path);
    }
    return r;
}

static int check_start(struct linux_system *s, struct linux_process *p, const struct hcs_stdio *io,
                       struct shim_error *err)
{
    if (io->console != p->parameters.terminal)
        return shim_fail(err, SHIM_E_INVALID,
                         "Terminal: %s in the process's parameters, not so "
                         "for its streams",
                         p->parameters.terminal ? "true" : "false");
    if (linux_process_pid(&p->base) != 0)
        return shim_fail(err, SHIM_E_STATE, "the process has been started already");
    if (!linux_system_is_created(s) || linux_process_has_ended(&s->init))
        return shim_fail(err, SHIM_E_STATE, "the container's init process does not run");
    return 0;
}

int linux_process_start(struct hcs_process *base, struct hcs_stdio *io, struct shim_error *err)
{
    struct linux_system *s = linux_system_of(base->system);
    struct linux_process *p = linux_process_of(base);
    struct linux_call call;
    int r = check_start(s, p, io, err);

    if (r < 0)
        return r;
    linux_call_begin(&s->calls, &call);
    r = launch_exec(s, p, io, &call, err);
    linux_call_end(&s->calls, &call);
    return r;
}

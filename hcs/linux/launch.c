/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a process through the runtime and takes it over, or leaves nothing of it. */
#include "hcs/linux/launch.h"
#include <errno.h>
#include <signal.h>
#include <sys/ioctl.h>

int linux_launch_open(struct linux_launch *l, struct hcs_stdio *io, uint32_t uid, uint32_t gid,
                      struct shim_error *err)
{
    int r;

    l->io = io;
    if (io->console && io->err.kind != HCS_STREAM_NONE)
        return shim_fail(err, SHIM_E_INVALID, "a console has no standard error of its own");
    r = shim_claim_open(&l->claim, err);
    if (r < 0)
        return r;
    if (io->console)
        return linux_console_open(&l->console, err);
    return linux_pipes_open(&l->pipes, io, uid, gid, err);
}

const char *linux_launch_console(const struct linux_launch *l)
{
    return l->io->console ? l->console.path : NULL;
}

int linux_pid_read(const char *path, int64_t *ret, struct shim_error *err)
{
    cleanup_buf struct shim_buf text = {0};
    uint64_t pid;
    int r = shim_file_read(path, 64, &text, err);

    if (r < 0)
        return r;
    while (text.len > 0 && (text.data[text.len - 1] == '\n' || text.data[text.len - 1] == ' '))
        text.data[--text.len] = 0;
    if (!shim_parse_u64(shim_buf_str(&text), INT32_MAX, &pid) || pid == 0)
        return shim_fail(err, SHIM_E_INVALID, "%s: no process id", path);
    *ret = (int64_t)pid;
    return 0;
}

static int set_size(intptr_t master, const struct hcs_stdio *io, struct shim_error *err)
{
    struct winsize size = {.ws_col = io->width, .ws_row = io->height};

    if (io->width == 0 && io->height == 0)
        return 0;
    if (ioctl((int)master, TIOCSWINSZ, &size) != 0)
        return shim_fail_os(err, (uint32_t)errno, "set the console's size");
    return 0;
}

static int take_console(struct linux_launch *l, struct linux_call *call, struct shim_error *err)
{
    int r = linux_console_receive(&l->console, LINUX_CONSOLE_TIMEOUT_MS, call, &l->master, err);

    return r < 0 ? r : set_size(l->master, l->io, err);
}

int linux_launch_run(struct linux_launch *l, const struct linux_document *doc, const char *verb,
                     const struct shim_strv *args, const char *pid_path, struct linux_call *call,
                     struct shim_error *err)
{
    struct linux_command command = {
        .verb = verb,
        .args = args,
        .fds = l->pipes.fds,
        .n_fds = l->pipes.n_fds,
        /* The process would inherit what captures, unless it gets a console of its own. */
        .capture = l->io->console,
        .call = call,
    };
    struct shim_error pid_err = {0};
    int r = shim_file_remove(pid_path, err), pid_r;

    if (r < 0)
        return r;
    r = linux_runtime_run(doc, &command, err);
    linux_pipes_close_theirs(&l->pipes);
    pid_r = linux_pid_read(pid_path, &l->pid, &pid_err);
    if (r == 0 && pid_r < 0)
        r = shim_fail(err, SHIM_E_UNKNOWN, "OCI runtime %s left no process id: %s", verb,
                      pid_err.msg);
    if (r == 0 && l->io->console)
        r = take_console(l, call, err);
    return r;
}

int linux_launch_give(struct linux_launch *l, struct shim_error *err)
{
    if (l->io->console)
        return linux_console_give(l->master, l->io, err);
    linux_pipes_give(&l->pipes, l->io);
    return 0;
}

int linux_launch_watch(struct linux_launch *l, shim_child_exited *exited, void *user,
                       struct shim_error *err)
{
    int r = shim_child_watch(l->pid, exited, user, err);

    if (r < 0)
        hcs_stdio_close(l->io);
    return r;
}

void linux_launch_kill(struct linux_launch *l)
{
    if (l->pid == 0 || shim_child_watch(l->pid, NULL, NULL, NULL) < 0)
        return;
    if (shim_child_kill(l->pid, SIGKILL, NULL) < 0)
        return; /* it has ended by itself */
}

void linux_launch_close(struct linux_launch *l)
{
    linux_console_close(&l->console);
    linux_pipes_close(&l->pipes);
    shim_handle_close(&l->master);
    shim_claim_close(l->claim);
    l->claim = NULL;
}

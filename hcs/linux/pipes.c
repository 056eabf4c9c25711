/* SPDX-License-Identifier: Apache-2.0 */
/* Makes pipes for a process and hands them out. Copies nothing. */
#include "hcs/linux/pipes.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int open_pipe(struct linux_pipes *p, int number, uint32_t uid, uint32_t gid,
                     struct shim_error *err)
{
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    int ends[2], mine = number == 0 ? 1 : 0;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return shim_fail_os(err, (uint32_t)errno, "make the pipe of %s", names[number]);
    p->ours[number] = ends[mine];
    p->theirs[number] = ends[1 - mine];
    if (fcntl(ends[mine], F_SETFL, O_NONBLOCK) != 0)
        return shim_fail_os(err, (uint32_t)errno, "make the pipe of %s non-blocking",
                            names[number]);
    if ((uid != 0 || gid != 0) && fchown(ends[1 - mine], uid, gid) != 0)
        return shim_fail_os(err, (uint32_t)errno, "give the pipe of %s to %u:%u", names[number],
                            uid, gid);
    return 0;
}

int linux_pipes_open(struct linux_pipes *p, const struct hcs_stdio *io, uint32_t uid, uint32_t gid,
                     struct shim_error *err)
{
    const struct hcs_stream *streams[] = {&io->in, &io->out, &io->err};

    for (int number = 0; number < 3; number++) {
        const struct hcs_stream *stream = streams[number];
        int r;

        if (stream->kind == HCS_STREAM_NONE)
            continue;
        if (stream->kind == HCS_STREAM_PIPE) {
            r = open_pipe(p, number, uid, gid, err);
            if (r < 0)
                return r;
        }
        p->fds[p->n_fds++] = (struct shim_child_fd){
            .from = stream->kind == HCS_STREAM_PIPE ? p->theirs[number] : stream->handle,
            .to = number,
        };
    }
    return 0;
}

void linux_pipes_close_theirs(struct linux_pipes *p)
{
    for (int number = 0; number < 3; number++)
        shim_handle_close(&p->theirs[number]);
    p->n_fds = 0;
}

void linux_pipes_give(struct linux_pipes *p, struct hcs_stdio *io)
{
    struct hcs_stream *streams[] = {&io->in, &io->out, &io->err};

    for (int number = 0; number < 3; number++) {
        if (p->ours[number] == SHIM_NO_HANDLE)
            continue;
        streams[number]->handle = p->ours[number];
        p->ours[number] = SHIM_NO_HANDLE;
    }
}

void linux_pipes_close(struct linux_pipes *p)
{
    linux_pipes_close_theirs(p);
    for (int number = 0; number < 3; number++)
        shim_handle_close(&p->ours[number]);
}

static int dup_for(intptr_t master, struct hcs_stream *stream, struct shim_error *err)
{
    int fd;

    if (stream->kind != HCS_STREAM_PIPE)
        return 0;
    fd = fcntl((int)master, F_DUPFD_CLOEXEC, 3);
    if (fd < 0)
        return shim_fail_os(err, (uint32_t)errno, "duplicate the console");
    stream->handle = fd;
    return 0;
}

int linux_console_give(intptr_t master, struct hcs_stdio *io, struct shim_error *err)
{
    int r = dup_for(master, &io->in, err);

    if (r == 0)
        r = dup_for(master, &io->out, err);
    if (r < 0)
        hcs_stdio_close(io);
    return r;
}

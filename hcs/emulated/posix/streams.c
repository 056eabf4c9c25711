/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes, duplicated descriptors and pseudo terminals. */
#include "hcs/emulated/streams.h"
#include "hcs/hresult.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define DEFAULT_WIDTH  80
#define DEFAULT_HEIGHT 24

static int dup_handle(intptr_t from, intptr_t *ret, struct shim_error *err)
{
    int fd = fcntl((int)from, F_DUPFD_CLOEXEC, 3);

    if (fd < 0)
        return shim_fail_os(err, (uint32_t)errno, "duplicate descriptor %d", (int)from);
    *ret = fd;
    return 0;
}

/* One stream without console; `index` is its number in the process. */
static int open_stream(struct hcs_stream *stream, int index, intptr_t *child,
                       struct shim_error *err)
{
    int ends[2];

    if (stream->kind == HCS_STREAM_NONE)
        return 0;
    if (stream->kind == HCS_STREAM_HANDLE)
        return dup_handle(stream->handle, child, err);
    if (pipe2(ends, O_CLOEXEC) != 0)
        return shim_fail_os(err, (uint32_t)errno, "make a pipe");
    *child = index == 0 ? ends[0] : ends[1];
    stream->handle = index == 0 ? ends[1] : ends[0];
    return 0;
}

/* Master and slave of a new terminal. */
static int open_terminal(intptr_t *master, intptr_t *slave, struct shim_error *err)
{
    char name[64];

    *master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    if (*master < 0)
        return shim_fail_os(err, (uint32_t)errno, "open a pseudo terminal");
    if (grantpt((int)*master) != 0 || unlockpt((int)*master) != 0 ||
        ptsname_r((int)*master, name, sizeof(name)) != 0)
        return shim_fail_os(err, (uint32_t)errno, "unlock a pseudo terminal");
    *slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*slave < 0)
        return shim_fail_os(err, (uint32_t)errno, "open %s", name);
    return 0;
}

static int check_console(const struct hcs_stdio *io, struct shim_error *err)
{
    if (io->err.kind != HCS_STREAM_NONE)
        return hcs_fail(err, HRESULT_INVALID_ARGUMENT, "a console has no stream for errors");
    if (io->in.kind == HCS_STREAM_HANDLE || io->out.kind == HCS_STREAM_HANDLE)
        return hcs_fail(err, HRESULT_INVALID_ARGUMENT, "a console cannot use given handles");
    return 0;
}

static int open_console(struct emu_streams *s, struct hcs_stdio *io, uint16_t width,
                        uint16_t height, struct shim_error *err)
{
    int r = check_console(io, err);

    if (r == 0)
        r = open_terminal(&s->master, &s->child[0], err);
    if (r == 0)
        r = dup_handle(s->child[0], &s->child[1], err);
    if (r == 0)
        r = dup_handle(s->child[0], &s->child[2], err);
    if (r == 0 && io->in.kind == HCS_STREAM_PIPE)
        r = dup_handle(s->master, &io->in.handle, err);
    if (r == 0 && io->out.kind == HCS_STREAM_PIPE)
        r = dup_handle(s->master, &io->out.handle, err);
    if (r < 0)
        return r;
    width = io->width ? io->width : width;
    height = io->height ? io->height : height;
    return emu_streams_resize(s, width ? width : DEFAULT_WIDTH, height ? height : DEFAULT_HEIGHT,
                              err);
}

static int open_pipes(struct emu_streams *s, struct hcs_stdio *io, struct shim_error *err)
{
    struct hcs_stream *streams[] = {&io->in, &io->out, &io->err};
    int r = 0;

    for (int i = 0; r == 0 && i < 3; i++)
        r = open_stream(streams[i], i, &s->child[i], err);
    return r;
}

int emu_streams_open(struct emu_streams *s, struct hcs_stdio *io, uint16_t width, uint16_t height,
                     struct shim_error *err)
{
    struct hcs_stdio attempt = *io;
    struct hcs_stream *streams[] = {&attempt.in, &attempt.out, &attempt.err};
    int r;

    for (size_t i = 0; i < SHIM_ARRAY_LEN(streams); i++)
        if (streams[i]->kind == HCS_STREAM_PIPE)
            streams[i]->handle = SHIM_NO_HANDLE;
    *s = (struct emu_streams)EMU_STREAMS_INIT;
    r = io->console ? open_console(s, &attempt, width, height, err) : open_pipes(s, &attempt, err);
    if (r < 0) {
        hcs_stdio_close(&attempt);
        emu_streams_close(s);
        return r;
    }
    *io = attempt;
    return 0;
}

void emu_streams_close_child(struct emu_streams *s)
{
    for (size_t i = 0; i < SHIM_ARRAY_LEN(s->child); i++)
        shim_handle_close(&s->child[i]);
}

void emu_streams_close(struct emu_streams *s)
{
    emu_streams_close_child(s);
    shim_handle_close(&s->master);
}

int emu_streams_resize(struct emu_streams *s, uint16_t width, uint16_t height,
                       struct shim_error *err)
{
    struct winsize size = {.ws_row = height, .ws_col = width};

    if (s->master == SHIM_NO_HANDLE || ioctl((int)s->master, TIOCSWINSZ, &size) == 0)
        return 0;
    return shim_fail_os(err, (uint32_t)errno, "resize the console to %ux%u", width, height);
}

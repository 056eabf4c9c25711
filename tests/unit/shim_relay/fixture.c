/* SPDX-License-Identifier: Apache-2.0 */
/* Plays the client and the process at both sides of the relay. */
#include "tests/unit/shim_relay/fixture.h"
#include "base/child.h"
#include "base/str.h"
#include "tests/folder.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

struct shim_loop *fixture_loop;
static char folder[] = "/tmp/relay-test-XXXXXX";

int fixture_setup(void **state)
{
    struct shim_error err;

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    if (shim_child_init(false, &err) < 0 || shim_child_start_reaper(&err) < 0)
        return -1;
    return shim_loop_new("test-loop", &fixture_loop, &err);
}

int fixture_teardown(void **state)
{
    (void)state;
    shim_io_finish_loggers(WAIT_MS);
    shim_loop_free(fixture_loop);
    return folder_remove(folder);
}

const char *fixture_path(const char *name)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % SHIM_ARRAY_LEN(paths)];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

const char *fixture_fifo(const char *name)
{
    const char *path = fixture_path(name);

    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    return path;
}

const char *fixture_script(const char *name, const char *text)
{
    const char *path = fixture_path(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);

    assert_true(fd >= 0);
    write_all(fd, "#!/bin/sh\n");
    write_all(fd, text);
    close(fd);
    return path;
}

int open_reader(const char *fifo)
{
    int fd = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

int open_writer(const char *fifo)
{
    int fd = open(fifo, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void wait_for_events(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    assert_int_equal(poll(&p, 1, WAIT_MS), 1);
}

bool is_ready(int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};

    return poll(&p, 1, 0) == 1;
}

void write_all(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* 0 at the end. A terminal's end is EIO; before a FIFO's first writer poll waits as we want. */
static size_t read_some(int fd, void *buf, size_t bytes)
{
    ssize_t n;

    do {
        wait_for_events(fd, POLLIN);
        n = read(fd, buf, bytes);
    } while (n < 0 && errno == EAGAIN);
    assert_true(n >= 0);
    return (size_t)n;
}

void expect_text(int fd, const char *text)
{
    char buf[4096] = {0};
    size_t want = strlen(text), got = 0;

    assert_true(want < sizeof(buf));
    while (got < want) {
        size_t n = read_some(fd, buf + got, want - got);

        assert_true(n > 0);
        got += n;
    }
    assert_string_equal(buf, text);
}

void expect_end(int fd)
{
    char byte;

    assert_int_equal(read_some(fd, &byte, 1), 0);
}

void expect_nothing(int fd)
{
    char byte;

    assert_int_equal(read(fd, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
}

size_t read_to_end(int fd, uint8_t *buf, size_t buf_bytes)
{
    size_t got = 0, n;

    do {
        assert_true(got < buf_bytes);
        n = read_some(fd, buf + got, buf_bytes - got);
        got += n;
    } while (n > 0);
    return got;
}

static char *read_if_there(const char *path)
{
    struct shim_buf buf = {0};

    if (shim_file_read(path, 1 << 20, &buf, NULL) == 0 && buf.len > 0)
        return shim_buf_take(&buf);
    shim_buf_done(&buf);
    return NULL;
}

char *read_whole_file(const char *path)
{
    int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    char events[4096];
    char *text;

    assert_true(watch >= 0);
    assert_true(inotify_add_watch(watch, folder, IN_MODIFY | IN_MOVED_TO | IN_CLOSE_WRITE) >= 0);
    while (!(text = read_if_there(path))) {
        wait_for_events(watch, POLLIN);
        assert_true(read(watch, events, sizeof(events)) > 0);
    }
    close(watch);
    return text;
}

void fill_pattern(uint8_t *buf, size_t bytes)
{
    uint32_t x = 1;

    for (size_t i = 0; i < bytes; i++) {
        x = x * 1664525 + 1013904223;
        buf[i] = (uint8_t)(x >> 24);
    }
}

struct shim_io_config fixture_config(const char *in, const char *out, const char *err)
{
    return (struct shim_io_config){
        .loop = fixture_loop,
        .ns = "space",
        .id = "one",
        .stdin_path = in,
        .stdout_path = out,
        .stderr_path = err,
    };
}

void process_open(struct process *p, const struct shim_io_config *config)
{
    struct shim_error err = {0};

    *p = (struct process){.in = -1, .out = -1, .err = -1};
    p->exits = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_true(p->exits >= 0);
    if (shim_io_open(config, &p->io, &p->stdio, &err) < 0)
        fail_msg("%s", err.msg);
}

static void make_pipe(struct hcs_stream *stream, int *process_end, int process_side)
{
    int fds[2];

    if (stream->kind != HCS_STREAM_PIPE)
        return;
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    *process_end = fds[process_side];
    stream->handle = fds[!process_side];
}

static void make_console(struct process *p)
{
    int master;

    assert_int_equal(openpty(&master, &p->out, NULL, NULL, NULL), 0);
    if (p->stdio.in.kind == HCS_STREAM_PIPE) {
        p->stdio.in.handle = fcntl(master, F_DUPFD_CLOEXEC, 0);
        p->in = fcntl(p->out, F_DUPFD_CLOEXEC, 0);
    }
    p->stdio.out.handle = master;
}

void process_start(struct process *p)
{
    struct shim_error err = {0};

    if (p->stdio.console) {
        make_console(p);
    } else {
        make_pipe(&p->stdio.in, &p->in, 0);
        make_pipe(&p->stdio.out, &p->out, 1);
        make_pipe(&p->stdio.err, &p->err, 1);
    }
    if (shim_io_start(p->io, &p->stdio, &err) < 0)
        fail_msg("%s", err.msg);
}

void process_run(struct process *p, const struct shim_io_config *config)
{
    process_open(p, config);
    process_start(p);
}

static void count_exit(void *user)
{
    struct process *p = user;
    uint64_t one = 1;

    if (write(p->exits, &one, sizeof(one)) != sizeof(one))
        abort();
}

void process_report(struct process *p)
{
    shim_io_exited(p->io, count_exit, p);
}

void process_exit(struct process *p)
{
    close_fd(&p->in);
    close_fd(&p->out);
    close_fd(&p->err);
    process_report(p);
}

void process_wait_drained(struct process *p)
{
    uint64_t count;

    wait_for_events(p->exits, POLLIN);
    assert_int_equal(read(p->exits, &count, sizeof(count)), sizeof(count));
    assert_int_equal(count, 1);
}

void process_done(struct process *p)
{
    shim_io_free(p->io);
    close_fd(&p->in);
    close_fd(&p->out);
    close_fd(&p->err);
    close_fd(&p->exits);
}

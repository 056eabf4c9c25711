/* SPDX-License-Identifier: Apache-2.0 */
/* Copying of one stream: keep-open rules, back-pressure, ends, consoles. */
#include "base/clock.h"
#include "base/thread.h"
#include "shim/posix/relay_stream.h"
#include "tests/unit/shim_relay/fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BIG_BYTES ((size_t)3 * 1024 * 1024)

static void test_output_arrives_and_ends_without_any_call(void **state)
{
    const char *out = fixture_fifo("out"), *err = fixture_fifo("err");
    struct shim_io_config config = fixture_config("", out, err);
    int out_reader = open_reader(out), err_reader = open_reader(err);
    struct process p;

    (void)state;
    process_run(&p, &config);
    write_all(p.out, "to out");
    write_all(p.err, "to err");
    expect_text(out_reader, "to out");
    expect_text(err_reader, "to err");

    close_fd(&p.out); /* a half-close: the other output goes on */
    expect_end(out_reader);
    write_all(p.err, "more");
    expect_text(err_reader, "more");
    close_fd(&p.err);
    expect_end(err_reader);
    process_done(&p);
    close(out_reader);
    close(err_reader);
}

static void test_input_arrives(void **state)
{
    const char *in = fixture_fifo("in");
    struct shim_io_config config = fixture_config(in, "", "");
    struct process p;
    int writer;

    (void)state;
    process_run(&p, &config);
    writer = open_writer(in);
    write_all(writer, "typed");
    expect_text(p.in, "typed");
    close(writer);
    process_done(&p);
}

static void test_reader_that_vanishes_costs_nothing(void **state)
{
    const char *out = fixture_fifo("out");
    struct shim_io_config config = fixture_config("", out, "");
    int reader = open_reader(out);
    struct process p;

    (void)state;
    process_run(&p, &config);
    write_all(p.out, "before ");
    expect_text(reader, "before ");
    write_all(p.out, "unread ");
    wait_for_events(reader, POLLIN);
    close(reader);
    for (int i = 0; i < 1000; i++)
        write_all(p.out, "while away ");

    reader = open_reader(out);
    expect_text(reader, "unread ");
    for (int i = 0; i < 1000; i++)
        expect_text(reader, "while away ");
    write_all(p.out, "after");
    expect_text(reader, "after");
    process_exit(&p);
    expect_end(reader);
    process_done(&p);
    close(reader);
}

static void test_reader_may_come_after_the_exit(void **state)
{
    const char *out = fixture_fifo("out");
    struct shim_io_config config = fixture_config("", out, "");
    uint8_t *sent = malloc(BIG_BYTES), *got = malloc(BIG_BYTES);
    struct process p;
    size_t bytes = 0;
    ssize_t n;
    int reader;

    (void)state;
    process_run(&p, &config);
    fill_pattern(sent, BIG_BYTES);
    fcntl(p.out, F_SETFL, O_NONBLOCK);
    while ((n = write(p.out, sent + bytes, 4096)) > 0 || is_ready(p.out, POLLOUT))
        bytes += n > 0 ? (size_t)n : 0;
    assert_true(bytes >= 64 * 1024);
    process_exit(&p);
    process_wait_drained(&p);

    reader = open_reader(out);
    assert_int_equal(read_to_end(reader, got, BIG_BYTES), bytes);
    assert_memory_equal(got, sent, bytes);
    process_done(&p);
    close(reader);
    free(sent);
    free(got);
}

static void test_end_waits_for_a_first_reader(void **state)
{
    const char *out = fixture_fifo("out");
    struct shim_io_config config = fixture_config("", out, "");
    struct process p;
    int reader;

    (void)state;
    process_run(&p, &config);
    process_exit(&p);
    process_wait_drained(&p);
    reader = open(out, O_RDONLY | O_CLOEXEC); /* blocks for good unless a writer is there */
    expect_end(reader);
    process_done(&p);
    close(reader);
}

struct feed {
    int fd;
    const uint8_t *data;
    size_t bytes;
};

static void feed(void *arg)
{
    struct feed *f = arg;
    size_t at = 0;

    while (at < f->bytes) {
        ssize_t n = write(f->fd, f->data + at, f->bytes - at);

        if (n < 0)
            abort();
        at += (size_t)n;
    }
}

static void test_slow_reader_gets_all(void **state)
{
    const char *out = fixture_fifo("out");
    struct shim_io_config config = fixture_config("", out, "");
    uint8_t *sent = malloc(BIG_BYTES), *got = malloc(BIG_BYTES + 1);
    int reader = open_reader(out);
    struct shim_thread thread;
    struct feed f;
    struct process p;
    size_t at = 0;

    (void)state;
    process_run(&p, &config);
    fill_pattern(sent, BIG_BYTES);
    f = (struct feed){p.out, sent, BIG_BYTES};
    assert_int_equal(shim_thread_start("feed", 0, feed, &f, &thread, NULL), 0);
    while (at < BIG_BYTES) { /* in odd pieces, so that every border is hit */
        ssize_t n;

        wait_for_events(reader, POLLIN);
        n = read(reader, got + at, at % 2 ? 777 : 5001);
        assert_true(n > 0);
        at += (size_t)n;
    }
    shim_thread_join(&thread);
    process_exit(&p);
    expect_end(reader);
    assert_memory_equal(got, sent, BIG_BYTES);
    process_done(&p);
    close(reader);
    free(sent);
    free(got);
}

/* Until nothing moves any more: the relay waits for the reader and the pipe is full. */
static void fill_up(struct process *p)
{
    static const char line[] = "0123456789012345678901234567890\n";
    int64_t deadline_ns = shim_monotonic_ns() + WAIT_MS * SHIM_NS_PER_MS;
    struct pollfd room = {.fd = p->out, .events = POLLOUT};
    char text[256] = "";

    fcntl(p->out, F_SETFL, O_NONBLOCK);
    while (poll(&room, 1, 10) != 0 || !strstr(text, "stdout: waiting for room")) {
        assert_true(shim_monotonic_ns() < deadline_ns);
        while (write(p->out, line, sizeof(line) - 1) > 0)
            ;
        shim_io_describe(p->io, text, sizeof(text));
    }
}

static void test_stuck_reader_stalls_nobody_else(void **state)
{
    const char *stuck = fixture_fifo("stuck"), *out = fixture_fifo("out");
    struct shim_io_config stuck_config = fixture_config("", stuck, "");
    struct shim_io_config config = fixture_config("", out, "");
    int stuck_reader = open_reader(stuck), reader = open_reader(out);
    struct process p, other;

    (void)state;
    process_run(&p, &stuck_config);
    process_run(&other, &config);
    fill_up(&p);
    for (int i = 0; i < 100; i++) {
        write_all(other.out, "flows");
        expect_text(reader, "flows");
    }
    process_done(&p);
    process_done(&other);
    close(stuck_reader);
    close(reader);
}

static void test_client_that_detaches_does_not_end_stdin(void **state)
{
    const char *in = fixture_fifo("in");
    struct shim_io_config config = fixture_config(in, "", "");
    struct process p;
    int writer;

    (void)state;
    process_run(&p, &config);
    fcntl(p.in, F_SETFL, O_NONBLOCK);
    writer = open_writer(in);
    write_all(writer, "one");
    expect_text(p.in, "one");
    close(writer);
    writer = open_writer(in);
    write_all(writer, "two");
    expect_text(p.in, "two");
    expect_nothing(p.in);

    shim_io_close_stdin(p.io); /* the client still has it open */
    write_all(writer, "three");
    expect_text(p.in, "three");
    expect_nothing(p.in);
    close(writer);
    expect_end(p.in);
    process_done(&p);
}

static void test_close_of_stdin_keeps_what_was_written(void **state)
{
    const char *in = fixture_fifo("in");
    struct shim_io_config config = fixture_config(in, "", "");
    struct process p;
    int writer;

    (void)state;
    process_open(&p, &config); /* before the process runs */
    writer = open_writer(in);
    write_all(writer, "last words");
    close(writer);
    shim_io_close_stdin(p.io);
    shim_io_close_stdin(p.io);
    process_start(&p);
    expect_text(p.in, "last words");
    expect_end(p.in);
    process_done(&p);
}

static void test_process_that_closes_stdin_tells_the_client(void **state)
{
    const char *in = fixture_fifo("in");
    struct shim_io_config config = fixture_config(in, "", "");
    struct process p;
    int writer;

    (void)state;
    process_run(&p, &config);
    writer = open_writer(in);
    close_fd(&p.in);
    wait_for_events(writer, POLLERR); /* nobody reads the FIFO any more */
    assert_int_equal(write(writer, "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    process_done(&p);
    close(writer);
}

static void test_stdin_holds_back_a_client_that_is_too_fast(void **state)
{
    const char *in = fixture_fifo("in");
    struct shim_io_config config = fixture_config(in, "", "");
    uint8_t *sent = malloc(BIG_BYTES), *got = malloc(BIG_BYTES + 1);
    struct process p;
    size_t bytes = 0;
    ssize_t n;
    int writer;

    (void)state;
    process_run(&p, &config);
    fill_pattern(sent, BIG_BYTES);
    writer = open_writer(in);
    while ((n = write(writer, sent + bytes, 4096)) > 0 || is_ready(writer, POLLOUT))
        bytes += n > 0 ? (size_t)n : 0;
    assert_true(bytes < BIG_BYTES / 2);
    close(writer);
    shim_io_close_stdin(p.io);
    assert_int_equal(read_to_end(p.in, got, BIG_BYTES), bytes);
    assert_memory_equal(got, sent, bytes);
    process_done(&p);
    free(sent);
    free(got);
}

static void test_console_copies_both_ways(void **state)
{
    const char *in = fixture_fifo("in"), *out = fixture_fifo("out");
    struct shim_io_config config = fixture_config(in, out, "");
    int reader = open_reader(out), writer;
    struct process p;

    (void)state;
    config.terminal = true;
    process_run(&p, &config);
    writer = open_writer(in);
    write_all(writer, "typed\n");
    expect_text(reader, "typed\r\n"); /* the terminal's echo */
    expect_text(p.in, "typed\n");
    write_all(p.out, "shown\n");
    expect_text(reader, "shown\r\n");
    process_exit(&p);
    expect_end(reader);
    process_wait_drained(&p);
    process_done(&p);
    close(writer);
    close(reader);
}

/* systemd as a container's init closes its console and opens it again. */
static void test_console_may_be_closed_and_opened_again(void **state)
{
    const char *out = fixture_fifo("out");
    struct shim_io_config config = fixture_config("", out, "");
    int reader = open_reader(out);
    struct process p;
    char name[64];

    (void)state;
    config.terminal = true;
    process_run(&p, &config);
    assert_int_equal(ttyname_r(p.out, name, sizeof(name)), 0);
    write_all(p.out, "first");
    expect_text(reader, "first");
    close_fd(&p.out);
    p.out = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(p.out >= 0);
    write_all(p.out, "second");
    expect_text(reader, "second");
    process_exit(&p);
    expect_end(reader);
    process_done(&p);
    close(reader);
}

static void test_console_ends_with_its_process_even_if_others_hold_it(void **state)
{
    const char *out = fixture_fifo("out");
    struct shim_io_config config = fixture_config("", out, "");
    int reader = open_reader(out);
    struct process p;

    (void)state;
    config.terminal = true;
    process_run(&p, &config);
    write_all(p.out, "the end");
    process_report(&p);
    expect_text(reader, "the end");
    expect_end(reader);
    process_done(&p);
    close(reader);
}

static void test_console_nobody_reads_never_blocks(void **state)
{
    struct shim_io_config config = fixture_config("", "", "");
    struct process p;

    (void)state;
    config.terminal = true;
    process_run(&p, &config);
    for (int i = 0; i < 10000; i++) /* far more than a terminal keeps */
        write_all(p.out, "0123456789");
    process_exit(&p);
    process_wait_drained(&p);
    process_done(&p);
}

static void test_streams_that_share_a_fifo_do_not_end_each_other(void **state)
{
    const char *out = fixture_fifo("both");
    struct shim_io_config config = fixture_config("", out, out);
    int reader = open_reader(out);
    struct process p;

    (void)state;
    process_run(&p, &config);
    write_all(p.out, "out");
    expect_text(reader, "out");
    close_fd(&p.out);
    write_all(p.err, "err");
    expect_text(reader, "err");
    close_fd(&p.err);
    expect_end(reader);
    process_done(&p);
    close(reader);
}

static void test_output_to_a_terminal_is_copied(void **state)
{
    struct shim_io_config config;
    struct process p, target;
    char name[64];

    (void)state;
    config = fixture_config("", "", "");
    config.terminal = true;
    process_open(&target, &config); /* only for its terminal */
    process_start(&target);
    assert_int_equal(ttyname_r(target.out, name, sizeof(name)), 0);
    config = fixture_config("", name, "");
    process_run(&p, &config);
    write_all(p.out, "to a terminal");
    process_exit(&p);
    shim_io_finish(p.io, WAIT_MS);
    process_done(&p);
    process_done(&target);
}

static void count(struct relay_stream *s)
{
    ++*(int *)s->owner;
}

struct forced {
    int source, sink, ended;
    int finished; /* an eventfd */
};

/* On the loop's thread, so that nothing was copied before the end. */
static void begin_and_end(void *user)
{
    struct forced *f = user;
    uint64_t one = 1;
    struct relay_stream s;

    relay_stream_init(&s, "stdout", RELAY_OUT);
    s.id = "one";
    s.loop = fixture_loop;
    s.owner = &f->ended;
    s.drained = s.ended = count;
    s.ends.sink = f->sink;
    if (relay_stream_begin(&s, f->source, NULL) < 0)
        abort();
    relay_stream_end(&s);
    relay_stream_end(&s);
    if (write(f->finished, &one, sizeof(one)) != sizeof(one))
        abort();
}

static void test_end_by_force_takes_what_is_there(void **state)
{
    struct forced f = {.finished = eventfd(0, EFD_CLOEXEC)};
    uint64_t finished;
    int from[2], to[2];

    (void)state;
    assert_int_equal(pipe2(from, O_CLOEXEC), 0);
    assert_int_equal(pipe2(to, O_CLOEXEC), 0);
    f.source = from[0];
    f.sink = to[1];
    write_all(from[1], "in the pipe");
    assert_true(shim_loop_post(fixture_loop, begin_and_end, &f));
    assert_int_equal(read(f.finished, &finished, sizeof(finished)), sizeof(finished)); /* waits */
    expect_text(to[0], "in the pipe");
    expect_end(to[0]);
    assert_int_equal(f.ended, 1); /* once, and no drain was asked for */
    close(from[1]);
    close(to[0]);
    close(f.finished);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_arrives_and_ends_without_any_call),
        cmocka_unit_test(test_input_arrives),
        cmocka_unit_test(test_reader_that_vanishes_costs_nothing),
        cmocka_unit_test(test_reader_may_come_after_the_exit),
        cmocka_unit_test(test_end_waits_for_a_first_reader),
        cmocka_unit_test(test_slow_reader_gets_all),
        cmocka_unit_test(test_stuck_reader_stalls_nobody_else),
        cmocka_unit_test(test_client_that_detaches_does_not_end_stdin),
        cmocka_unit_test(test_close_of_stdin_keeps_what_was_written),
        cmocka_unit_test(test_process_that_closes_stdin_tells_the_client),
        cmocka_unit_test(test_stdin_holds_back_a_client_that_is_too_fast),
        cmocka_unit_test(test_console_copies_both_ways),
        cmocka_unit_test(test_console_may_be_closed_and_opened_again),
        cmocka_unit_test(test_console_ends_with_its_process_even_if_others_hold_it),
        cmocka_unit_test(test_console_nobody_reads_never_blocks),
        cmocka_unit_test(test_streams_that_share_a_fifo_do_not_end_each_other),
        cmocka_unit_test(test_output_to_a_terminal_is_copied),
        cmocka_unit_test(test_end_by_force_takes_what_is_there),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

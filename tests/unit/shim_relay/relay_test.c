/* SPDX-License-Identifier: Apache-2.0 */
/* The streams of a process as a whole: what is asked for, drain, finish, loggers, leaks. */
#include "base/clock.h"
#include "base/str.h"
#include "base/thread.h"
#include "shim/relay.h"
#include "tests/unit/shim_relay/fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void expect_kinds(const struct shim_io_config *config, enum hcs_stream_kind in,
                         enum hcs_stream_kind out, enum hcs_stream_kind err)
{
    struct process p;

    process_open(&p, config);
    assert_int_equal(p.stdio.console, config->terminal);
    assert_int_equal(p.stdio.in.kind, in);
    assert_int_equal(p.stdio.out.kind, out);
    assert_int_equal(p.stdio.err.kind, err);
    process_done(&p);
}

static void test_process_gets_the_streams_that_have_paths(void **state)
{
    const char *f = fixture_fifo("f");
    struct shim_io_config config = fixture_config("", "", "");

    (void)state;
    expect_kinds(&config, HCS_STREAM_NONE, HCS_STREAM_NONE, HCS_STREAM_NONE);
    config = fixture_config(NULL, NULL, NULL);
    expect_kinds(&config, HCS_STREAM_NONE, HCS_STREAM_NONE, HCS_STREAM_NONE);
    config = fixture_config(f, f, f);
    expect_kinds(&config, HCS_STREAM_PIPE, HCS_STREAM_PIPE, HCS_STREAM_PIPE);
    config = fixture_config("", "", f);
    expect_kinds(&config, HCS_STREAM_NONE, HCS_STREAM_NONE, HCS_STREAM_PIPE);
    config = fixture_config("", f, NULL);
    expect_kinds(&config, HCS_STREAM_NONE, HCS_STREAM_PIPE, HCS_STREAM_NONE);
}

static void test_console_has_no_stderr(void **state)
{
    const char *f = fixture_fifo("f");
    struct shim_io_config config = fixture_config(f, f, "/not/there");

    (void)state;
    config.terminal = true;
    expect_kinds(&config, HCS_STREAM_PIPE, HCS_STREAM_PIPE, HCS_STREAM_NONE);
    config = fixture_config("", f, "");
    config.terminal = true;
    expect_kinds(&config, HCS_STREAM_NONE, HCS_STREAM_PIPE, HCS_STREAM_NONE);
}

static void test_fifo_scheme_is_accepted(void **state)
{
    cleanup_free char *uri = shim_strf("fifo://%s", fixture_fifo("f"));
    struct shim_io_config config = fixture_config(uri, uri, uri);

    (void)state;
    expect_kinds(&config, HCS_STREAM_PIPE, HCS_STREAM_PIPE, HCS_STREAM_PIPE);
}

static void expect_failure(const char *in, const char *out, const char *err_path, int code,
                           const char *message)
{
    struct shim_io_config config = fixture_config(in, out, err_path);
    struct hcs_stdio stdio = HCS_STDIO_INIT;
    unsigned fds = count_descriptors();
    struct shim_io *io = NULL;
    struct shim_error err = {0};

    assert_int_equal(shim_io_open(&config, &io, &stdio, &err), code);
    assert_null(io);
    if (!strstr(err.msg, message))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, message);
    assert_int_equal(count_descriptors(), fds);
}

static void test_errors_name_the_stream_and_leave_nothing_open(void **state)
{
    const char *f = fixture_fifo("f");
    cleanup_free char *logger = shim_strf("binary-v2://%s", fixture_script("fails", "exit 7\n"));

    (void)state;
    expect_failure("/not/there", f, f, SHIM_E_NOT_FOUND, "stdin: open /not/there");
    expect_failure(f, "/not/there", f, SHIM_E_NOT_FOUND, "stdout: open /not/there");
    expect_failure(f, f, "/not/there", SHIM_E_NOT_FOUND, "stderr: open /not/there");
    expect_failure("/dev/null", f, f, SHIM_E_INVALID, "stdin: /dev/null is not a FIFO");
    expect_failure(f, "odd:///x", f, SHIM_E_INVALID, "unknown STDIO scheme odd");
    expect_failure(f, "ttrpc+unix:///x?streaming_id=a-stdout", f, SHIM_E_UNIMPLEMENTED,
                   "streaming");
    expect_failure(f, "file:///dev/null/x", "", SHIM_E_STATE, "make log /dev/null/x");
    expect_failure(f, logger, "", SHIM_E_UNAVAILABLE, "ended with status 7");
    expect_failure("", "binary:///not/there", "", SHIM_E_NOT_FOUND, "start logger /not/there");
}

static void test_missing_pipe_of_the_provider_is_an_error(void **state)
{
    const char *f = fixture_fifo("f");
    struct shim_io_config config = fixture_config("", f, "");
    struct shim_error err = {0};
    struct process p;

    (void)state;
    process_open(&p, &config);
    assert_int_equal(shim_io_start(p.io, &p.stdio, &err), SHIM_E_INTERNAL);
    assert_string_equal(err.msg, "standard streams of one: the provider made no pipe for stdout");
    shim_io_finish(p.io, WAIT_MS); /* nothing to wait for */
    process_done(&p);
}

static void test_pipe_that_cannot_be_watched_is_an_error(void **state)
{
    const char *f = fixture_fifo("f");
    struct shim_io_config config = fixture_config("", f, "");
    struct shim_error err = {0};
    struct process p;

    (void)state;
    process_open(&p, &config);
    p.stdio.out.handle = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_true(shim_io_start(p.io, &p.stdio, &err) < 0);
    assert_non_null(strstr(err.msg, "watch stdout"));
    assert_int_equal(p.stdio.out.handle, SHIM_NO_HANDLE);
    process_done(&p);
}

static void test_null_streams_hold_no_descriptor(void **state)
{
    struct shim_io_config config = fixture_config("", "", "");
    unsigned fds = count_descriptors();
    struct process p;

    (void)state;
    process_run(&p, &config);
    assert_int_equal(count_descriptors(), fds + 1); /* the test's own eventfd */
    process_exit(&p);
    process_wait_drained(&p);
    shim_io_finish(p.io, WAIT_MS);
    process_done(&p);
    assert_int_equal(count_descriptors(), fds);
}

static void test_ten_thousand_processes_leak_no_descriptor(void **state)
{
    struct shim_io_config config = fixture_config("", "", "");
    unsigned fds = count_descriptors();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        struct process p;

        process_run(&p, &config);
        process_report(&p);
        process_done(&p);
    }
    assert_int_equal(count_descriptors(), fds);
}

static void test_streams_leak_no_descriptor(void **state)
{
    const char *in = fixture_fifo("in"), *out = fixture_fifo("out"), *err = fixture_fifo("err");
    struct shim_io_config config = fixture_config(in, out, err);
    unsigned fds = count_descriptors();

    (void)state;
    for (int i = 0; i < 300; i++) {
        struct process p;

        config.terminal = i % 3 == 0;
        if (i % 2)
            process_open(&p, &config);
        else
            process_run(&p, &config);
        if (i % 5)
            process_exit(&p);
        process_done(&p);
    }
    assert_int_equal(count_descriptors(), fds);
}

static void test_every_descriptor_is_close_on_exec(void **state)
{
    const char *in = fixture_fifo("in"), *out = fixture_fifo("out"), *err = fixture_fifo("err");
    struct shim_io_config config = fixture_config(in, out, err);
    bool before[256];
    struct process p;

    (void)state;
    for (int fd = 0; fd < 256; fd++)
        before[fd] = fcntl(fd, F_GETFD) >= 0;
    process_run(&p, &config);
    for (int fd = 0; fd < 256; fd++)
        if (!before[fd] && fcntl(fd, F_GETFD) >= 0)
            assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    process_done(&p);
}

static void test_exit_takes_what_is_there_although_others_hold_the_pipe(void **state)
{
    const char *out = fixture_fifo("out");
    struct shim_io_config config = fixture_config("", out, "");
    int reader = open_reader(out);
    struct process p;
    char buf[8] = "";

    (void)state;
    process_run(&p, &config);
    write_all(p.out, "before");
    process_report(&p); /* p.out stays open, as a background child's would */
    process_wait_drained(&p);
    assert_int_equal(read(reader, buf, sizeof(buf)), 6); /* without any waiting */
    assert_string_equal(buf, "before");

    write_all(p.out, "after");
    expect_text(reader, "after");
    close_fd(&p.out);
    expect_end(reader);
    process_done(&p);
    close(reader);
}

static void test_exit_does_not_wait_for_a_stuck_reader(void **state)
{
    const char *out = fixture_fifo("out");
    struct shim_io_config config = fixture_config("", out, "");
    int reader = open_reader(out);
    struct process p;
    char block[4096];

    (void)state;
    memset(block, 'x', sizeof(block));
    process_run(&p, &config);
    fcntl(p.out, F_SETFL, O_NONBLOCK);
    while (write(p.out, block, sizeof(block)) > 0 || is_ready(p.out, POLLOUT))
        ;
    process_report(&p);
    process_wait_drained(&p);
    assert_true(is_ready(reader, POLLIN));
    process_done(&p);
    close(reader);
}

static void test_exit_closes_stdin(void **state)
{
    const char *in = fixture_fifo("in");
    struct shim_io_config config = fixture_config(in, "", "");
    struct process p;
    int writer;

    (void)state;
    process_run(&p, &config);
    writer = open_writer(in);
    process_report(&p);
    process_wait_drained(&p);
    expect_end(p.in);
    wait_for_events(writer, POLLERR);
    process_done(&p);
    close(writer);
}

static void test_exit_may_come_before_the_start(void **state)
{
    const char *in = fixture_fifo("in"), *out = fixture_fifo("out");
    struct shim_io_config config = fixture_config(in, out, "");
    int reader = open_reader(out);
    struct process p;
    int fds[2];

    (void)state;
    process_open(&p, &config);
    process_report(&p);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    p.stdio.out.handle = fds[0];
    write_all(fds[1], "quick");
    close(fds[1]);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    p.stdio.in.handle = fds[1];
    assert_int_equal(shim_io_start(p.io, &p.stdio, NULL), 0);
    process_wait_drained(&p);
    expect_text(reader, "quick");
    expect_end(reader);
    expect_end(fds[0]); /* its stdin was closed */
    close(fds[0]);
    process_done(&p);
    close(reader);
}

static void test_early_exit_is_answered_although_others_hold_the_pipe(void **state)
{
    const char *out = fixture_fifo("out");
    struct shim_io_config config = fixture_config("", out, "");
    int reader = open_reader(out);
    struct process p;

    (void)state;
    process_open(&p, &config);
    process_report(&p);
    process_start(&p); /* p.out stays open */
    process_wait_drained(&p);
    process_done(&p);
    close(reader);
}

static void test_exit_without_a_start_is_answered_at_the_end(void **state)
{
    const char *f = fixture_fifo("f");
    struct shim_io_config config = fixture_config("", f, "");
    struct process p;

    (void)state;
    process_open(&p, &config);
    process_report(&p);
    shim_io_finish(p.io, WAIT_MS);
    process_wait_drained(&p);
    process_done(&p);
}

static void test_finish_waits_for_the_last_byte(void **state)
{
    const char *out = fixture_fifo("out"), *err = fixture_fifo("err");
    struct shim_io_config config = fixture_config("", out, err);
    int out_reader = open_reader(out), err_reader = open_reader(err);
    struct process p;

    (void)state;
    process_run(&p, &config);
    write_all(p.out, "last");
    write_all(p.err, "words");
    process_exit(&p);
    shim_io_finish(p.io, WAIT_MS);
    shim_io_finish(p.io, WAIT_MS);
    expect_text(out_reader, "last");
    expect_end(out_reader);
    expect_text(err_reader, "words");
    expect_end(err_reader);
    process_wait_drained(&p);
    process_done(&p);
    close(out_reader);
    close(err_reader);
}

static void finish(void *io)
{
    shim_io_finish(io, WAIT_MS);
}

static void test_several_may_wait_for_the_end(void **state)
{
    const char *out = fixture_fifo("out");
    struct shim_io_config config = fixture_config("", out, "");
    int reader = open_reader(out);
    struct shim_thread threads[4];
    struct process p;

    (void)state;
    process_run(&p, &config);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(threads); i++)
        assert_int_equal(shim_thread_start("finish", 0, finish, p.io, &threads[i], NULL), 0);
    write_all(p.out, "all");
    process_exit(&p);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(threads); i++)
        shim_thread_join(&threads[i]);
    expect_text(reader, "all");
    expect_end(reader);
    process_done(&p);
    close(reader);
}

static void test_finish_ends_by_force_what_others_hold_open(void **state)
{
    const char *out = fixture_fifo("out");
    struct shim_io_config config = fixture_config("", out, "");
    int reader = open_reader(out);
    int64_t started_ns = shim_monotonic_ns();
    struct process p;

    (void)state;
    process_run(&p, &config);
    process_report(&p);
    process_wait_drained(&p);
    write_all(p.out, "held");
    shim_io_finish(p.io, 50);
    assert_true(shim_monotonic_ns() - started_ns >= 50 * SHIM_NS_PER_MS);
    expect_text(reader, "held");
    expect_end(reader);
    assert_int_equal(write(p.out, "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    process_done(&p);
    close(reader);
}

static void test_streams_say_how_they_are(void **state)
{
    const char *in = fixture_fifo("in"), *out = fixture_fifo("out");
    struct shim_io_config config = fixture_config(in, out, "");
    int reader = open_reader(out);
    char text[256];
    struct process p;

    (void)state;
    process_open(&p, &config);
    shim_io_describe(p.io, text, sizeof(text));
    assert_string_equal(text, "stdin: not started, 0 bytes; stdout: not started, 0 bytes");
    process_start(&p);
    write_all(p.out, "four");
    expect_text(reader, "four");
    process_exit(&p);
    expect_end(reader);
    shim_io_finish(p.io, WAIT_MS);
    shim_io_describe(p.io, text, sizeof(text));
    assert_string_equal(text, "stdin: ended, 0 bytes; stdout: ended, 4 bytes");
    shim_io_describe(p.io, text, 8);
    assert_string_equal(text, "stdin: ");
    process_done(&p);
    close(reader);

    config = fixture_config("", "", "");
    process_run(&p, &config);
    shim_io_describe(p.io, text, sizeof(text));
    assert_string_equal(text, "no streams");
    process_done(&p);
}

#define LOG_SCRIPT                                                                                 \
    "echo >&5; exec 5>&-\ncat <&3 >\"${0%/*}/log.tmp\"; cat <&4 >>\"${0%/*}/log.tmp\"\n"           \
    "echo \"$*\" >>\"${0%/*}/log.tmp\"\nmv \"${0%/*}/log.tmp\" \"${0%/*}/log\"\n"

static void test_logger_gets_the_process_s_own_pipes(void **state)
{
    cleanup_free char *uri =
        shim_strf("binary-v2://%s?tag=x", fixture_script("logger", LOG_SCRIPT));
    const char *in = fixture_fifo("in");
    struct shim_io_config config = fixture_config(in, uri, "");
    cleanup_free char *log = NULL;
    char text[256];
    struct process p;

    (void)state;
    unlink(fixture_path("log"));
    process_open(&p, &config);
    assert_int_equal(p.stdio.out.kind, HCS_STREAM_HANDLE);
    assert_int_equal(p.stdio.err.kind, HCS_STREAM_HANDLE);
    assert_int_equal(p.stdio.in.kind, HCS_STREAM_PIPE);
    p.out = fcntl((int)p.stdio.out.handle, F_DUPFD_CLOEXEC, 0); /* as a provider's fork does */
    p.err = fcntl((int)p.stdio.err.handle, F_DUPFD_CLOEXEC, 0);
    process_start(&p);
    assert_int_equal(fcntl((int)p.stdio.out.handle, F_GETFD), -1); /* the shim's copy is closed */
    shim_io_describe(p.io, text, sizeof(text));
    assert_string_equal(text, "stdin: waiting for data, 0 bytes");

    write_all(p.out, "out ");
    write_all(p.err, "err ");
    process_exit(&p);
    process_wait_drained(&p);
    shim_io_finish(p.io, WAIT_MS);
    log = read_whole_file(fixture_path("log"));
    assert_string_equal(log, "out err tag x\n");
    process_done(&p);
}

static void test_logger_of_a_console_gets_a_copy(void **state)
{
    cleanup_free char *uri = shim_strf("binary://%s", fixture_script("logger", LOG_SCRIPT));
    struct shim_io_config config = fixture_config("", uri, "");
    cleanup_free char *log = NULL;
    struct process p;

    (void)state;
    unlink(fixture_path("log"));
    config.terminal = true;
    process_run(&p, &config);
    assert_int_equal(p.stdio.out.kind, HCS_STREAM_PIPE);
    write_all(p.out, "shown\n");
    process_exit(&p);
    shim_io_finish(p.io, WAIT_MS);
    log = read_whole_file(fixture_path("log"));
    assert_string_equal(log, "shown\r\n\n");
    process_done(&p);
}

static void test_console_outlives_its_logger(void **state)
{
    cleanup_free char *uri = shim_strf("binary://%s", fixture_script("logger", "exit 0\n"));
    struct shim_io_config config = fixture_config("", uri, "");
    struct process p;

    (void)state;
    config.terminal = true;
    process_run(&p, &config);
    for (int i = 0; i < 10000; i++)
        write_all(p.out, "0123456789");
    process_exit(&p);
    process_wait_drained(&p);
    shim_io_finish(p.io, WAIT_MS);
    process_done(&p);
}

static void test_logger_ends_when_nothing_was_started(void **state)
{
    cleanup_free char *uri = shim_strf("binary://%s", fixture_script("logger", LOG_SCRIPT));
    struct shim_io_config config = fixture_config("", uri, "");
    cleanup_free char *log = NULL;
    struct process p;

    (void)state;
    unlink(fixture_path("log"));
    process_open(&p, &config);
    process_done(&p);
    log = read_whole_file(fixture_path("log"));
    assert_string_equal(log, "\n");
    shim_io_finish_loggers(WAIT_MS);
}

static void test_freeing_nothing_is_fine(void **state)
{
    (void)state;
    shim_io_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_process_gets_the_streams_that_have_paths),
        cmocka_unit_test(test_console_has_no_stderr),
        cmocka_unit_test(test_fifo_scheme_is_accepted),
        cmocka_unit_test(test_errors_name_the_stream_and_leave_nothing_open),
        cmocka_unit_test(test_missing_pipe_of_the_provider_is_an_error),
        cmocka_unit_test(test_pipe_that_cannot_be_watched_is_an_error),
        cmocka_unit_test(test_null_streams_hold_no_descriptor),
        cmocka_unit_test(test_ten_thousand_processes_leak_no_descriptor),
        cmocka_unit_test(test_streams_leak_no_descriptor),
        cmocka_unit_test(test_every_descriptor_is_close_on_exec),
        cmocka_unit_test(test_exit_takes_what_is_there_although_others_hold_the_pipe),
        cmocka_unit_test(test_exit_does_not_wait_for_a_stuck_reader),
        cmocka_unit_test(test_exit_closes_stdin),
        cmocka_unit_test(test_exit_may_come_before_the_start),
        cmocka_unit_test(test_early_exit_is_answered_although_others_hold_the_pipe),
        cmocka_unit_test(test_exit_without_a_start_is_answered_at_the_end),
        cmocka_unit_test(test_finish_waits_for_the_last_byte),
        cmocka_unit_test(test_several_may_wait_for_the_end),
        cmocka_unit_test(test_finish_ends_by_force_what_others_hold_open),
        cmocka_unit_test(test_streams_say_how_they_are),
        cmocka_unit_test(test_logger_gets_the_process_s_own_pipes),
        cmocka_unit_test(test_logger_of_a_console_gets_a_copy),
        cmocka_unit_test(test_console_outlives_its_logger),
        cmocka_unit_test(test_logger_ends_when_nothing_was_started),
        cmocka_unit_test(test_freeing_nothing_is_fine),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

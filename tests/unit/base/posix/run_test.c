/* SPDX-License-Identifier: Apache-2.0 */
/* Programs run to their end: what goes in, what comes out, and what cuts them short. */
#include "base/clock.h"
#include "base/str.h"
#include "tests/unit/base/posix/deny.h"
#include "tests/unit/base/posix/ending.h"
#include <errno.h>
#include <signal.h>
#include <string.h>

#define LIMIT ((size_t)1 << 20)

static struct shim_run run_of(const char *script)
{
    static const char *argv[8][4];
    static unsigned next;
    const char **v = argv[next++ % 8];

    v[0] = "sh";
    v[1] = "-c";
    v[2] = script;
    v[3] = NULL;
    return (struct shim_run){.spawn = {.argv = v}, .output_limit_bytes = LIMIT};
}

static int run_script(const char *script, struct shim_run_result *ret, struct shim_error *err)
{
    struct shim_run run = run_of(script);

    return shim_child_run(&run, ret, err);
}

static void test_output_error_and_status_come_back(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};
    int64_t before = shim_realtime_ns();

    (void)state;
    assert_int_equal(run_script("echo out; echo err >&2; exit 3", &result, NULL), 0);
    assert_int_equal(result.exit.status, 3);
    assert_true(result.exit.at_ns >= before);
    assert_string_equal(shim_buf_str(&result.output), "out\n");
    assert_string_equal(shim_buf_str(&result.error), "err\n");
}

static void test_a_signal_is_a_status_too(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};

    (void)state;
    assert_int_equal(run_script("kill -KILL $$", &result, NULL), 0);
    assert_int_equal(result.exit.status, 128 + SIGKILL);
}

static void test_a_big_input_goes_through_and_comes_back(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};
    struct shim_run run = run_of("cat");
    size_t bytes = (size_t)3 << 20;
    cleanup_free char *input = malloc(bytes);

    (void)state;
    assert_non_null(input);
    for (size_t i = 0; i < bytes; i++)
        input[i] = (char)(i * 7 + i / 4096);
    run.input = input;
    run.input_bytes = bytes;
    run.output_limit_bytes = bytes;
    assert_int_equal(shim_child_run(&run, &result, NULL), 0);
    assert_int_equal(result.output.len, bytes);
    assert_memory_equal(result.output.data, input, bytes);
}

static void test_an_empty_input_ends_at_once(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};
    struct shim_run run = run_of("wc -c");

    (void)state;
    run.input = "";
    assert_int_equal(shim_child_run(&run, &result, NULL), 0);
    assert_string_equal(shim_buf_str(&result.output), "0\n");
}

static void test_a_program_need_not_read_its_input(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};
    struct shim_run run = run_of("exec <&-; echo done");
    size_t bytes = (size_t)1 << 20;
    cleanup_free char *input = calloc(1, bytes);

    (void)state;
    run.input = input;
    run.input_bytes = bytes;
    assert_int_equal(shim_child_run(&run, &result, NULL), 0);
    assert_string_equal(shim_buf_str(&result.output), "done\n");
}

static void test_without_input_there_is_the_null_device(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};

    (void)state;
    assert_int_equal(run_script("readlink /proc/self/fd/0", &result, NULL), 0);
    assert_string_equal(shim_buf_str(&result.output), "/dev/null\n");
}

static void test_listed_descriptors_serve_where_nothing_is_captured(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};
    struct shim_run run = run_of("echo here");
    struct shim_child_fd fd = {.to = 1};
    char text[8] = "";
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fd.from = ends[1];
    run.spawn.fds = &fd;
    run.spawn.n_fds = 1;
    run.output_limit_bytes = 0;
    assert_int_equal(shim_child_run(&run, &result, NULL), 0);
    assert_int_equal(result.output.len, 0);
    assert_int_equal(read(ends[0], text, sizeof(text)), 5);
    assert_string_equal(text, "here\n");
    close(ends[0]);
    close(ends[1]);
}

static void test_output_beyond_the_limit_is_dropped(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};
    struct shim_run run = run_of("head -c 1000000 /dev/zero; echo end >&2");

    (void)state;
    run.output_limit_bytes = 10000;
    assert_int_equal(shim_child_run(&run, &result, NULL), 0);
    assert_int_equal(result.exit.status, 0);
    assert_int_equal(result.output.len, 10000);
    assert_string_equal(shim_buf_str(&result.error), "end\n");
}

static void test_a_grandchild_that_holds_the_pipe_is_not_waited_for(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};
    struct shim_run run = run_of("sh -c 'read x' <&3 & echo started; head -c 60000 /dev/zero >&2");
    struct shim_child_fd fd = {.to = 3};
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fd.from = ends[0];
    run.spawn.fds = &fd;
    run.spawn.n_fds = 1;
    assert_int_equal(shim_child_run(&run, &result, NULL), 0);
    assert_string_equal(shim_buf_str(&result.output), "started\n");
    assert_int_equal(result.error.len, 60000);
    close(ends[0]);
    close(ends[1]); /* ends the grandchild */
}

static void test_a_grandchild_that_writes_for_ever_is_not_waited_for(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};

    (void)state;
    assert_int_equal(run_script("yes & exit 6", &result, NULL), 0); /* SIGPIPE will end it */
    assert_int_equal(result.exit.status, 6);
}

static void test_time_that_runs_out_kills_the_group(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};
    struct shim_run run = run_of("echo began; sleep 1000 | cat");
    struct shim_error err;

    (void)state;
    run.timeout_ms = 200;
    assert_int_equal(shim_child_run(&run, &result, &err), SHIM_E_DEADLINE);
    assert_string_equal(err.msg, "sh did not end within 200 ms");
    assert_int_equal(result.exit.status, 128 + SIGKILL);
    assert_string_equal(shim_buf_str(&result.output), "began\n");
}

static void test_time_that_is_enough_changes_nothing(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};
    struct shim_run run = run_of("exit 4");

    (void)state;
    run.timeout_ms = 60000;
    assert_int_equal(shim_child_run(&run, &result, NULL), 0);
    assert_int_equal(result.exit.status, 4);
}

static void test_a_program_that_cannot_start_is_an_error(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};
    struct shim_run run = {.spawn = {.argv = (const char *[]){"no-such-runtime", NULL}},
                           .output_limit_bytes = LIMIT,
                           .input = "x",
                           .input_bytes = 1};
    unsigned before = count_descriptors();

    (void)state;
    assert_int_equal(shim_child_run(&run, &result, NULL), SHIM_E_NOT_FOUND);
    assert_int_equal(count_descriptors(), before);
}

static void run_and_fail(void *message)
{
    cleanup_run_result struct shim_run_result result = {0};
    struct shim_run run = run_of("true");
    struct shim_error err;

    run.input = "x";
    run.input_bytes = 1;
    assert_int_equal(shim_child_run(&run, &result, &err), SHIM_E_EXHAUSTED);
    assert_string_equal(err.msg, (const char *)message);
}

static void test_what_runs_out_is_named_and_nothing_leaks(void **state)
{
    unsigned before = count_descriptors();

    (void)state;
    with_denied((const int[]){SYS_eventfd2, -1}, EMFILE, run_and_fail,
                "make an eventfd: Too many open files");
    with_denied((const int[]){SYS_pipe2, -1}, EMFILE, run_and_fail,
                "make a pipe: Too many open files");
    with_denied((const int[]){SYS_fcntl, -1}, ENOMEM, run_and_fail,
                "make a pipe non-blocking: Cannot allocate memory");
    with_denied((const int[]){SYS_openat, -1}, EMFILE, run_and_fail,
                "open /dev/null: Too many open files");
    assert_int_equal(count_descriptors(), before);
}

static void test_no_descriptor_stays_open(void **state)
{
    unsigned before = count_descriptors();

    (void)state;
    for (int i = 0; i < 3; i++) {
        cleanup_run_result struct shim_run_result result = {0};

        assert_int_equal(run_script("echo out", &result, NULL), 0);
    }
    assert_int_equal(count_descriptors(), before);
}

/* ---- stopping ---- */

struct stopped_run {
    struct shim_stopper stopper;
    struct shim_run run;
    struct shim_error err;
    int r;
};

static void run_until_stopped(void *arg)
{
    struct stopped_run *s = arg;
    cleanup_run_result struct shim_run_result result = {0};

    s->run.stopper = &s->stopper;
    s->r = shim_child_run(&s->run, &result, &s->err);
}

static void test_a_stop_kills_the_group_and_lasts(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};
    struct stopped_run s = {.run = run_of("echo >&3; exec 3>&-; sleep 1000 | cat")};
    struct shim_child_fd fd = {.to = 3};
    struct shim_thread thread;
    int ends[2];
    char line;

    (void)state;
    shim_stopper_init(&s.stopper);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fd.from = ends[1];
    s.run.spawn.fds = &fd;
    s.run.spawn.n_fds = 1;
    assert_int_equal(shim_thread_start("stopped", 0, run_until_stopped, &s, &thread, NULL), 0);
    assert_int_equal(read(ends[0], &line, 1), 1);
    shim_stopper_stop(&s.stopper);
    shim_thread_join(&thread);
    assert_int_equal(s.r, SHIM_E_CANCELED);
    assert_string_equal(s.err.msg, "sh was stopped");

    assert_int_equal(shim_child_run(&s.run, &result, &s.err), SHIM_E_CANCELED);
    assert_string_equal(s.err.msg, "sh was stopped before it started");
    shim_stopper_reset(&s.stopper);
    s.run = run_of("exit 5");
    s.run.stopper = &s.stopper;
    assert_int_equal(shim_child_run(&s.run, &result, &s.err), 0);
    assert_int_equal(result.exit.status, 5);
    shim_stopper_stop(&s.stopper); /* nothing runs: hits nobody */
    shim_stopper_done(&s.stopper);
    close(ends[0]);
    close(ends[1]);
}

static int set_up(void **state)
{
    (void)state;
    return shim_child_init(true, NULL) == 0 && shim_child_start_reaper(NULL) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_error_and_status_come_back),
        cmocka_unit_test(test_a_signal_is_a_status_too),
        cmocka_unit_test(test_a_big_input_goes_through_and_comes_back),
        cmocka_unit_test(test_an_empty_input_ends_at_once),
        cmocka_unit_test(test_a_program_need_not_read_its_input),
        cmocka_unit_test(test_without_input_there_is_the_null_device),
        cmocka_unit_test(test_listed_descriptors_serve_where_nothing_is_captured),
        cmocka_unit_test(test_output_beyond_the_limit_is_dropped),
        cmocka_unit_test(test_a_grandchild_that_holds_the_pipe_is_not_waited_for),
        cmocka_unit_test(test_a_grandchild_that_writes_for_ever_is_not_waited_for),
        cmocka_unit_test(test_time_that_runs_out_kills_the_group),
        cmocka_unit_test(test_time_that_is_enough_changes_nothing),
        cmocka_unit_test(test_a_program_that_cannot_start_is_an_error),
        cmocka_unit_test(test_what_runs_out_is_named_and_nothing_leaks),
        cmocka_unit_test(test_no_descriptor_stays_open),
        cmocka_unit_test(test_a_stop_kills_the_group_and_lasts),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}

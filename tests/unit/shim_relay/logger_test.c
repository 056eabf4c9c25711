/* SPDX-License-Identifier: Apache-2.0 */
/* Loggers, played by small shell scripts: what they get, readiness, failures, their end. */
#include "base/child.h"
#include "base/clock.h"
#include "base/str.h"
#include "shim/posix/logger.h"
#include "tests/unit/shim_relay/fixture.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct shim_logger_config logger_config(const char *path)
{
    return (struct shim_logger_config){
        .path = path,
        .ns = "space",
        .id = "one",
        .ready_ms = WAIT_MS,
        .drain_ms = WAIT_MS,
        .term_ms = WAIT_MS,
    };
}

static struct shim_logger *start(const struct shim_logger_config *config, int *ret_out,
                                 int *ret_err)
{
    struct shim_logger *l = NULL;
    struct shim_error err = {0};

    if (shim_logger_start(config, &l, ret_out, ret_err, &err) < 0)
        fail_msg("%s", err.msg);
    return l;
}

static void expect_failure(const struct shim_logger_config *config, int code, const char *message)
{
    unsigned fds = count_descriptors();
    struct shim_logger *l = NULL;
    struct shim_error err = {0};
    int out, error;

    assert_int_equal(shim_logger_start(config, &l, &out, &error, &err), code);
    assert_null(l);
    if (!strstr(err.msg, config->path) || !strstr(err.msg, message))
        fail_msg("\"%s\" does not say \"%s\"", err.msg, message);
    assert_int_equal(count_descriptors(), fds);
}

/* Writes to a temporary name first, so that whoever reads the file sees all of it. */
#define PUBLISH(name) "mv \"${0%/*}/" name ".tmp\" \"${0%/*}/" name "\"\n"
#define TO(name)      ">\"${0%/*}/" name ".tmp\" "

static void test_logger_gets_arguments_environment_and_descriptors(void **state)
{
    const char *path = fixture_script(
        "logger", "{ for a; do echo \"[$a]\"; done\n"
                  "tr '\\0' '\\n' </proc/$$/environ\n"
                  "ls -1 /proc/$$/fd; } " TO("seen") "\n" PUBLISH("seen") "echo ready >&5\n");
    const char *const args[] = {"key", "first value", "empty", "", NULL};
    struct shim_logger_config config = logger_config(path);
    cleanup_free char *seen = NULL;
    int out, error;

    (void)state;
    config.args = args;
    config.must_say_ready = true;
    shim_logger_stop(start(&config, &out, &error));
    seen = read_whole_file(fixture_path("seen"));
    assert_true(shim_starts_with(seen, "[key]\n[first value]\n[empty]\n[]\n"
                                       "CONTAINER_ID=one\nCONTAINER_NAMESPACE=space\n0\n1\n"));
    assert_non_null(strstr(seen, "\n3\n4\n5\n"));
    assert_null(strstr(seen, "\n6\n"));
    close(out);
    close(error);
}

static void test_logger_reads_both_outputs(void **state)
{
    const char *path =
        fixture_script("logger", "exec 5>&-\n"
                                 "{ cat <&3; cat <&4; } " TO("read") "\n" PUBLISH("read"));
    struct shim_logger_config config = logger_config(path);
    cleanup_free char *seen = NULL;
    struct shim_logger *l;
    int out, error;

    (void)state;
    l = start(&config, &out, &error);
    write_all(out, "out ");
    write_all(error, "err");
    close(out);
    close(error);
    shim_logger_stop(l);
    seen = read_whole_file(fixture_path("read"));
    assert_string_equal(seen, "out err");
}

static void test_end_of_the_ready_pipe_is_enough_for_binary(void **state)
{
    const char *path = fixture_script("logger", "exit 0\n");
    struct shim_logger_config config = logger_config(path);
    int out, error;

    (void)state;
    shim_logger_stop(start(&config, &out, &error));
    close(out);
    close(error);
}

static void test_end_of_the_ready_pipe_is_a_failure_for_binary_v2(void **state)
{
    struct shim_logger_config config;

    (void)state;
    config = logger_config(fixture_script("fails", "exit 3\n"));
    config.must_say_ready = true;
    expect_failure(&config, SHIM_E_UNAVAILABLE, "it ended with status 3 before it was ready");
    config = logger_config(fixture_script("closes", "exec 5>&-; read x <&3\n"));
    config.must_say_ready = true;
    expect_failure(&config, SHIM_E_UNAVAILABLE, "closed descriptor 5");
}

static void test_logger_that_is_missing_is_named(void **state)
{
    struct shim_logger_config config = logger_config(fixture_path("no-logger"));

    (void)state;
    expect_failure(&config, SHIM_E_NOT_FOUND, "start logger");
}

static void test_logger_that_is_never_ready_is_killed(void **state)
{
    const char *path = fixture_script("late", "trap '' TERM\necho $$ " TO("pid") "\n" PUBLISH(
                                                  "pid") "while :; do read x <&3; done\n");
    struct shim_logger_config config = logger_config(path);
    cleanup_free char *pid = NULL;

    (void)state;
    config.ready_ms = 300;
    expect_failure(&config, SHIM_E_DEADLINE, "not ready within 300 ms");
    pid = read_whole_file(fixture_path("pid"));
    assert_int_equal(kill(atoi(pid), 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void test_logger_is_terminated_when_the_end_of_its_input_is_not_enough(void **state)
{
    const char *path =
        fixture_script("stays", "trap 'echo terminated " TO("end") "; " PUBLISH(
                                    "end") "exit 0' TERM\n"
                                           "exec 5>&-\nwhile :; do sleep 0.05; done\n");
    struct shim_logger_config config = logger_config(path);
    cleanup_free char *seen = NULL;
    struct shim_logger *l;
    int out, error;

    (void)state;
    config.drain_ms = 10;
    l = start(&config, &out, &error);
    close(out);
    close(error);
    shim_logger_stop(l);
    seen = read_whole_file(fixture_path("end"));
    assert_string_equal(seen, "terminated\n");
    shim_loggers_finish(WAIT_MS);
}

static int64_t start_stubborn(struct shim_logger_config *config, struct shim_logger **ret)
{
    cleanup_free char *pid = NULL;
    int out, error;

    unlink(fixture_path("stubborn-pid"));
    config->path =
        fixture_script("stubborn", "trap '' TERM\n"
                                   "echo $$ " TO("stubborn-pid") "\n" PUBLISH(
                                       "stubborn-pid") "exec 5>&-\nwhile :; do sleep 0.05; done\n");
    *ret = start(config, &out, &error);
    close(out);
    close(error);
    pid = read_whole_file(fixture_path("stubborn-pid"));
    return atoi(pid);
}

static void expect_gone(int64_t pid)
{
    int64_t deadline_ns = shim_monotonic_ns() + WAIT_MS * SHIM_NS_PER_MS;

    while (kill((pid_t)pid, 0) == 0)
        assert_true(shim_monotonic_ns() < deadline_ns); /* killed, being reaped */
}

static void test_logger_that_ignores_sigterm_is_killed_in_the_background(void **state)
{
    struct shim_logger_config config = logger_config(NULL);
    struct shim_logger *l;
    int64_t pid;

    (void)state;
    config.drain_ms = 10;
    config.term_ms = 100;
    pid = start_stubborn(&config, &l);
    shim_logger_stop(l);
    assert_int_equal(kill((pid_t)pid, 0), 0); /* nobody waited for it */
    shim_loggers_finish(WAIT_MS);
    expect_gone(pid);
}

static void test_end_of_the_program_leaves_no_logger_behind(void **state)
{
    struct shim_logger_config config = logger_config(NULL);
    struct shim_logger *l;
    int64_t pid;

    (void)state;
    pid = start_stubborn(&config, &l);
    shim_logger_stop(l);
    shim_loggers_finish(50);
    expect_gone(pid);
}

static void test_stopping_no_logger_is_fine(void **state)
{
    (void)state;
    shim_logger_stop(NULL);
    shim_loggers_finish(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_logger_gets_arguments_environment_and_descriptors),
        cmocka_unit_test(test_logger_reads_both_outputs),
        cmocka_unit_test(test_end_of_the_ready_pipe_is_enough_for_binary),
        cmocka_unit_test(test_end_of_the_ready_pipe_is_a_failure_for_binary_v2),
        cmocka_unit_test(test_logger_that_is_missing_is_named),
        cmocka_unit_test(test_logger_that_is_never_ready_is_killed),
        cmocka_unit_test(test_logger_is_terminated_when_the_end_of_its_input_is_not_enough),
        cmocka_unit_test(test_logger_that_ignores_sigterm_is_killed_in_the_background),
        cmocka_unit_test(test_end_of_the_program_leaves_no_logger_behind),
        cmocka_unit_test(test_stopping_no_logger_is_fine),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Pid files; the rest of a launch is tested through create and exec. */
#include "hcs/linux/launch.h"
#include "tests/unit/hcs/linux/world.h"

static struct world w;

static int setup(void **state)
{
    (void)state;
    world_init(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_done(&w);
    return 0;
}

static void test_a_pid_is_read_with_and_without_a_line_end(void **state)
{
    int64_t pid = 0;

    (void)state;
    write_text(below(w.dir, "pid"), "4711");
    assert_ok(linux_pid_read(below(w.dir, "pid"), &pid, err));
    assert_int_equal(pid, 4711);
    write_text(below(w.dir, "pid"), "815\n");
    assert_ok(linux_pid_read(below(w.dir, "pid"), &pid, err));
    assert_int_equal(pid, 815);
}

static void test_what_is_no_pid_is_refused(void **state)
{
    static const char *const texts[] = {"", "\n", "0", "-1", "1x", "2147483648", "1 2"};
    int64_t pid = 7;

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(texts); i++) {
        write_text(below(w.dir, "pid"), texts[i]);
        assert_fails(SHIM_E_INVALID, "no process id",
                     linux_pid_read(below(w.dir, "pid"), &pid, err));
    }
    assert_fails(SHIM_E_NOT_FOUND, "none", linux_pid_read(below(w.dir, "none"), &pid, err));
    assert_int_equal(pid, 7);
}

static void test_a_console_with_an_error_stream_is_refused(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    cleanup_launch struct linux_launch l = LINUX_LAUNCH_INIT;

    (void)state;
    io.console = true;
    io.err.kind = HCS_STREAM_PIPE;
    assert_fails(SHIM_E_INVALID, "standard error", linux_launch_open(&l, &io, 0, 0, err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_pid_is_read_with_and_without_a_line_end),
        cmocka_unit_test(test_what_is_no_pid_is_refused),
        cmocka_unit_test(test_a_console_with_an_error_stream_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}

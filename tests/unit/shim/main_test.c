/* SPDX-License-Identifier: Apache-2.0 */
/* The program's front door: version, help, and command lines that are wrong. */
#include "tests/unit/shim/program.h"

static void test_the_version_is_printed_as_containerd_reads_it(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};

    (void)state;
    assert_int_equal(program_run("/", NULL, 0, PROGRAM_ARGS("-v"), &result), 0);
    assert_string_equal(shim_buf_str(&result.output),
                        "containerd-shim-hcs-v1:\n  Version:  " SHIM_VERSION "\n\n");
}

static void test_help_names_every_action(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};

    (void)state;
    assert_int_equal(program_run("/", NULL, 0, PROGRAM_ARGS("-help"), &result), 0);
    assert_non_null(strstr(shim_buf_str(&result.output), "start|serve|delete"));
}

static void test_a_wrong_command_line_is_a_usage_error(void **state)
{
    (void)state;
    program_expect_failure("/", PROGRAM_ARGS("-colour"), 2, "-colour");
    program_expect_failure("/", PROGRAM_ARGS("dance"), 2, "unknown action \"dance\"");
    program_expect_failure("/", PROGRAM_ARGS("-id", "c1"), 2, "no action");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_version_is_printed_as_containerd_reads_it),
        cmocka_unit_test(test_help_names_every_action),
        cmocka_unit_test(test_a_wrong_command_line_is_a_usage_error),
    };

    return program_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

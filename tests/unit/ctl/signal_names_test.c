/* SPDX-License-Identifier: Apache-2.0 */
/* Signals by name and number. */
#include "shim/ctl/signal_names.h"
#include "tests/test.h"
#include <signal.h>

static void test_names_mean_this_systems_numbers(void **state)
{
    (void)state;
    assert_int_equal(ctl_signal_number("TERM"), SIGTERM);
    assert_int_equal(ctl_signal_number("SIGKILL"), SIGKILL);
    assert_int_equal(ctl_signal_number("sigusr1"), SIGUSR1);
    assert_int_equal(ctl_signal_number("Winch"), SIGWINCH);
    assert_int_equal(ctl_signal_number("VTALRM"), SIGVTALRM);
    assert_int_equal(ctl_signal_number("PROF"), SIGPROF);
    assert_int_equal(ctl_signal_number("SYS"), SIGSYS);
    assert_int_equal(ctl_signal_number("SIGRTMIN+3"), SIGRTMIN + 3);
    assert_int_equal(ctl_signal_number("RTMAX-14"), SIGRTMAX - 14);
}

static void test_numbers_are_taken_as_they_are(void **state)
{
    (void)state;
    assert_int_equal(ctl_signal_number("9"), 9);
    assert_int_equal(ctl_signal_number("64"), 64);
}

static void test_what_is_no_signal_is_0(void **state)
{
    static const char *const names[] = {"", "SIG", "FOO", "65", "-1", "RTMIN+31", "RTMIN-1", "9x"};

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(names); i++)
        assert_int_equal(ctl_signal_number(names[i]), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_mean_this_systems_numbers),
        cmocka_unit_test(test_numbers_are_taken_as_they_are),
        cmocka_unit_test(test_what_is_no_signal_is_0),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

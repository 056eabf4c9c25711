/* SPDX-License-Identifier: Apache-2.0 */
/* The command exec. */
#include "base/child.h"
#include "shim/ctl/signals.h"
#include "stand_in.h"

static void test_exec_runs_what_it_is_told_and_deletes_it(void **state)
{
    static const char *const argv[] = {"--env", "A=1", "--cwd", "/x", "c1", "prog", "-v", NULL};
    cleanup_free char *out = NULL;
    struct stand_in s;

    (void)state;
    stand_in_begin(&s);
    s.shim.ends_at_start = true;
    s.ctl.address = s.shim.address;
    assert_int_equal(fake_command(ctl_exec, &s.ctl, argv, &out, NULL), 143);
    assert_string_equal(out, "from exec\n");
    assert_non_null(strstr(s.shim.document, "\"prog\""));
    assert_non_null(strstr(s.shim.document, "\"-v\""));
    assert_non_null(strstr(s.shim.document, "\"A=1\""));
    assert_non_null(strstr(s.shim.document, "\"/x\""));
    assert_int_equal(s.shim.deleted, 1);
    assert_int_equal(s.shim.shut_down, 0);
    stand_in_end(&s);
}

static void test_exec_needs_a_container_and_a_program(void **state)
{
    static const char *const no_program[] = {"c1", NULL};
    static const char *const no_container[] = {"c1", "prog", NULL};
    static const char *const bad_id[] = {"--exec-id", "a/b", "c1", "prog", NULL};
    struct stand_in s;

    (void)state;
    stand_in_begin(&s);
    assert_int_equal(ctl_exec(&s.ctl, no_program, NULL), CTL_E_USAGE);
    assert_int_equal(ctl_exec(&s.ctl, no_container, NULL), SHIM_E_NOT_FOUND);
    assert_int_equal(ctl_exec(&s.ctl, bad_id, NULL), SHIM_E_INVALID);
    stand_in_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exec_runs_what_it_is_told_and_deletes_it),
        cmocka_unit_test(test_exec_needs_a_container_and_a_program),
    };

    ctl_signals_block();
    if (shim_child_init(false, NULL) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The command run, from the bundle to its end. */
#include "base/child.h"
#include "shim/ctl/signals.h"
#include "stand_in.h"

static void test_run_shows_output_and_takes_everything_away(void **state)
{
    static const char *const argv[] = {"--rm", "--rootfs", "/", "c1", "true", NULL};
    cleanup_free char *out = NULL;
    struct stand_in s;

    (void)state;
    stand_in_begin(&s);
    s.shim.ends_at_start = true;
    assert_int_equal(fake_command(ctl_run, &s.ctl, argv, &out, NULL), 143);
    assert_string_equal(out, "from create\n");
    assert_int_equal(s.shim.deleted, 1);
    assert_int_equal(s.shim.shut_down, 1);
    assert_int_equal(stand_in_deletes(&s), 1);
    assert_false(stand_in_has_bundle(&s, "c1"));
    stand_in_end(&s);
}

static void test_a_detached_container_stays(void **state)
{
    static const char *const argv[] = {"-d", "--rootfs", "/", "c1", "true", NULL};
    cleanup_free char *out = NULL;
    struct stand_in s;

    (void)state;
    stand_in_begin(&s);
    assert_int_equal(fake_command(ctl_run, &s.ctl, argv, &out, NULL), 0);
    assert_non_null(strstr(out, "\"id\":\"c1\",\"pid\":42,"));
    assert_int_equal(s.shim.deleted, 0);
    assert_true(stand_in_has_bundle(&s, "c1"));
    stand_in_end(&s);
}

static void test_a_refused_create_leaves_nothing(void **state)
{
    static const char *const argv[] = {"--rootfs", "/", "c1", "true", NULL};
    struct shim_error err;
    struct stand_in s;

    (void)state;
    stand_in_begin(&s);
    s.shim.refuses_create = true;
    assert_int_equal(ctl_run(&s.ctl, argv, &err), SHIM_E_UNKNOWN);
    assert_string_equal(err.msg, "no luck today");
    assert_int_equal(s.shim.shut_down, 1);
    assert_int_equal(stand_in_deletes(&s), 1);
    assert_false(stand_in_has_bundle(&s, "c1"));
    stand_in_end(&s);
}

static void test_what_does_not_go_together_is_refused(void **state)
{
    static const char *const rows[][8] = {
        {"c1", "true"},
        {"-d", "-t", "--rootfs", "/", "c1", "true"},
        {"-d", "--rm", "--rootfs", "/", "c1", "true"},
        {"--log-uri", "file:///x", "--rootfs", "/", "c1", "true"},
        {"--rootfs", "/"},
    };
    struct stand_in s;

    (void)state;
    stand_in_begin(&s);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(rows); i++)
        assert_int_equal(ctl_run(&s.ctl, rows[i], NULL), CTL_E_USAGE);
    assert_false(stand_in_has_bundle(&s, "c1"));
    stand_in_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run_shows_output_and_takes_everything_away),
        cmocka_unit_test(test_a_detached_container_stays),
        cmocka_unit_test(test_a_refused_create_leaves_nothing),
        cmocka_unit_test(test_what_does_not_go_together_is_refused),
    };

    ctl_signals_block();
    if (shim_child_init(false, NULL) < 0 || shim_child_start_reaper(NULL) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

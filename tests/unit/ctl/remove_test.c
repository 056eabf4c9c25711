/* SPDX-License-Identifier: Apache-2.0 */
/* The command delete, with a shim that lives and one that does not. */
#include "base/child.h"
#include "stand_in.h"

static const char *const c1[] = {"c1", NULL};

static void make_bundle(const struct stand_in *s, const char *address)
{
    cleanup_free char *bundle = shim_strf("%s/ns1/c1", s->folder);

    assert_int_equal(shim_dir_make_all(bundle, 0700, NULL), 0);
    if (address)
        folder_write(bundle, "address", address);
}

static void test_delete_does_what_containerd_does(void **state)
{
    cleanup_free char *out = NULL;
    struct stand_in s;

    (void)state;
    stand_in_begin(&s);
    make_bundle(&s, s.shim.address);
    assert_int_equal(fake_command(ctl_delete, &s.ctl, c1, &out, NULL), 0);
    assert_non_null(strstr(out, "\"exit_status\":143"));
    assert_int_equal(s.shim.deleted, 1);
    assert_int_equal(s.shim.shut_down, 1);
    assert_int_equal(stand_in_deletes(&s), 1);
    assert_false(stand_in_has_bundle(&s, "c1"));
    stand_in_end(&s);
}

static void test_force_kills_first(void **state)
{
    static const char *const argv[] = {"--force", "c1", NULL};
    cleanup_free char *out = NULL;
    struct stand_in s;

    (void)state;
    stand_in_begin(&s);
    make_bundle(&s, s.shim.address);
    assert_int_equal(fake_command(ctl_delete, &s.ctl, argv, &out, NULL), 0);
    assert_int_equal(s.shim.killed_with, 9);
    assert_int_equal(s.shim.deleted, 1);
    stand_in_end(&s);
}

static void clean_up_after(const char *socket_name)
{
    cleanup_free char *address = NULL;
    cleanup_free char *out = NULL;
    struct stand_in s;

    stand_in_begin(&s);
    if (socket_name)
        address = shim_strf("unix://%s/%s", s.folder, socket_name);
    make_bundle(&s, address);
    assert_int_equal(fake_command(ctl_delete, &s.ctl, c1, &out, NULL), 0);
    assert_non_null(strstr(out, "\"exit_status\":137"));
    assert_int_equal(stand_in_deletes(&s), 1);
    assert_false(stand_in_has_bundle(&s, "c1"));
    stand_in_end(&s);
}

static void test_a_dead_or_never_started_shim_is_cleaned_up_after(void **state)
{
    (void)state;
    clean_up_after("gone.sock");
    clean_up_after(NULL);
}

static void test_somebody_elses_container_keeps_its_bundle(void **state)
{
    cleanup_free char *out = NULL;
    struct stand_in s;

    (void)state;
    stand_in_begin(&s);
    make_bundle(&s, NULL);
    s.ctl.address = s.shim.address;
    assert_int_equal(fake_command(ctl_delete, &s.ctl, c1, &out, NULL), 0);
    assert_int_equal(s.shim.deleted, 1);
    assert_int_equal(s.shim.shut_down, 0);
    assert_int_equal(stand_in_deletes(&s), 0);
    assert_true(stand_in_has_bundle(&s, "c1"));
    stand_in_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_delete_does_what_containerd_does),
        cmocka_unit_test(test_force_kills_first),
        cmocka_unit_test(test_a_dead_or_never_started_shim_is_cleaned_up_after),
        cmocka_unit_test(test_somebody_elses_container_keeps_its_bundle),
    };

    if (shim_child_init(false, NULL) < 0 || shim_child_start_reaper(NULL) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

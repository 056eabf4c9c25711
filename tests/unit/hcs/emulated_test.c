/* SPDX-License-Identifier: Apache-2.0 */
/* The provider as such: its name, what it has not, and storage without privileges. */
#include "tests/unit/hcs/emulated_world.h"

static void test_no_mounts_need_no_privileges(void **state)
{
    const struct hcs_provider *p = hcs_provider_find("emulated");

    (void)state;
    assert_int_equal(hcs_storage_mount(p, NULL, 0, "/no/such/rootfs", NULL), 0);
    assert_int_equal(hcs_storage_unmount(p, "/no/such/rootfs", NULL), 0);
}

static void test_mounts_that_are_asked_for_are_tried(void **state)
{
    const struct hcs_mount mount = {.type = "no-such-filesystem", .source = "none", .target = ""};
    cleanup_free char *rootfs = world_path("mounted");
    struct shim_error err = {0};

    (void)state;
    assert_true(hcs_storage_mount(hcs_provider_find("emulated"), &mount, 1, rootfs, &err) < 0);
    assert_true(*err.msg);
}

static void test_the_provider_has_no_runtime_and_no_features(void **state)
{
    const struct hcs_provider *p = hcs_provider_find("emulated");
    cleanup_hcs_facts struct hcs_facts facts = {0};
    char *features = NULL;

    (void)state;
    assert_string_equal(hcs_provider_name(p), "emulated");
    assert_int_equal(hcs_provider_facts(p, NULL, &facts, NULL), 0);
    assert_null(facts.runtime);
    assert_int_equal(hcs_provider_features(p, NULL, &features, NULL), 0);
    assert_null(features);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_mounts_need_no_privileges),
        cmocka_unit_test(test_mounts_that_are_asked_for_are_tried),
        cmocka_unit_test(test_the_provider_has_no_runtime_and_no_features),
    };

    return world_main_setup() < 0 ? 1 : cmocka_run_group_tests(tests, world_open, world_close);
}

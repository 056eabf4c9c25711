/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoints, against a stand-in runtime. */
#include "tests/unit/hcs/linux/standin.h"

static void test_a_checkpoint_has_every_flag_that_is_asked_for(void **state)
{
    static const char *const namespaces[] = {"network", "ipc", NULL};
    struct hcs_checkpoint c = {
        .image_path = "/images/one",
        .work_path = "/dump/here",
        .parent_path = "../zero",
        .open_tcp = true,
        .external_unix_sockets = true,
        .terminal = true,
        .file_locks = true,
        .empty_namespaces = namespaces,
        .cgroups_mode = "soft",
    };
    struct standin *s = *state;

    standin_create(s);
    assert_ok(hcs_system_checkpoint(s->system, &c, err));
    assert_true(standin_called(
        s, "checkpoint --image-path /images/one --parent-path ../zero --work-path /dump/here "
           "--leave-running --tcp-established --ext-unix-sk --shell-job --file-locks --empty-ns "
           "network --empty-ns ipc --manage-cgroups-mode soft box"));
}

static void test_a_checkpoint_that_ends_the_container_does_not_leave_it_running(void **state)
{
    struct hcs_checkpoint c = {.image_path = "/images/one", .exit = true, .cgroups_mode = ""};
    struct standin *s = *state;

    standin_create(s);
    assert_int_equal(mkdir(below(s->world.bundle, "work"), 0700), 0);
    assert_ok(hcs_system_checkpoint(s->system, &c, err));
    assert_true(
        standin_called(s, "checkpoint --image-path /images/one --work-path %s/work/criu-work box"));
}

static void test_a_failure_keeps_criu_s_log_in_the_bundle(void **state)
{
    struct hcs_checkpoint c = {.image_path = "/images/one"};
    struct standin *s = *state;
    cleanup_free char *log = NULL;

    standin_on(s, "checkpoint",
               "case $all in *--help*) exit 0;; esac\n"
               "work=$(dirname \"$log\")/criu-work; mkdir \"$work\"; echo details "
               ">\"$work/dump.log\"; error 'criu failed'; exit 1\n");
    standin_create(s);
    assert_fails(SHIM_E_UNKNOWN, "criu-dump.log: OCI runtime checkpoint failed: criu failed",
                 hcs_system_checkpoint(s->system, &c, err));
    log = read_text(below(s->world.bundle, "criu-dump.log"));
    assert_string_equal(log, "details\n");
    assert_false(shim_file_exists(below(s->world.bundle, "criu-work")));
}

static void test_a_runtime_without_checkpoint_is_named(void **state)
{
    struct hcs_checkpoint c = {.image_path = "/images/one"};
    struct standin *s = *state;

    standin_on(s, "checkpoint", "echo unknown command >&2; exit 1\n");
    standin_create(s);
    assert_fails(SHIM_E_UNIMPLEMENTED, s->runtime, hcs_system_checkpoint(s->system, &c, err));
}

static void test_a_checkpoint_needs_an_image_path_and_a_container(void **state)
{
    struct hcs_checkpoint c = {.image_path = ""};
    struct hcs_restore restore = {0};
    struct standin *s = *state;

    s->system = standin_system(s, NULL);
    assert_fails(SHIM_E_INVALID, "no image path", hcs_system_checkpoint(s->system, &c, err));
    assert_fails(SHIM_E_INVALID, "no image path",
                 hcs_system_create(s->system, &restore, &s->io, err));
    c.image_path = "/images/one";
    assert_fails(SHIM_E_STATE, "does not run", hcs_system_checkpoint(s->system, &c, err));
    assert_int_equal(standin_calls(s), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, standin_setup, standin_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_checkpoint_has_every_flag_that_is_asked_for),
        TEST(test_a_checkpoint_that_ends_the_container_does_not_leave_it_running),
        TEST(test_a_failure_keeps_criu_s_log_in_the_bundle),
        TEST(test_a_runtime_without_checkpoint_is_named),
        TEST(test_a_checkpoint_needs_an_image_path_and_a_container),
    };

    return standin_main("criu", tests, SHIM_ARRAY_LEN(tests));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on a living container, against a stand-in runtime. */
#include "hcs/linux/system.h"
#include "hcs/stats.h"
#include "tests/unit/hcs/linux/standin.h"

static void test_each_operation_is_its_command(void **state)
{
    struct standin *s = *state;
    cleanup_free char *resources = NULL;

    standin_create(s);
    assert_ok(hcs_system_start(s->system, err));
    assert_true(standin_called(s, "start box"));
    assert_ok(hcs_system_pause(s->system, err));
    assert_true(standin_called(s, "pause box"));
    assert_ok(hcs_system_resume(s->system, err));
    assert_true(standin_called(s, "resume box"));
    assert_ok(hcs_system_update(s->system, "{\"pids\":{\"limit\":7}}", err));
    assert_true(standin_called(s, "update --resources=- box"));
    resources = read_text(below(s->world.dir, "resources"));
    assert_string_equal(resources, "{\"pids\":{\"limit\":7}}");
}

static void test_a_failure_names_the_operation_and_what_the_runtime_printed(void **state)
{
    struct standin *s = *state;

    standin_on(s, "start", "echo on stderr >&2; echo on stdout; exit 4\n");
    standin_on(s, "pause", "error 'not now'; echo noise; exit 1\n");
    standin_create(s);
    assert_fails(SHIM_E_UNKNOWN, "OCI runtime start failed: exit status 4: on stderr: on stdout",
                 hcs_system_start(s->system, err));
    assert_fails(SHIM_E_UNKNOWN, "OCI runtime pause failed: not now",
                 hcs_system_pause(s->system, err));
}

static void test_nothing_is_asked_of_a_container_that_ended_or_never_was(void **state)
{
    struct standin *s = *state;
    unsigned calls;

    s->system = standin_system(s, NULL);
    assert_fails(SHIM_E_STATE, "cannot start: the container was not created",
                 hcs_system_start(s->system, err));
    assert_fails(SHIM_E_STATE, "cannot update: ", hcs_system_update(s->system, "{}", err));
    assert_ok(hcs_system_create(s->system, NULL, &s->io, err));
    assert_ok(hcs_process_signal(hcs_system_init(s->system), SIGKILL, err));
    story_await_exit(&s->init);
    calls = standin_calls(s);
    assert_fails(SHIM_E_STATE, "cannot pause: the container's init process has ended",
                 hcs_system_pause(s->system, err));
    assert_fails(SHIM_E_STATE, "cannot resume: ", hcs_system_resume(s->system, err));
    assert_int_equal(standin_calls(s), calls);
}

static int pause_call(struct standin *s, struct shim_error *err)
{
    return hcs_system_pause(s->system, err);
}

static void test_a_hung_runtime_holds_up_nobody_else_and_can_be_cancelled(void **state)
{
    struct standin *s = *state;
    cleanup_hcs_pids struct hcs_pids pids = {0};
    struct background b;

    standin_on(s, "pause", STANDIN_HANGS);
    standin_create(s);
    background_start(&b, s, pause_call);
    assert_ok(hcs_system_pids(s->system, &pids, err));
    assert_ok(hcs_system_resume(s->system, err));
    hcs_system_cancel(s->system);
    shim_thread_join(&b.thread);
    assert_int_equal(b.r, SHIM_E_CANCELED);
    assert_ok(hcs_system_resume(s->system, err)); /* cancelling is over */
}

static void test_without_a_control_group_of_its_own_init_is_all_that_is_known(void **state)
{
    struct standin *s = *state;
    struct hcs_pids pids = {0};
    struct hcs_stats stats;

    s->system = standin_system(s, NULL);
    assert_fails(SHIM_E_NOT_FOUND, "does not exist", hcs_system_pids(s->system, &pids, err));
    assert_ok(hcs_system_create(s->system, NULL, &s->io, err));
    assert_ok(hcs_system_pids(s->system, &pids, err));
    assert_int_equal(pids.n, 1);
    assert_int_equal(pids.pid[0], hcs_process_pid(hcs_system_init(s->system)));
    hcs_pids_done(&pids);
    assert_fails(SHIM_E_NOT_FOUND, "no statistics of container box",
                 hcs_system_stats(s->system, &stats, err));

    assert_ok(hcs_process_signal(hcs_system_init(s->system), SIGKILL, err));
    story_await_exit(&s->init);
    assert_ok(hcs_system_pids(s->system, &pids, err));
    assert_int_equal(pids.n, 0);
}

static void test_statistics_outlive_the_control_group(void **state)
{
    struct standin *s = *state;
    struct linux_system *system;
    struct hcs_stats stats;

    standin_create(s);
    system = linux_system_of(s->system);
    assert_false(system->has_cgroup);
    system->cgroup = (struct linux_cgroup){.unified = true, .dir = strdup(s->world.rootfs)};
    system->has_cgroup = true;
    write_text(below(s->world.rootfs, "pids.current"), "3\n");
    assert_ok(hcs_system_stats(s->system, &stats, err));
    assert_int_equal(stats.v2.pids_current, 3);
    hcs_stats_done(&stats);

    assert_int_equal(unlink(below(s->world.rootfs, "pids.current")), 0);
    assert_int_equal(rmdir(s->world.rootfs), 0);
    assert_ok(hcs_process_signal(hcs_system_init(s->system), SIGKILL, err));
    story_await_exit(&s->init);
    assert_ok(hcs_system_stats(s->system, &stats, err));
    assert_int_equal(stats.v2.pids_current, 3);
    hcs_stats_done(&stats);
}

static void test_final_statistics_are_not_replaced_by_earlier_ones(void **state)
{
    struct standin *s = *state;
    struct linux_system *system;
    struct hcs_stats early = {.kind = HCS_STATS_CGROUP2, .v2.pids_current = 1};
    struct hcs_stats late = {.kind = HCS_STATS_CGROUP2, .v2.pids_current = 2};
    struct hcs_stats stats;

    standin_create(s);
    system = linux_system_of(s->system);
    linux_keep_figures(system, &late, true);
    linux_keep_figures(system, &early, false);
    assert_ok(hcs_system_stats(s->system, &stats, err));
    assert_int_equal(stats.v2.pids_current, 2);
    hcs_stats_done(&stats);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, standin_setup, standin_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_each_operation_is_its_command),
        TEST(test_a_failure_names_the_operation_and_what_the_runtime_printed),
        TEST(test_nothing_is_asked_of_a_container_that_ended_or_never_was),
        TEST(test_a_hung_runtime_holds_up_nobody_else_and_can_be_cancelled),
        TEST(test_without_a_control_group_of_its_own_init_is_all_that_is_known),
        TEST(test_statistics_outlive_the_control_group),
        TEST(test_final_statistics_are_not_replaced_by_earlier_ones),
    };

    return standin_main("operate", tests, SHIM_ARRAY_LEN(tests));
}

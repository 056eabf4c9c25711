/* SPDX-License-Identifier: Apache-2.0 */
/* The order of events around the end of processes, and who waits for it. */
#include "base/clock.h"
#include "tests/unit/shim/world.h"
#include <sys/stat.h>

/* --- order ---------------------------------------------------------------------------------- */

static void test_a_container_has_create_start_exit_delete_in_this_order(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    world_exit(w, "c1", "", 7);
    assert_int_equal(world_delete(w, "c1", ""), 7);
    world_expect_events(w, "create c1 1001\nstart c1 1001\nexit c1 c1 1001 7\ndelete c1 1001 7\n");
    world_free(w);
}

static void test_an_exit_that_comes_before_start_has_returned_follows_the_start(void **state)
{
    struct world *w = world_new();
    struct world_pending wait;

    (void)state;
    hcs_fake_end_during(FAKE_START, 3);
    assert_int_equal(world_create(w, "c1"), 0);
    world_begin_wait(w, "c1", "", &wait);
    assert_int_equal(world_start(w, "c1", ""), 0);
    assert_int_equal(world_end(&wait), 0);
    assert_int_equal(wait.exit_status, 3);
    world_expect_events(w, "create c1 1001\nstart c1 1001\nexit c1 c1 1001 3\n");
    world_free(w);
}

static void test_an_exit_during_create_follows_the_creation(void **state)
{
    struct world *w = world_new();

    (void)state;
    hcs_fake_end_during(FAKE_CREATE, 1);
    assert_int_equal(world_create(w, "c1"), 0);
    assert_int_equal(world_wait(w, "c1", ""), 1);
    assert_error(w, world_start(w, "c1", ""), SHIM_E_UNKNOWN, "cannot start a stopped process");
    world_expect_events(w, "create c1 1001\nexit c1 c1 1001 1\n");
    world_free(w);
}

static void test_the_exit_of_init_is_the_last_of_its_container(void **state)
{
    struct world *w = world_new();
    struct world_pending wait;

    (void)state;
    world_run(w, "c1");
    world_run_exec(w, "c1", "e1");
    world_run_exec(w, "c1", "e2");
    world_begin_wait(w, "c1", "", &wait);
    world_exit(w, "c1", "", 0);
    assert_int_equal(world_end(&wait), 0); /* it does not wait for the execs */
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__STOPPED);
    world_exit(w, "c1", "e2", 2);
    world_exit(w, "c1", "e1", 1);
    world_expect_events(w, "create c1 1001\nstart c1 1001\n"
                           "exec-added c1 e1\nexec-started c1 e1 1002\n"
                           "exec-added c1 e2\nexec-started c1 e2 1003\n"
                           "exit c1 e2 1003 2\nexit c1 e1 1002 1\nexit c1 c1 1001 0\n");
    world_free(w);
}

static void test_an_exec_that_only_exists_does_not_hold_back_the_exit_of_init(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    assert_int_equal(world_exec(w, "c1", "e1"), 0);
    world_exit(w, "c1", "", 0);
    world_expect_events(w, "create c1 1001\nstart c1 1001\nexec-added c1 e1\nexit c1 c1 1001 0\n");
    world_free(w);
}

static void test_an_exec_that_ends_before_its_start_has_returned_is_told_in_order(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    hcs_fake_end_during(FAKE_PROCESS_START, 5);
    world_run_exec(w, "c1", "e1");
    assert_int_equal(world_wait(w, "c1", "e1"), 5);
    world_expect_events(w, "create c1 1001\nstart c1 1001\nexec-added c1 e1\n"
                           "exec-started c1 e1 1002\nexit c1 e1 1002 5\n");
    world_free(w);
}

static void test_an_exec_start_under_way_holds_back_the_exit_of_init(void **state)
{
    struct world *w = world_new();
    struct world_pending start;

    (void)state;
    world_run(w, "c1");
    assert_int_equal(world_exec(w, "c1", "e1"), 0);
    hcs_fake_hang(FAKE_PROCESS_START, true);
    world_begin_start(w, "c1", "e1", &start);
    assert_true(hcs_fake_await_hanging(FAKE_PROCESS_START, 1));
    world_exit(w, "c1", "", 0);
    hcs_fake_fail(FAKE_PROCESS_START, SHIM_E_STATE);
    hcs_fake_hang(FAKE_PROCESS_START, false);
    assert_int_equal(world_end(&start), SHIM_E_STATE);
    world_expect_events(w, "create c1 1001\nstart c1 1001\nexec-added c1 e1\nexit c1 c1 1001 0\n");
    world_free(w);
}

static void test_an_exec_deleted_right_after_its_wait_still_has_its_exit_event(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    for (int i = 0; i < 20; i++) {
        struct world_pending wait;

        world_run_exec(w, "c1", "e1");
        world_begin_wait(w, "c1", "e1", &wait);
        world_exit(w, "c1", "e1", 0);
        assert_int_equal(world_end(&wait), 0);
        assert_int_equal(world_delete(w, "c1", "e1"), 0);
    }
    assert_int_equal(world_kill(w, "c1", "", 9), 0);
    assert_int_equal(world_wait(w, "c1", ""), 137);
    assert_int_equal(world_delete(w, "c1", ""), 137);
    assert_true(events_fake_await(w->containerd, 2 + 20 * 3 + 2));
    world_free(w);
}

static void test_out_of_memory_is_told_before_the_exit_it_causes(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    hcs_fake_oom("c1");
    world_exit(w, "c1", "", 137);
    world_expect_events(w, "create c1 1001\nstart c1 1001\noom c1\nexit c1 c1 1001 137\n");
    world_free(w);
}

/* --- failed starts -------------------------------------------------------------------------- */

static void test_a_failed_exec_start_is_no_event_and_releases_waits(void **state)
{
    struct world *w = world_new();
    struct world_pending wait;

    (void)state;
    world_run(w, "c1");
    assert_int_equal(world_exec(w, "c1", "e1"), 0);
    world_begin_wait(w, "c1", "e1", &wait);
    hcs_fake_fail(FAKE_PROCESS_START, SHIM_E_UNKNOWN);
    assert_error(w, world_start(w, "c1", "e1"), SHIM_E_UNKNOWN, "process start fails");
    assert_int_equal(world_end(&wait), 0);
    assert_int_equal(wait.exit_status, 0);
    assert_int_equal(world_wait(w, "c1", "e1"), 0); /* later ones return at once */
    assert_int_equal(world_state(w, "c1", "e1"), TASK__STATUS__CREATED);
    assert_int_equal(world_delete(w, "c1", "e1"), 0);
    world_exit(w, "c1", "", 0);
    world_expect_events(w, "create c1 1001\nstart c1 1001\nexec-added c1 e1\nexit c1 c1 1001 0\n");
    world_free(w);
}

static void test_an_exec_whose_start_failed_can_be_started_again(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    assert_int_equal(world_exec(w, "c1", "e1"), 0);
    hcs_fake_fail(FAKE_PROCESS_START, SHIM_E_UNKNOWN);
    assert_int_equal(world_start(w, "c1", "e1"), SHIM_E_UNKNOWN);
    hcs_fake_fail(FAKE_PROCESS_START, 0);
    assert_int_equal(world_start(w, "c1", "e1"), 0);
    world_exit(w, "c1", "e1", 4);
    assert_int_equal(world_wait(w, "c1", "e1"), 4);
    world_free(w);
}

static void test_a_failed_start_of_init_leaves_it_created_and_waits_parked(void **state)
{
    struct world *w = world_new();
    struct world_pending wait;

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    world_begin_wait(w, "c1", "", &wait);
    hcs_fake_fail(FAKE_START, SHIM_E_UNKNOWN);
    assert_error(w, world_start(w, "c1", ""), SHIM_E_UNKNOWN, "start fails");
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__CREATED);
    assert_true(world_is_pending(&wait));
    assert_int_equal(world_delete(w, "c1", ""), 137);
    assert_int_equal(world_end(&wait), 0);
    assert_int_equal(wait.exit_status, 137);
    world_expect_events(w, "create c1 1001\nexit c1 c1 1001 137\ndelete c1 1001 137\n");
    world_free(w);
}

static void test_an_init_that_dies_in_a_failing_start_is_stopped(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    hcs_fake_fail(FAKE_START, SHIM_E_UNKNOWN);
    hcs_fake_end_during(FAKE_START, 127);
    assert_int_equal(world_start(w, "c1", ""), SHIM_E_UNKNOWN);
    assert_int_equal(world_wait(w, "c1", ""), 127);
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__STOPPED);
    world_expect_events(w, "create c1 1001\nexit c1 c1 1001 127\n");
    world_free(w);
}

/* The relay gets no pipes from the provider. */
static void test_an_exec_whose_streams_fail_is_killed_and_is_no_event(void **state)
{
    Task__ExecProcessRequest m = TASK__EXEC_PROCESS_REQUEST__INIT;
    struct world *w = world_new();
    cleanup_free char *fifo = shim_strf("%s/out", w->folder);
    Pb__Any any = PB__ANY__INIT;

    (void)state;
    world_run(w, "c1");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    any.value.data = (uint8_t *)"{\"args\":[\"x\"],\"cwd\":\"/\"}";
    any.value.len = strlen((char *)any.value.data);
    m.id = (char *)"c1";
    m.exec_id = (char *)"e1";
    m.stdout_path = fifo;
    m.spec = &any;
    assert_int_equal(world_call(w, "Exec", &m.base, NULL), 0);
    hcs_fake_withhold_pipes(true);
    assert_error(w, world_start(w, "c1", "e1"), SHIM_E_INTERNAL, "no pipe for stdout");
    assert_string_equal(hcs_fake_last(FAKE_SIGNAL), "c1 e1 9");
    assert_int_equal(world_wait(w, "c1", "e1"), 137);
    assert_int_equal(world_delete(w, "c1", "e1"), 137);
    world_exit(w, "c1", "", 0);
    world_expect_events(w, "create c1 1001\nstart c1 1001\nexec-added c1 e1\nexit c1 c1 1001 0\n");
    world_free(w);
}

/* --- waiting -------------------------------------------------------------------------------- */

static void test_every_wait_gets_the_same_answer_until_the_delete(void **state)
{
    struct world *w = world_new();
    struct world_pending before[3];

    (void)state;
    world_run(w, "c1");
    for (size_t i = 0; i < SHIM_ARRAY_LEN(before); i++)
        world_begin_wait(w, "c1", "", &before[i]);
    world_exit(w, "c1", "", 9);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(before); i++) {
        assert_int_equal(world_end(&before[i]), 0);
        assert_int_equal(before[i].exit_status, 9);
    }
    assert_int_equal(world_wait(w, "c1", ""), 9);
    assert_int_equal(world_delete(w, "c1", ""), 9);
    assert_int_equal(world_wait(w, "c1", ""), SHIM_E_NOT_FOUND);
    world_free(w);
}

static void test_a_wait_that_nobody_waits_for_is_dropped(void **state)
{
    struct world *w = world_new();
    struct world_pending waits[3];
    struct ttrpc_client *other = NULL;

    (void)state;
    world_run(w, "c1");
    assert_int_equal(ttrpc_client_connect(w->address, 5000, NULL, NULL, &other, NULL), 0);
    world_begin_wait(w, "c1", "", &waits[0]);
    {
        struct ttrpc_client *own = w->client;

        w->client = other;
        world_begin_wait(w, "c1", "", &waits[1]);
        w->client = own;
    }
    world_begin_wait(w, "c1", "", &waits[2]);
    ttrpc_client_free(other);
    assert_int_equal(world_end(&waits[1]), SHIM_E_CANCELED);
    world_exit(w, "c1", "", 0);
    assert_int_equal(world_end(&waits[0]), 0);
    assert_int_equal(world_end(&waits[2]), 0);
    world_free(w); /* a reference that leaked would keep the system */
}

static void test_a_wait_ends_at_its_deadline_while_the_process_goes_on(void **state)
{
    Task__WaitRequest m = TASK__WAIT_REQUEST__INIT;
    struct ttrpc_call_options options = {.timeout_ns = 20 * SHIM_NS_PER_MS};
    struct world *w = world_new();
    ProtobufCMessage *answer = NULL;

    (void)state;
    world_run(w, "c1");
    m.id = (char *)"c1";
    assert_int_equal(ttrpc_client_call(w->client, &task__task__descriptor, "Wait", &m.base,
                                       &options, &answer, NULL),
                     SHIM_E_DEADLINE);
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__RUNNING);
    world_exit(w, "c1", "", 2);
    assert_int_equal(world_wait(w, "c1", ""), 2);
    world_free(w);
}

static void test_waits_for_what_never_ran_end_with_its_delete(void **state)
{
    struct world *w = world_new();
    struct world_pending exec, restored;

    (void)state;
    world_run(w, "c1");
    assert_int_equal(world_exec(w, "c1", "e1"), 0);
    world_begin_wait(w, "c1", "e1", &exec);
    assert_int_equal(world_delete(w, "c1", "e1"), 0);
    assert_int_equal(world_end(&exec), 0);

    assert_int_equal(world_exec(w, "c1", "e2"), 0);
    world_begin_wait(w, "c1", "e2", &exec);
    world_exit(w, "c1", "", 0);
    assert_int_equal(world_delete(w, "c1", ""), 0);
    assert_int_equal(world_end(&exec), 0);

    assert_int_equal(world_create_from(w, "c2", "/image"), 0);
    world_begin_wait(w, "c2", "", &restored);
    assert_int_equal(world_delete(w, "c2", ""), 0);
    assert_int_equal(world_end(&restored), 0);
    world_free(w);
}

/* --- what init leaves ----------------------------------------------------------------------- */

static void test_with_a_pid_namespace_of_its_own_nobody_is_killed_after_init(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    world_exit(w, "c1", "", 0);
    assert_int_equal(world_delete(w, "c1", ""), 0);
    assert_int_equal(hcs_fake_calls(FAKE_SIGNAL_ALL), 0);
    world_free(w);
}

static void test_without_one_what_init_leaves_is_killed(void **state)
{
    struct world *w = world_new();

    (void)state;
    folder_write(world_bundle(w, "c1"), "config.json",
                 "{\"process\":{\"args\":[\"x\"],\"cwd\":\"/\"},\"root\":{\"path\":\"rootfs\"}}");
    world_run(w, "c1");
    world_run_exec(w, "c1", "e1");
    world_exit(w, "c1", "", 0);
    assert_int_equal(world_wait(w, "c1", "e1"), 137);
    assert_string_equal(hcs_fake_last(FAKE_SIGNAL_ALL), "c1 9");
    world_expect_events(w, "create c1 1001\nstart c1 1001\nexec-added c1 e1\n"
                           "exec-started c1 e1 1002\nexit c1 e1 1002 137\nexit c1 c1 1001 0\n");
    world_free(w);
}

static void test_an_exit_while_paused_ends_what_is_frozen(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    world_run_exec(w, "c1", "e1");
    assert_int_equal(world_pause(w, "c1"), 0);
    world_exit(w, "c1", "", 137);
    assert_int_equal(world_wait(w, "c1", "e1"), 137);
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__STOPPED);
    assert_string_equal(hcs_fake_last(FAKE_SIGNAL_ALL), "c1 9");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_container_has_create_start_exit_delete_in_this_order),
        cmocka_unit_test(test_an_exit_that_comes_before_start_has_returned_follows_the_start),
        cmocka_unit_test(test_an_exit_during_create_follows_the_creation),
        cmocka_unit_test(test_the_exit_of_init_is_the_last_of_its_container),
        cmocka_unit_test(test_an_exec_that_only_exists_does_not_hold_back_the_exit_of_init),
        cmocka_unit_test(test_an_exec_that_ends_before_its_start_has_returned_is_told_in_order),
        cmocka_unit_test(test_an_exec_start_under_way_holds_back_the_exit_of_init),
        cmocka_unit_test(test_an_exec_deleted_right_after_its_wait_still_has_its_exit_event),
        cmocka_unit_test(test_out_of_memory_is_told_before_the_exit_it_causes),
        cmocka_unit_test(test_a_failed_exec_start_is_no_event_and_releases_waits),
        cmocka_unit_test(test_an_exec_whose_start_failed_can_be_started_again),
        cmocka_unit_test(test_a_failed_start_of_init_leaves_it_created_and_waits_parked),
        cmocka_unit_test(test_an_init_that_dies_in_a_failing_start_is_stopped),
        cmocka_unit_test(test_an_exec_whose_streams_fail_is_killed_and_is_no_event),
        cmocka_unit_test(test_every_wait_gets_the_same_answer_until_the_delete),
        cmocka_unit_test(test_a_wait_that_nobody_waits_for_is_dropped),
        cmocka_unit_test(test_a_wait_ends_at_its_deadline_while_the_process_goes_on),
        cmocka_unit_test(test_waits_for_what_never_ran_end_with_its_delete),
        cmocka_unit_test(test_with_a_pid_namespace_of_its_own_nobody_is_killed_after_init),
        cmocka_unit_test(test_without_one_what_init_leaves_is_killed),
        cmocka_unit_test(test_an_exit_while_paused_ends_what_is_frozen),
    };

    return world_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

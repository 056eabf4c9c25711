/* SPDX-License-Identifier: Apache-2.0 */
/* Delete and terminate, against a stand-in runtime that obeys, fails or hangs. */
#include "tests/unit/hcs/linux/standin.h"

static void test_delete_of_a_stopped_container_needs_no_force(void **state)
{
    struct standin *s = *state;

    standin_create(s);
    assert_ok(hcs_process_signal(hcs_system_init(s->system), SIGKILL, err));
    story_await_exit(&s->init);
    assert_ok(hcs_system_delete(s->system, err));
    assert_true(standin_called(s, "delete box"));
}

static void test_delete_of_a_living_container_forces_and_its_exit_has_come(void **state)
{
    struct standin *s = *state;

    standin_create(s);
    assert_ok(hcs_system_delete(s->system, err));
    assert_true(standin_called(s, "delete --force box"));
    assert_int_equal(s->init.exits, 1);
}

static void test_a_state_that_has_gone_is_deleted_whatever_the_runtime_says(void **state)
{
    struct standin *s = *state;

    standin_on(s, "delete",
               "kill -9 $(pids); rm -rf \"$root/$id\"; error 'something odd'; exit 1\n");
    standin_create(s);
    assert_ok(hcs_system_delete(s->system, err));
    assert_ok(hcs_system_delete(s->system, err));
}

static void test_a_delete_that_fails_is_tried_with_force(void **state)
{
    struct standin *s = *state;

    standin_on(s, "delete", "case $all in *--force*) ;; *) exit 1;; esac\n");
    standin_create(s);
    assert_ok(hcs_process_signal(hcs_system_init(s->system), SIGKILL, err));
    story_await_exit(&s->init);
    assert_ok(hcs_system_delete(s->system, err));
    assert_true(standin_called(s, "delete --force box"));
}

static void test_a_state_that_stays_is_an_error(void **state)
{
    struct standin *s = *state;

    standin_on(s, "delete", "error 'device or resource busy'; exit 1\n");
    standin_create(s);
    assert_fails(SHIM_E_UNKNOWN, "OCI runtime delete failed: device or resource busy",
                 hcs_system_delete(s->system, err));
    standin_on(s, "delete", NULL);
    assert_ok(hcs_system_delete(s->system, err)); /* can be tried again */
}

static void test_what_was_never_created_is_nobodys_to_delete(void **state)
{
    struct standin *s = *state;

    s->system = standin_system(s, NULL);
    assert_int_equal(mkdir(below(s->world.root, "box"), 0700), 0);
    assert_ok(hcs_system_delete(s->system, err));
    assert_ok(hcs_system_terminate(s->system, err));
    assert_int_equal(standin_calls(s), 0);
    assert_int_equal(rmdir(below(s->world.root, "box")), 0);
}

static int start_call(struct standin *s, struct shim_error *err)
{
    return hcs_system_start(s->system, err);
}

static void test_terminate_cancels_what_hangs(void **state)
{
    struct standin *s = *state;
    struct background b;

    standin_on(s, "start", STANDIN_HANGS);
    standin_create(s);
    background_start(&b, s, start_call);
    assert_ok(hcs_system_terminate(s->system, err));
    shim_thread_join(&b.thread);
    assert_int_equal(b.r, SHIM_E_CANCELED);
    assert_int_equal(story_await_exit(&s->init), 128 + SIGKILL);
    assert_true(standin_called(s, "delete --force box"));
    assert_ok(hcs_system_terminate(s->system, err)); /* gone already */
}

static void test_delete_after_terminate_asks_nobody(void **state)
{
    struct standin *s = *state;
    unsigned calls;

    standin_create(s);
    assert_ok(hcs_system_terminate(s->system, err));
    calls = standin_calls(s);
    assert_ok(hcs_system_delete(s->system, err));
    assert_int_equal(standin_calls(s), calls);
}

static void test_terminate_kills_in_time_even_when_the_runtime_hangs(void **state)
{
    struct standin *s = *state;
    int64_t before_ns = shim_monotonic_ns();

    standin_on(s, "delete", "sleep 1000\n");
    standin_create(s);
    assert_fails(SHIM_E_DEADLINE, "OCI runtime delete failed",
                 hcs_system_terminate(s->system, err));
    assert_took(before_ns, 1, 5);
    assert_int_equal(story_await_exit(&s->init), 128 + SIGKILL);
    standin_on(s, "delete", NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, standin_setup, standin_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_delete_of_a_stopped_container_needs_no_force),
        TEST(test_delete_of_a_living_container_forces_and_its_exit_has_come),
        TEST(test_a_state_that_has_gone_is_deleted_whatever_the_runtime_says),
        TEST(test_a_delete_that_fails_is_tried_with_force),
        TEST(test_a_state_that_stays_is_an_error),
        TEST(test_what_was_never_created_is_nobodys_to_delete),
        TEST(test_terminate_cancels_what_hangs),
        TEST(test_delete_after_terminate_asks_nobody),
        TEST(test_terminate_kills_in_time_even_when_the_runtime_hangs),
    };

    return standin_main("end", tests, SHIM_ARRAY_LEN(tests));
}

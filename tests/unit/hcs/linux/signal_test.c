/* SPDX-License-Identifier: Apache-2.0 */
/* Signals, against a stand-in runtime that obeys, fails or hangs. */
#include "tests/unit/hcs/linux/standin.h"

static void test_a_signal_to_init_goes_through_the_runtime(void **state)
{
    struct standin *s = *state;

    standin_create(s);
    assert_ok(hcs_process_signal(hcs_system_init(s->system), SIGTERM, err));
    assert_true(standin_called(s, "kill box 15"));
    assert_int_equal(story_await_exit(&s->init), 128 + SIGTERM);
}

static void test_an_init_that_ended_is_not_found_and_the_runtime_not_asked(void **state)
{
    struct standin *s = *state;
    unsigned calls;

    standin_create(s);
    assert_ok(hcs_process_signal(hcs_system_init(s->system), SIGKILL, err));
    story_await_exit(&s->init);
    calls = standin_calls(s);
    assert_fails(SHIM_E_NOT_FOUND, "process already finished",
                 hcs_process_signal(hcs_system_init(s->system), SIGTERM, err));
    assert_int_equal(standin_calls(s), calls);
}

static void test_an_init_that_ends_while_the_runtime_fails_is_not_found(void **state)
{
    struct standin *s = *state;

    standin_on(s, "kill",
               "kill -9 $(pids); while kill -0 $(pids) 2>/dev/null; do :; done\n"
               "error 'container not running'; exit 1\n");
    standin_create(s);
    assert_fails(SHIM_E_NOT_FOUND, "process already finished",
                 hcs_process_signal(hcs_system_init(s->system), SIGTERM, err));
}

static void test_a_failure_while_init_lives_is_told(void **state)
{
    struct standin *s = *state;

    standin_on(s, "kill", "error 'unknown signal'; exit 1\n");
    standin_create(s);
    assert_fails(SHIM_E_UNKNOWN, "OCI runtime kill failed: unknown signal",
                 hcs_process_signal(hcs_system_init(s->system), 77, err));
    assert_fails(SHIM_E_UNKNOWN, "OCI runtime killall failed: unknown signal",
                 hcs_system_signal_all(s->system, 77, err));
}

static void test_a_runtime_that_says_it_is_over_is_believed(void **state)
{
    static const char *const texts[] = {"Process already finished", "container not running",
                                        "No such process", "kill: ESRCH",
                                        "container box does not exist"};
    struct standin *s = *state;

    standin_create(s);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(texts); i++) {
        char script[128];

        snprintf(script, sizeof(script), "error '%s'; exit 1\n", texts[i]);
        standin_on(s, "kill", script);
        assert_fails(SHIM_E_NOT_FOUND, "process already finished",
                     hcs_process_signal(hcs_system_init(s->system), SIGTERM, err));
    }
    assert_ok(hcs_process_signal(hcs_system_init(s->system), SIGKILL, err)); /* by ourselves */
    assert_int_equal(story_await_exit(&s->init), 128 + SIGKILL);
}

static void test_sigkill_works_where_the_runtime_fails(void **state)
{
    struct standin *s = *state;

    standin_on(s, "kill", "exit 1\n");
    standin_create(s);
    assert_ok(hcs_process_signal(hcs_system_init(s->system), SIGKILL, err));
    assert_int_equal(story_await_exit(&s->init), 128 + SIGKILL);
}

static int start_call(struct standin *s, struct shim_error *err)
{
    return hcs_system_start(s->system, err);
}

static void test_sigkill_ends_a_hung_runtime_and_init(void **state)
{
    struct standin *s = *state;
    int64_t before_ns;
    struct background b;

    standin_on(s, "start", STANDIN_HANGS);
    standin_on(s, "kill", "sleep 1000\n");
    standin_create(s);
    background_start(&b, s, start_call);
    before_ns = shim_monotonic_ns();
    assert_ok(hcs_process_signal(hcs_system_init(s->system), SIGKILL, err));
    shim_thread_join(&b.thread);
    assert_int_equal(b.r, SHIM_E_CANCELED);
    assert_int_equal(story_await_exit(&s->init), 128 + SIGKILL);
    assert_took(before_ns, 1, 6);
}

static void test_signal_all_asks_for_all(void **state)
{
    struct standin *s = *state;

    standin_create(s);
    assert_ok(hcs_system_signal_all(s->system, SIGTERM, err));
    assert_true(standin_called(s, "kill --all box 15"));
    assert_int_equal(story_await_exit(&s->init), 128 + SIGTERM);
}

static void test_signal_all_kills_init_where_the_runtime_does_not(void **state)
{
    struct standin *s = *state;

    standin_on(s, "kill", "exit 1\n");
    standin_create(s);
    assert_ok(hcs_system_signal_all(s->system, SIGKILL, err));
    assert_int_equal(story_await_exit(&s->init), 128 + SIGKILL);
}

static void test_what_was_not_created_cannot_be_signalled(void **state)
{
    struct standin *s = *state;

    s->system = standin_system(s, NULL);
    assert_fails(SHIM_E_STATE, "process not created",
                 hcs_process_signal(hcs_system_init(s->system), SIGKILL, err));
    assert_fails(SHIM_E_STATE, "container not created",
                 hcs_system_signal_all(s->system, SIGKILL, err));
    assert_int_equal(standin_calls(s), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, standin_setup, standin_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_signal_to_init_goes_through_the_runtime),
        TEST(test_an_init_that_ended_is_not_found_and_the_runtime_not_asked),
        TEST(test_an_init_that_ends_while_the_runtime_fails_is_not_found),
        TEST(test_a_failure_while_init_lives_is_told),
        TEST(test_a_runtime_that_says_it_is_over_is_believed),
        TEST(test_sigkill_works_where_the_runtime_fails),
        TEST(test_sigkill_ends_a_hung_runtime_and_init),
        TEST(test_signal_all_asks_for_all),
        TEST(test_signal_all_kills_init_where_the_runtime_does_not),
        TEST(test_what_was_not_created_cannot_be_signalled),
    };

    return standin_main("signal", tests, SHIM_ARRAY_LEN(tests));
}

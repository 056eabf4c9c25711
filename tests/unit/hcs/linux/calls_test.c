/* SPDX-License-Identifier: Apache-2.0 */
/* Cancelling reaches what is under way and nothing later. */
#include "hcs/linux/calls.h"
#include "tests/test.h"

static void test_cancel_reaches_every_call_under_way(void **state)
{
    struct linux_calls calls;
    struct linux_call first, second, third;

    (void)state;
    linux_calls_init(&calls);
    linux_calls_cancel(&calls); /* none: nothing happens */
    linux_call_begin(&calls, &first);
    linux_call_begin(&calls, &second);
    linux_call_begin(&calls, &third);
    linux_call_end(&calls, &second);
    linux_calls_cancel(&calls);
    assert_true(linux_call_canceled(&first));
    assert_true(linux_call_canceled(&third));
    linux_call_end(&calls, &third);
    linux_call_end(&calls, &first);
    linux_calls_done(&calls);
}

static void test_a_later_call_is_not_cancelled(void **state)
{
    struct linux_calls calls;
    struct linux_call before, after;

    (void)state;
    linux_calls_init(&calls);
    linux_call_begin(&calls, &before);
    linux_calls_cancel(&calls);
    linux_call_begin(&calls, &after);
    assert_false(linux_call_canceled(&after));
    linux_call_end(&calls, &before);
    linux_call_end(&calls, &after);
    assert_null(calls.first);
    linux_calls_done(&calls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cancel_reaches_every_call_under_way),
        cmocka_unit_test(test_a_later_call_is_not_cancelled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

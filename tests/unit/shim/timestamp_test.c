/* SPDX-License-Identifier: Apache-2.0 */
/* Nanoseconds as seconds and the rest. */
#include "shim/payload/timestamp.h"
#include "tests/test.h"

static void assert_time(int64_t ns, int64_t seconds, int32_t nanos)
{
    Pb__Timestamp at = shim_timestamp(ns);

    assert_ptr_equal(at.base.descriptor, &pb__timestamp__descriptor);
    assert_int_equal(at.seconds, seconds);
    assert_int_equal(at.nanos, nanos);
}

static void test_times_are_cut_at_the_second(void **state)
{
    (void)state;
    assert_time(0, 0, 0);
    assert_time(999999999, 0, 999999999);
    assert_time(INT64_C(1700000000000000001), 1700000000, 1);
    assert_time(INT64_MAX, INT64_C(9223372036), 854775807);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_times_are_cut_at_the_second),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks that run, and dates as RFC 3339 writes them. */
#include "base/clock.h"
#include "tests/test.h"
#include <time.h>

static void assert_date(int64_t s, int64_t ns, const char *want)
{
    char text[SHIM_RFC3339_BYTES];

    assert_string_equal(shim_rfc3339(s * SHIM_NS_PER_S + ns, text), want);
}

static void test_dates_are_right(void **state)
{
    (void)state;
    assert_date(0, 0, "1970-01-01T00:00:00.000000000Z");
    assert_date(1769853600, 123456789, "2026-01-31T10:00:00.123456789Z");
    assert_date(951782399, 999999999, "2000-02-28T23:59:59.999999999Z");
    assert_date(951782400, 0, "2000-02-29T00:00:00.000000000Z");
    assert_date(951868800, 1, "2000-03-01T00:00:00.000000001Z");
    assert_date(1709164800, 0, "2024-02-29T00:00:00.000000000Z");
    assert_date(4107542400, 0, "2100-03-01T00:00:00.000000000Z"); /* no leap year */
    assert_date(4107542399, 0, "2100-02-28T23:59:59.000000000Z");
    assert_date(4102444799, 0, "2099-12-31T23:59:59.000000000Z");
}

static void test_dates_before_1970_are_right(void **state)
{
    (void)state;
    assert_date(0, -1, "1969-12-31T23:59:59.999999999Z");
    assert_date(-1, 0, "1969-12-31T23:59:59.000000000Z");
    assert_date(-86400, 0, "1969-12-31T00:00:00.000000000Z");
    assert_date(-2203891201, 0, "1900-02-28T23:59:59.000000000Z");
    assert_date(-2203891200, 0, "1900-03-01T00:00:00.000000000Z");
}

static void test_the_extremes_fit(void **state)
{
    char text[SHIM_RFC3339_BYTES];

    (void)state;
    assert_string_equal(shim_rfc3339(INT64_MAX, text), "2262-04-11T23:47:16.854775807Z");
    assert_string_equal(shim_rfc3339(INT64_MIN, text), "1677-09-21T00:12:43.145224192Z");
}

static void test_the_c_library_agrees_on_every_day(void **state)
{
    char ours[SHIM_RFC3339_BYTES], theirs[SHIM_RFC3339_BYTES];

    (void)state;
    for (int64_t day = -30000; day < 60000; day++) {
        time_t s = (time_t)(day * 86400 + 45296);
        struct tm tm;

        assert_non_null(gmtime_r(&s, &tm));
        strftime(theirs, sizeof(theirs), "%Y-%m-%dT%H:%M:%S.000000000Z", &tm);
        assert_string_equal(shim_rfc3339((int64_t)s * SHIM_NS_PER_S, ours), theirs);
    }
}

static void test_sleep_takes_its_time(void **state)
{
    int64_t before = shim_monotonic_ns();

    (void)state;
    shim_sleep_ms(5);
    assert_true(shim_monotonic_ns() - before >= 5 * SHIM_NS_PER_MS);
}

static void test_real_time_is_now(void **state)
{
    time_t before = time(NULL);
    int64_t now = shim_realtime_ns();

    (void)state;
    /* time() may lag behind by a tick */
    assert_true(now / SHIM_NS_PER_S >= before && now / SHIM_NS_PER_S <= time(NULL) + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dates_are_right),
        cmocka_unit_test(test_dates_before_1970_are_right),
        cmocka_unit_test(test_the_extremes_fit),
        cmocka_unit_test(test_the_c_library_agrees_on_every_day),
        cmocka_unit_test(test_sleep_takes_its_time),
        cmocka_unit_test(test_real_time_is_now),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

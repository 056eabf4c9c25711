/* SPDX-License-Identifier: Apache-2.0 */
/* Timers: each fires once, not early, unless cleared before. */
#include "base/clock.h"
#include "base/thread.h"
#include "tests/test.h"
#include "ttrpc/timers.h"

struct watched {
    struct ttrpc_timer timer;
    unsigned fired;
    int64_t fired_ns;
};

static struct shim_mutex lock = SHIM_MUTEX_INIT;
static struct shim_cond changed;
static struct ttrpc_timers *timers;

static void on_fire(struct ttrpc_timer *timer)
{
    struct watched *w = shim_container_of(timer, struct watched, timer);

    shim_lock(&lock);
    w->fired++;
    w->fired_ns = shim_monotonic_ns();
    shim_cond_broadcast(&changed);
    shim_unlock(&lock);
}

static void set(struct watched *w, int64_t in_ms)
{
    *w = (struct watched){.timer = {
                              .at_ns = shim_monotonic_ns() + in_ms * SHIM_NS_PER_MS,
                              .fn = on_fire,
                          }};
    ttrpc_timers_set(timers, &w->timer);
}

static void wait_fired(struct watched *w)
{
    int64_t deadline_ns = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;

    shim_lock(&lock);
    while (w->fired == 0)
        assert_true(shim_cond_wait_until(&changed, &lock, deadline_ns));
    assert_int_equal(w->fired, 1);
    assert_true(w->fired_ns >= w->timer.at_ns);
    shim_unlock(&lock);
}

static int setup(void **state)
{
    (void)state;
    shim_cond_init(&changed);
    return ttrpc_timers_new(&timers, NULL);
}

static int teardown(void **state)
{
    (void)state;
    ttrpc_timers_free(timers);
    shim_cond_done(&changed);
    return 0;
}

static void test_timers_fire_once_and_not_early(void **state)
{
    struct watched w[50];

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(w); i++)
        set(&w[i], (int64_t)(i * 7 % 40));
    for (size_t i = 0; i < SHIM_ARRAY_LEN(w); i++)
        wait_fired(&w[i]);
}

static void test_an_earlier_timer_does_not_wait_for_a_later_one(void **state)
{
    struct watched late, soon;

    (void)state;
    set(&late, 3600 * 1000);
    set(&soon, 5);
    wait_fired(&soon);
    assert_true(ttrpc_timers_clear(timers, &late.timer));
    assert_int_equal(late.fired, 0);
}

static void test_a_cleared_timer_stays_silent(void **state)
{
    struct watched cleared, after;

    (void)state;
    set(&cleared, 20);
    assert_true(ttrpc_timers_clear(timers, &cleared.timer));
    assert_false(ttrpc_timers_clear(timers, &cleared.timer));
    set(&after, 40);
    wait_fired(&after);
    assert_int_equal(cleared.fired, 0);
    assert_false(ttrpc_timers_clear(timers, &after.timer));
}

static void test_free_forgets_what_is_set(void **state)
{
    static struct watched never; /* stays in place until the timers are freed */

    (void)state;
    set(&never, 3600 * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_timers_fire_once_and_not_early, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_earlier_timer_does_not_wait_for_a_later_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_cleared_timer_stays_silent, setup, teardown),
        cmocka_unit_test_setup_teardown(test_free_forgets_what_is_set, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

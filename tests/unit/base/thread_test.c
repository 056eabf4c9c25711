/* SPDX-License-Identifier: Apache-2.0 */
/* Threads carry their argument and name; locks exclude; conditions wake and time out. */
#include "base/clock.h"
#include "base/thread.h"
#include "tests/test.h"
#include <string.h>

struct shared {
    struct shim_mutex lock;
    struct shim_cond cond;
    unsigned count;
    bool go;
    char name[16];
    size_t stack_bytes;
};

static void shared_init(struct shared *s)
{
    *s = (struct shared){.count = 0};
    shim_mutex_init(&s->lock);
    shim_cond_init(&s->cond);
}

static void shared_done(struct shared *s)
{
    shim_cond_done(&s->cond);
    shim_mutex_done(&s->lock);
}

static void note_self(void *arg)
{
    struct shared *s = arg;
    pthread_attr_t attr;

    pthread_getname_np(pthread_self(), s->name, sizeof(s->name));
    assert_int_equal(pthread_getattr_np(pthread_self(), &attr), 0);
    pthread_attr_getstacksize(&attr, &s->stack_bytes);
    pthread_attr_destroy(&attr);
}

static void test_a_thread_has_the_name_and_stack_asked_for(void **state)
{
    char name[] = "a-name-too-long-for-it";
    struct shim_thread thread;
    struct shared s;

    (void)state;
    shared_init(&s);
    assert_int_equal(shim_thread_start(name, 0, note_self, &s, &thread, NULL), 0);
    memset(name, 'x', sizeof(name) - 1); /* it has its own copy */
    shim_thread_join(&thread);
    assert_string_equal(s.name, "a-name-too-long");
    assert_true(s.stack_bytes >= SHIM_STACK_BYTES);
    assert_true(s.stack_bytes < 16 * SHIM_STACK_BYTES); /* a sanitizer adds its own */

    assert_int_equal(shim_thread_start("big", 1 << 20, note_self, &s, &thread, NULL), 0);
    shim_thread_join(&thread);
    assert_string_equal(s.name, "big");
    assert_true(s.stack_bytes >= 1 << 20);
    shared_done(&s);
}

static void test_a_thread_that_cannot_start_is_an_error(void **state)
{
    struct shim_thread thread, before;
    struct shim_error err;

    (void)state;
    memset(&thread, 7, sizeof(thread));
    before = thread;
    assert_int_not_equal(shim_thread_start("huge", (size_t)1 << 60, note_self, NULL, &thread, &err),
                         0);
    assert_non_null(strstr(err.msg, "start thread huge: "));
    assert_memory_equal(&thread, &before, sizeof(thread));
}

static void count_up(void *arg)
{
    struct shared *s = arg;

    for (int i = 0; i < 10000; i++) {
        shim_lock(&s->lock);
        s->count++;
        shim_unlock(&s->lock);
    }
}

static void test_a_lock_excludes(void **state)
{
    static struct shim_mutex constant = SHIM_MUTEX_INIT;
    struct shim_thread threads[4];
    struct shared s;

    (void)state;
    shared_init(&s);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(threads); i++)
        assert_int_equal(shim_thread_start("count", 0, count_up, &s, &threads[i], NULL), 0);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(threads); i++)
        shim_thread_join(&threads[i]);
    assert_int_equal(s.count, 40000);
    shim_lock(&constant);
    shim_unlock(&constant);
    shared_done(&s);
}

static void wait_for_go(void *arg)
{
    struct shared *s = arg;

    shim_lock(&s->lock);
    while (!s->go)
        shim_cond_wait(&s->cond, &s->lock);
    s->count++;
    shim_cond_signal(&s->cond);
    shim_unlock(&s->lock);
}

static void test_a_broadcast_wakes_everybody(void **state)
{
    struct shim_thread thread;
    struct shared s;
    int64_t deadline = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;

    (void)state;
    shared_init(&s);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(shim_thread_start("waiter", 0, wait_for_go, &s, &thread, NULL), 0);
        shim_thread_detach(&thread);
    }
    shim_lock(&s.lock);
    s.go = true;
    shim_cond_broadcast(&s.cond);
    while (s.count < 3 && shim_cond_wait_until(&s.cond, &s.lock, deadline))
        continue;
    assert_int_equal(s.count, 3);
    shim_unlock(&s.lock);
    shared_done(&s);
}

static void test_waiting_ends_at_the_deadline(void **state)
{
    int64_t deadline = shim_monotonic_ns() + 10 * SHIM_NS_PER_MS;
    struct shared s;

    (void)state;
    shared_init(&s);
    shim_lock(&s.lock);
    while (shim_cond_wait_until(&s.cond, &s.lock, deadline))
        continue;
    assert_true(shim_monotonic_ns() >= deadline);
    assert_false(shim_cond_wait_until(&s.cond, &s.lock, 0)); /* long past */
    shim_unlock(&s.lock);
    shared_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_thread_has_the_name_and_stack_asked_for),
        cmocka_unit_test(test_a_thread_that_cannot_start_is_an_error),
        cmocka_unit_test(test_a_lock_excludes),
        cmocka_unit_test(test_a_broadcast_wakes_everybody),
        cmocka_unit_test(test_waiting_ends_at_the_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Worker threads as the kernel counts them, and when it gives none. */
#include "base/file.h"
#include "tests/unit/base/gate.h"
#include "tests/unit/base/posix/deny.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* By name, because a sanitizer may have threads of its own. */
static unsigned count_workers(void)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    unsigned n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        cleanup_buf struct shim_buf name = {0};
        char path[300];

        snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
        if (shim_file_read(path, 64, &name, NULL) == 0)
            n += strcmp(shim_buf_str(&name), "worker\n") == 0 ||
                 strcmp(shim_buf_str(&name), "urgent\n") == 0;
    }
    closedir(dir);
    return n;
}

static bool workers_become(unsigned want)
{
    int64_t deadline = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;

    while (count_workers() != want && shim_monotonic_ns() < deadline)
        sched_yield();
    return count_workers() == want;
}

static void test_an_idle_thread_serves_urgent_work(void **state)
{
    struct shim_workers *w = workers_of(2, 2, 0);
    struct job job;
    struct gate g;

    (void)state;
    gate_init(&g);
    run_jobs(w, &g, &job, 1, true);
    assert_true(await_count(&g, &g.arrived, 1));
    assert_true(workers_become(1));
    gate_open(&g);
    shim_workers_free(w);
    gate_done(&g);
}

static void test_idle_threads_end_but_for_one(void **state)
{
    struct shim_workers *w = workers_of(4, 2, 20);
    struct job jobs[4], urgent[2];
    struct gate g;

    (void)state;
    gate_init(&g);
    run_jobs(w, &g, jobs, 4, false);
    run_jobs(w, &g, urgent, 2, true);
    assert_true(await_count(&g, &g.arrived, 6));
    assert_true(workers_become(6));
    gate_open(&g);
    assert_true(workers_become(1));
    assert_true(shim_workers_drain(w, 10000));
    gate_done(&g);
    gate_init(&g);
    run_jobs(w, &g, jobs, 4, false); /* and come back */
    assert_true(await_count(&g, &g.arrived, 4));
    gate_open(&g);
    shim_workers_free(w);
    assert_true(workers_become(0));
    gate_done(&g);
}

static void fail_to_make(void *unused)
{
    struct shim_workers *w = NULL;
    struct shim_error err;

    (void)unused;
    assert_int_equal(shim_workers_new(&(struct shim_workers_config){.max_threads = 1}, &w, &err),
                     SHIM_E_EXHAUSTED);
    assert_string_equal(err.msg, "start thread worker: Resource temporarily unavailable");
    assert_null(w);
}

static void test_the_first_thread_must_start(void **state)
{
    (void)state;
    with_denied(DENY_THREADS, ENOMEM, fail_to_make, NULL);
}

struct scarce {
    struct shim_workers *w;
    struct gate gate, own;
    struct job hung[3], urgent[2];
};

static void run_where_no_thread_starts(void *arg)
{
    struct scarce *s = arg;

    run_jobs(s->w, &s->gate, s->hung, 1, false);
    assert_true(await_count(&s->gate, &s->gate.arrived, 1)); /* on the first thread */
    run_jobs(s->w, &s->gate, s->hung + 1, 2, false);
    run_jobs(s->w, &s->own, s->urgent, 2, true);
}

static void test_where_no_thread_starts_work_waits_for_a_running_one(void **state)
{
    struct scarce s = {.w = workers_of(8, 2, 0)};

    (void)state;
    gate_init(&s.gate);
    gate_init(&s.own);
    gate_open(&s.own);
    with_denied(DENY_THREADS, ENOMEM, run_where_no_thread_starts, &s);
    assert_int_equal(s.gate.arrived, 1);
    assert_int_equal(s.own.arrived, 0);
    gate_open(&s.gate);
    assert_true(shim_workers_drain(s.w, 10000));
    assert_int_equal(s.gate.passed, 3);
    assert_int_equal(s.own.passed, 2);
    shim_workers_free(s.w);
    gate_done(&s.gate);
    gate_done(&s.own);
}

static void test_a_thread_that_could_not_start_is_tried_again(void **state)
{
    struct scarce s = {.w = workers_of(8, 2, 0)};
    struct job more[2];

    (void)state;
    gate_init(&s.gate);
    gate_init(&s.own);
    gate_open(&s.own);
    with_denied(DENY_THREADS, ENOMEM, run_where_no_thread_starts, &s);
    run_jobs(s.w, &s.gate, more, 2, false);
    assert_true(await_count(&s.gate, &s.gate.arrived, 3));
    gate_open(&s.gate);
    shim_workers_free(s.w);
    assert_int_equal(s.gate.passed, 5);
    assert_int_equal(s.own.passed, 2);
    gate_done(&s.gate);
    gate_done(&s.own);
}

/* ---- where no thread stays ---- */

static void count_starved(void *user)
{
    ++*(unsigned *)user;
}

static struct shim_workers *passing_workers(unsigned *starved)
{
    struct shim_workers_config config = {.max_threads = 8,
                                         .urgent_threads = 2,
                                         .idle_ms = 1,
                                         .starved = count_starved,
                                         .user = starved};
    struct shim_workers *w = NULL;

    assert_int_equal(shim_workers_new(&config, &w, NULL), 0);
    return w;
}

static void test_no_thread_stays_where_starving_is_heard(void **state)
{
    unsigned starved = 0;
    struct shim_workers *w = passing_workers(&starved);
    struct job jobs[3];
    struct gate g;

    (void)state;
    gate_init(&g);
    assert_true(workers_become(0));
    run_jobs(w, &g, jobs, 3, false);
    assert_true(await_count(&g, &g.arrived, 3));
    gate_open(&g);
    assert_true(shim_workers_drain(w, 10000));
    assert_true(workers_become(0));
    run_jobs(w, &g, jobs, 1, true);
    assert_true(await_count(&g, &g.passed, 4));
    shim_workers_free(w);
    assert_int_equal(starved, 0);
    gate_done(&g);
}

struct starving {
    struct shim_workers *w;
    struct gate gate;
    struct job jobs[2], urgent;
    unsigned starved;
};

static void run_and_starve(void *arg)
{
    struct starving *s = arg;

    run_jobs(s->w, &s->gate, s->jobs, 2, false);
    assert_int_equal(s->starved, 2);
    run_jobs(s->w, &s->gate, &s->urgent, 1, true);
    assert_int_equal(s->starved, 3);
    shim_workers_retry(s->w);
    assert_int_equal(s->starved, 4);
}

static void starving_init(struct starving *s)
{
    *s = (struct starving){.starved = 0};
    s->w = passing_workers(&s->starved);
    gate_init(&s->gate);
    gate_open(&s->gate);
    with_denied(DENY_THREADS, ENOMEM, run_and_starve, s);
    assert_int_equal(s->gate.arrived, 0);
}

static void test_starved_work_runs_at_the_retry(void **state)
{
    struct starving s;

    (void)state;
    starving_init(&s);
    shim_workers_retry(s.w);
    assert_true(shim_workers_drain(s.w, 10000));
    assert_int_equal(s.gate.passed, 3);
    assert_int_equal(s.starved, 4);
    shim_workers_free(s.w);
    gate_done(&s.gate);
}

static void test_starved_work_runs_at_the_end_at_the_latest(void **state)
{
    struct starving s;

    (void)state;
    starving_init(&s);
    shim_workers_free(s.w);
    assert_int_equal(s.gate.passed, 3);
    gate_done(&s.gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_idle_thread_serves_urgent_work),
        cmocka_unit_test(test_idle_threads_end_but_for_one),
        cmocka_unit_test(test_the_first_thread_must_start),
        cmocka_unit_test(test_where_no_thread_starts_work_waits_for_a_running_one),
        cmocka_unit_test(test_a_thread_that_could_not_start_is_tried_again),
        cmocka_unit_test(test_no_thread_stays_where_starving_is_heard),
        cmocka_unit_test(test_starved_work_runs_at_the_retry),
        cmocka_unit_test(test_starved_work_runs_at_the_end_at_the_latest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Work gets a thread while the bound allows, waits in order beyond it, and is never lost. */
#include "tests/unit/base/gate.h"

static void test_each_work_has_a_thread_up_to_the_bound(void **state)
{
    struct shim_workers *w = workers_of(4, 0, 0);
    struct job jobs[6];
    struct gate g;

    (void)state;
    gate_init(&g);
    run_jobs(w, &g, jobs, 6, false);
    assert_true(await_count(&g, &g.arrived, 4));
    assert_false(shim_workers_drain(w, 20));
    assert_int_equal(g.arrived, 4); /* the other two wait */
    gate_open(&g);
    assert_true(shim_workers_drain(w, 10000));
    assert_int_equal(g.passed, 6);
    shim_workers_free(w);
    gate_done(&g);
}

static void test_work_beyond_the_bound_runs_in_order(void **state)
{
    struct shim_workers *w = workers_of(1, 0, 0);
    struct job jobs[8];
    struct gate g;

    (void)state;
    gate_init(&g);
    run_jobs(w, &g, jobs, 8, false);
    gate_open(&g);
    assert_true(shim_workers_drain(w, 10000));
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(g.order[i], i);
    shim_workers_free(w);
    gate_done(&g);
}

static void test_urgent_work_passes_hung_work(void **state)
{
    struct shim_workers *w = workers_of(2, 1, 0);
    struct job hung[4], urgent[2];
    struct gate g, own;

    (void)state;
    gate_init(&g);
    gate_init(&own);
    run_jobs(w, &g, hung, 4, false);
    assert_true(await_count(&g, &g.arrived, 2));
    for (unsigned i = 0; i < 2; i++) {
        urgent[i] = (struct job){.work.fn = pass_gate, .gate = &own, .number = i, .through = true};
        shim_workers_run(w, &urgent[i].work, true);
    }
    assert_true(await_count(&own, &own.passed, 2));
    assert_int_equal(g.arrived, 2); /* and took no ordinary work */
    gate_open(&g);
    shim_workers_free(w);
    assert_int_equal(g.passed, 4);
    gate_done(&g);
    gate_done(&own);
}

static void test_urgent_work_without_urgent_threads_comes_next(void **state)
{
    struct shim_workers *w = workers_of(1, 0, 0);
    struct job jobs[3], urgent[1];
    struct gate g;

    (void)state;
    gate_init(&g);
    run_jobs(w, &g, jobs, 1, false);
    assert_true(await_count(&g, &g.arrived, 1));
    run_jobs(w, &g, jobs + 1, 2, false);
    urgent[0] = (struct job){.work.fn = pass_gate, .gate = &g, .number = 9};
    shim_workers_run(w, &urgent[0].work, true);
    gate_open(&g);
    assert_true(shim_workers_drain(w, 10000));
    assert_int_equal(g.order[1], 9);
    shim_workers_free(w);
    gate_done(&g);
}

static void test_drain_does_not_wait_for_the_background(void **state)
{
    struct shim_workers *w = workers_of(2, 0, 0);
    struct job jobs[2];
    struct gate g;

    (void)state;
    gate_init(&g);
    jobs[0] = (struct job){.work = {.fn = pass_gate, .background = true}, .gate = &g};
    shim_workers_run(w, &jobs[0].work, false);
    assert_true(await_count(&g, &g.arrived, 1));
    assert_true(shim_workers_drain(w, 0));
    run_jobs(w, &g, jobs + 1, 1, false);
    assert_false(shim_workers_drain(w, 20));
    gate_open(&g);
    assert_true(shim_workers_drain(w, 10000));
    shim_workers_free(w);
    assert_int_equal(g.passed, 2);
    gate_done(&g);
}

static void test_free_finishes_what_is_queued(void **state)
{
    struct shim_workers *w = workers_of(2, 1, 0);
    struct job jobs[10];
    struct gate g;

    (void)state;
    gate_init(&g);
    gate_open(&g);
    run_jobs(w, &g, jobs, 10, false);
    shim_workers_free(w);
    assert_int_equal(g.passed, 10);
    gate_done(&g);
    shim_workers_free(NULL);
}

/* ---- many at once ---- */

#define PRODUCERS 8
#define PER_EACH  2000

struct counted {
    struct shim_work work;
    _Atomic unsigned *count;
};

struct producer {
    struct shim_workers *w;
    _Atomic unsigned *count;
};

static void count_and_free(struct shim_work *work)
{
    struct counted *c = shim_container_of(work, struct counted, work);

    (*c->count)++;
    free(c);
}

static void produce(void *arg)
{
    struct producer *p = arg;

    for (unsigned i = 0; i < PER_EACH; i++) {
        struct counted *c = malloc(sizeof(*c));

        assert_non_null(c);
        *c = (struct counted){.work.fn = count_and_free, .count = p->count};
        shim_workers_run(p->w, &c->work, i % 7 == 0);
    }
}

static void test_no_work_is_lost(void **state)
{
    struct shim_workers *w = workers_of(5, 2, 1);
    _Atomic unsigned count = 0;
    struct producer producer = {.w = w, .count = &count};
    struct shim_thread threads[PRODUCERS];

    (void)state;
    for (unsigned i = 0; i < PRODUCERS; i++)
        assert_int_equal(shim_thread_start("producer", 0, produce, &producer, &threads[i], NULL),
                         0);
    for (unsigned i = 0; i < PRODUCERS; i++)
        shim_thread_join(&threads[i]);
    assert_true(shim_workers_drain(w, 10000));
    assert_int_equal(count, PRODUCERS * PER_EACH);
    shim_workers_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_work_has_a_thread_up_to_the_bound),
        cmocka_unit_test(test_work_beyond_the_bound_runs_in_order),
        cmocka_unit_test(test_urgent_work_passes_hung_work),
        cmocka_unit_test(test_urgent_work_without_urgent_threads_comes_next),
        cmocka_unit_test(test_drain_does_not_wait_for_the_background),
        cmocka_unit_test(test_free_finishes_what_is_queued),
        cmocka_unit_test(test_no_work_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

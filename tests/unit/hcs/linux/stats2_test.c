/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of version 2, from texts as kernels write them. */
#include "hcs/linux/cgroup.h"
#include "hcs/linux/figures.h"
#include "tests/unit/hcs/linux/world.h"

static void test_cpu_stat(void **state)
{
    struct hcs_stats_v2 s = {0};

    (void)state;
    linux_stats2_cpu(
        "usage_usec 1000\nuser_usec 600\nsystem_usec 400\ncore_sched.force_idle_usec 0\n"
        "nr_periods 5\nnr_throttled 2\nthrottled_usec 77\nnr_bursts 1\nburst_usec 9\n",
        &s);
    assert_int_equal(s.cpu.usage_usec, 1000);
    assert_int_equal(s.cpu.user_usec, 600);
    assert_int_equal(s.cpu.system_usec, 400);
    assert_int_equal(s.cpu.nr_periods, 5);
    assert_int_equal(s.cpu.nr_throttled, 2);
    assert_int_equal(s.cpu.throttled_usec, 77);
    assert_int_equal(s.cpu.nr_bursts, 1);
    assert_int_equal(s.cpu.burst_usec, 9);
}

static void test_memory_stat_with_refaults_of_old_and_new_kernels(void **state)
{
    struct hcs_stats_v2 old = {0}, young = {0};

    (void)state;
    linux_stats2_memory("anon 1\nfile 2\nworkingset_refault 30\nworkingset_activate 4\n", &old);
    assert_int_equal(old.memory.anon, 1);
    assert_int_equal(old.memory.file, 2);
    assert_int_equal(old.memory.workingset_refault, 30);
    linux_stats2_memory("inactive_file 5\nworkingset_refault_anon 10\nworkingset_refault_file 20\n"
                        "workingset_activate_anon 1\nworkingset_activate_file 2\npgfault 8\n"
                        "thp_collapse_alloc 6\n",
                        &young);
    assert_int_equal(young.memory.inactive_file, 5);
    assert_int_equal(young.memory.workingset_refault, 30);
    assert_int_equal(young.memory.workingset_activate, 3);
    assert_int_equal(young.memory.pgfault, 8);
    assert_int_equal(young.memory.thp_collapse_alloc, 6);
}

static void test_memory_events(void **state)
{
    struct hcs_stats_v2 s = {0};

    (void)state;
    linux_stats2_events("low 1\nhigh 2\nmax 3\noom 4\noom_kill 5\noom_group_kill 6\n", &s);
    assert_int_equal(s.memory_events.low, 1);
    assert_int_equal(s.memory_events.high, 2);
    assert_int_equal(s.memory_events.max, 3);
    assert_int_equal(s.memory_events.oom, 4);
    assert_int_equal(s.memory_events.oom_kill, 5);
    assert_int_equal(s.memory_events.oom_group_kill, 6);
}

static void test_pressure(void **state)
{
    struct hcs_psi psi = {0};

    (void)state;
    linux_stats2_pressure("", &psi);
    assert_false(psi.present);
    linux_stats2_pressure("some avg10=1.50 avg60=0.25 avg300=0.00 total=1234\n"
                          "full avg10=0.50 avg60=0.00 avg300=0.00 total=99\n",
                          &psi);
    assert_true(psi.present);
    assert_true(psi.some.avg10 > 1.49 && psi.some.avg10 < 1.51);
    assert_true(psi.some.avg60 > 0.24 && psi.some.avg60 < 0.26);
    assert_int_equal(psi.some.total, 1234);
    assert_int_equal(psi.full.total, 99);
}

static void test_io_stat(void **state)
{
    struct hcs_stats s = {.kind = HCS_STATS_CGROUP2};

    (void)state;
    assert_ok(linux_stats2_io("8:16 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n"
                              "unknown\n253:0 \n259:1 wios=9 rbytes=7",
                              &s.v2, err));
    assert_int_equal(s.v2.n_io, 3);
    assert_int_equal(s.v2.io[0].major, 8);
    assert_int_equal(s.v2.io[0].minor, 16);
    assert_int_equal(s.v2.io[0].rbytes, 1);
    assert_int_equal(s.v2.io[0].wbytes, 2);
    assert_int_equal(s.v2.io[0].rios, 3);
    assert_int_equal(s.v2.io[0].wios, 4);
    assert_int_equal(s.v2.io[1].major, 253);
    assert_int_equal(s.v2.io[1].rbytes, 0); /* not the next line's */
    assert_int_equal(s.v2.io[2].rbytes, 7);
    assert_int_equal(s.v2.io[2].wios, 9);
    hcs_stats_done(&s);
}

static void test_a_folder_is_read_and_what_is_missing_is_zero(void **state)
{
    struct hcs_stats s;
    struct world w;
    struct linux_cgroup cg = {.unified = true, .dir = w.dir};

    (void)state;
    world_init(&w);
    write_text(below(w.dir, "pids.current"), "3\n");
    write_text(below(w.dir, "pids.max"), "max\n");
    write_text(below(w.dir, "memory.current"), "4096\n");
    write_text(below(w.dir, "memory.max"), "max\n");
    write_text(below(w.dir, "memory.events"), "oom_kill 2\n");
    write_text(below(w.dir, "hugetlb.2MB.current"), "5\n");
    write_text(below(w.dir, "hugetlb.2MB.max"), "6\n");
    write_text(below(w.dir, "hugetlb.2MB.events"), "max 7\n");
    write_text(below(w.dir, "io.pressure"), "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n");
    assert_ok(linux_figures_read(&cg, &s, err));
    assert_int_equal(s.kind, HCS_STATS_CGROUP2);
    assert_int_equal(s.v2.pids_current, 3);
    assert_int_equal(s.v2.pids_limit, HCS_STATS_MAX);
    assert_int_equal(s.v2.memory.usage, 4096);
    assert_int_equal(s.v2.memory.usage_limit, HCS_STATS_MAX);
    assert_int_equal(s.v2.memory.swap_usage, 0);
    assert_int_equal(s.v2.memory_events.oom_kill, 2);
    assert_int_equal(s.v2.cpu.usage_usec, 0);
    assert_int_equal(s.hugetlb[0].usage, 5);
    assert_int_equal(s.hugetlb[0].max, 6);
    assert_int_equal(s.hugetlb[0].failcnt, 7);
    assert_true(s.v2.io_psi.present);
    assert_false(s.v2.cpu.psi.present);
    hcs_stats_done(&s);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu_stat),
        cmocka_unit_test(test_memory_stat_with_refaults_of_old_and_new_kernels),
        cmocka_unit_test(test_memory_events),
        cmocka_unit_test(test_pressure),
        cmocka_unit_test(test_io_stat),
        cmocka_unit_test(test_a_folder_is_read_and_what_is_missing_is_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

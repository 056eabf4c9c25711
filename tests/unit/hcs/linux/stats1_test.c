/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of version 1, from texts as kernels write them. */
#include "hcs/linux/cgroup.h"
#include "hcs/linux/figures.h"
#include "tests/unit/hcs/linux/world.h"

static void test_cpu_times_are_nanoseconds(void **state)
{
    struct hcs_stats_v1 s = {0};

    (void)state;
    linux_stats1_cpuacct("user 3\nsystem 4\n", 100, &s);
    assert_int_equal(s.cpu.user, 30000000);
    assert_int_equal(s.cpu.kernel, 40000000);
    linux_stats1_cpuacct("user 3\nsystem 4\n", -1, &s); /* sysconf does not know: 100 */
    assert_int_equal(s.cpu.user, 30000000);
}

static void test_each_cpu_is_listed(void **state)
{
    struct hcs_stats s = {.kind = HCS_STATS_CGROUP1};

    (void)state;
    assert_ok(linux_stats1_per_cpu("100 200 300 \n", &s.v1, err));
    assert_int_equal(s.v1.cpu.n_per_cpu, 3);
    assert_int_equal(s.v1.cpu.per_cpu[2], 300);
    hcs_stats_done(&s);
}

static void test_throttling_and_memory_and_oom(void **state)
{
    struct hcs_stats_v1 s = {0};

    (void)state;
    linux_stats1_throttling("nr_periods 1\nnr_throttled 2\nthrottled_time 3\n", &s);
    assert_int_equal(s.cpu.periods, 1);
    assert_int_equal(s.cpu.throttled_periods, 2);
    assert_int_equal(s.cpu.throttled_time, 3);
    linux_stats1_memory("cache 1\nrss 2\npgpgin 3\nhierarchical_memory_limit 9223372036854771712\n"
                        "hierarchical_memsw_limit 4\ntotal_inactive_file 5\ntotal_pgmajfault 6\n",
                        &s);
    assert_int_equal(s.memory.cache, 1);
    assert_int_equal(s.memory.rss, 2);
    assert_int_equal(s.memory.pg_pg_in, 3);
    assert_int_equal(s.memory.hierarchical_memory_limit, 9223372036854771712u);
    assert_int_equal(s.memory.hierarchical_swap_limit, 4);
    assert_int_equal(s.memory.total_inactive_file, 5);
    assert_int_equal(s.memory.total_pg_maj_fault, 6);
    linux_stats1_oom("oom_kill_disable 1\nunder_oom 0\noom_kill 8\n", &s);
    assert_int_equal(s.oom_kill_disable, 1);
    assert_int_equal(s.oom_kill, 8);
}

static void test_block_devices_with_and_without_an_operation(void **state)
{
    struct hcs_stats s = {.kind = HCS_STATS_CGROUP1};

    (void)state;
    assert_ok(linux_stats1_blkio("8:0 Read 10\n8:0 Total 30\nTotal 30\nrubbish\n8:16 \n",
                                 HCS_BLKIO_SERVICE_BYTES, &s.v1, err));
    assert_ok(linux_stats1_blkio("999999:7 55\n", HCS_BLKIO_TIME, &s.v1, err));
    assert_int_equal(s.v1.n_blkio, 3);
    assert_int_equal(s.v1.blkio[0].list, HCS_BLKIO_SERVICE_BYTES);
    assert_string_equal(s.v1.blkio[0].op, "Read");
    assert_int_equal(s.v1.blkio[0].value, 10);
    assert_string_equal(s.v1.blkio[1].op, "Total");
    assert_int_equal(s.v1.blkio[2].list, HCS_BLKIO_TIME);
    assert_string_equal(s.v1.blkio[2].op, "");
    assert_string_equal(s.v1.blkio[2].device, ""); /* no machine has it */
    assert_int_equal(s.v1.blkio[2].minor, 7);
    assert_int_equal(s.v1.blkio[2].value, 55);
    hcs_stats_done(&s);
}

static void test_folders_are_read_and_what_is_missing_is_zero(void **state)
{
    struct hcs_stats s;
    struct world w;
    struct linux_cgroup cg = {.dir = w.dir,
                              .dirs = {[LINUX_MEMORY] = w.dir,
                                       [LINUX_CPUACCT] = w.dir,
                                       [LINUX_BLKIO] = w.dir,
                                       [LINUX_HUGETLB] = w.dir}};

    (void)state;
    world_init(&w);
    write_text(below(w.dir, "cpuacct.usage"), "12345\n");
    write_text(below(w.dir, "memory.usage_in_bytes"), "1\n");
    write_text(below(w.dir, "memory.limit_in_bytes"), "2\n");
    write_text(below(w.dir, "memory.memsw.max_usage_in_bytes"), "3\n");
    write_text(below(w.dir, "memory.kmem.tcp.failcnt"), "4\n");
    write_text(below(w.dir, "blkio.throttle.io_serviced_recursive"), "8:0 Read 5\n");
    write_text(below(w.dir, "hugetlb.2MB.usage_in_bytes"), "6\n");
    write_text(below(w.dir, "hugetlb.2MB.max_usage_in_bytes"), "7\n");
    write_text(below(w.dir, "hugetlb.2MB.failcnt"), "8\n");
    assert_ok(linux_figures_read(&cg, &s, err));
    assert_int_equal(s.kind, HCS_STATS_CGROUP1);
    assert_int_equal(s.v1.cpu.total, 12345);
    assert_int_equal(s.v1.memory.usage.usage, 1);
    assert_int_equal(s.v1.memory.usage.limit, 2);
    assert_int_equal(s.v1.memory.swap.max, 3);
    assert_int_equal(s.v1.memory.kernel_tcp.failcnt, 4);
    assert_int_equal(s.v1.blkio[0].list, HCS_BLKIO_SERVICED);
    assert_int_equal(s.v1.blkio[0].value, 5);
    assert_int_equal(s.hugetlb[0].usage, 6);
    assert_int_equal(s.hugetlb[0].max, 7);
    assert_int_equal(s.hugetlb[0].failcnt, 8);
    assert_int_equal(s.v1.pids_current, 0); /* the container has no such group */
    hcs_stats_done(&s);

    write_text(below(w.dir, "blkio.io_serviced_recursive"), "8:0 Write 6\n");
    assert_ok(linux_figures_read(&cg, &s, err));
    assert_int_equal(s.v1.n_blkio, 1); /* the scheduler's own win */
    assert_string_equal(s.v1.blkio[0].op, "Write");
    hcs_stats_done(&s);
    world_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cpu_times_are_nanoseconds),
        cmocka_unit_test(test_each_cpu_is_listed),
        cmocka_unit_test(test_throttling_and_memory_and_oom),
        cmocka_unit_test(test_block_devices_with_and_without_an_operation),
        cmocka_unit_test(test_folders_are_read_and_what_is_missing_is_zero),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

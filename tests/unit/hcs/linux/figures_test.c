/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in texts, arrays that grow, copies. */
#include "hcs/linux/cgroup.h"
#include "hcs/linux/figures.h"
#include "tests/unit/hcs/linux/world.h"

static void test_a_number_is_a_number_max_or_nothing(void **state)
{
    (void)state;
    assert_int_equal(linux_text_number("42\n"), 42);
    assert_int_equal(linux_text_number("max\n"), HCS_STATS_MAX);
    assert_int_equal(linux_text_number(""), 0);
    assert_int_equal(linux_text_number("-1"), 0);
    assert_int_equal(linux_text_number("x"), 0);
    assert_int_equal(linux_text_number("9223372036854771712"), 9223372036854771712u);
    assert_int_equal(linux_text_number("99999999999999999999"), UINT64_MAX);
}

static void test_a_key_is_found_whole(void **state)
{
    static const char text[] = "oom 1\noom_kill 2\nlonely\n\nlast 3";

    (void)state;
    assert_int_equal(linux_text_value(text, "oom"), 1);
    assert_int_equal(linux_text_value(text, "oom_kill"), 2);
    assert_int_equal(linux_text_value(text, "oom_"), 0);
    assert_int_equal(linux_text_value(text, "lonely"), 0);
    assert_int_equal(linux_text_value(text, "last"), 3);
}

static void test_rdma_has_entries_and_limits(void **state)
{
    struct hcs_stats s = {.kind = HCS_STATS_CGROUP2};

    (void)state;
    assert_ok(linux_rdma_parse("mlx4_0 hca_handle=2 hca_object=2000\nocrdma1 hca_handle=3\n\n",
                               false, &s, err));
    assert_ok(linux_rdma_parse("mlx4_0 hca_handle=max hca_object=99999999999", true, &s, err));
    assert_int_equal(s.n_rdma, 3);
    assert_string_equal(s.rdma[0].device, "mlx4_0");
    assert_int_equal(s.rdma[0].hca_handles, 2);
    assert_int_equal(s.rdma[0].hca_objects, 2000);
    assert_string_equal(s.rdma[1].device, "ocrdma1");
    assert_int_equal(s.rdma[1].hca_objects, 0);
    assert_true(s.rdma[2].is_limit);
    assert_int_equal(s.rdma[2].hca_handles, UINT32_MAX);
    assert_int_equal(s.rdma[2].hca_objects, UINT32_MAX);
    hcs_stats_done(&s);
}

static void test_huge_pages_are_found_by_the_files_there_are(void **state)
{
    struct hcs_stats s = {.kind = HCS_STATS_CGROUP2};
    struct world w;

    (void)state;
    world_init(&w);
    write_text(below(w.dir, "hugetlb.2MB.current"), "1");
    write_text(below(w.dir, "hugetlb.2MB.rsvd.current"), "1");
    write_text(below(w.dir, "hugetlb.1GB.max"), "1");
    write_text(below(w.dir, "memory.current"), "1");
    write_text(below(w.dir, "hugetlb.averyveryverylongsize.current"), "1");
    assert_ok(linux_hugetlb_sizes(w.dir, "current", &s, err));
    assert_int_equal(s.n_hugetlb, 1);
    assert_string_equal(s.hugetlb[0].pagesize, "2MB");
    assert_ok(linux_hugetlb_sizes(NULL, "current", &s, err));
    hcs_stats_done(&s);
    world_done(&w);
}

static void test_a_copy_has_arrays_of_its_own(void **state)
{
    struct hcs_stats v1 = {.kind = HCS_STATS_CGROUP1}, v2 = {.kind = HCS_STATS_CGROUP2}, copy;

    (void)state;
    v1.v1.cpu.total = 7;
    assert_ok(linux_stats1_per_cpu("1 2", &v1.v1, err));
    assert_ok(linux_stats1_blkio("8:0 Read 5", HCS_BLKIO_SERVICED, &v1.v1, err));
    assert_ok(linux_figures_dup(&v1, &copy, err));
    assert_int_equal(copy.v1.cpu.total, 7);
    assert_ptr_not_equal(copy.v1.cpu.per_cpu, v1.v1.cpu.per_cpu);
    hcs_stats_done(&v1);
    assert_int_equal(copy.v1.cpu.per_cpu[1], 2);
    assert_int_equal(copy.v1.blkio[0].value, 5);
    hcs_stats_done(&copy);

    assert_ok(linux_stats2_io("8:0 rbytes=9", &v2.v2, err));
    assert_ok(linux_rdma_parse("a hca_handle=1", false, &v2, err));
    assert_ok(linux_figures_dup(&v2, &copy, err));
    hcs_stats_done(&v2);
    assert_int_equal(copy.v2.io[0].rbytes, 9);
    assert_int_equal(copy.n_rdma, 1);
    assert_null(copy.hugetlb);
    hcs_stats_done(&copy);
}

static void test_a_group_that_has_gone_is_not_found(void **state)
{
    struct linux_cgroup cg = {.dir = (char[]){"/no/such/group"}};
    struct hcs_stats s;

    (void)state;
    assert_fails(SHIM_E_NOT_FOUND, "/no/such/group has gone", linux_figures_read(&cg, &s, err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_number_is_a_number_max_or_nothing),
        cmocka_unit_test(test_a_key_is_found_whole),
        cmocka_unit_test(test_rdma_has_entries_and_limits),
        cmocka_unit_test(test_huge_pages_are_found_by_the_files_there_are),
        cmocka_unit_test(test_a_copy_has_arrays_of_its_own),
        cmocka_unit_test(test_a_group_that_has_gone_is_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics give back what they own. */
#include "hcs/stats.h"
#include "tests/test.h"

static void test_what_either_version_owns_is_freed_and_forgotten(void **state)
{
    struct hcs_stats v1 = {.kind = HCS_STATS_CGROUP1}, v2 = {.kind = HCS_STATS_CGROUP2};

    (void)state;
    v1.v1.cpu.per_cpu = calloc(1, sizeof(*v1.v1.cpu.per_cpu));
    v1.v1.blkio = calloc(1, sizeof(*v1.v1.blkio));
    v1.hugetlb = calloc(1, sizeof(*v1.hugetlb));
    v1.rdma = calloc(1, sizeof(*v1.rdma));
    hcs_stats_done(&v1);
    assert_null(v1.v1.blkio);
    assert_null(v1.hugetlb);

    v2.v2.io = calloc(1, sizeof(*v2.v2.io));
    hcs_stats_done(&v2);
    assert_null(v2.v2.io);
    hcs_stats_done(&v2); /* twice is fine */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_either_version_owns_is_freed_and_forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

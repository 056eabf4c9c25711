/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics as messages: each number of the struct gets its own value by its place, each field of
 * the decoded message is looked up by its number.
 */
#include "base/compiler.h"
#include "shim/payload/any.h"
#include "shim/payload/stats.h"
#include "shim/proto/cgroups1.pb-c.h"
#include "shim/proto/cgroups2.pb-c.h"
#include "tests/test.h"
#include <string.h>

/* Sets n consecutive numbers to base + 1, base + 2, … */
static void number(void *at, size_t n, uint64_t base)
{
    for (size_t i = 0; i < n; i++)
        ((uint64_t *)at)[i] = base + 1 + i;
}

/* Checks that the fields first … are base + 1, base + 2, … */
static void assert_numbers(const void *message, uint32_t first, uint32_t n, uint64_t base)
{
    const ProtobufCMessage *m = message;

    assert_non_null(m);
    for (uint32_t i = 0; i < n; i++) {
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field(m->descriptor, first + i);

        assert_non_null(field);
        assert_int_equal(field->type, PROTOBUF_C_TYPE_UINT64);
        assert_int_equal(*(const uint64_t *)((const char *)m + field->offset), base + 1 + i);
    }
}

static void assert_psi_line(const Cgroups2__PSIData *m, double base)
{
    assert_true(m->avg10 == base + 0.25);
    assert_true(m->avg60 == base + 0.5);
    assert_true(m->avg300 == base + 0.75);
    assert_int_equal(m->total, (uint64_t)base);
}

static struct hcs_psi psi(double base)
{
    return (struct hcs_psi){.present = true,
                            .some = {base + 0.25, base + 0.5, base + 0.75, (uint64_t)base},
                            .full = {base + 1.25, base + 1.5, base + 1.75, (uint64_t)base + 1}};
}

static void assert_psi(const Cgroups2__PSIStats *m, double base)
{
    assert_non_null(m);
    assert_psi_line(m->some, base);
    assert_psi_line(m->full, base + 1);
}

static void *packed(const struct hcs_stats *s, const ProtobufCMessageDescriptor *kind)
{
    cleanup_any Pb__Any *any = NULL;
    ProtobufCMessage *m;

    assert_int_equal(shim_stats_to_any(s, &any, NULL), 0);
    assert_string_equal(any->type_url, kind->name);
    m = protobuf_c_message_unpack(kind, NULL, any->value.len, any->value.data);
    assert_non_null(m);
    return m;
}

static struct hcs_rdma rdma[] = {
    {"mlx_l", true, 1, 2}, {"mlx_a", false, 3, 4}, {"mlx_b", false, 5, 6}};

static void assert_rdma(const Cgroups2__RdmaStat *m)
{
    assert_non_null(m);
    assert_int_equal(m->n_current, 2);
    assert_string_equal(m->current[0]->device, "mlx_a");
    assert_int_equal(m->current[0]->hca_handles, 3);
    assert_int_equal(m->current[0]->hca_objects, 4);
    assert_string_equal(m->current[1]->device, "mlx_b");
    assert_int_equal(m->n_limit, 1);
    assert_string_equal(m->limit[0]->device, "mlx_l");
    assert_int_equal(m->limit[0]->hca_handles, 1);
}

static struct hcs_hugetlb hugetlb[] = {{"2MB", 21, 22, 23}, {"1GB", 31, 32, 33}};

static void test_every_number_of_cgroup2_has_its_field(void **state)
{
    struct hcs_io_entry io[2];
    struct hcs_stats s = {
        .kind = HCS_STATS_CGROUP2,
        .v2 = {.pids_current = 1, .pids_limit = HCS_STATS_MAX, .io = io, .n_io = 2},
        .hugetlb = hugetlb,
        .n_hugetlb = 2,
        .rdma = rdma,
        .n_rdma = 3};
    Cgroups2__Metrics *m;

    (void)state;
    number(&s.v2.cpu, 8, 100);
    number(&s.v2.memory, 37, 200);
    number(&s.v2.memory_events, 6, 300);
    number(io, 12, 400);
    s.v2.cpu.psi = psi(10);
    s.v2.memory.psi = psi(20);
    s.v2.io_psi = psi(30);

    m = packed(&s, &cgroups2__metrics__descriptor);
    assert_int_equal(m->pids->current, 1);
    assert_int_equal(m->pids->limit, UINT64_MAX);
    assert_numbers(m->cpu, 1, 6, 100);
    assert_numbers(m->cpu, 8, 2, 106);
    assert_numbers(m->memory, 1, 37, 200);
    assert_numbers(m->memory_events, 1, 6, 300);
    assert_int_equal(m->io->n_usage, 2);
    assert_numbers(m->io->usage[0], 1, 6, 400);
    assert_numbers(m->io->usage[1], 1, 6, 406);
    assert_psi(m->cpu->psi, 10);
    assert_psi(m->memory->psi, 20);
    assert_psi(m->io->psi, 30);
    assert_rdma(m->rdma);
    assert_int_equal(m->n_hugetlb, 2);
    assert_int_equal(m->hugetlb[0]->current, 21);
    assert_int_equal(m->hugetlb[0]->max, 22);
    assert_int_equal(m->hugetlb[0]->failcnt, 23);
    assert_string_equal(m->hugetlb[1]->pagesize, "1GB");
    assert_int_equal(m->n_network, 0);
    cgroups2__metrics__free_unpacked(m, NULL);
}

static void test_empty_cgroup2_statistics_have_no_optional_parts(void **state)
{
    const struct hcs_stats s = {.kind = HCS_STATS_CGROUP2};
    Cgroups2__Metrics *m = packed(&s, &cgroups2__metrics__descriptor);

    (void)state;
    assert_non_null(m->memory);
    assert_null(m->memory->psi);
    assert_null(m->cpu->psi);
    assert_null(m->io->psi);
    assert_null(m->rdma);
    assert_int_equal(m->n_hugetlb + m->io->n_usage, 0);
    cgroups2__metrics__free_unpacked(m, NULL);
}

/* Entry i of the list l. */
static void assert_blkio(const Cgroups1__BlkIOStat *m, unsigned l, size_t i, uint64_t value)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field(m->base.descriptor, l + 1);
    const char *at = (const char *)m;
    Cgroups1__BlkIOEntry *entry;

    assert_true(i < *(const size_t *)(at + field->quantifier_offset));
    entry = (*(Cgroups1__BlkIOEntry *const *const *)(at + field->offset))[i];
    assert_string_equal(entry->op, i ? "Write" : "Read");
    assert_string_equal(entry->device, "/dev/sda");
    assert_int_equal(entry->major, 8);
    assert_int_equal(entry->minor, 1);
    assert_int_equal(entry->value, value);
}

static void test_every_number_of_cgroup1_has_its_field(void **state)
{
    uint64_t per_cpu[] = {7, 0, 9};
    struct hcs_blkio_entry blkio[2 * HCS_BLKIO_LISTS];
    struct hcs_stats s = {.kind = HCS_STATS_CGROUP1,
                          .v1 = {.pids_current = 1,
                                 .pids_limit = 2,
                                 .cpu = {.per_cpu = per_cpu, .n_per_cpu = 3},
                                 .blkio = blkio,
                                 .n_blkio = SHIM_ARRAY_LEN(blkio)},
                          .hugetlb = hugetlb,
                          .n_hugetlb = 2,
                          .rdma = rdma,
                          .n_rdma = 3};
    Cgroups1__Metrics *m;

    (void)state;
    number(&s.v1.cpu.total, 3, 100);
    number(&s.v1.cpu.periods, 3, 110);
    number(&s.v1.memory, 32 + 4 * 4, 200);
    number(&s.v1.oom_kill_disable, 3, 300);
    for (unsigned i = 0; i < SHIM_ARRAY_LEN(blkio); i++)
        blkio[i] = (struct hcs_blkio_entry){i % HCS_BLKIO_LISTS,      {0}, "/dev/sda", 8, 1,
                                            400 + i % HCS_BLKIO_LISTS};
    for (unsigned i = 0; i < SHIM_ARRAY_LEN(blkio); i++)
        strcpy(blkio[i].op, i < HCS_BLKIO_LISTS ? "Read" : "Write");

    m = packed(&s, &cgroups1__metrics__descriptor);
    assert_int_equal(m->pids->current, 1);
    assert_int_equal(m->pids->limit, 2);
    assert_numbers(m->cpu->usage, 1, 3, 100);
    assert_int_equal(m->cpu->usage->n_per_cpu, 3);
    assert_memory_equal(m->cpu->usage->per_cpu, per_cpu, sizeof(per_cpu));
    assert_numbers(m->cpu->throttling, 1, 3, 110);
    assert_numbers(m->memory, 1, 32, 200);
    assert_numbers(m->memory->usage, 1, 4, 232);
    assert_numbers(m->memory->swap, 1, 4, 236);
    assert_numbers(m->memory->kernel, 1, 4, 240);
    assert_numbers(m->memory->kernel_tcp, 1, 4, 244);
    assert_numbers(m->memory_oom_control, 1, 3, 300);
    for (unsigned l = 0; l < HCS_BLKIO_LISTS; l++) {
        assert_blkio(m->blkio, l, 0, 400 + l);
        assert_blkio(m->blkio, l, 1, 400 + l);
    }
    assert_rdma(m->rdma);
    assert_int_equal(m->n_hugetlb, 2);
    assert_numbers(m->hugetlb[0], 1, 3, 20);
    assert_numbers(m->hugetlb[1], 1, 3, 30);
    assert_string_equal(m->hugetlb[0]->pagesize, "2MB");
    cgroups1__metrics__free_unpacked(m, NULL);
}

static void test_empty_cgroup1_statistics_have_no_lists(void **state)
{
    const struct hcs_stats s = {.kind = HCS_STATS_CGROUP1};
    Cgroups1__Metrics *m = packed(&s, &cgroups1__metrics__descriptor);

    (void)state;
    assert_non_null(m->memory->usage);
    assert_null(m->rdma);
    assert_int_equal(m->n_hugetlb + m->blkio->n_sectors_recursive + m->cpu->usage->n_per_cpu, 0);
    cgroups1__metrics__free_unpacked(m, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_number_of_cgroup2_has_its_field),
        cmocka_unit_test(test_empty_cgroup2_statistics_have_no_optional_parts),
        cmocka_unit_test(test_every_number_of_cgroup1_has_its_field),
        cmocka_unit_test(test_empty_cgroup1_statistics_have_no_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

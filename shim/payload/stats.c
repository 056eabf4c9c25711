/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Maps statistics to messages. The messages live on the stack and lend their strings from the
 * statistics; only the lists are allocated, and freed once all is packed.
 */
#include "shim/payload/stats.h"
#include "base/str.h"
#include "shim/payload/any.h"
#include "shim/proto/cgroups1.pb-c.h"
#include "shim/proto/cgroups2.pb-c.h"

/* Fields that have the same names on both sides. */
#define COPY(field) to->field = from->field;
/* clang-format off */
#define PSI_FIELDS(X) \
    X(avg10) X(avg60) X(avg300) X(total)
#define CPU2_FIELDS(X) \
    X(usage_usec) X(user_usec) X(system_usec) X(nr_periods) X(nr_throttled) X(throttled_usec) \
    X(nr_bursts) X(burst_usec)
#define MEMORY2_FIELDS(X) \
    X(anon) X(file) X(kernel_stack) X(slab) X(sock) X(shmem) X(file_mapped) X(file_dirty) \
    X(file_writeback) X(anon_thp) X(inactive_anon) X(active_anon) X(inactive_file) \
    X(active_file) X(unevictable) X(slab_reclaimable) X(slab_unreclaimable) X(pgfault) \
    X(pgmajfault) X(workingset_refault) X(workingset_activate) X(workingset_nodereclaim) \
    X(pgrefill) X(pgscan) X(pgsteal) X(pgactivate) X(pgdeactivate) X(pglazyfree) X(pglazyfreed) \
    X(thp_fault_alloc) X(thp_collapse_alloc) X(usage) X(usage_limit) X(swap_usage) X(swap_limit) \
    X(max_usage) X(swap_max_usage)
#define EVENTS2_FIELDS(X) \
    X(low) X(high) X(max) X(oom) X(oom_kill) X(oom_group_kill)
#define IO2_FIELDS(X) \
    X(major) X(minor) X(rbytes) X(wbytes) X(rios) X(wios)
#define ENTRY1_FIELDS(X) \
    X(limit) X(usage) X(max) X(failcnt)
#define MEMORY1_FIELDS(X) \
    X(cache) X(rss) X(rss_huge) X(mapped_file) X(dirty) X(writeback) X(pg_pg_in) X(pg_pg_out) \
    X(pg_fault) X(pg_maj_fault) X(inactive_anon) X(active_anon) X(inactive_file) X(active_file) \
    X(unevictable) X(hierarchical_memory_limit) X(hierarchical_swap_limit) X(total_cache) \
    X(total_rss) X(total_rss_huge) X(total_mapped_file) X(total_dirty) X(total_writeback) \
    X(total_pg_pg_in) X(total_pg_pg_out) X(total_pg_fault) X(total_pg_maj_fault) \
    X(total_inactive_anon) X(total_active_anon) X(total_inactive_file) X(total_active_file) \
    X(total_unevictable)
#define OOM1_FIELDS(X) \
    X(oom_kill_disable) X(under_oom) X(oom_kill)
#define BLKIO1_FIELDS(X) \
    X(major) X(minor) X(value)
#define HUGETLB1_FIELDS(X) \
    X(usage) X(max) X(failcnt)
/* clang-format on */

/* n pointers to n messages of `bytes` each, all in one allocation, for free(). NULL also where n is
 * 0: then the list is empty. */
static void *new_list(size_t n, size_t bytes)
{
    char **list = n > 0 ? calloc(n, sizeof(*list) + bytes) : NULL;

    for (size_t i = 0; list && i < n; i++)
        list[i] = (char *)(list + n) + i * bytes;
    return list;
}

/* --- what both kinds have ------------------------------------------------------------------- */

struct rdma_lists {
    Cgroups2__RdmaStat stat;
    Cgroups2__RdmaEntry **entries; /* owned; the current ones first, then the limits */
};

static bool fill_rdma(struct rdma_lists *to, const struct hcs_stats *s)
{
    size_t at = 0;

    cgroups2__rdma_stat__init(&to->stat);
    to->entries = new_list(s->n_rdma, sizeof(**to->entries));
    if (s->n_rdma > 0 && !to->entries)
        return false;
    for (int limits = 0; limits <= 1; limits++) {
        for (size_t i = 0; i < s->n_rdma; i++) {
            const struct hcs_rdma *from = &s->rdma[i];

            if (from->is_limit != limits)
                continue;
            cgroups2__rdma_entry__init(to->entries[at]);
            to->entries[at]->device = (char *)from->device;
            to->entries[at]->hca_handles = from->hca_handles;
            to->entries[at]->hca_objects = from->hca_objects;
            at++;
        }
        if (!limits)
            to->stat.n_current = at;
    }
    to->stat.n_limit = at - to->stat.n_current;
    to->stat.current = to->entries;
    to->stat.limit = to->entries ? to->entries + to->stat.n_current : NULL;
    return true;
}

/* --- cgroup v2 ------------------------------------------------------------------------------ */

struct metrics2 {
    Cgroups2__Metrics metrics;
    Cgroups2__PidsStat pids;
    Cgroups2__CPUStat cpu;
    Cgroups2__MemoryStat memory;
    Cgroups2__MemoryEvents events;
    Cgroups2__IOStat io;
    struct psi2 {
        Cgroups2__PSIStats stats;
        Cgroups2__PSIData some, full;
    } cpu_psi, memory_psi, io_psi;
    struct rdma_lists rdma;
};

static void fill_psi_line(Cgroups2__PSIData *to, const struct hcs_psi_line *from)
{
    cgroups2__psidata__init(to);
    PSI_FIELDS(COPY)
}

/* NULL, which leaves the message out, where the kernel has none. */
static Cgroups2__PSIStats *fill_psi(struct psi2 *to, const struct hcs_psi *from)
{
    if (!from->present)
        return NULL;
    cgroups2__psistats__init(&to->stats);
    fill_psi_line(&to->some, &from->some);
    fill_psi_line(&to->full, &from->full);
    to->stats.some = &to->some;
    to->stats.full = &to->full;
    return &to->stats;
}

static void fill_cpu2(struct metrics2 *m, const struct hcs_stats_v2 *s)
{
    Cgroups2__CPUStat *to = &m->cpu;
    const __typeof__(s->cpu) *from = &s->cpu;

    cgroups2__cpustat__init(to);
    CPU2_FIELDS(COPY)
    to->psi = fill_psi(&m->cpu_psi, &from->psi);
}

static void fill_memory2(struct metrics2 *m, const struct hcs_stats_v2 *s)
{
    Cgroups2__MemoryStat *to = &m->memory;
    const __typeof__(s->memory) *from = &s->memory;

    cgroups2__memory_stat__init(to);
    MEMORY2_FIELDS(COPY)
    to->psi = fill_psi(&m->memory_psi, &from->psi);
}

static void fill_events2(Cgroups2__MemoryEvents *to, const struct hcs_stats_v2 *s)
{
    const __typeof__(s->memory_events) *from = &s->memory_events;

    cgroups2__memory_events__init(to);
    EVENTS2_FIELDS(COPY)
}

static Cgroups2__IOEntry **new_io2(const struct hcs_stats_v2 *s)
{
    Cgroups2__IOEntry **list = new_list(s->n_io, sizeof(**list));

    for (size_t i = 0; list && i < s->n_io; i++) {
        Cgroups2__IOEntry *to = list[i];
        const struct hcs_io_entry *from = &s->io[i];

        cgroups2__ioentry__init(to);
        IO2_FIELDS(COPY)
    }
    return list;
}

static Cgroups2__HugeTlbStat **new_hugetlb2(const struct hcs_stats *s)
{
    Cgroups2__HugeTlbStat **list = new_list(s->n_hugetlb, sizeof(**list));

    for (size_t i = 0; list && i < s->n_hugetlb; i++) {
        cgroups2__huge_tlb_stat__init(list[i]);
        list[i]->current = s->hugetlb[i].usage;
        list[i]->max = s->hugetlb[i].max;
        list[i]->failcnt = s->hugetlb[i].failcnt;
        list[i]->pagesize = (char *)s->hugetlb[i].pagesize;
    }
    return list;
}

/* All but the lists. */
static void fill_plain2(struct metrics2 *m, const struct hcs_stats_v2 *s)
{
    cgroups2__metrics__init(&m->metrics);
    cgroups2__pids_stat__init(&m->pids);
    cgroups2__iostat__init(&m->io);
    fill_cpu2(m, s);
    fill_memory2(m, s);
    fill_events2(&m->events, s);
    m->pids.current = s->pids_current;
    m->pids.limit = s->pids_limit;
    m->io.psi = fill_psi(&m->io_psi, &s->io_psi);
    m->metrics.pids = &m->pids;
    m->metrics.cpu = &m->cpu;
    m->metrics.memory = &m->memory;
    m->metrics.memory_events = &m->events;
    m->metrics.io = &m->io;
}

static int pack2(const struct hcs_stats *s, Pb__Any **ret, struct shim_error *err)
{
    cleanup_free Cgroups2__HugeTlbStat **hugetlb = new_hugetlb2(s);
    cleanup_free Cgroups2__IOEntry **io = new_io2(&s->v2);
    cleanup_free Cgroups2__RdmaEntry **rdma = NULL;
    struct metrics2 m;

    fill_plain2(&m, &s->v2);
    if (!fill_rdma(&m.rdma, s))
        return shim_fail_memory(err);
    rdma = m.rdma.entries;
    if ((s->n_hugetlb > 0 && !hugetlb) || (s->v2.n_io > 0 && !io))
        return shim_fail_memory(err);
    m.metrics.rdma = rdma ? &m.rdma.stat : NULL;
    m.metrics.n_hugetlb = s->n_hugetlb;
    m.metrics.hugetlb = hugetlb;
    m.io.n_usage = s->v2.n_io;
    m.io.usage = io;
    return shim_any_pack(&m.metrics.base, ret, err);
}

/* --- cgroup v1 ------------------------------------------------------------------------------ */

struct metrics1 {
    Cgroups1__Metrics metrics;
    Cgroups2__PidsStat pids;
    Cgroups1__CPUStat cpu;
    Cgroups1__CPUUsage usage;
    Cgroups1__Throttle throttling;
    Cgroups1__MemoryStat memory;
    Cgroups1__MemoryEntry entries[4];
    Cgroups1__BlkIOStat blkio;
    Cgroups1__MemoryOomControl oom;
    struct rdma_lists rdma;
};

static void fill_cpu1(struct metrics1 *m, const struct hcs_stats_v1 *s)
{
    cgroups1__cpustat__init(&m->cpu);
    cgroups1__cpuusage__init(&m->usage);
    cgroups1__throttle__init(&m->throttling);
    m->usage.total = s->cpu.total;
    m->usage.kernel = s->cpu.kernel;
    m->usage.user = s->cpu.user;
    m->usage.n_per_cpu = s->cpu.n_per_cpu;
    m->usage.per_cpu = s->cpu.per_cpu;
    m->throttling.periods = s->cpu.periods;
    m->throttling.throttled_periods = s->cpu.throttled_periods;
    m->throttling.throttled_time = s->cpu.throttled_time;
    m->cpu.usage = &m->usage;
    m->cpu.throttling = &m->throttling;
}

static Cgroups1__MemoryEntry *fill_entry1(Cgroups1__MemoryEntry *to,
                                          const struct hcs_memory_entry *from)
{
    cgroups1__memory_entry__init(to);
    ENTRY1_FIELDS(COPY)
    return to;
}

static void fill_memory1(struct metrics1 *m, const struct hcs_stats_v1 *s)
{
    Cgroups1__MemoryStat *to = &m->memory;
    const __typeof__(s->memory) *from = &s->memory;

    cgroups1__memory_stat__init(to);
    MEMORY1_FIELDS(COPY)
    to->usage = fill_entry1(&m->entries[0], &from->usage);
    to->swap = fill_entry1(&m->entries[1], &from->swap);
    to->kernel = fill_entry1(&m->entries[2], &from->kernel);
    to->kernel_tcp = fill_entry1(&m->entries[3], &from->kernel_tcp);
}

static void fill_oom1(Cgroups1__MemoryOomControl *to, const struct hcs_stats_v1 *from)
{
    cgroups1__memory_oom_control__init(to);
    OOM1_FIELDS(COPY)
}

static void fill_blkio_entry(Cgroups1__BlkIOEntry *to, const struct hcs_blkio_entry *from)
{
    cgroups1__blk_ioentry__init(to);
    to->op = (char *)from->op;
    to->device = (char *)from->device;
    BLKIO1_FIELDS(COPY)
}

/* Groups the entries by the list they belong to; the lists share one array. False when out of
 * memory; *ret is for free(). */
static bool fill_blkio1(Cgroups1__BlkIOStat *to, const struct hcs_stats_v1 *s,
                        Cgroups1__BlkIOEntry ***ret)
{
#define LIST(list, field)                                                                          \
    [HCS_BLKIO_##list] = {                                                                         \
        offsetof(Cgroups1__BlkIOStat, n_##field),                                                  \
        offsetof(Cgroups1__BlkIOStat, field)                                                       \
    }
    static const struct {
        size_t count, entries;
    } lists[HCS_BLKIO_LISTS] = {
        LIST(SERVICE_BYTES, io_service_bytes_recursive),
        LIST(SERVICED, io_serviced_recursive),
        LIST(QUEUED, io_queued_recursive),
        LIST(SERVICE_TIME, io_service_time_recursive),
        LIST(WAIT_TIME, io_wait_time_recursive),
        LIST(MERGED, io_merged_recursive),
        LIST(TIME, io_time_recursive),
        LIST(SECTORS, sectors_recursive),
    };
#undef LIST
    Cgroups1__BlkIOEntry **next = *ret = new_list(s->n_blkio, sizeof(**next));

    cgroups1__blk_iostat__init(to);
    for (unsigned l = 0; next && l < HCS_BLKIO_LISTS; l++) {
        Cgroups1__BlkIOEntry **first = next;

        for (size_t i = 0; i < s->n_blkio; i++)
            if (s->blkio[i].list == l)
                fill_blkio_entry(*next++, &s->blkio[i]);
        *(size_t *)((char *)to + lists[l].count) = (size_t)(next - first);
        *(Cgroups1__BlkIOEntry ***)((char *)to + lists[l].entries) = first;
    }
    return s->n_blkio == 0 || *ret;
}

static Cgroups1__HugetlbStat **new_hugetlb1(const struct hcs_stats *s)
{
    Cgroups1__HugetlbStat **list = new_list(s->n_hugetlb, sizeof(**list));

    for (size_t i = 0; list && i < s->n_hugetlb; i++) {
        Cgroups1__HugetlbStat *to = list[i];
        const struct hcs_hugetlb *from = &s->hugetlb[i];

        cgroups1__hugetlb_stat__init(to);
        HUGETLB1_FIELDS(COPY)
        to->pagesize = (char *)from->pagesize;
    }
    return list;
}

/* All but the lists. */
static void fill_plain1(struct metrics1 *m, const struct hcs_stats_v1 *s)
{
    cgroups1__metrics__init(&m->metrics);
    cgroups2__pids_stat__init(&m->pids);
    fill_cpu1(m, s);
    fill_memory1(m, s);
    fill_oom1(&m->oom, s);
    m->pids.current = s->pids_current;
    m->pids.limit = s->pids_limit;
    m->metrics.pids = &m->pids;
    m->metrics.cpu = &m->cpu;
    m->metrics.memory = &m->memory;
    m->metrics.blkio = &m->blkio;
    m->metrics.memory_oom_control = &m->oom;
}

static int pack1(const struct hcs_stats *s, Pb__Any **ret, struct shim_error *err)
{
    cleanup_free Cgroups1__HugetlbStat **hugetlb = new_hugetlb1(s);
    cleanup_free Cgroups1__BlkIOEntry **blkio = NULL;
    cleanup_free Cgroups2__RdmaEntry **rdma = NULL;
    struct metrics1 m;

    fill_plain1(&m, &s->v1);
    if (!fill_rdma(&m.rdma, s))
        return shim_fail_memory(err);
    rdma = m.rdma.entries;
    if (!fill_blkio1(&m.blkio, &s->v1, &blkio) || (s->n_hugetlb > 0 && !hugetlb))
        return shim_fail_memory(err);
    m.metrics.rdma = rdma ? &m.rdma.stat : NULL;
    m.metrics.n_hugetlb = s->n_hugetlb;
    m.metrics.hugetlb = hugetlb;
    return shim_any_pack(&m.metrics.base, ret, err);
}

int shim_stats_to_any(const struct hcs_stats *s, Pb__Any **ret, struct shim_error *err)
{
    return s->kind == HCS_STATS_CGROUP2 ? pack2(s, ret, err) : pack1(s, ret, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of version 1 control groups. */
#include "base/buf.h"
#include "base/clock.h"
#include "base/str.h"
#include "hcs/linux/cgroup.h"
#include "hcs/linux/figures.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define AT(path) offsetof(struct hcs_stats_v1, path)

void linux_stats1_cpuacct(const char *cpuacct_stat, long ticks_per_s, struct hcs_stats_v1 *s)
{
    uint64_t ns_per_tick = (uint64_t)(SHIM_NS_PER_S / (ticks_per_s > 0 ? ticks_per_s : 100));

    s->cpu.user = linux_text_value(cpuacct_stat, "user") * ns_per_tick;
    s->cpu.kernel = linux_text_value(cpuacct_stat, "system") * ns_per_tick;
}

int linux_stats1_per_cpu(const char *usage_percpu, struct hcs_stats_v1 *s, struct shim_error *err)
{
    for (char *end; *usage_percpu; usage_percpu = end) {
        uint64_t value = strtoull(usage_percpu, &end, 10), *at;

        if (end == usage_percpu)
            break;
        at = linux_figures_grow(&s->cpu.per_cpu, s->cpu.n_per_cpu, sizeof(*at));
        if (!at)
            return shim_fail_memory(err);
        s->cpu.n_per_cpu++;
        *at = value;
    }
    return 0;
}

void linux_stats1_throttling(const char *cpu_stat, struct hcs_stats_v1 *s)
{
    static const struct linux_figure figures[] = {
        {"nr_periods", AT(cpu.periods)},
        {"nr_throttled", AT(cpu.throttled_periods)},
        {"throttled_time", AT(cpu.throttled_time)},
    };

    linux_text_fill(cpu_stat, figures, SHIM_ARRAY_LEN(figures), s);
}

void linux_stats1_memory(const char *memory_stat, struct hcs_stats_v1 *s)
{
    static const struct linux_figure figures[] = {
        {"cache", AT(memory.cache)},
        {"rss", AT(memory.rss)},
        {"rss_huge", AT(memory.rss_huge)},
        {"mapped_file", AT(memory.mapped_file)},
        {"dirty", AT(memory.dirty)},
        {"writeback", AT(memory.writeback)},
        {"pgpgin", AT(memory.pg_pg_in)},
        {"pgpgout", AT(memory.pg_pg_out)},
        {"pgfault", AT(memory.pg_fault)},
        {"pgmajfault", AT(memory.pg_maj_fault)},
        {"inactive_anon", AT(memory.inactive_anon)},
        {"active_anon", AT(memory.active_anon)},
        {"inactive_file", AT(memory.inactive_file)},
        {"active_file", AT(memory.active_file)},
        {"unevictable", AT(memory.unevictable)},
        {"hierarchical_memory_limit", AT(memory.hierarchical_memory_limit)},
        {"hierarchical_memsw_limit", AT(memory.hierarchical_swap_limit)},
        {"total_cache", AT(memory.total_cache)},
        {"total_rss", AT(memory.total_rss)},
        {"total_rss_huge", AT(memory.total_rss_huge)},
        {"total_mapped_file", AT(memory.total_mapped_file)},
        {"total_dirty", AT(memory.total_dirty)},
        {"total_writeback", AT(memory.total_writeback)},
        {"total_pgpgin", AT(memory.total_pg_pg_in)},
        {"total_pgpgout", AT(memory.total_pg_pg_out)},
        {"total_pgfault", AT(memory.total_pg_fault)},
        {"total_pgmajfault", AT(memory.total_pg_maj_fault)},
        {"total_inactive_anon", AT(memory.total_inactive_anon)},
        {"total_active_anon", AT(memory.total_active_anon)},
        {"total_inactive_file", AT(memory.total_inactive_file)},
        {"total_active_file", AT(memory.total_active_file)},
        {"total_unevictable", AT(memory.total_unevictable)},
    };

    linux_text_fill(memory_stat, figures, SHIM_ARRAY_LEN(figures), s);
}

void linux_stats1_oom(const char *oom_control, struct hcs_stats_v1 *s)
{
    static const struct linux_figure figures[] = {
        {"oom_kill_disable", AT(oom_kill_disable)},
        {"under_oom", AT(under_oom)},
        {"oom_kill", AT(oom_kill)},
    };

    linux_text_fill(oom_control, figures, SHIM_ARRAY_LEN(figures), s);
}

/* "/dev/sda" for 8:0; "" where the machine has no such device (any more). */
static void device_name(const struct hcs_blkio_entry *entry, char ret[64])
{
    char path[64], target[256];
    const char *base;
    ssize_t n;

    snprintf(path, sizeof(path), "/sys/dev/block/%" PRIu64 ":%" PRIu64, entry->major, entry->minor);
    n = readlink(path, target, sizeof(target) - 1);
    ret[0] = 0;
    if (n <= 0)
        return;
    target[n] = 0;
    base = strrchr(target, '/');
    snprintf(ret, 64, "/dev/%.58s", base ? base + 1 : target);
}

/* "8:0 Read 123", "8:0 123" or, not about one device, "Total 123". */
static bool parse_blkio_line(const char *line, const char *end, struct hcs_blkio_entry *ret)
{
    int at = 0;

    if (sscanf(line, "%" SCNu64 ":%" SCNu64 " %n", &ret->major, &ret->minor, &at) < 2 || at == 0 ||
        line + at >= end)
        return false;
    line += at;
    if (*line >= '0' && *line <= '9') {
        ret->value = linux_text_number(line);
        return true;
    }
    return sscanf(line, "%15s %" SCNu64, ret->op, &ret->value) == 2;
}

int linux_stats1_blkio(const char *text, enum hcs_blkio_list list, struct hcs_stats_v1 *s,
                       struct shim_error *err)
{
    while (*text) {
        const char *end = strchrnul(text, '\n');
        struct hcs_blkio_entry entry = {.list = list}, *at;

        if (parse_blkio_line(text, end, &entry)) {
            at = linux_figures_grow(&s->blkio, s->n_blkio, sizeof(*at));
            if (!at)
                return shim_fail_memory(err);
            s->n_blkio++;
            device_name(&entry, entry.device);
            *at = entry;
        }
        text = *end ? end + 1 : end;
    }
    return 0;
}

static int read_cpu(const struct linux_cgroup *cg, struct shim_buf *text, struct hcs_stats_v1 *s,
                    struct shim_error *err)
{
    const char *dir = cg->dirs[LINUX_CPUACCT];

    s->cpu.total = linux_figures_number(dir, "cpuacct.usage");
    linux_stats1_cpuacct(linux_figures_file(dir, "cpuacct.stat", text), sysconf(_SC_CLK_TCK), s);
    linux_stats1_throttling(linux_figures_file(cg->dirs[LINUX_CPU], "cpu.stat", text), s);
    return linux_stats1_per_cpu(linux_figures_file(dir, "cpuacct.usage_percpu", text), s, err);
}

static void read_memory_entry(const char *dir, const char *kind, struct hcs_memory_entry *ret)
{
    const struct {
        const char *suffix;
        uint64_t *at;
    } files[] = {
        {"limit_in_bytes", &ret->limit},
        {"usage_in_bytes", &ret->usage},
        {"max_usage_in_bytes", &ret->max},
        {"failcnt", &ret->failcnt},
    };

    for (size_t i = 0; i < SHIM_ARRAY_LEN(files); i++) {
        char name[64];

        snprintf(name, sizeof(name), "memory.%s%s", kind, files[i].suffix);
        *files[i].at = linux_figures_number(dir, name);
    }
}

static void read_memory(const char *dir, struct shim_buf *text, struct hcs_stats_v1 *s)
{
    linux_stats1_memory(linux_figures_file(dir, "memory.stat", text), s);
    linux_stats1_oom(linux_figures_file(dir, "memory.oom_control", text), s);
    read_memory_entry(dir, "", &s->memory.usage);
    read_memory_entry(dir, "memsw.", &s->memory.swap);
    read_memory_entry(dir, "kmem.", &s->memory.kernel);
    read_memory_entry(dir, "kmem.tcp.", &s->memory.kernel_tcp);
}

/* The scheduler's own figures where it keeps any, else those of throttling, which always exist. */
static int read_blkio(const char *dir, struct shim_buf *text, struct hcs_stats_v1 *s,
                      struct shim_error *err)
{
    static const char *const recursive[HCS_BLKIO_LISTS] = {
        [HCS_BLKIO_SERVICE_BYTES] = "blkio.io_service_bytes_recursive",
        [HCS_BLKIO_SERVICED] = "blkio.io_serviced_recursive",
        [HCS_BLKIO_QUEUED] = "blkio.io_queued_recursive",
        [HCS_BLKIO_SERVICE_TIME] = "blkio.io_service_time_recursive",
        [HCS_BLKIO_WAIT_TIME] = "blkio.io_wait_time_recursive",
        [HCS_BLKIO_MERGED] = "blkio.io_merged_recursive",
        [HCS_BLKIO_TIME] = "blkio.time_recursive",
        [HCS_BLKIO_SECTORS] = "blkio.sectors_recursive",
    };
    static const char *const throttle[HCS_BLKIO_LISTS] = {
        [HCS_BLKIO_SERVICE_BYTES] = "blkio.throttle.io_service_bytes_recursive",
        [HCS_BLKIO_SERVICED] = "blkio.throttle.io_serviced_recursive",
    };
    const char *const *names =
        *linux_figures_file(dir, recursive[HCS_BLKIO_SERVICED], text) ? recursive : throttle;

    for (int list = 0; list < HCS_BLKIO_LISTS; list++) {
        int r = 0;

        if (names[list])
            r = linux_stats1_blkio(linux_figures_file(dir, names[list], text),
                                   (enum hcs_blkio_list)list, s, err);
        if (r < 0)
            return r;
    }
    return 0;
}

static int read_hugetlb(const char *dir, struct hcs_stats *s, struct shim_error *err)
{
    int r = linux_hugetlb_sizes(dir, "usage_in_bytes", s, err);

    for (size_t i = 0; r == 0 && i < s->n_hugetlb; i++) {
        struct hcs_hugetlb *h = &s->hugetlb[i];
        char name[48];

        snprintf(name, sizeof(name), "hugetlb.%s.usage_in_bytes", h->pagesize);
        h->usage = linux_figures_number(dir, name);
        snprintf(name, sizeof(name), "hugetlb.%s.max_usage_in_bytes", h->pagesize);
        h->max = linux_figures_number(dir, name);
        snprintf(name, sizeof(name), "hugetlb.%s.failcnt", h->pagesize);
        h->failcnt = linux_figures_number(dir, name);
    }
    return r;
}

static int read_rdma(const char *dir, struct shim_buf *text, struct hcs_stats *s,
                     struct shim_error *err)
{
    int r = linux_rdma_parse(linux_figures_file(dir, "rdma.current", text), false, s, err);

    if (r == 0)
        r = linux_rdma_parse(linux_figures_file(dir, "rdma.max", text), true, s, err);
    return r;
}

int linux_stats1_read(const struct linux_cgroup *cg, struct hcs_stats *s, struct shim_error *err)
{
    cleanup_buf struct shim_buf text = {0};
    int r = read_cpu(cg, &text, &s->v1, err);

    s->v1.pids_current = linux_figures_number(cg->dirs[LINUX_PIDS], "pids.current");
    s->v1.pids_limit = linux_figures_number(cg->dirs[LINUX_PIDS], "pids.max");
    read_memory(cg->dirs[LINUX_MEMORY], &text, &s->v1);
    if (r == 0)
        r = read_blkio(cg->dirs[LINUX_BLKIO], &text, &s->v1, err);
    if (r == 0)
        r = read_hugetlb(cg->dirs[LINUX_HUGETLB], s, err);
    if (r == 0)
        r = read_rdma(cg->dirs[LINUX_RDMA], &text, s, err);
    return r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of a version 2 control group. */
#include "base/buf.h"
#include "base/str.h"
#include "hcs/linux/figures.h"
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define AT(path) offsetof(struct hcs_stats_v2, path)

void linux_stats2_cpu(const char *cpu_stat, struct hcs_stats_v2 *s)
{
    static const struct linux_figure figures[] = {
        {"usage_usec", AT(cpu.usage_usec)},     {"user_usec", AT(cpu.user_usec)},
        {"system_usec", AT(cpu.system_usec)},   {"nr_periods", AT(cpu.nr_periods)},
        {"nr_throttled", AT(cpu.nr_throttled)}, {"throttled_usec", AT(cpu.throttled_usec)},
        {"nr_bursts", AT(cpu.nr_bursts)},       {"burst_usec", AT(cpu.burst_usec)},
    };

    linux_text_fill(cpu_stat, figures, SHIM_ARRAY_LEN(figures), s);
}

/* The kernel splits what the messages have as one: refaults of file and anonymous pages. */
static void add_refaults(const char *memory_stat, struct hcs_stats_v2 *s)
{
    s->memory.workingset_refault += linux_text_value(memory_stat, "workingset_refault_anon") +
                                    linux_text_value(memory_stat, "workingset_refault_file");
    s->memory.workingset_activate += linux_text_value(memory_stat, "workingset_activate_anon") +
                                     linux_text_value(memory_stat, "workingset_activate_file");
}

void linux_stats2_memory(const char *memory_stat, struct hcs_stats_v2 *s)
{
    static const struct linux_figure figures[] = {
        {"anon", AT(memory.anon)},
        {"file", AT(memory.file)},
        {"kernel_stack", AT(memory.kernel_stack)},
        {"slab", AT(memory.slab)},
        {"sock", AT(memory.sock)},
        {"shmem", AT(memory.shmem)},
        {"file_mapped", AT(memory.file_mapped)},
        {"file_dirty", AT(memory.file_dirty)},
        {"file_writeback", AT(memory.file_writeback)},
        {"anon_thp", AT(memory.anon_thp)},
        {"inactive_anon", AT(memory.inactive_anon)},
        {"active_anon", AT(memory.active_anon)},
        {"inactive_file", AT(memory.inactive_file)},
        {"active_file", AT(memory.active_file)},
        {"unevictable", AT(memory.unevictable)},
        {"slab_reclaimable", AT(memory.slab_reclaimable)},
        {"slab_unreclaimable", AT(memory.slab_unreclaimable)},
        {"pgfault", AT(memory.pgfault)},
        {"pgmajfault", AT(memory.pgmajfault)},
        {"workingset_refault", AT(memory.workingset_refault)},
        {"workingset_activate", AT(memory.workingset_activate)},
        {"workingset_nodereclaim", AT(memory.workingset_nodereclaim)},
        {"pgrefill", AT(memory.pgrefill)},
        {"pgscan", AT(memory.pgscan)},
        {"pgsteal", AT(memory.pgsteal)},
        {"pgactivate", AT(memory.pgactivate)},
        {"pgdeactivate", AT(memory.pgdeactivate)},
        {"pglazyfree", AT(memory.pglazyfree)},
        {"pglazyfreed", AT(memory.pglazyfreed)},
        {"thp_fault_alloc", AT(memory.thp_fault_alloc)},
        {"thp_collapse_alloc", AT(memory.thp_collapse_alloc)},
    };
    linux_text_fill(memory_stat, figures, SHIM_ARRAY_LEN(figures), s);
    add_refaults(memory_stat, s);
}

void linux_stats2_events(const char *memory_events, struct hcs_stats_v2 *s)
{
    static const struct linux_figure figures[] = {
        {"low", AT(memory_events.low)},
        {"high", AT(memory_events.high)},
        {"max", AT(memory_events.max)},
        {"oom", AT(memory_events.oom)},
        {"oom_kill", AT(memory_events.oom_kill)},
        {"oom_group_kill", AT(memory_events.oom_group_kill)},
    };

    linux_text_fill(memory_events, figures, SHIM_ARRAY_LEN(figures), s);
}

/* "avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
static bool parse_psi_line(const char *text, const char *word, struct hcs_psi_line *ret)
{
    const char *line = strstr(text, word);

    return line && sscanf(line + strlen(word), " avg10=%lf avg60=%lf avg300=%lf total=%" SCNu64,
                          &ret->avg10, &ret->avg60, &ret->avg300, &ret->total) == 4;
}

void linux_stats2_pressure(const char *pressure, struct hcs_psi *ret)
{
    bool some = parse_psi_line(pressure, "some", &ret->some);
    bool full = parse_psi_line(pressure, "full", &ret->full);

    ret->present = some || full;
}

/* The number after "rbytes=" in line..end. */
static uint64_t io_value(const char *line, const char *end, const char *key)
{
    const char *at = memmem(line, (size_t)(end - line), key, strlen(key));

    return at ? linux_text_number(at + strlen(key)) : 0;
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0" */
int linux_stats2_io(const char *io_stat, struct hcs_stats_v2 *s, struct shim_error *err)
{
    while (*io_stat) {
        const char *end = strchrnul(io_stat, '\n');
        struct hcs_io_entry entry = {0};

        if (sscanf(io_stat, "%" SCNu64 ":%" SCNu64, &entry.major, &entry.minor) == 2) {
            struct hcs_io_entry *at = linux_figures_grow(&s->io, s->n_io, sizeof(*at));

            if (!at)
                return shim_fail_memory(err);
            s->n_io++;
            entry.rbytes = io_value(io_stat, end, " rbytes=");
            entry.wbytes = io_value(io_stat, end, " wbytes=");
            entry.rios = io_value(io_stat, end, " rios=");
            entry.wios = io_value(io_stat, end, " wios=");
            *at = entry;
        }
        io_stat = *end ? end + 1 : end;
    }
    return 0;
}

static void read_memory(const char *dir, struct shim_buf *text, struct hcs_stats_v2 *s)
{
    linux_stats2_memory(linux_figures_file(dir, "memory.stat", text), s);
    linux_stats2_events(linux_figures_file(dir, "memory.events", text), s);
    linux_stats2_pressure(linux_figures_file(dir, "memory.pressure", text), &s->memory.psi);
    s->memory.usage = linux_figures_number(dir, "memory.current");
    s->memory.usage_limit = linux_figures_number(dir, "memory.max");
    s->memory.max_usage = linux_figures_number(dir, "memory.peak");
    s->memory.swap_usage = linux_figures_number(dir, "memory.swap.current");
    s->memory.swap_limit = linux_figures_number(dir, "memory.swap.max");
    s->memory.swap_max_usage = linux_figures_number(dir, "memory.swap.peak");
}

static int read_hugetlb(const char *dir, struct shim_buf *text, struct hcs_stats *s,
                        struct shim_error *err)
{
    int r = linux_hugetlb_sizes(dir, "current", s, err);

    for (size_t i = 0; r == 0 && i < s->n_hugetlb; i++) {
        struct hcs_hugetlb *h = &s->hugetlb[i];
        char name[48];

        snprintf(name, sizeof(name), "hugetlb.%s.current", h->pagesize);
        h->usage = linux_figures_number(dir, name);
        snprintf(name, sizeof(name), "hugetlb.%s.max", h->pagesize);
        h->max = linux_figures_number(dir, name);
        snprintf(name, sizeof(name), "hugetlb.%s.events", h->pagesize);
        h->failcnt = linux_text_value(linux_figures_file(dir, name, text), "max");
    }
    return r;
}

int linux_stats2_read(const char *dir, struct hcs_stats *s, struct shim_error *err)
{
    cleanup_buf struct shim_buf text = {0};
    int r;

    s->v2.pids_current = linux_figures_number(dir, "pids.current");
    s->v2.pids_limit = linux_figures_number(dir, "pids.max");
    linux_stats2_cpu(linux_figures_file(dir, "cpu.stat", &text), &s->v2);
    linux_stats2_pressure(linux_figures_file(dir, "cpu.pressure", &text), &s->v2.cpu.psi);
    read_memory(dir, &text, &s->v2);
    linux_stats2_pressure(linux_figures_file(dir, "io.pressure", &text), &s->v2.io_psi);
    r = linux_stats2_io(linux_figures_file(dir, "io.stat", &text), &s->v2, err);
    if (r == 0)
        r = read_hugetlb(dir, &text, s, err);
    if (r == 0)
        r = linux_rdma_parse(linux_figures_file(dir, "rdma.current", &text), false, s, err);
    if (r == 0)
        r = linux_rdma_parse(linux_figures_file(dir, "rdma.max", &text), true, s, err);
    return r;
}

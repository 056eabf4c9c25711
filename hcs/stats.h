/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statistics of a compute system. Names follow the kernel's files (cgroup v1 and v2), units too:
 * v1 cpu in ns, v2 cpu in µs, memory in bytes. "max" in a file is HCS_STATS_MAX; a file that is
 * missing is 0.
 */
#pragma once
#include "base/compiler.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HCS_STATS_MAX UINT64_MAX

enum hcs_stats_kind { HCS_STATS_CGROUP1, HCS_STATS_CGROUP2 };

struct hcs_psi_line {
    double avg10, avg60, avg300;
    uint64_t total; /* µs */
};
struct hcs_psi {
    bool present;
    struct hcs_psi_line some, full;
};

struct hcs_hugetlb {
    char pagesize[16];
    uint64_t usage, max, failcnt;
};
struct hcs_rdma {
    char device[64];
    bool is_limit;
    uint32_t hca_handles, hca_objects;
};

struct hcs_io_entry { /* v2 io.stat */
    uint64_t major, minor, rbytes, wbytes, rios, wios;
};
struct hcs_stats_v2 {
    uint64_t pids_current, pids_limit;
    struct {
        uint64_t usage_usec, user_usec, system_usec, nr_periods, nr_throttled, throttled_usec,
            nr_bursts, burst_usec;
        struct hcs_psi psi;
    } cpu;
    struct {
        uint64_t anon, file, kernel_stack, slab, sock, shmem, file_mapped, file_dirty,
            file_writeback, anon_thp, inactive_anon, active_anon, inactive_file, active_file,
            unevictable, slab_reclaimable, slab_unreclaimable, pgfault, pgmajfault,
            workingset_refault, workingset_activate, workingset_nodereclaim, pgrefill, pgscan,
            pgsteal, pgactivate, pgdeactivate, pglazyfree, pglazyfreed, thp_fault_alloc,
            thp_collapse_alloc, usage, usage_limit, swap_usage, swap_limit, max_usage,
            swap_max_usage;
        struct hcs_psi psi;
    } memory;
    struct {
        uint64_t low, high, max, oom, oom_kill, oom_group_kill;
    } memory_events;
    struct hcs_io_entry *io; /* owned */
    size_t n_io;
    struct hcs_psi io_psi;
};

/* v1 blkio.*_recursive files, in the order of the message's fields. */
enum hcs_blkio_list {
    HCS_BLKIO_SERVICE_BYTES,
    HCS_BLKIO_SERVICED,
    HCS_BLKIO_QUEUED,
    HCS_BLKIO_SERVICE_TIME,
    HCS_BLKIO_WAIT_TIME,
    HCS_BLKIO_MERGED,
    HCS_BLKIO_TIME,
    HCS_BLKIO_SECTORS,
    HCS_BLKIO_LISTS
};
struct hcs_blkio_entry {
    enum hcs_blkio_list list;
    char op[16], device[64];
    uint64_t major, minor, value;
};
struct hcs_memory_entry {
    uint64_t limit, usage, max, failcnt;
};
struct hcs_stats_v1 {
    uint64_t pids_current, pids_limit;
    struct {
        uint64_t total, kernel, user; /* ns */
        uint64_t *per_cpu;            /* owned */
        size_t n_per_cpu;
        uint64_t periods, throttled_periods, throttled_time;
    } cpu;
    struct {
        uint64_t cache, rss, rss_huge, mapped_file, dirty, writeback, pg_pg_in, pg_pg_out, pg_fault,
            pg_maj_fault, inactive_anon, active_anon, inactive_file, active_file, unevictable,
            hierarchical_memory_limit, hierarchical_swap_limit, total_cache, total_rss,
            total_rss_huge, total_mapped_file, total_dirty, total_writeback, total_pg_pg_in,
            total_pg_pg_out, total_pg_fault, total_pg_maj_fault, total_inactive_anon,
            total_active_anon, total_inactive_file, total_active_file, total_unevictable;
        struct hcs_memory_entry usage, swap, kernel, kernel_tcp;
    } memory;
    struct hcs_blkio_entry *blkio; /* owned */
    size_t n_blkio;
    uint64_t oom_kill_disable, under_oom, oom_kill;
};

struct hcs_stats {
    enum hcs_stats_kind kind;
    union {
        struct hcs_stats_v1 v1;
        struct hcs_stats_v2 v2;
    };
    struct hcs_hugetlb *hugetlb; /* owned */
    size_t n_hugetlb;
    struct hcs_rdma *rdma; /* owned */
    size_t n_rdma;
};

void hcs_stats_done(struct hcs_stats *s);
#define cleanup_hcs_stats SHIM_CLEANUP(hcs_stats_done)

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Figures of a control group. The functions that take text are pure: a kernel file's text in, a
 * struct filled; what is not in the text stays 0. Threads: any. Reading is short file reads.
 */
#pragma once
#include "base/error.h"
#include "hcs/stats.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct linux_cgroup;

/* Everything there is; SHIM_E_NOT_FOUND when the group has gone. The caller owns *ret. */
SHIM_MUST_USE int linux_figures_read(const struct linux_cgroup *cg, struct hcs_stats *ret,
                                     struct shim_error *err);
/* A copy of its own; SHIM_E_EXHAUSTED out of memory. */
SHIM_MUST_USE int linux_figures_dup(const struct hcs_stats *s, struct hcs_stats *ret,
                                    struct shim_error *err);

/* --- what both versions share --------------------------------------------------------------- */

struct linux_figure {
    const char *key;
    size_t offset; /* of a uint64_t */
};
/* A number, "max" as HCS_STATS_MAX, anything else as 0. */
uint64_t linux_text_number(const char *text);
/* Fills what lines "key number" name. */
void linux_text_fill(const char *text, const struct linux_figure *figures, size_t n, void *into);
/* The number in the line "key number", 0: none. */
uint64_t linux_text_value(const char *text, const char *key);

/* DIR/NAME; an empty text where there is none. Frees nothing; the caller owns *ret. */
struct shim_buf;
const char *linux_figures_file(const char *dir, const char *name, struct shim_buf *ret);
uint64_t linux_figures_number(const char *dir, const char *name);

/* One more, zeroed element of the owned array whose pointer stands at `array`; NULL when out of
 * memory (the array is then as it was). */
void *linux_figures_grow(void *array, size_t n, size_t element_bytes);

/* The page sizes in DIR's hugetlb.SIZE.SUFFIX files, one entry each with only the size set. */
SHIM_MUST_USE int linux_hugetlb_sizes(const char *dir, const char *suffix, struct hcs_stats *s,
                                      struct shim_error *err);
/* rdma.current and rdma.max. */
SHIM_MUST_USE int linux_rdma_parse(const char *text, bool is_limit, struct hcs_stats *s,
                                   struct shim_error *err);

/* --- version 2 ------------------------------------------------------------------------------ */

SHIM_MUST_USE int linux_stats2_read(const char *dir, struct hcs_stats *s, struct shim_error *err);
void linux_stats2_cpu(const char *cpu_stat, struct hcs_stats_v2 *s);
void linux_stats2_memory(const char *memory_stat, struct hcs_stats_v2 *s);
void linux_stats2_events(const char *memory_events, struct hcs_stats_v2 *s);
void linux_stats2_pressure(const char *pressure, struct hcs_psi *ret);
SHIM_MUST_USE int linux_stats2_io(const char *io_stat, struct hcs_stats_v2 *s,
                                  struct shim_error *err);

/* --- version 1 ------------------------------------------------------------------------------ */

SHIM_MUST_USE int linux_stats1_read(const struct linux_cgroup *cg, struct hcs_stats *s,
                                    struct shim_error *err);
/* `ticks_per_s`: sysconf(_SC_CLK_TCK). */
void linux_stats1_cpuacct(const char *cpuacct_stat, long ticks_per_s, struct hcs_stats_v1 *s);
SHIM_MUST_USE int linux_stats1_per_cpu(const char *usage_percpu, struct hcs_stats_v1 *s,
                                       struct shim_error *err);
void linux_stats1_throttling(const char *cpu_stat, struct hcs_stats_v1 *s);
void linux_stats1_memory(const char *memory_stat, struct hcs_stats_v1 *s);
void linux_stats1_oom(const char *oom_control, struct hcs_stats_v1 *s);
SHIM_MUST_USE int linux_stats1_blkio(const char *text, enum hcs_blkio_list list,
                                     struct hcs_stats_v1 *s, struct shim_error *err);

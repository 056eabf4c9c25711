/* SPDX-License-Identifier: Apache-2.0 */
/* Frees what a struct of statistics owns. */
#include "hcs/stats.h"
#include <stdlib.h>

void hcs_stats_done(struct hcs_stats *s)
{
    if (s->kind == HCS_STATS_CGROUP1) {
        free(s->v1.cpu.per_cpu);
        free(s->v1.blkio);
    } else {
        free(s->v2.io);
    }
    free(s->hugetlb);
    free(s->rdma);
    *s = (struct hcs_stats){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Limits, which are only remembered, and statistics, which come from /proc. */
#include "base/str.h"
#include "hcs/emulated/system.h"
#include "hcs/stats.h"
#include <string.h>

int emu_system_update(struct hcs_system *base, const char *resources_json, struct shim_error *err)
{
    struct emu_system *s = emu_system_of(base);
    cleanup_free char *text = NULL;
    struct emu_limits limits;
    int r = 0;

    shim_lock(&s->lock);
    limits = s->limits;
    if ((s->state != EMU_CREATED && s->state != EMU_RUNNING && s->state != EMU_PAUSED) ||
        s->init.state == EMU_PROCESS_OVER)
        r = emu_wrong_state(s, "update", err);
    shim_unlock(&s->lock);
    if (r == 0)
        r = emu_resources_read(resources_json, strlen(resources_json), &limits, &text, err);
    if (r < 0)
        return r;
    shim_lock(&s->lock);
    s->limits = limits;
    free(s->resources_text);
    s->resources_text = shim_take(text);
    shim_unlock(&s->lock);
    return emu_system_save(s, err);
}

struct usage {
    uint64_t user_us, system_us, rss_bytes;
    size_t processes;
};

static struct usage add_up(const struct emu_procs *members)
{
    struct usage sum = {.processes = members->n};

    for (size_t i = 0; i < members->n; i++) {
        sum.user_us += members->v[i].user_us;
        sum.system_us += members->v[i].system_us;
        sum.rss_bytes += members->v[i].rss_bytes;
    }
    return sum;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Processes take their figures with them; what was seen once is never taken back. */
static void remember_locked(struct emu_system *s, const struct usage *now) SHIM_REQUIRES(s->lock)
{
    s->last_user_us = larger(s->last_user_us, now->user_us);
    s->last_system_us = larger(s->last_system_us, now->system_us);
    s->max_rss_bytes = larger(s->max_rss_bytes, now->rss_bytes);
    if (now->processes)
        s->last_rss_bytes = now->rss_bytes;
}

int emu_system_stats(struct hcs_system *base, struct hcs_stats *ret, struct shim_error *err)
{
    struct emu_system *s = emu_system_of(base);
    cleanup_emu_procs struct emu_procs members = {0};
    struct usage now;
    int r = emu_members(s, &members, err);

    if (r < 0)
        return r;
    now = add_up(&members);
    shim_lock(&s->lock);
    if (s->state == EMU_NEW || s->state == EMU_DELETED) {
        r = emu_wrong_state(s, "statistics", err);
    } else {
        remember_locked(s, &now);
        *ret = (struct hcs_stats){.kind = HCS_STATS_CGROUP2};
        ret->v2.pids_current = now.processes;
        ret->v2.pids_limit = s->limits.pids;
        ret->v2.cpu.user_usec = s->last_user_us;
        ret->v2.cpu.system_usec = s->last_system_us;
        ret->v2.cpu.usage_usec = s->last_user_us + s->last_system_us;
        ret->v2.memory.usage = s->last_rss_bytes;
        ret->v2.memory.max_usage = s->max_rss_bytes;
        ret->v2.memory.usage_limit = s->limits.memory_bytes;
    }
    shim_unlock(&s->lock);
    return r;
}

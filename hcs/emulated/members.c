/* SPDX-License-Identifier: Apache-2.0 */
/* All processes of an emulated system at once, those that its processes started included. */
#include "base/clock.h"
#include "hcs/emulated/system.h"
#include "hcs/hresult.h"
#include <stdlib.h>

#define PRUNE_FLOOR        32
#define STOP_TIMEOUT_NS    (2 * SHIM_NS_PER_S)
#define STOP_LOOK_AGAIN_MS 1

/* The roots as they are now, and how many there have ever been. */
static int copy_roots(struct emu_system *s, struct emu_roots *ret, unsigned *ret_births,
                      struct shim_error *err)
{
    bool copied;

    shim_lock(&s->lock);
    copied = emu_roots_copy(&s->roots, ret);
    *ret_births = s->births;
    shim_unlock(&s->lock);
    return copied ? 0 : shim_fail_memory(err);
}

int emu_members(struct emu_system *s, struct emu_procs *ret, struct shim_error *err)
{
    cleanup_emu_roots struct emu_roots roots = {0};
    unsigned births;
    int r = copy_roots(s, &roots, &births, err);

    return r < 0 ? r : emu_procs_of(&roots, ret, err);
}

void emu_members_prune(struct emu_system *s)
{
    cleanup_emu_roots struct emu_roots roots = {0};
    cleanup_emu_procs struct emu_procs members = {0};
    unsigned births;
    bool wanted;

    shim_lock(&s->lock);
    wanted = s->roots.n >= s->prune_at;
    if (wanted)
        s->prune_at = s->roots.n * 2; /* others need not look as well */
    shim_unlock(&s->lock);
    if (!wanted || copy_roots(s, &roots, &births, NULL) < 0 ||
        emu_procs_of(&roots, &members, NULL) < 0)
        return;
    shim_lock(&s->lock);
    emu_roots_prune(&s->roots, &roots, &members);
    s->prune_at = s->roots.n * 2 > PRUNE_FLOOR ? s->roots.n * 2 : PRUNE_FLOOR;
    shim_unlock(&s->lock);
}

/* --- killing -------------------------------------------------------------------------------- */

/* Nobody lives; true once nothing is being started or reported either, false when a new process
 * came or the time is over. */
static bool await_idle(struct emu_system *s, unsigned births, int64_t deadline_ns)
{
    bool idle;

    shim_lock(&s->lock);
    while (s->running > 0 && s->births == births)
        if (!shim_cond_wait_until(&s->changed, &s->lock, deadline_ns))
            break;
    idle = s->running == 0 && s->births == births;
    shim_unlock(&s->lock);
    return idle;
}

/* One round: 1 when nobody is left. */
static int kill_round(struct emu_system *s, int64_t deadline_ns, struct shim_error *err)
{
    cleanup_emu_roots struct emu_roots roots = {0};
    cleanup_emu_procs struct emu_procs members = {0};
    unsigned births;
    int r = copy_roots(s, &roots, &births, err);

    if (r == 0)
        r = emu_procs_of(&roots, &members, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < members.n; i++)
        emu_proc_kill(&members.v[i]);
    /* For each: one that left its session would not be found again once its parent is gone. */
    for (size_t i = 0; i < members.n; i++)
        emu_proc_wait(&members.v[i], deadline_ns);
    return members.n ? 0 : await_idle(s, births, deadline_ns);
}

int emu_members_kill(struct emu_system *s, int64_t deadline_ns, struct shim_error *err)
{
    int r;

    do
        r = kill_round(s, deadline_ns, err);
    while (r == 0 && shim_monotonic_ns() < deadline_ns);
    if (r == 0)
        return hcs_fail(err, HRESULT_OPERATION_TIMEOUT, "processes do not end when killed");
    return r < 0 ? r : 0;
}

/* --- signals, pause and resume -------------------------------------------------------------- */

int emu_system_signal_all(struct hcs_system *base, uint32_t signal, struct shim_error *err)
{
    struct emu_system *s = emu_system_of(base);
    cleanup_emu_procs struct emu_procs members = {0};
    bool unstarted, reached = false;
    int r;

    shim_lock(&s->lock);
    unstarted = s->state == EMU_CREATED;
    shim_unlock(&s->lock);
    if (unstarted)
        return emu_process_signal(&s->init.base, signal, err);
    if (signal == 0 || signal > EMU_SIGNAL_MAX)
        return hcs_fail(err, HRESULT_INVALID_ARGUMENT, "%u is not a signal", signal);
    r = emu_members(s, &members, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < members.n; i++)
        reached = emu_proc_signal(&members.v[i], (int)signal) || reached;
    if (!reached)
        return hcs_fail(err, HRESULT_SYSTEM_ALREADY_STOPPED, "process already finished");
    return 0;
}

/* 1 when all of them are stopped. */
static int stop_round(struct emu_system *s, struct shim_error *err)
{
    cleanup_emu_procs struct emu_procs members = {0};
    int all = 1, r = emu_members(s, &members, err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < members.n; i++)
        if (members.v[i].state != 'T' && members.v[i].state != 't') {
            emu_proc_stop(&members.v[i]);
            all = 0;
        }
    if (!all)
        shim_sleep_ms(STOP_LOOK_AGAIN_MS); /* a stop gives no notice to those who are no parent */
    return all;
}

static int change_state(struct emu_system *s, enum emu_state from, enum emu_state to,
                        const char *verb, struct shim_error *err)
{
    int r = 0;

    shim_lock(&s->lock);
    if (s->state != from || s->init.state == EMU_PROCESS_OVER || s->attached)
        r = emu_wrong_state(s, verb, err);
    else
        s->state = to;
    shim_unlock(&s->lock);
    return r;
}

static int continue_all(struct emu_system *s, struct shim_error *err)
{
    cleanup_emu_procs struct emu_procs members = {0};
    int r = emu_members(s, &members, err);

    for (size_t i = 0; r == 0 && i < members.n; i++)
        emu_proc_continue(&members.v[i]);
    return r;
}

int emu_system_pause(struct hcs_system *base, struct shim_error *err)
{
    struct emu_system *s = emu_system_of(base);
    int64_t deadline_ns = shim_monotonic_ns() + STOP_TIMEOUT_NS;
    int r = change_state(s, EMU_RUNNING, EMU_PAUSED, "pause", err);

    if (r < 0)
        return r;
    do
        r = stop_round(s, err);
    while (r == 0 && shim_monotonic_ns() < deadline_ns);
    if (r > 0)
        return emu_system_save(s, err);
    if (r == 0)
        r = hcs_fail(err, HRESULT_OPERATION_TIMEOUT, "pause: processes do not stop");
    (void)change_state(s, EMU_PAUSED, EMU_RUNNING, "pause", NULL);
    (void)continue_all(s, NULL);
    return r;
}

int emu_system_resume(struct hcs_system *base, struct shim_error *err)
{
    struct emu_system *s = emu_system_of(base);
    int r = change_state(s, EMU_PAUSED, EMU_RUNNING, "resume", err);

    if (r == 0)
        r = continue_all(s, err);
    return r < 0 ? r : emu_system_save(s, err);
}

int emu_system_pids(struct hcs_system *base, struct hcs_pids *ret, struct shim_error *err)
{
    cleanup_emu_procs struct emu_procs members = {0};
    int r = emu_members(emu_system_of(base), &members, err);

    if (r < 0)
        return r;
    ret->pid = calloc(members.n + 1, sizeof(*ret->pid));
    if (!ret->pid)
        return shim_fail_memory(err);
    for (size_t i = 0; i < members.n; i++)
        ret->pid[ret->n++] = (uint32_t)members.v[i].pid;
    return 0;
}

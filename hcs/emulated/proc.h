/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of an emulated system, found in /proc: each process that was started for it leads
 * a session of its own, and its members are those sessions and the descendants of them all. A
 * process is its pid and its start time, so that a number used again is never mistaken for it. What
 * leaves its session and then loses its parent is not found any more: that takes isolation.
 * Short file reads unless a line says otherwise. Threads: any.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct emu_root { /* a process that was started for the system */
    int64_t pid;
    uint64_t start; /* ticks since boot; 0: it ended before that could be read */
};
struct emu_roots {
    struct emu_root *v; /* owned */
    size_t n;
};
SHIM_MUST_USE bool emu_roots_add(struct emu_roots *l, const struct emu_root *root);
SHIM_MUST_USE bool emu_roots_copy(const struct emu_roots *l, struct emu_roots *ret);
void emu_roots_done(struct emu_roots *l);
#define cleanup_emu_roots SHIM_CLEANUP(emu_roots_done)

struct emu_proc {
    int64_t pid, parent, session;
    uint64_t start;              /* ticks since boot */
    uint64_t user_us, system_us; /* with those of the children it waited for */
    uint64_t rss_bytes;
    char state; /* as ps shows it */
};
struct emu_procs {
    struct emu_proc *v; /* owned */
    size_t n;
};
void emu_procs_done(struct emu_procs *l);
#define cleanup_emu_procs SHIM_CLEANUP(emu_procs_done)

/* SHIM_E_NOT_FOUND when there is no such process. */
SHIM_MUST_USE int emu_proc_read(int64_t pid, struct emu_proc *ret, struct shim_error *err);
/* This process itself. */
SHIM_MUST_USE int emu_proc_self(struct emu_proc *ret, struct shim_error *err);

/* The system's living processes, without zombies. */
SHIM_MUST_USE int emu_procs_of(const struct emu_roots *roots, struct emu_procs *ret,
                               struct shim_error *err);

/* Drops those of the `scanned` roots that none of the `members` found with them belongs to. */
void emu_roots_prune(struct emu_roots *roots, const struct emu_roots *scanned,
                     const struct emu_procs *members);

/* Sends a signal to exactly this process; false when it is gone or may not be signalled. */
bool emu_proc_signal(const struct emu_proc *p, int signal);
bool emu_proc_kill(const struct emu_proc *p);
bool emu_proc_stop(const struct emu_proc *p); /* until it is continued; takes effect soon */
bool emu_proc_continue(const struct emu_proc *p);

/* Whether the signal ends a process that does nothing about it. */
bool emu_signal_ends(uint32_t signal);

/* Waits until it has ended (or is a zombie); false when the time, at most 24 days, is over.
 * Blocks. */
bool emu_proc_wait(const struct emu_proc *p, int64_t deadline_ns);

/* What tells one boot of the machine from another; malloc'ed. */
SHIM_MUST_USE int emu_boot_id(char **ret, struct shim_error *err);

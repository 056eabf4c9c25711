/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An emulated compute system and its processes: what system.c, process.c, members.c and emulated.c
 * share. The processes are plain children without isolation: users, capabilities, limits and owners
 * of pipes are checked in the documents and not applied.
 *
 * As in the real service, a system that was created has no process yet: the pid of init is 0 until
 * the start, the list of processes is empty, and a signal sent to it before that ends it as if it
 * had been running.
 *
 * Each system that exists has a thread, the janitor. It waits for the end of init, kills what is
 * left of the system as the kernel does with a pid namespace, and then reports init's exit, after
 * those of all other processes.
 *
 * One lock guards all that changes. It is held for field accesses and for calls on a console, never
 * across callbacks, file access or spawns.
 */
#pragma once
#include "base/child.h"
#include "base/thread.h"
#include "hcs/emulated/document.h"
#include "hcs/emulated/proc.h"
#include "hcs/emulated/record.h"
#include "hcs/emulated/streams.h"
#include "hcs/provider.h"

#define EMU_KILL_TIMEOUT_NS (5 * SHIM_NS_PER_S)
#define EMU_SIGNAL_MAX      64

enum emu_state {
    EMU_NEW, /* nothing exists */
    EMU_CREATED,
    EMU_RUNNING,
    EMU_PAUSED,
    EMU_STOPPED,
    EMU_DELETED,
};

enum emu_process_state {
    EMU_PROCESS_NEW,
    EMU_PROCESS_STARTING, /* being spawned, by one thread */
    EMU_PROCESS_RUNNING,
    EMU_PROCESS_OVER,
};

struct emu_process {
    struct hcs_process base;
    struct emu_plan plan;
    struct emu_streams streams;
    enum emu_process_state state;
    int64_t pid;
    struct hcs_exit exit; /* once OVER */
};

struct emu_system {
    struct hcs_system base;
    struct emu_document document;
    char *document_text;    /* JSON */
    char *record_path;      /* NULL until created or attached */
    struct emu_owner owner; /* us */
    struct shim_thread janitor;

    struct shim_mutex lock;
    struct shim_cond changed; /* state, a process's state, running, reported, saved */
    enum emu_state state;
    bool attached; /* another process created it: record and /proc are all there is */
    struct emu_process init;
    struct emu_roots roots; /* what was started and may have living members */
    size_t prune_at;        /* number of roots at which to look for dead ones */
    unsigned births;        /* grows with every root */
    unsigned running;       /* starts under way, plus processes but init whose exit is to report */
    bool has_janitor;       /* to be joined */
    bool reported;          /* init's exit */
    struct emu_limits limits;
    char *resources_text;    /* JSON */
    uint64_t changes, saved; /* of what is in the record */
    bool saving;             /* by one thread at a time, for all that wait */
    uint64_t last_user_us, last_system_us, last_rss_bytes, max_rss_bytes;
};

static inline struct emu_system *emu_system_of(struct hcs_system *s)
{
    return shim_container_of(s, struct emu_system, base);
}
static inline struct emu_process *emu_process_of(struct hcs_process *p)
{
    return shim_container_of(p, struct emu_process, base);
}

/* --- system.c: its life --------------------------------------------------------------------- */

int emu_system_new(struct hcs_system *base, struct json_object *document, struct shim_error *err);
void emu_system_free(struct hcs_system *base);
int emu_system_create(struct hcs_system *base, const struct hcs_restore *restore,
                      struct hcs_stdio *io, struct shim_error *err);
int emu_system_attach(struct hcs_system *base, struct shim_error *err);
int emu_system_start(struct hcs_system *base, struct shim_error *err);
int emu_system_terminate(struct hcs_system *base, struct shim_error *err);
int emu_system_delete(struct hcs_system *base, struct shim_error *err);
struct hcs_process *emu_system_init(struct hcs_system *base);

/* Brings the record up to date with changes made before the call. Blocks. */
SHIM_MUST_USE int emu_system_save(struct emu_system *s, struct shim_error *err);
/* HCS_E_INVALID_STATE, or HCS_E_SYSTEM_ALREADY_STOPPED once it has stopped. */
SHIM_MUST_USE int emu_wrong_state(struct emu_system *s, const char *verb, struct shim_error *err)
    SHIM_REQUIRES(s->lock);

/* --- process.c ------------------------------------------------------------------------------ */

int emu_process_new(struct hcs_system *base, const char *exec_id, struct json_object *parameters,
                    void *user, struct hcs_process **ret, struct shim_error *err);
int emu_process_start(struct hcs_process *base, struct hcs_stdio *io, struct shim_error *err);
uint32_t emu_process_pid(struct hcs_process *base);
int emu_process_signal(struct hcs_process *base, uint32_t signal, struct shim_error *err);
int emu_process_resize(struct hcs_process *base, uint16_t width, uint16_t height,
                       struct shim_error *err);
void emu_process_free(struct hcs_process *base);

/* Whether the process's program and folder are there. */
SHIM_MUST_USE int emu_process_check(struct emu_process *p, struct shim_error *err);
/* Spawns it on its open streams; it must be STARTING and is RUNNING or OVER then, or STARTING
 * still on failure. Blocks until exec. */
SHIM_MUST_USE int emu_process_spawn(struct emu_process *p, struct shim_error *err);
/* Ends an init process that never ran. */
void emu_end_unstarted(struct emu_system *s, uint32_t status) SHIM_REQUIRES(s->lock);

/* --- members.c: all its processes ----------------------------------------------------------- */

/* The living processes, as they are now. */
SHIM_MUST_USE int emu_members(struct emu_system *s, struct emu_procs *ret, struct shim_error *err);
/* Kills until none is left and none is being started; SHIM_E_DEADLINE where some will not go.
 * Blocks. */
SHIM_MUST_USE int emu_members_kill(struct emu_system *s, int64_t deadline_ns,
                                   struct shim_error *err);
/* Forgets processes that left nothing behind, now and then. */
void emu_members_prune(struct emu_system *s);

int emu_system_pause(struct hcs_system *base, struct shim_error *err);
int emu_system_resume(struct hcs_system *base, struct shim_error *err);
int emu_system_signal_all(struct hcs_system *base, uint32_t signal, struct shim_error *err);
int emu_system_pids(struct hcs_system *base, struct hcs_pids *ret, struct shim_error *err);

/* --- resources.c ---------------------------------------------------------------------------- */

int emu_system_update(struct hcs_system *base, const char *resources_json, struct shim_error *err);
int emu_system_stats(struct hcs_system *base, struct hcs_stats *ret, struct shim_error *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tasks (containers) and their processes: the shim's own records, which alone decide what State,
 * Wait and the events say.
 *
 * One lock, shim_tasks.lock, guards the table, every state, list and reference count. It is never
 * held across a call into hcs, the relay or ttrpc, nor across a log line; publishing an event may
 * happen under it (shim_events.lock comes after it).
 *
 * Each task has one operation slot, a state and not a lock: start, pause, resume, update,
 * checkpoint, delete and create hold it while they work. A request that finds it taken is parked
 * (no thread) and runs again when it is free. State, Wait, Kill, Pids, Stats and execs never take
 * it.
 */
#pragma once
#include "base/error.h"
#include "base/thread.h"
#include "base/workers.h"
#include "hcs/hcs.h"
#include "oci/options.h"
#include "shim/relay.h"
#include "shim/request.h"
#include "shim/waiters.h"
#include <stdbool.h>
#include <stdint.h>

struct shim;
struct shim_task;

/* Of a process; PAUSING and PAUSED of init only. CREATING is not known to clients yet. */
enum shim_state {
    SHIM_CREATING,
    SHIM_CREATED,
    SHIM_RUNNING,
    SHIM_PAUSING,
    SHIM_PAUSED,
    SHIM_STOPPED,
    SHIM_DELETED,
};
const char *shim_state_name(enum shim_state state); /* "running", for messages */

/* The init process of a task, or one exec'ed in it. */
struct shim_process {
    struct shim_task *task;
    struct shim_process *next; /* in task->execs */
    unsigned refs;             /* of an exec; init is part of its task and counts there */
    char *exec_id;             /* "" for init */
    bool terminal;
    uint16_t width, height; /* of the terminal, asked for before there is one; 0: not */
    bool stdin_closed;      /* by CloseIO, which can come before there are streams */
    char *stdin_path, *stdout_path, *stderr_path;

    uint32_t pid; /* 0 until known */
    enum shim_state state;
    bool starting;        /* create or start is under way: an exit waits for its event */
    bool exit_comes;      /* hcs will call shim_process_exited, which has a reference */
    bool exit_held;       /* it came while starting, or while a Start was to be answered */
    unsigned replies_due; /* of Start */
    bool failed;          /* its start failed: Wait returns at once */
    bool drained;         /* ended, and the relay has taken what was there */
    bool exit_queued;     /* its exit event has been published */
    struct hcs_exit exit;
    struct shim_waiters waiters; /* each with a reference */
    struct shim_work work;       /* for what its exit or its end leaves to do */

    struct hcs_process *hcs; /* init: lent by its system */
    struct shim_io *io;
};

struct shim_task {
    struct shim *shim;
    struct shim_task *next; /* in the table */
    unsigned refs;
    char *id, *bundle, *rootfs;
    struct shim_process *init, *execs;
    bool busy, deleting; /* the slot is taken; by a Delete */
    unsigned op_serial;  /* counts what took the slot */
    struct shim_request *parked, **parked_tail;

    struct hcs_system *system;
    struct oci_options options;
    const struct hcs_provider *provider;
    bool rootfs_mounted;
    bool private_pids;      /* the kernel ends all when init ends */
    char *checkpoint;       /* restore from here at start; "" */
    struct hcs_stdio stdio; /* kept from create to the restore */
    struct shim_work work;  /* frees it */
};

struct shim_tasks {
    struct shim_mutex lock;
    struct shim_cond changed; /* states and events that Delete and Kill wait for */
    struct shim_task *list;
    bool shutdown_wanted; /* a Shutdown came while tasks lived */
};

void shim_tasks_init(struct shim_tasks *tasks);
void shim_tasks_done(struct shim_tasks *tasks);

/* --- finding; each hands out a reference ---------------------------------------------------- */

/* SHIM_E_NOT_FOUND for an unknown id, or one still being created. */
SHIM_MUST_USE int shim_task_find(struct shim *shim, const char *id, struct shim_task **ret,
                                 struct shim_error *err);
/* Also finds what is still being created. */
SHIM_MUST_USE int shim_task_find_any(struct shim *shim, const char *id, struct shim_task **ret,
                                     struct shim_error *err);
/* exec_id "" or NULL: init. */
SHIM_MUST_USE int shim_process_find(struct shim *shim, const char *id, const char *exec_id,
                                    struct shim_process **ret, struct shim_error *err);
void shim_task_put(struct shim_task *task);          /* NULL is a no-op */
void shim_process_put(struct shim_process *process); /* NULL is a no-op */
void shim_process_ref_locked(struct shim_process *process);

static inline void shim_task_putp(struct shim_task **task)
{
    shim_task_put(*task);
}
static inline void shim_process_putp(struct shim_process **process)
{
    shim_process_put(*process);
}
#define cleanup_task    SHIM_CLEANUP(shim_task_putp)
#define cleanup_process SHIM_CLEANUP(shim_process_putp)

/* --- making and removing -------------------------------------------------------------------- */

struct shim_process_config { /* borrowed */
    const char *exec_id;
    bool terminal;
    const char *stdin_path, *stdout_path, *stderr_path;
};
/* A task in state CREATING with its slot taken, in the table. SHIM_E_EXISTS. One reference is the
 * caller's, one the table's. */
SHIM_MUST_USE int shim_task_add(struct shim *shim, const char *id, const char *bundle,
                                const struct shim_process_config *init, struct shim_task **ret,
                                struct shim_error *err);
/* Takes it out of the table; its references live on. Releases the slot; Waits end. */
void shim_task_remove(struct shim_task *task);
/* A process in state CREATING, which nobody finds until shim_start_done. SHIM_E_EXISTS;
 * SHIM_E_NOT_FOUND once the task is deleted. One reference is the caller's, one the task's. */
SHIM_MUST_USE int shim_exec_add(struct shim_task *task, const struct shim_process_config *config,
                                struct shim_process **ret, struct shim_error *err);
/* Out of its task's list, in state DELETED; its Waits end. */
void shim_exec_remove(struct shim_process *process);

/* --- the slot ------------------------------------------------------------------------------- */

/* True: it is the caller's until shim_slot_release. False: `request` is parked and runs again. */
bool shim_slot_take(struct shim_task *task, struct shim_request *request, bool deleting);
void shim_slot_release(struct shim_task *task);

/* --- exits ---------------------------------------------------------------------------------- */

/* hcs' callback: records the exit, answers waiters, drains, and publishes in the required order. */
void shim_process_exited(struct hcs_process *hcs, const struct hcs_exit *exit, void *user);
/* Around a create or start: an exit that comes meanwhile is held back until `done` (which publishes
 * the given event before it) or `failed`. SHIM_E_UNKNOWN "cannot start a running process" unless
 * the process is in state `from` and not being started. */
SHIM_MUST_USE int shim_start_begin(struct shim_process *process, enum shim_state from,
                                   struct shim_error *err);
void shim_start_done(struct shim_process *process, enum shim_state state, const char *topic,
                     const ProtobufCMessage *event);
/* Around the answer to a Start: no Wait is answered, and no exit told, before it. */
void shim_exit_hold(struct shim_process *process);
void shim_exit_release(struct shim_process *process);
/* Records the handle and the pid it has by now. */
void shim_process_set_hcs(struct shim_process *process, struct hcs_process *hcs);
/* Where no exit is to come (any more) all Waits end. */
void shim_start_failed(struct shim_process *process);
/* Right before the hcs call that makes the process: its exit will be told; and after that
 * failed. */
void shim_exit_expect(struct shim_process *process);
void shim_exit_forget(struct shim_process *process);

/* Answers its Waits with what is known of its exit: for one that is removed without any. */
void shim_process_end_waits(struct shim_process *process);
/* Parks a Wait, or answers it at once. Takes the request over. */
void shim_process_wait(struct shim_process *process, struct shim_request *request);

/* Waits until the exit events of all processes are published, at most timeout_ms, then publishes
 * what is missing so that the order holds. */
void shim_task_settle(struct shim_task *task, unsigned timeout_ms);
/* The same for one exec that has ended. */
void shim_exec_settle(struct shim_process *process, unsigned timeout_ms);

/* Whether no task is left, being created included. */
bool shim_tasks_empty(struct shim *shim);

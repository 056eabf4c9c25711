/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Linux provider's system and process, and its operations by the names of hcs/provider.h. What
 * is known of a container is in these structs; the runtime is asked to do things, never how things
 * are.
 *
 * Locks: a system's and a process's lock guard their fields for a few instructions and are never
 * held together, nor across a callback or a file.
 */
#pragma once
#include "base/child.h"
#include "base/thread.h"
#include "hcs/linux/calls.h"
#include "hcs/linux/cgroup.h"
#include "hcs/linux/document.h"
#include "hcs/linux/oom.h"
#include "hcs/provider.h"
#include "hcs/stats.h"

struct linux_command;

struct linux_process {
    struct hcs_process base;
    struct linux_parameters parameters; /* execs; constant */
    char *pid_path;                     /* constant */
    struct shim_mutex lock;
    /* under lock */
    int64_t pid; /* 0 until known */
    bool exited;
    intptr_t console; /* our own handle, for its size; SHIM_NO_HANDLE: none, or ended */
};

struct linux_system {
    struct hcs_system base;
    struct linux_document doc; /* constant */
    struct linux_calls calls;
    struct linux_process init;
    struct linux_oom *oom; /* set before init's exit is awaited, freed when it has been delivered */
    struct shim_mutex lock;
    struct shim_cond changed;
    /* under lock */
    bool created;              /* by create or attach: the container is ours */
    bool awaited;              /* init's exit will be delivered */
    bool delivered;            /* it has been, and the callback has returned */
    bool has_cgroup, has_last; /* `cgroup` and `last` are filled in; cgroup stays as it is then */
    bool last_is_final;        /* `last` was read at init's end */
    struct linux_cgroup cgroup;
    struct hcs_stats last; /* the figures that were read last */
    struct shim_exit exit;
};

static inline struct linux_system *linux_system_of(struct hcs_system *s)
{
    return (struct linux_system *)s;
}
static inline struct linux_process *linux_process_of(struct hcs_process *p)
{
    return (struct linux_process *)p;
}

/* --- system.c: from nothing to a container, and back ---------------------------------------- */

int linux_system_new(struct hcs_system *s, struct json_object *document, struct shim_error *err);
void linux_system_free(struct hcs_system *s);
int linux_system_create(struct hcs_system *s, const struct hcs_restore *restore,
                        struct hcs_stdio *io, struct shim_error *err);
int linux_system_attach(struct hcs_system *s, struct shim_error *err);
struct hcs_process *linux_system_init(struct hcs_system *s);

/* --- end.c: the end of init, and of all ----------------------------------------------------- */

/* A shim_child_exited; user is the system. */
void linux_init_exited(int64_t pid, const struct shim_exit *exit, void *user);
int linux_system_terminate(struct hcs_system *s, struct shim_error *err);
int linux_system_delete(struct hcs_system *s, struct shim_error *err);
/* After a create that failed half-way: whatever there is goes; `why` gets what did not. */
void linux_system_undo(struct linux_system *s, struct shim_error *why);
/* Waits until init's exit has been delivered; false when it was not in time. */
bool linux_await_exit(struct linux_system *s, int64_t timeout_ms);
/* Takes the figures, for when there will be no group to read; final ones are not replaced. */
void linux_keep_figures(struct linux_system *s, struct hcs_stats *figures, bool final);
/* Whether the runtime has records of a container of this id. */
bool linux_state_exists(const struct linux_system *s);

/* --- operate.c: operations on a living container -------------------------------------------- */

int linux_system_start(struct hcs_system *s, struct shim_error *err);
int linux_system_pause(struct hcs_system *s, struct shim_error *err);
int linux_system_resume(struct hcs_system *s, struct shim_error *err);
int linux_system_update(struct hcs_system *s, const char *resources_json, struct shim_error *err);
void linux_system_cancel(struct hcs_system *s);
int linux_system_pids(struct hcs_system *s, struct hcs_pids *ret, struct shim_error *err);
int linux_system_stats(struct hcs_system *s, struct hcs_stats *ret, struct shim_error *err);
/* Runs it as a call of the system's, which cancelling ends; command->call is set for that time. */
SHIM_MUST_USE int linux_system_run_command(struct linux_system *s, struct linux_command *command,
                                           struct shim_error *err);
/* The same for WORD [OPTION] ID [LAST]. timeout_ms 0: none. */
SHIM_MUST_USE int linux_system_run(struct linux_system *s, const char *verb, const char *word,
                                   const char *option, const char *last, int64_t timeout_ms,
                                   struct shim_error *err);
/* NULL where none is known. */
const struct linux_cgroup *linux_system_cgroup(struct linux_system *s);
bool linux_system_is_created(struct linux_system *s);

/* --- criu.c --------------------------------------------------------------------------------- */

int linux_system_checkpoint(struct hcs_system *s, const struct hcs_checkpoint *c,
                            struct shim_error *err);
/* The image and the folder of work for a restore; malloc'ed. */
SHIM_MUST_USE int linux_restore_paths(const struct linux_system *s,
                                      const struct hcs_restore *restore, char **ret_image,
                                      char **ret_work, struct shim_error *err);

/* --- signal.c ------------------------------------------------------------------------------- */

int linux_process_signal(struct hcs_process *p, uint32_t signal, struct shim_error *err);
int linux_system_signal_all(struct hcs_system *s, uint32_t signal, struct shim_error *err);

/* --- process.c ------------------------------------------------------------------------------ */

void linux_process_setup(struct linux_process *p, struct hcs_system *s, void *user);
void linux_process_done(struct linux_process *p);
int linux_process_new(struct hcs_system *s, const char *exec_id, struct json_object *parameters,
                      void *process_user, struct hcs_process **ret, struct shim_error *err);
int linux_process_start(struct hcs_process *p, struct hcs_stdio *io, struct shim_error *err);
uint32_t linux_process_pid(struct hcs_process *p);
int linux_process_resize(struct hcs_process *p, uint16_t width, uint16_t height,
                         struct shim_error *err);
void linux_process_free(struct hcs_process *p);
/* Records that it runs, before its exit can come. `console` is taken. */
void linux_process_began(struct linux_process *p, int64_t pid, intptr_t *console);
/* Undoes that. */
void linux_process_failed(struct linux_process *p);
/* Records its end and lets go of its console. */
void linux_process_ended(struct linux_process *p);
bool linux_process_has_ended(struct linux_process *p);

/* --- facts.c -------------------------------------------------------------------------------- */

int linux_facts(const char *wanted, struct hcs_facts *ret, struct shim_error *err);
int linux_features(const char *runtime, char **ret_json, struct shim_error *err);

/* --- storage.c, unmount.c ------------------------------------------------------------------- */

int linux_storage_mount(const struct hcs_mount *mounts, size_t n_mounts, const char *rootfs,
                        struct shim_error *err);
int linux_storage_unmount(const char *rootfs, struct shim_error *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the methods of the task service do, as plain blocking code on a worker. service.c finds the
 * task, takes its slot where one is needed, and turns results into replies.
 */
#pragma once
#include "shim/proto/task.pb-c.h"
#include "shim/task.h"

/* --- create.c: the slot is taken by creation itself ----------------------------------------- */

SHIM_MUST_USE int shim_create(struct shim *shim, const Task__CreateTaskRequest *request,
                              uint32_t *ret_pid, struct shim_error *err);

/* --- delete.c: with the slot ---------------------------------------------------------------- */

struct shim_deleted {
    uint32_t pid;
    struct hcs_exit exit;
};
/* SHIM_E_UNKNOWN "cannot delete a running process"; on any failure the task stays. */
SHIM_MUST_USE int shim_task_delete(struct shim_task *task, struct shim_deleted *ret,
                                   struct shim_error *err);
/* Without the slot. */
SHIM_MUST_USE int shim_exec_delete(struct shim_process *process, struct shim_deleted *ret,
                                   struct shim_error *err);

/* --- ops.c: with the slot ------------------------------------------------------------------- */

SHIM_MUST_USE int shim_task_start(struct shim_task *task, uint32_t *ret_pid,
                                  struct shim_error *err);
SHIM_MUST_USE int shim_task_pause(struct shim_task *task, struct shim_error *err);
SHIM_MUST_USE int shim_task_resume(struct shim_task *task, struct shim_error *err);
SHIM_MUST_USE int shim_task_update(struct shim_task *task, const Pb__Any *resources,
                                   struct shim_error *err);
SHIM_MUST_USE int shim_task_checkpoint(struct shim_task *task,
                                       const Task__CheckpointTaskRequest *request,
                                       struct shim_error *err);

/* --- ops.c and exec.c: without the slot ----------------------------------------------------- */

SHIM_MUST_USE int shim_process_kill(struct shim_process *process, uint32_t signal, bool all,
                                    struct shim_error *err);
/* After a SIGKILL of init: an operation or an exec's start that does not end now was hung, and is
 * cut short. Blocks 1 s at most, only while one is under way. */
void shim_task_unstick(struct shim_task *task);
SHIM_MUST_USE int shim_exec_create(struct shim_task *task, const Task__ExecProcessRequest *request,
                                   struct shim_error *err);
SHIM_MUST_USE int shim_exec_start(struct shim_process *process, uint32_t *ret_pid,
                                  struct shim_error *err);

/* The init state now, for messages and decisions. */
enum shim_state shim_task_state(struct shim_task *task);
/* Opens the process' streams; *ret_stdio says what it is to get. Kept in process->io. */
SHIM_MUST_USE int shim_process_open_io(struct shim_process *process, struct hcs_stdio *ret_stdio,
                                       struct shim_error *err);
/* Hands the filled-in streams to the relay. */
SHIM_MUST_USE int shim_process_start_io(struct shim_process *process, struct hcs_stdio *stdio,
                                        struct shim_error *err);
extern const struct hcs_callbacks shim_hcs_callbacks;

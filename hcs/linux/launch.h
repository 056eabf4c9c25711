/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What create, restore and exec have in common: streams or a console for the new process, the
 * runtime's run, the pid it leaves in a file, and that no exit is lost between the two.
 * Threads: one at a time.
 */
#pragma once
#include "base/child.h"
#include "base/error.h"
#include "hcs/hcs.h"
#include "hcs/linux/console.h"
#include "hcs/linux/pipes.h"
#include "hcs/linux/runtime.h"
#include <stdint.h>

struct linux_launch { /* embedded; LINUX_LAUNCH_INIT */
    struct hcs_stdio *io;
    struct shim_claim *claim; /* exits of unknown processes are kept while it is open */
    struct linux_pipes pipes;
    struct linux_console console;
    intptr_t master; /* of the console once received */
    int64_t pid;     /* once known, whatever failed later */
};
#define LINUX_LAUNCH_INIT                                                                          \
    {                                                                                              \
        .pipes = LINUX_PIPES_INIT, .console = LINUX_CONSOLE_INIT, .master = SHIM_NO_HANDLE         \
    }

/* Makes pipes or a console as `io` says; `io` is borrowed until linux_launch_close(). */
SHIM_MUST_USE int linux_launch_open(struct linux_launch *l, struct hcs_stdio *io, uint32_t uid,
                                    uint32_t gid, struct shim_error *err);
/* For --console-socket; NULL without a console. */
const char *linux_launch_console(const struct linux_launch *l);
/* Runs the command to its end, reads the pid, receives the console. On failure a process may exist:
 * see pid. Blocks. */
SHIM_MUST_USE int linux_launch_run(struct linux_launch *l, const struct linux_document *doc,
                                   const char *verb, const struct shim_strv *args,
                                   const char *pid_path, struct linux_call *call,
                                   struct shim_error *err);
/* Hands our ends out through io; l->master is the caller's to take from then on. */
SHIM_MUST_USE int linux_launch_give(struct linux_launch *l, struct shim_error *err);
/* Takes the exit of the new process; on failure what was handed out is closed again. */
SHIM_MUST_USE int linux_launch_watch(struct linux_launch *l, shim_child_exited *exited, void *user,
                                     struct shim_error *err);
/* After a failure: kills the process, if there is one. Nobody is told of its exit. */
void linux_launch_kill(struct linux_launch *l);
void linux_launch_close(struct linux_launch *l);
#define cleanup_launch SHIM_CLEANUP(linux_launch_close)

/* The pid in a file a runtime wrote. */
SHIM_MUST_USE int linux_pid_read(const char *path, int64_t *ret, struct shim_error *err);

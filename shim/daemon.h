/* SPDX-License-Identifier: Apache-2.0 */
/* What becoming (and starting) the shim's daemon needs from the OS; shim/posix/daemon.c. */
#pragma once
#include "base/error.h"
#include "shim/cli.h"
#include <stdbool.h>
#include <stdint.h>

/* --- in the start helper -------------------------------------------------------------------- */

struct shim_daemon_spawn {                    /* all borrowed */
    int (*serve)(const struct shim_cli *cli); /* the daemon's main function: its exit code */
    const struct shim_cli *cli;               /* the daemon's command line */
    const char *const *env;                   /* more variables, K=V; NULL: none */
    const char *cwd;
};
/**
 * Starts the daemon: a copy of this process, in a process group of its own, with null standard
 * streams, default signals and no other descriptor but a pipe on which it says that it is ready.
 * Honours SCHED_CORE. Its OOM score is our parent's plus one; being refused that is no error. While
 * there is one thread.
 */
SHIM_MUST_USE int shim_daemon_start(const struct shim_daemon_spawn *spawn, int64_t *ret_pid,
                                    intptr_t *ret_ready, struct shim_error *err);
/* Moves a process into the cgroup of option ShimCgroup: every v1 hierarchy, or the v2 one. */
SHIM_MUST_USE int shim_daemon_move_to_cgroup(int64_t pid, const char *cgroup,
                                             struct shim_error *err);
/* Waits for the daemon to say it is ready, at most timeout_ms. On failure *err holds what it
 * said. */
SHIM_MUST_USE int shim_daemon_wait_ready(intptr_t ready, unsigned timeout_ms,
                                         struct shim_error *err);
void shim_daemon_kill(int64_t pid);

/* --- in the daemon -------------------------------------------------------------------------- */

/* First thing, while there is one thread: signals, subreaper, allocator, descriptors, umask; logs
 * go to <bundle>/log (the current folder's `log`) if it is there; then leaves the bundle. */
SHIM_MUST_USE int shim_daemon_init(struct shim_error *err);
/* Tells the start helper. NULL: ready; else the error it is to print. Once. */
void shim_daemon_say_ready(const char *error);
/* Blocks this thread, which becomes the reaper, until SIGTERM, SIGINT or shim_daemon_stop().
 * on_dump is called for SIGUSR1. */
void shim_daemon_main(void (*on_dump)(void));
void shim_daemon_stop(void);
uint32_t shim_daemon_pid(void);

/* As containerd names platforms: "linux", "amd64". Static. */
const char *shim_os_name(void);
const char *shim_architecture_name(void);

/* The current folder, absolute; malloc'ed, NULL when it is gone. */
char *shim_current_dir(void);

/* The folder for run-time state that this user may write: /run/containerd, else
 * $XDG_RUNTIME_DIR/containerd, /run/UID/containerd, /tmp/containerd-UID. malloc'ed. */
char *shim_runtime_dir(void);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes and their one owner: the only place that starts programs and the only one that
 * waits for them.
 * Started with shim_child_init(), before any other thread exists, because it blocks SIGCHLD in the
 * calling thread for all threads to inherit. One thread (shim_child_main or the one started by
 * shim_child_start_reaper) makes every wait call and hands the statuses out.
 */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "base/file.h"
#include "base/thread.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shim_exit {
    uint32_t status; /* 0 to 255; 128 + signal where a signal ended it */
    int64_t at_ns;   /* realtime */
};

/* Called once on the reaper's thread, with no lock held. Must not block. */
typedef void shim_child_exited(int64_t pid, const struct shim_exit *exit, void *user);

/* Blocks SIGCHLD, ignores SIGPIPE, becomes a subreaper (`subreaper`; not being allowed to is an
 * error). Call once, first thing in main. */
SHIM_MUST_USE int shim_child_init(bool subreaper, struct shim_error *err);

/* Starts the reaper on a thread of its own (tests, shimctl, delete). Idempotent. */
SHIM_MUST_USE int shim_child_start_reaper(struct shim_error *err);

/* Runs the reaper on this thread until a signal of `stop` (e.g. SIGTERM, SIGINT; 0-terminated)
 * comes or shim_child_stop() is called; returns the signal, 0 for stop. `on_signal` gets the other
 * blocked signals in `also` (e.g. SIGUSR1). The signals must have been blocked with
 * shim_child_block_signals() before any thread was started. */
void shim_child_block_signals(const int *signals);
int shim_child_main(const int *stop, const int *also, void (*on_signal)(int signal));
void shim_child_stop(void);

/* Which descriptor of ours becomes which number in the child. */
struct shim_child_fd {
    intptr_t from;
    int to;
};

struct shim_spawn {
    const char *program;     /* the file to run; NULL: argv[0] says it */
    const char *const *argv; /* argv[0] is looked up in our PATH unless it has a slash */
    const char *const *env;  /* NULL: ours. NOTIFY_SOCKET is always left out */
    const char *cwd;         /* NULL: ours */
    const struct shim_child_fd *fds;
    size_t n_fds;         /* 0, 1 and 2 become the null device unless listed; all else is closed */
    bool die_with_thread; /* SIGKILL when the calling thread ends (PR_SET_PDEATHSIG) */
    bool new_group;       /* its own process group, so that all of it can be killed */
    bool new_session;     /* setsid, and if `controlling_tty` fd 0 becomes its terminal */
    bool controlling_tty;
};

/**
 * Starts a program: empty signal mask, default dispositions, listed descriptors only.
 * Safe in a process with threads (vfork; only async-signal-safe calls before exec).
 *
 * @param exited  NULL: nobody is told (the reaper still reaps it).
 * @return        0 and *ret_pid; SHIM_E_NOT_FOUND no such program or cwd (message names it:
 *                `exec: "name": executable file not found in $PATH`); else as the OS failed.
 * Blocks until exec. Threads: any.
 */
SHIM_MUST_USE int shim_child_spawn(const struct shim_spawn *spawn, shim_child_exited *exited,
                                   void *user, int64_t *ret_pid, struct shim_error *err);

/*
 * Exits of processes that others started for us (a runtime's container). While at least one claim
 * is open, exits of unknown pids are kept; shim_child_watch() takes one over: `exited` is called
 * when it ends, or soon, on the reaper's thread, if it already did. Without a claim open they are
 * reaped and forgotten.
 */
struct shim_claim; /* opaque */
SHIM_MUST_USE int shim_claim_open(struct shim_claim **ret, struct shim_error *err);
void shim_claim_close(struct shim_claim *claim); /* NULL is a no-op */
static inline void shim_claim_closep(struct shim_claim **claim)
{
    shim_claim_close(*claim);
}
#define cleanup_claim SHIM_CLEANUP(shim_claim_closep)

/* Must be called under an open claim that was opened before the process could have ended.
 * SHIM_E_NOT_FOUND when there is no such process and no kept exit. */
SHIM_MUST_USE int shim_child_watch(int64_t pid, shim_child_exited *exited, void *user,
                                   struct shim_error *err);

/* What ends every process, by the number it has on Linux and in containerd's requests. */
#define SHIM_SIGNAL_KILL 9

/* Sends a signal to a watched or spawned process. Cannot hit another process that got the number
 * later: SHIM_E_NOT_FOUND once the reaper has seen it end. */
SHIM_MUST_USE int shim_child_kill(int64_t pid, int signal, struct shim_error *err);

/*
 * A program run to its end. Another thread can cut it short through its struct shim_stopper.
 */
struct shim_stopper {
    struct shim_mutex lock;
    int64_t pid;  /* of the running program, 0 when none */
    bool stopped; /* sticky: the next run fails at once */
};
void shim_stopper_init(struct shim_stopper *s);
void shim_stopper_done(struct shim_stopper *s);
/* SIGKILLs the running program's process group; runs from now on fail with SHIM_E_CANCELED. */
void shim_stopper_stop(struct shim_stopper *s);
/* Allows runs again. */
void shim_stopper_reset(struct shim_stopper *s);

struct shim_run {
    struct shim_spawn spawn; /* new_group and die_with_thread are set by the run */
    const void *input;       /* to its standard input; NULL: null device or what fds says */
    size_t input_bytes;
    size_t output_limit_bytes;    /* 0: output and error are not captured. Beyond it: dropped */
    struct shim_stopper *stopper; /* NULL: cannot be stopped */
    int64_t timeout_ms;           /* 0: none; then the group is killed: SHIM_E_DEADLINE */
};
struct shim_run_result {
    struct shim_exit exit;
    struct shim_buf output; /* standard output */
    struct shim_buf error;  /* standard error */
};
void shim_run_result_done(struct shim_run_result *r);
#define cleanup_run_result SHIM_CLEANUP(shim_run_result_done)

/* 0 when the program ran to its end, whatever its status; SHIM_E_CANCELED when stopped. Does not
 * wait for grandchildren that still hold its output once the program itself has ended. `ret` is
 * set, and to be released, in any case: on failure it holds what came so far. A reaper must be
 * running. Blocks. Threads: any, but one run at a time for each stopper. */
SHIM_MUST_USE int shim_child_run(const struct shim_run *run, struct shim_run_result *ret,
                                 struct shim_error *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard streams of one process between containerd's side (FIFOs, log URIs) and the compute
 * system's side (pipes, a console). One event loop copies for all processes, with back-pressure for
 * each stream alone; regular files are written by one further thread, started when needed.
 *
 * The life of a shim_io: shim_io_open (parses, starts loggers; says what each stream of the process
 * is to be) → the provider starts the process → shim_io_start (copying begins) → shim_io_exited
 * (the drain step) → shim_io_finish → shim_io_free.
 *
 * Threads: any but the loop's own, also at the same time, apart from shim_io_free.
 * SIGPIPE must be ignored and the reaper of base/child.h must run (shim_child_init).
 */
#pragma once
#include "base/error.h"
#include "hcs/hcs.h"
#include <stdbool.h>

struct shim_loop;
struct shim_io; /* opaque */

struct shim_io_config {     /* all borrowed for the call */
    struct shim_loop *loop; /* must outlive it */
    const char *ns;         /* containerd's namespace, for loggers */
    const char *id;         /* container id, or exec id for an exec: CONTAINER_ID of loggers */
    bool terminal;
    const char *stdin_path, *stdout_path, *stderr_path; /* as in the request; "" or NULL: none */
};

/**
 * Checks the paths and their scheme (decided by stdout: none or fifo, file, binary, binary-v2),
 * opens what can be opened without waiting for anybody, starts a logger and waits until it is ready
 * (blocks, at most 10 s).
 *
 * @param ret_stdio  what to give to hcs_system_create or hcs_process_start.
 * @return SHIM_E_INVALID bad URI or unknown scheme ("unknown STDIO scheme"); SHIM_E_UNIMPLEMENTED
 *         for streaming URLs (ttrpc+unix://…); SHIM_E_NOT_FOUND a path that is not there.
 */
SHIM_MUST_USE int shim_io_open(const struct shim_io_config *config, struct shim_io **ret,
                               struct hcs_stdio *ret_stdio, struct shim_error *err);

/* Hands over the PIPE handles that the provider filled in (also on failure) and starts copying.
 * Does not wait for a reader or a writer of the FIFOs. */
SHIM_MUST_USE int shim_io_start(struct shim_io *io, struct hcs_stdio *stdio,
                                struct shim_error *err);

/* containerd's CloseIO: closes the keep-alive writer of stdin, so that the process gets end of file
 * once the client has closed too. Idempotent; success without stdin. Does not block. */
void shim_io_close_stdin(struct shim_io *io);

/* The process has ended: takes what is in its pipes now (until EAGAIN or EOF, a few MiB at most,
 * only while the reader accepts), then calls done(user) once on the loop's thread. stdin is closed.
 * Copying goes on until EOF; a console ends once it is empty. Call it once; it may come before or
 * while shim_io_start is called (the drain step then follows that), and without it done comes with
 * shim_io_finish. Does not block. */
void shim_io_exited(struct shim_io *io, void (*done)(void *user), void *user);

/* Waits until everything was copied, at most timeout_ms, then closes all by force and ends a logger
 * (the end of its input, SIGTERM a second later, SIGKILL after 12 more; that does not hold up the
 * caller). Idempotent. Blocks. */
void shim_io_finish(struct shim_io *io, unsigned timeout_ms);

/* Closes whatever is left at once; a done() that is due has returned then. NULL is a no-op. Blocks
 * for the loop's current step only. */
void shim_io_free(struct shim_io *io);

/* For the end of the program: waits for loggers that shim_io_finish is ending, at most timeout_ms,
 * then kills those that are left. Blocks. */
void shim_io_finish_loggers(unsigned timeout_ms);

/* Readiness by SIGUSR1: one line about the streams, for the log. */
void shim_io_describe(struct shim_io *io, char *buf, size_t buf_bytes);

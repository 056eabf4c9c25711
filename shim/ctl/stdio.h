/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's side of a process's standard streams: named pipes that the shim opens, and threads
 * that copy between them and shimctl's own standard streams.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>

struct ctl_stdio; /* opaque */

struct ctl_stdio_config {
    const char *dir; /* an existing directory of ours, for the pipes */
    bool in, out, err;
    void (*in_ended)(void *user); /* our standard input is at its end; on a thread of ours */
    void *user;
};

/* Makes the pipes and opens our ends; nothing is copied yet. Does not block. */
SHIM_MUST_USE int ctl_stdio_open(const struct ctl_stdio_config *config, struct ctl_stdio **ret,
                                 struct shim_error *err);
/* What to tell the shim; lent; "" for a stream that was not asked for. */
const char *ctl_stdio_in_path(const struct ctl_stdio *s);
const char *ctl_stdio_out_path(const struct ctl_stdio *s);
const char *ctl_stdio_err_path(const struct ctl_stdio *s);

/* Starts the copying of output: once the shim was told the paths. */
SHIM_MUST_USE int ctl_stdio_start_output(struct ctl_stdio *s, struct shim_error *err);
/* Starts the copying of input, as soon as the shim has opened its end: once the process runs. */
SHIM_MUST_USE int ctl_stdio_start_input(struct ctl_stdio *s, struct shim_error *err);

/* Waits until the outputs are at their ends. False when nothing came for `idle_ms`, or
 * ctl_stdio_stop was called. Blocks. */
bool ctl_stdio_drain(struct ctl_stdio *s, unsigned idle_ms);
/* Ends all copying, also a drain under way. Threads: any. */
void ctl_stdio_stop(struct ctl_stdio *s);
/* Stops, waits for the threads, removes the pipes. NULL is a no-op. */
void ctl_stdio_free(struct ctl_stdio *s);

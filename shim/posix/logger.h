/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loggers (binary:// and binary-v2://): a program of the user's that reads the output of one
 * process from descriptors 3 and 4 and says on 5 that it is ready. Needs the reaper of
 * base/child.h. Threads: any.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>

struct shim_logger; /* opaque */

struct shim_logger_config { /* all borrowed for the call */
    const char *path;
    const char *const *args; /* NULL-terminated, or NULL; without argv[0] */
    const char *ns, *id;
    bool must_say_ready; /* ending 5 without a byte is a failure (binary-v2) */
    unsigned ready_ms;   /* how long it may take */
    unsigned drain_ms;   /* after its input has ended, before SIGTERM */
    unsigned term_ms;    /* after SIGTERM, before SIGKILL */
};

/**
 * Starts it and waits until it is ready.
 *
 * @param ret_out, ret_err  what it will read as stdout and stderr: the caller's to write and close.
 * @return  SHIM_E_NOT_FOUND no such program; SHIM_E_DEADLINE not ready in time; SHIM_E_UNAVAILABLE
 *          it ended or closed 5 without saying so. The message names it; nothing of it is left.
 */
SHIM_MUST_USE int shim_logger_start(const struct shim_logger_config *config,
                                    struct shim_logger **ret, int *ret_out, int *ret_err,
                                    struct shim_error *err);

/* Takes the logger, whose inputs the caller has closed: lets it read the rest, then SIGTERM, then
 * SIGKILL. Does not block. NULL is a no-op. */
void shim_logger_stop(struct shim_logger *logger);

/* Waits until every stopped logger has ended, at most timeout_ms, then kills those that have not.
 * For the end of the program. */
void shim_loggers_finish(unsigned timeout_ms);

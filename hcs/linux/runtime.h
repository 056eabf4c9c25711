/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines of an OCI runtime, run to their end. Nothing here knows what a command does to our
 * records. Threads: any. What runs a program blocks until the program ends or the call is
 * cancelled.
 */
#pragma once
#include "base/child.h"
#include "base/error.h"
#include "base/str.h"
#include "hcs/linux/calls.h"
#include "hcs/linux/document.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hcs_checkpoint;

struct linux_command {
    const char *verb;             /* for messages: "OCI runtime <verb> failed: …" */
    const struct shim_strv *args; /* from the sub-command on */
    const char *input;            /* to its standard input; NULL: what fds say */
    const struct shim_child_fd *fds;
    size_t n_fds;
    /* Its output belongs to the message of a failure. Not where a container would inherit it. */
    bool capture;
    int64_t timeout_ms;      /* 0: none; then SHIM_E_DEADLINE */
    struct linux_call *call; /* NULL: cannot be cancelled */
};

/**
 * Runs RUNTIME --root ROOT --log BUNDLE/log.json --log-format json [--systemd-cgroup] ARGS.
 *
 * @return 0 when it ended with status 0. SHIM_E_CANCELED, SHIM_E_DEADLINE; SHIM_E_UNKNOWN it could
 *         not be started, or failed: the message is the last error the run left in log.json, else
 *         its exit status and output.
 */
SHIM_MUST_USE int linux_runtime_run(const struct linux_document *doc,
                                    const struct linux_command *command, struct shim_error *err);

/* Whether the runtime knows a sub-command, by its own answer to `COMMAND --help`; true where it
 * gave none. */
bool linux_runtime_knows(const struct linux_document *doc, const char *command);

/* The arguments from the sub-command on; SHIM_E_EXHAUSTED out of memory. `console` is the path of a
 * console socket or NULL. */
SHIM_MUST_USE int linux_args_create(const struct linux_document *doc, const char *id,
                                    const char *console, struct shim_strv *ret,
                                    struct shim_error *err);
SHIM_MUST_USE int linux_args_restore(const struct linux_document *doc, const char *id,
                                     const char *image_path, const char *work_path,
                                     const char *console, struct shim_strv *ret,
                                     struct shim_error *err);
SHIM_MUST_USE int linux_args_exec(const char *id, const char *process_path, const char *pid_path,
                                  const char *console, struct shim_strv *ret,
                                  struct shim_error *err);
SHIM_MUST_USE int linux_args_checkpoint(const char *id, const struct hcs_checkpoint *c,
                                        const char *image_path, const char *work_path,
                                        struct shim_strv *ret, struct shim_error *err);
/* WORD [OPTION] ID [LAST]; NULL leaves a part out. */
SHIM_MUST_USE int linux_args_simple(const char *word, const char *option, const char *id,
                                    const char *last, struct shim_strv *ret,
                                    struct shim_error *err);

/* The message of the last entry with level "error" in JSON lines; malloc'ed, NULL: none. Pure. */
char *linux_log_last_error(const char *text);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The standard streams of a process about to be started: which descriptor becomes its 0, 1 and 2,
 * and our ends of its pipes. Threads: one at a time.
 */
#pragma once
#include "base/child.h"
#include "base/error.h"
#include "base/file.h"
#include "hcs/hcs.h"
#include <stddef.h>
#include <stdint.h>

struct linux_pipes { /* embedded; LINUX_PIPES_INIT */
    intptr_t ours[3], theirs[3];
    struct shim_child_fd fds[3]; /* for the spawn; streams of kind NONE are not in it */
    size_t n_fds;
};
/* clang-format off */
#define LINUX_PIPES_INIT                                                                           \
    {                                                                                              \
        .ours = {SHIM_NO_HANDLE, SHIM_NO_HANDLE, SHIM_NO_HANDLE},                                  \
        .theirs = {SHIM_NO_HANDLE, SHIM_NO_HANDLE, SHIM_NO_HANDLE},                                \
    }
/* clang-format on */

/* Makes what `io` (without console) asks for; pipes belong to uid and gid where one is not 0, so
 * that the process can open them again. Our ends are non-blocking. */
SHIM_MUST_USE int linux_pipes_open(struct linux_pipes *p, const struct hcs_stdio *io, uint32_t uid,
                                   uint32_t gid, struct shim_error *err);
/* The runtime has been started: our copies of the process's ends go, or end of file never comes. */
void linux_pipes_close_theirs(struct linux_pipes *p);
/* Moves our ends into io's handles. */
void linux_pipes_give(struct linux_pipes *p, struct hcs_stdio *io);
void linux_pipes_close(struct linux_pipes *p);
#define cleanup_pipes SHIM_CLEANUP(linux_pipes_close)

/* Fills the handles of io's streams of kind PIPE with duplicates of a console's master. */
SHIM_MUST_USE int linux_console_give(intptr_t master, struct hcs_stdio *io, struct shim_error *err);

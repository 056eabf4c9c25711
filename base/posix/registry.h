/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The children we know of, shared by the files behind base/child.h and by nobody else. One leaf
 * lock guards them; the reaper takes it around every wait call, so that while it is held no number
 * of a known process can be given to another one. Threads: any, except where noted.
 */
#pragma once
#include "base/child.h"

/* A process about to be born: from begin to end its exit is kept, however early it comes. */
struct shim_birth; /* opaque */
SHIM_MUST_USE int shim_birth_begin(struct shim_birth **ret, struct shim_error *err);
/* Frees `birth`. From now on the exit of `pid` goes to `exited` (NULL: to nobody), also where it
 * came already; pid 0 when nothing was born. */
void shim_birth_end(struct shim_birth *birth, int64_t pid, shim_child_exited *exited, void *user);

/* Signals the process group that the spawned `pid` leads; SHIM_E_NOT_FOUND once it was reaped. */
SHIM_MUST_USE int shim_child_kill_group(int64_t pid, int signal, struct shim_error *err);

/* Collects every exit there is and delivers it. Reaper only. */
void shim_child_reap(void);
/* Makes the reaper look again. */
void shim_child_wake_reaper(void);

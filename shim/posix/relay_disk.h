/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second loop, on which streams into regular files run: its thread may wait for a disk without
 * stalling anybody else. The pipe of a process is the queue in front of it. Threads: any, but not
 * the loops' own.
 */
#pragma once
#include "base/error.h"

struct shim_loop;

/* Starts it for its first user; lent until relay_disk_put. */
SHIM_MUST_USE int relay_disk_get(struct shim_loop **ret, struct shim_error *err);
/* Ends it after its last user, whose streams must be over. Blocks for its current write. */
void relay_disk_put(void);

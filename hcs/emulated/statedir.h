/* SPDX-License-Identifier: Apache-2.0 */
/* The platform's part of record.h: where the folder is and one lock on it. Threads: any. */
#pragma once
#include "base/error.h"
#include <stdint.h>

/* Waits for the lock of the folder that `path` lies in; closing the handle gives it back. Blocks
 * while another process checks and writes one file. */
SHIM_MUST_USE int emu_state_lock(const char *path, intptr_t *ret, struct shim_error *err);

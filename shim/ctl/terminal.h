/* SPDX-License-Identifier: Apache-2.0 */
/* The user's own terminal: raw mode and size. One for the process. Threads: any. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

/* False when standard input is no terminal. */
bool ctl_terminal_size(uint16_t *ret_width, uint16_t *ret_height);

/* Hands every key to the container. Success without effect where standard input is no terminal.
 * Undone by ctl_terminal_restore, at the latest when the process exits. */
SHIM_MUST_USE int ctl_terminal_raw(struct shim_error *err);
void ctl_terminal_restore(void); /* not raw is a no-op */
bool ctl_terminal_is_raw(void);

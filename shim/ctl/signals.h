/* SPDX-License-Identifier: Apache-2.0 */
/* What the user's system tells a foreground command: signals to pass on, a new window size. */
#pragma once
#include "base/error.h"

#define CTL_SIGNAL_RESIZE 0 /* the terminal has another size */

/* First thing in main of a command that watches: before any thread exists. */
void ctl_signals_block(void);

/* Calls `told` on a thread of its own with Linux' number of each HUP, INT, QUIT, USR1, USR2 and
 * TERM, or CTL_SIGNAL_RESIZE. It may block. */
struct ctl_signals; /* opaque */
SHIM_MUST_USE int ctl_signals_watch(void (*told)(int signal, void *user), void *user,
                                    struct ctl_signals **ret, struct shim_error *err);
/* Waits for a call under way. Not from the callback. NULL is a no-op. */
void ctl_signals_free(struct ctl_signals *s);

/* SPDX-License-Identifier: Apache-2.0 */
/* nng's codes translated, on the line that made the call. Threads: any. */
#pragma once
#include "base/error.h"
#include <nng/nng.h>

/* Sets the error from nng's code `rv`: the text, ": " and nng's words. Returns our code. */
int ttrpc_fail_nng(struct shim_error *err, int rv, const char *fmt, ...) SHIM_PRINTF(3, 4);

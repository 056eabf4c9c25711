/* SPDX-License-Identifier: Apache-2.0 */
/* Linux signals by name and number: a shim's Kill speaks them on every system. Pure. */
#pragma once
#include "base/compiler.h"
#include <stdint.h>

/* "TERM", "SIGTERM", "sigterm", "RTMIN+3" or "15". 0: no such signal. */
SHIM_MUST_USE uint32_t ctl_signal_number(const char *name);

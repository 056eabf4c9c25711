/* SPDX-License-Identifier: Apache-2.0 */
/* Time. Threads: any. */
#pragma once
#include <stdint.h>

#define SHIM_NS_PER_MS INT64_C(1000000)
#define SHIM_NS_PER_S  INT64_C(1000000000)

int64_t shim_monotonic_ns(void); /* for deadlines; starts anywhere, never jumps */
int64_t shim_realtime_ns(void);  /* since 1970-01-01 UTC */
void shim_sleep_ms(unsigned ms);

/* Writes e.g. 2026-01-31T10:00:00.123456789Z and returns buf. */
#define SHIM_RFC3339_BYTES 48
const char *shim_rfc3339(int64_t realtime_ns, char buf[SHIM_RFC3339_BYTES]);

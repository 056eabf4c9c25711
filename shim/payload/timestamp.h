/* SPDX-License-Identifier: Apache-2.0 */
/* Our times as messages carry them. Pure. Threads: any. */
#pragma once
#include "base/clock.h"
#include "shim/proto/well_known.pb-c.h"
#include <stdint.h>

/* A time since 1970, never negative. */
static inline Pb__Timestamp shim_timestamp(int64_t realtime_ns)
{
    Pb__Timestamp at = PB__TIMESTAMP__INIT;

    at.seconds = realtime_ns / SHIM_NS_PER_S;
    at.nanos = (int32_t)(realtime_ns % SHIM_NS_PER_S);
    return at;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of a compute system as the message that containerd expects. Pure. Threads: any. */
#pragma once
#include "base/error.h"
#include "hcs/stats.h"
#include "shim/proto/well_known.pb-c.h"

/**
 * Packs io.containerd.cgroups.v1.Metrics or io.containerd.cgroups.v2.Metrics, whichever kind the
 * statistics are of.
 *
 * @param ret  The caller's on success: pb__any__free_unpacked(any, NULL). Untouched on failure.
 * @return     0; SHIM_E_EXHAUSTED out of memory.
 */
SHIM_MUST_USE int shim_stats_to_any(const struct hcs_stats *s, Pb__Any **ret,
                                    struct shim_error *err);

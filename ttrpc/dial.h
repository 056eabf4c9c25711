/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting to an address. */
#pragma once
#include "base/error.h"
#include <nng/nng.h>

/**
 * @param ret  the caller's: nng_stream_free().
 * @return     0; SHIM_E_NOT_FOUND no such socket; SHIM_E_UNAVAILABLE nobody serves it;
 *             SHIM_E_DEADLINE; SHIM_E_INVALID no address.
 * Blocks at most timeout_ms. Threads: any but nng's.
 */
SHIM_MUST_USE int ttrpc_dial(const char *address, unsigned timeout_ms, nng_stream **ret,
                             struct shim_error *err);

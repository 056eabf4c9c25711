/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 (FIPS 180-4) of short texts: containerd's socket names. Pure. Threads: any. */
#pragma once
#include <stddef.h>
#include <stdint.h>

#define SHIM_SHA256_BYTES     32
#define SHIM_SHA256_HEX_BYTES 65 /* with the terminator */

void shim_sha256(const void *data, size_t bytes, uint8_t ret[SHIM_SHA256_BYTES]);
/* Lower-case hex; returns ret. */
const char *shim_sha256_hex(const void *data, size_t bytes, char ret[SHIM_SHA256_HEX_BYTES]);

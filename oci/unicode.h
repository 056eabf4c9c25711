/* SPDX-License-Identifier: Apache-2.0 */
/* The \uXXXX escapes that JSON and TOML share. Pure. Threads: any. */
#pragma once
#include "base/buf.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Reads exactly `digits` (at most 8) hexadecimal digits; false when there are fewer in `bytes`. */
bool oci_hex_parse(const char *text, size_t bytes, unsigned digits, uint32_t *ret);

/* Whether text may hold it: in range, no surrogate, and not NUL, which no C string can hold. */
bool oci_code_point_ok(uint32_t code_point);

/* Appends a code point that is ok as UTF-8. False when out of memory. */
SHIM_MUST_USE bool oci_utf8_append(struct shim_buf *b, uint32_t code_point);

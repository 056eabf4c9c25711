/* SPDX-License-Identifier: Apache-2.0 */
/* A growing byte buffer. Embedded by its owner, zero-initialised. Threads: one at a time. */
#pragma once
#include "base/compiler.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct shim_buf {
    uint8_t *data; /* NULL while cap is 0; data[len] is 0 after every append */
    size_t len, cap;
};

/* False when out of memory; the buffer is then as it was. */
SHIM_MUST_USE bool shim_buf_reserve(struct shim_buf *b, size_t more_bytes);
SHIM_MUST_USE bool shim_buf_append(struct shim_buf *b, const void *data, size_t bytes);
SHIM_MUST_USE bool shim_buf_append_str(struct shim_buf *b, const char *text);
SHIM_MUST_USE bool shim_buf_appendf(struct shim_buf *b, const char *fmt, ...) SHIM_PRINTF(2, 3);
/* Drops `bytes` (at most len) from the front. */
void shim_buf_consume(struct shim_buf *b, size_t bytes);
/* The text so far, never NULL; lent until the next change. */
const char *shim_buf_str(const struct shim_buf *b);
/* Hands the malloc'ed, terminated bytes to the caller; NULL when nothing was ever appended. */
char *shim_buf_take(struct shim_buf *b);
void shim_buf_done(struct shim_buf *b);
#define cleanup_buf SHIM_CLEANUP(shim_buf_done)

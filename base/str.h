/* SPDX-License-Identifier: Apache-2.0 */
/* Strings. Threads: any. */
#pragma once
#include "base/compiler.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* malloc'ed text, NULL when out of memory. */
char *shim_strf(const char *fmt, ...) SHIM_PRINTF(1, 2);
/* strdup that takes NULL as "" (protobuf's and JSON's way of saying nothing). */
char *shim_strdup0(const char *s);

static inline bool shim_str_empty(const char *s)
{
    return !s || !*s;
}

bool shim_starts_with(const char *s, const char *prefix);
bool shim_ends_with(const char *s, const char *suffix);
bool shim_str_equal(const char *a, const char *b); /* NULL equals NULL only */

/* Digits only, no sign, no space; false when not a number or over max. */
bool shim_parse_u64(const char *s, uint64_t max, uint64_t *ret);
/* 0 to 15; -1 for what is no hexadecimal digit. */
int shim_hex_value(char c);

/* UTF-8 here has no surrogates and no overlong forms. */
bool shim_is_utf8(const void *s, size_t bytes);
/* Length of the character at s, 0 where there is no well-formed one within `left` bytes. */
size_t shim_utf8_char_bytes(const void *s, size_t left);
/* Puts '?' in place of each byte that is not part of one. */
void shim_utf8_repair(char *s);

static inline void shim_freep(void *p)
{
    free(*(void **)p);
}
#define cleanup_free SHIM_CLEANUP(shim_freep)

/* A NULL-terminated, growing list of owned strings: command lines and environments. */
struct shim_strv {
    char **v; /* NULL while empty */
    size_t n;
};
SHIM_MUST_USE bool shim_strv_add(struct shim_strv *l, const char *s);
SHIM_MUST_USE bool shim_strv_addf(struct shim_strv *l, const char *fmt, ...) SHIM_PRINTF(2, 3);
void shim_strv_done(struct shim_strv *l);
#define cleanup_strv SHIM_CLEANUP(shim_strv_done)

/* SPDX-License-Identifier: Apache-2.0 */
/* String helpers that the C library lacks. */
#include "base/str.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

SHIM_PRINTF(1, 0)
static char *strf_list(const char *fmt, va_list ap)
{
    va_list again;
    char *s;
    int n;

    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, again);
    va_end(again);
    s = n < 0 ? NULL : malloc((size_t)n + 1);
    if (s)
        vsnprintf(s, (size_t)n + 1, fmt, ap);
    return s;
}

char *shim_strf(const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    s = strf_list(fmt, ap);
    va_end(ap);
    return s;
}

char *shim_strdup0(const char *s)
{
    return strdup(s ? s : "");
}

bool shim_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool shim_ends_with(const char *s, const char *suffix)
{
    size_t len = strlen(s), want = strlen(suffix);

    return len >= want && memcmp(s + len - want, suffix, want) == 0;
}

bool shim_str_equal(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool shim_parse_u64(const char *s, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;

    if (!*s)
        return false;
    for (; *s; s++) {
        unsigned digit = (unsigned)(*s - '0');

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    if (value > max)
        return false;
    *ret = value;
    return true;
}

int shim_hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* By the lead byte; 0 when it is none. */
static size_t utf8_lead_bytes(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >> 5 == 0x06)
        return 2;
    if (lead >> 4 == 0x0E)
        return 3;
    return lead >> 3 == 0x1E ? 4 : 0;
}

size_t shim_utf8_char_bytes(const void *s, size_t left)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = s;
    size_t want = left > 0 ? utf8_lead_bytes(at[0]) : 0;
    uint32_t c;

    if (want == 0 || want > left)
        return 0;
    c = want == 1 ? at[0] : at[0] & (0x7Fu >> want);
    for (size_t i = 1; i < want; i++) {
        if ((at[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (at[i] & 0x3Fu);
    }
    if (c < smallest[want] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    return want;
}

bool shim_is_utf8(const void *s, size_t bytes)
{
    const unsigned char *at = s;

    while (bytes > 0) {
        size_t n = shim_utf8_char_bytes(at, bytes);

        if (n == 0)
            return false;
        at += n;
        bytes -= n;
    }
    return true;
}

void shim_utf8_repair(char *s)
{
    size_t left = strlen(s);

    while (left > 0) {
        size_t n = shim_utf8_char_bytes(s, left);

        if (n == 0) {
            *s = '?';
            n = 1;
        }
        s += n;
        left -= n;
    }
}

static bool strv_take(struct shim_strv *l, char *owned)
{
    char **v = owned ? realloc(l->v, (l->n + 2) * sizeof(*v)) : NULL;

    if (!v) {
        free(owned);
        return false;
    }
    l->v = v;
    v[l->n++] = owned;
    v[l->n] = NULL;
    return true;
}

bool shim_strv_add(struct shim_strv *l, const char *s)
{
    return strv_take(l, strdup(s));
}

bool shim_strv_addf(struct shim_strv *l, const char *fmt, ...)
{
    va_list ap;
    char *s;

    va_start(ap, fmt);
    s = strf_list(fmt, ap);
    va_end(ap);
    return strv_take(l, s);
}

void shim_strv_done(struct shim_strv *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->v[i]);
    free(l->v);
    *l = (struct shim_strv){0};
}

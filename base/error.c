/* SPDX-License-Identifier: Apache-2.0 */
/* Formats errors into the caller's struct. Promises not to allocate and not to log. */
#include "base/error.h"
#include <stdio.h>
#include <string.h>

static const char *const code_words[] = {
    [1] = "context canceled",   [3] = "invalid argument",    [4] = "context deadline exceeded",
    [5] = "not found",          [6] = "already exists",      [7] = "permission denied",
    [8] = "resource exhausted", [9] = "failed precondition", [10] = "aborted",
    [11] = "out of range",      [12] = "not implemented",    [13] = "internal",
    [14] = "unavailable",       [15] = "data loss",          [16] = "unauthenticated",
};

const char *shim_code_words(int code)
{
    size_t at = (size_t)-code;

    if (code >= 0 || at >= SHIM_ARRAY_LEN(code_words) || !code_words[at])
        return "";
    return code_words[at];
}

/* Where a byte sequence may be cut without splitting a UTF-8 character. */
static size_t utf8_start_before(const char *s, size_t at)
{
    while (at > 0 && ((unsigned char)s[at] & 0xC0) == 0x80)
        at--;
    return at;
}

static size_t utf8_start_after(const char *s, size_t at)
{
    while (((unsigned char)s[at] & 0xC0) == 0x80)
        at++;
    return at;
}

/* Joins two texts into dst; what does not fit is cut from the middle, since the outermost context
 * (the front) and the cause (the end) say most. */
static void join_cut(char *dst, size_t dst_bytes, const char *front, const char *back)
{
    static const char mark[] = " ... ";
    size_t front_len = strlen(front), back_len = strlen(back), room = dst_bytes - 1;
    size_t keep, from;

    if (front_len + back_len <= room) {
        memcpy(dst, front, front_len);
        memcpy(dst + front_len, back, back_len + 1);
        return;
    }
    room -= sizeof(mark) - 1;
    keep = front_len < room / 2 ? front_len : room / 2;
    if (back_len < room - keep)
        keep = room - back_len;
    keep = utf8_start_before(front, keep);
    from = back_len > room - keep ? utf8_start_after(back, back_len - (room - keep)) : 0;
    memcpy(dst, front, keep);
    memcpy(dst + keep, mark, sizeof(mark) - 1);
    memcpy(dst + keep + sizeof(mark) - 1, back + from, back_len - from + 1);
}

SHIM_PRINTF(3, 0)
static void format_cut(char *dst, size_t dst_bytes, const char *fmt, va_list ap)
{
    char text[4096];

    vsnprintf(text, sizeof(text), fmt, ap);
    join_cut(dst, dst_bytes, text, "");
}

int shim_fail(struct shim_error *err, int code, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return code;
    err->code = code;
    err->os = 0;
    va_start(ap, fmt);
    format_cut(err->msg, sizeof(err->msg), fmt, ap);
    va_end(ap);
    return code;
}

int shim_fail_os(struct shim_error *err, uint32_t os, const char *fmt, ...)
{
    char context[sizeof(err->msg)], cause[256] = ": ";
    va_list ap;

    if (!err)
        return shim_code_from_os(os);
    err->code = shim_code_from_os(os);
    err->os = os;
    va_start(ap, fmt);
    format_cut(context, sizeof(context), fmt, ap);
    va_end(ap);
    shim_os_text(os, cause + 2, sizeof(cause) - 2);
    join_cut(err->msg, sizeof(err->msg), context, cause);
    return err->code;
}

int shim_wrap(struct shim_error *err, int code, const char *fmt, ...)
{
    char context[sizeof(err->msg)], cause[sizeof(err->msg) + 2];
    va_list ap;

    if (!err)
        return code;
    err->code = code;
    va_start(ap, fmt);
    format_cut(context, sizeof(context), fmt, ap);
    va_end(ap);
    snprintf(cause, sizeof(cause), ": %s", err->msg);
    join_cut(err->msg, sizeof(err->msg), context, cause);
    return code;
}

int shim_fail_memory(struct shim_error *err)
{
    return shim_fail(err, SHIM_E_EXHAUSTED, "out of memory");
}

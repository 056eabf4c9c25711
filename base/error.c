/* SPDX-License-Identifier: Apache-2.0 */
/* Formats errors into the caller's struct. Promises not to allocate and not to log. */
#include "base/error.h"
#include "base/str.h"
#include <stdio.h>
#include <string.h>

#define CONTEXT_BYTES 4096 /* of one message; what is longer loses its end */

static const char *const code_words[] = {
    [1] = "context canceled",   [3] = "invalid argument",    [4] = "context deadline exceeded",
    [5] = "not found",          [6] = "already exists",      [7] = "permission denied",
    [8] = "resource exhausted", [9] = "failed precondition", [10] = "aborted",
    [11] = "out of range",      [12] = "not implemented",    [13] = "internal",
    [14] = "unavailable",       [15] = "data loss",          [16] = "unauthenticated",
};

const char *shim_code_words(int code)
{
    if (code >= 0 || code <= -(int)SHIM_ARRAY_LEN(code_words) || !code_words[-code])
        return "";
    return code_words[-code];
}

/* Copies the text; of one too long the middle is left out, since the outermost context (the front)
 * and the cause (the end) say most. Characters stay whole. */
static void copy_cut(char *dst, size_t dst_bytes, const char *text)
{
    static const char mark[] = " ... ";
    size_t len = strlen(text), half = (dst_bytes - sizeof(mark)) / 2;
    size_t front = half, back = len - half;

    if (len < dst_bytes) {
        memcpy(dst, text, len + 1);
        return;
    }
    while (front > 0 && ((unsigned char)text[front] & 0xC0) == 0x80)
        front--;
    while (((unsigned char)text[back] & 0xC0) == 0x80)
        back++;
    memcpy(dst, text, front);
    memcpy(dst + front, mark, sizeof(mark) - 1);
    memcpy(dst + front + sizeof(mark) - 1, text + back, len - back + 1);
}

/* `cause` may be what err says so far. */
SHIM_PRINTF(3, 0)
static void set_message(struct shim_error *err, const char *cause, const char *fmt, va_list ap)
{
    char text[CONTEXT_BYTES + sizeof(err->msg) + 2];
    size_t len;

    vsnprintf(text, CONTEXT_BYTES, fmt, ap);
    len = strlen(text);
    if (*cause)
        snprintf(text + len, sizeof(text) - len, ": %s", cause);
    shim_utf8_repair(text);
    copy_cut(err->msg, sizeof(err->msg), text);
}

int shim_fail(struct shim_error *err, int code, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return code;
    err->code = code;
    err->os = 0;
    va_start(ap, fmt);
    set_message(err, "", fmt, ap);
    va_end(ap);
    return code;
}

int shim_fail_os(struct shim_error *err, uint32_t os, const char *fmt, ...)
{
    char cause[256];
    va_list ap;

    if (!err)
        return shim_code_from_os(os);
    err->code = shim_code_from_os(os);
    err->os = os;
    va_start(ap, fmt);
    set_message(err, shim_os_text(os, cause, sizeof(cause)), fmt, ap);
    va_end(ap);
    return err->code;
}

int shim_wrap(struct shim_error *err, int code, const char *fmt, ...)
{
    va_list ap;

    if (!err)
        return code;
    err->code = code;
    va_start(ap, fmt);
    set_message(err, err->msg, fmt, ap);
    va_end(ap);
    return code;
}

int shim_fail_memory(struct shim_error *err)
{
    return shim_fail(err, SHIM_E_EXHAUSTED, "out of memory");
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The growing buffer. Promises to leave it as it was when memory is short. */
#include "base/buf.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool shim_buf_reserve(struct shim_buf *b, size_t more_bytes)
{
    size_t need, cap = b->cap ? b->cap : 64;
    uint8_t *data;

    if (more_bytes > SIZE_MAX / 4 - b->len)
        return false;
    need = b->len + more_bytes + 1;
    if (need <= b->cap)
        return true;
    while (cap < need)
        cap *= 2;
    data = realloc(b->data, cap);
    if (!data)
        return false;
    b->data = data;
    b->cap = cap;
    return true;
}

bool shim_buf_append(struct shim_buf *b, const void *data, size_t bytes)
{
    if (!shim_buf_reserve(b, bytes))
        return false;
    if (bytes > 0)
        memcpy(b->data + b->len, data, bytes);
    b->len += bytes;
    b->data[b->len] = 0;
    return true;
}

bool shim_buf_append_str(struct shim_buf *b, const char *text)
{
    return shim_buf_append(b, text, strlen(text));
}

bool shim_buf_appendf(struct shim_buf *b, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !shim_buf_reserve(b, (size_t)n))
        return false;
    va_start(ap, fmt);
    vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return true;
}

void shim_buf_consume(struct shim_buf *b, size_t bytes)
{
    if (bytes == 0)
        return;
    memmove(b->data, b->data + bytes, b->len - bytes + 1);
    b->len -= bytes;
}

const char *shim_buf_str(const struct shim_buf *b)
{
    return b->data ? (const char *)b->data : "";
}

char *shim_buf_take(struct shim_buf *b)
{
    char *data = (char *)b->data;

    *b = (struct shim_buf){0};
    return data;
}

void shim_buf_done(struct shim_buf *b)
{
    free(b->data);
    *b = (struct shim_buf){0};
}

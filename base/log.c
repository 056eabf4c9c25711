/* SPDX-License-Identifier: Apache-2.0 */
/* Formats logrus' text lines. Promises to write each with one call and never to wait. */
#include "base/log.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static _Atomic int log_level = SHIM_INFO;

void shim_log_set_level(enum shim_log_level level)
{
    atomic_store(&log_level, (int)level);
}

enum shim_log_level shim_log_level(void)
{
    return (enum shim_log_level)atomic_load(&log_level);
}

/* One character as it stands between Go's quotes; returns how much of the text that was. */
static size_t quote_char(const char *text, size_t left, char ret[8])
{
    static const char hex[] = "0123456789abcdef";
    unsigned char c = (unsigned char)*text;
    size_t bytes = shim_utf8_char_bytes(text, left);

    memset(ret, 0, 8);
    if (bytes > 1 || (bytes == 1 && c >= 0x20 && c != 0x7F && c != '"' && c != '\\')) {
        memcpy(ret, text, bytes);
        return bytes;
    }
    ret[0] = '\\';
    if (c == '"' || c == '\\') {
        ret[1] = (char)c;
    } else if (c == '\n' || c == '\t' || c == '\r') {
        ret[1] = "nrt"[c == '\n' ? 0 : c == '\r' ? 1 : 2];
    } else {
        ret[1] = 'x';
        ret[2] = hex[c >> 4];
        ret[3] = hex[c & 15];
    }
    return 1;
}

unsigned shim_log_quote(const char *text, char *dst, unsigned dst_bytes)
{
    size_t left = strlen(text), n = 0;

    dst[n++] = '"';
    while (left > 0) {
        char quoted[8];
        size_t taken = quote_char(text, left, quoted), len = strlen(quoted);

        if (n + len + 2 > dst_bytes)
            break;
        memcpy(dst + n, quoted, len);
        n += len;
        text += taken;
        left -= taken;
    }
    dst[n++] = '"';
    dst[n] = 0;
    return (unsigned)n;
}

void shim_log(enum shim_log_level level, const char *fmt, ...)
{
    static const char *const names[] = {"debug", "info", "warning", "error"};
    char text[3072], quoted[3500], line[4000], when[SHIM_RFC3339_BYTES];
    va_list ap;
    int n;

    if ((int)level < atomic_load(&log_level))
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    shim_log_quote(text, quoted, sizeof(quoted));
    n = snprintf(line, sizeof(line), "time=\"%s\" level=%s msg=%s\n",
                 shim_rfc3339(shim_realtime_ns(), when), names[level], quoted);
    shim_write_stderr(line, (size_t)n);
}

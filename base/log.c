/* SPDX-License-Identifier: Apache-2.0 */
/* Formats logrus' text lines. Promises to write each with one call and never to wait. */
#include "base/log.h"
#include "base/clock.h"
#include "base/file.h"
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

unsigned shim_log_quote(const char *text, char *dst, unsigned dst_bytes)
{
    static const char hex[] = "0123456789abcdef";
    unsigned n = 0;

    dst[n++] = '"';
    for (; *text && n + 6 < dst_bytes; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\') {
            dst[n++] = '\\';
            dst[n++] = (char)c;
        } else if (c == '\n' || c == '\t' || c == '\r') {
            dst[n++] = '\\';
            dst[n++] = c == '\n' ? 'n' : c == '\t' ? 't' : 'r';
        } else if (c < 0x20 || c == 0x7F) {
            dst[n++] = '\\';
            dst[n++] = 'x';
            dst[n++] = hex[c >> 4];
            dst[n++] = hex[c & 15];
        } else {
            dst[n++] = (char)c;
        }
    }
    dst[n++] = '"';
    dst[n] = 0;
    return n;
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

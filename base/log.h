/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines in logrus' text form (time="…" level=info msg="…"), because they land in containerd's
 * log. Lines go to standard error, one write each, and are dropped where that would block (the log
 * FIFO's reader can be away). Only shim/ logs above debug; the rooms below return errors.
 * Threads: any.
 */
#pragma once
#include "base/compiler.h"

enum shim_log_level { SHIM_DEBUG, SHIM_INFO, SHIM_WARN, SHIM_ERROR };

/* Lines below this level cost one comparison. Default SHIM_INFO. Set before threads start. */
void shim_log_set_level(enum shim_log_level level);
enum shim_log_level shim_log_level(void);

void shim_log(enum shim_log_level level, const char *fmt, ...) SHIM_PRINTF(2, 3);

/* Writes `text` as a Go-quoted string ("…" with \n, \", \\, and \xNN also for what is not UTF-8) to
 * dst, which has at least 3 bytes; always closed and terminated, what does not fit is cut. Returns
 * the number of bytes written. Pure. */
unsigned shim_log_quote(const char *text, char *dst, unsigned dst_bytes);

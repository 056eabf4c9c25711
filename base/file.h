/* SPDX-License-Identifier: Apache-2.0 */
/* Small files and standard streams. Paths are UTF-8. Threads: any. Everything here may block. */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An open descriptor (posix) or HANDLE (Windows). */
#define SHIM_NO_HANDLE ((intptr_t)-1)
void shim_handle_close(intptr_t *handle); /* SHIM_NO_HANDLE is a no-op; leaves it behind */
#define cleanup_handle SHIM_CLEANUP(shim_handle_close)

/* Appends the whole file to `ret`. SHIM_E_EXHAUSTED when it is longer than limit_bytes;
 * SHIM_E_NOT_FOUND when there is none. Works on files whose size reads as 0 (proc, cgroup). */
SHIM_MUST_USE int shim_file_read(const char *path, size_t limit_bytes, struct shim_buf *ret,
                                 struct shim_error *err);
/* Same from an open stream up to its end. */
SHIM_MUST_USE int shim_handle_read(intptr_t handle, size_t limit_bytes, struct shim_buf *ret,
                                   struct shim_error *err);
SHIM_MUST_USE int shim_handle_write(intptr_t handle, const void *data, size_t bytes,
                                    struct shim_error *err);
/* Writes a temporary beside it and renames it into place, mode 0600 where modes exist. */
SHIM_MUST_USE int shim_file_write(const char *path, const void *data, size_t bytes,
                                  struct shim_error *err);
/* Absent is fine. */
SHIM_MUST_USE int shim_file_remove(const char *path, struct shim_error *err);
SHIM_MUST_USE int shim_dir_make(const char *path, unsigned mode, struct shim_error *err);
SHIM_MUST_USE int shim_dir_make_all(const char *path, unsigned mode, struct shim_error *err);
bool shim_file_exists(const char *path);

intptr_t shim_stdin(void);
intptr_t shim_stdout(void);
/* One write, dropped where it would block. Async-signal-safe. */
void shim_write_stderr(const char *text, size_t bytes);

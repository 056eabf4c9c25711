/* SPDX-License-Identifier: Apache-2.0 */
/* Errors: a negative code for control flow, a message for people. Never allocates, never logs. */
#pragma once
#include "base/compiler.h"
#include <stdarg.h>
#include <stdint.h>

/* Negated gRPC status codes, so that a reply needs no table. */
enum shim_code {
    SHIM_E_CANCELED = -1,
    SHIM_E_UNKNOWN = -2, /* also "cannot pause a stopped process": containerd expects 2 there */
    SHIM_E_INVALID = -3,
    SHIM_E_DEADLINE = -4,
    SHIM_E_NOT_FOUND = -5,
    SHIM_E_EXISTS = -6,
    SHIM_E_DENIED = -7,
    SHIM_E_EXHAUSTED = -8, /* over a documented limit, or out of memory */
    SHIM_E_STATE = -9,     /* FailedPrecondition */
    SHIM_E_ABORTED = -10,
    SHIM_E_OUT_OF_RANGE = -11,
    SHIM_E_UNIMPLEMENTED = -12,
    SHIM_E_INTERNAL = -13,
    SHIM_E_UNAVAILABLE = -14,
    SHIM_E_DATA_LOSS = -15,
    SHIM_E_UNAUTHENTICATED = -16,
};

struct shim_error {
    int code;    /* enum shim_code; 0 until something fails */
    uint32_t os; /* errno, GetLastError() or HRESULT as the OS gave it; HRESULTs are in msg too */
    char msg[2048]; /* UTF-8 whatever went in, outermost context first, cut in the middle if long */
};

/**
 * All return the code, so failing is one line: return shim_fail(err, ...). `err` may be NULL.
 *
 * shim_fail     sets the error anew.
 * shim_fail_os  sets the error anew from an OS code: picks the code that fits it (ENOENT and
 *               ESRCH NOT_FOUND, EEXIST EXISTS, EACCES and EPERM DENIED, EAGAIN (of fork and
 *               thread limits) ENOMEM EMFILE ENFILE and ENOSPC EXHAUSTED, ETIMEDOUT DEADLINE,
 *               ECONNREFUSED ECONNRESET and EPIPE UNAVAILABLE, ENOSYS and EOPNOTSUPP
 *               UNIMPLEMENTED, else UNKNOWN) and appends ": " and its text.
 * shim_wrap     puts the text and ": " in front of what is there and sets the code.
 */
int shim_fail(struct shim_error *err, int code, const char *fmt, ...) SHIM_PRINTF(3, 4);
int shim_fail_os(struct shim_error *err, uint32_t os, const char *fmt, ...) SHIM_PRINTF(3, 4);
int shim_wrap(struct shim_error *err, int code, const char *fmt, ...) SHIM_PRINTF(3, 4);

/* Out of memory, in one place so that it reads the same everywhere. */
int shim_fail_memory(struct shim_error *err);

/* "not found", "already exists" …: the words containerd ends its messages with; "" for UNKNOWN. */
const char *shim_code_words(int code);

/* Platform side (base/posix/error.c, base/windows/error.c). */
int shim_code_from_os(uint32_t os);
/* Writes the text of an OS code to buf and returns buf; always terminates. */
const char *shim_os_text(uint32_t os, char *buf, unsigned buf_bytes);

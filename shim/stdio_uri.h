/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request's stdout field asks for: plain paths (FIFOs, named pipes), a log file or a logger.
 * Pure, the same on every platform; opens nothing. Threads: any.
 */
#pragma once
#include "base/error.h"
#include "base/str.h"

enum shim_stdio_kind {
    SHIM_STDIO_PATHS,     /* each stream has a path of its own, maybe none */
    SHIM_STDIO_FILE,      /* file:///path: both outputs are appended to it */
    SHIM_STDIO_BINARY,    /* binary:///path?key=value: a logger reads both outputs */
    SHIM_STDIO_BINARY_V2, /* the same, and a logger that never says it is ready has failed */
};

struct shim_stdio_uri {
    enum shim_stdio_kind kind;
    char *path;            /* decoded, absolute; NULL for PATHS */
    struct shim_strv args; /* BINARY: each key of the query, then its first value (may be "") */
};

/**
 * Reads the stdout field, which alone decides; NULL and "" are PATHS.
 *
 * @param ret  the caller's to end with shim_stdio_uri_done, also after a failure.
 * @return     SHIM_E_INVALID unknown scheme ("unknown STDIO scheme"), bad escape, host or no path;
 *             SHIM_E_UNIMPLEMENTED streaming URLs.
 */
SHIM_MUST_USE int shim_stdio_uri_parse(const char *text, struct shim_stdio_uri *ret,
                                       struct shim_error *err);
void shim_stdio_uri_done(struct shim_stdio_uri *uri);
#define cleanup_stdio_uri SHIM_CLEANUP(shim_stdio_uri_done)

/* The path in a field of kind PATHS, without a "fifo://" in front; "" for NULL. Lent. */
const char *shim_stdio_path(const char *text);

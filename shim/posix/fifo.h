/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's ends of the streams: FIFOs, and whatever else a path names. Nothing here ever waits
 * for the other side. Our own second end of each FIFO keeps it alive while the client is away: no
 * EPIPE for outputs, no end of file for stdin. Threads: any.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>

/* Closes and leaves -1; -1 is a no-op. */
void shim_fd_close(int *fd);
#define cleanup_fd SHIM_CLEANUP(shim_fd_close)

/* The descriptors are the caller's. */
struct shim_sink {
    int fd;    /* to write to */
    int keep;  /* a reader of the same FIFO; -1 where it is none */
    bool fifo; /* a FIFO, so `keep` is there */
    bool disk; /* no FIFO and no terminal: writing may wait for a disk and cannot be polled */
};

/* Opens an output, which must exist: FIFOs for writing, all else to append. SHIM_E_NOT_FOUND. */
SHIM_MUST_USE int shim_sink_open(const char *path, struct shim_sink *ret, struct shim_error *err);
/* The same for a log file: makes it (0644) and its parents (0755) where missing. */
SHIM_MUST_USE int shim_sink_open_log(const char *path, struct shim_sink *ret,
                                     struct shim_error *err);
/* Opens stdin's FIFO to read. SHIM_E_INVALID when the path is something else; SHIM_E_NOT_FOUND. */
SHIM_MUST_USE int shim_source_open(const char *path, int *ret, struct shim_error *err);
/* A writer of the FIFO that `reader` reads, so that the last client's end is not the end; -1. */
int shim_source_keep(int reader);

/* Whether anybody can read what is written to this FIFO or pipe. */
bool shim_fifo_has_reader(int writer);
bool shim_fd_is_pipe(int fd); /* a pipe or FIFO */
/* Own description, so it concerns nobody but us. Errors cannot happen on an open descriptor. */
void shim_fd_set_nonblocking(int fd);

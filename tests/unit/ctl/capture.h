/* SPDX-License-Identifier: Apache-2.0 */
/* Puts a pipe in the place of one of the test's own standard streams. */
#pragma once
#include "base/compiler.h"
#include "tests/test.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

struct capture {
    int fd;    /* 0, 1 or 2 */
    int saved; /* what it was */
    int other; /* our end of the pipe */
};

static inline void capture_begin(struct capture *c, int fd)
{
    int ends[2];
    int theirs = fd == STDIN_FILENO ? 0 : 1;

    fflush(NULL);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    *c = (struct capture){.fd = fd, .saved = dup(fd), .other = ends[!theirs]};
    assert_int_equal(dup2(ends[theirs], fd), fd);
    close(ends[theirs]);
}

/* Puts the stream back; what was written can be read from c->other up to its end. */
static inline void capture_restore(struct capture *c)
{
    fflush(NULL);
    assert_int_equal(dup2(c->saved, c->fd), c->fd);
    close(c->saved);
}

/* Reads up to the end, at most bytes - 1; terminates. */
static inline void capture_read(struct capture *c, char *text, size_t bytes)
{
    size_t at = 0;
    ssize_t n;

    while (at + 1 < bytes && (n = read(c->other, text + at, bytes - 1 - at)) > 0)
        at += (size_t)n;
    text[at] = 0;
    close(c->other);
}

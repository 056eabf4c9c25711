/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the relay's tests share: a loop, a temporary folder with FIFOs, and a process that the test
 * plays itself by holding the other ends of its streams. Nothing sleeps; what is waited for has
 * WAIT_MS to come.
 */
#pragma once
#include "base/posix/loop.h"
#include "shim/relay.h"
#include "tests/descriptors.h"
#include "tests/test.h"

#define WAIT_MS 20000

extern struct shim_loop *fixture_loop;

/* cmocka's group functions: the loop, the folder, SIGPIPE ignored, the reaper running. */
int fixture_setup(void **state);
int fixture_teardown(void **state);

const char *fixture_path(const char *name); /* in the folder; static storage, eight at a time */
const char *fixture_fifo(const char *name); /* made anew */
const char *fixture_script(const char *name, const char *text); /* executable */

int open_reader(const char *fifo); /* non-blocking, as a client's */
int open_writer(const char *fifo);
void close_fd(int *fd);
void wait_for_events(int fd, short events);
bool is_ready(int fd, short events);

void write_all(int fd, const char *text);
void expect_text(int fd, const char *text); /* exactly these bytes come next */
void expect_end(int fd);                    /* end of file comes next */
void expect_nothing(int fd);                /* neither data nor the end, now */
size_t read_to_end(int fd, uint8_t *buf, size_t buf_bytes);
char *read_whole_file(const char *path); /* malloc'ed; waits until it is there and not empty */
void fill_pattern(uint8_t *buf, size_t bytes);

/* A process as its provider would start it: the other ends of its streams are the test's. */
struct process {
    struct shim_io *io;
    struct hcs_stdio stdio;
    int in, out,
        err;   /* the process's ends: reads in, writes out and err; of a terminal: the slave */
    int exits; /* an eventfd that counts calls of done() */
};
struct shim_io_config fixture_config(const char *in, const char *out, const char *err);
void process_open(struct process *p, const struct shim_io_config *config);
void process_start(struct process *p);
void process_run(struct process *p, const struct shim_io_config *config); /* open and start */
void process_exit(struct process *p);   /* closes its ends and reports its exit */
void process_report(struct process *p); /* reports its exit, leaves its ends open */
void process_wait_drained(struct process *p);
void process_done(struct process *p);

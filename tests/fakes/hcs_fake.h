/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A provider that runs nothing: it notes what it is asked for, fails or hangs when told to, and
 * lets a process end whenever the test wants, also before the call that starts it has returned.
 * There is one, for the whole test program; hcs_fake_reset() before each test. Threads: any.
 *
 * Pids are 1001, 1002, … in the order in which processes are made. SIGKILL and SIGTERM end a
 * process, with 128 + signal; so does deleting its system, with 137.
 */
#pragma once
#include "hcs/hcs.h"
#include <stdbool.h>
#include <stdint.h>

enum hcs_fake_op {
    FAKE_NEW,
    FAKE_CREATE,
    FAKE_START,
    FAKE_PAUSE,
    FAKE_RESUME,
    FAKE_SIGNAL_ALL,
    FAKE_TERMINATE,
    FAKE_DELETE,
    FAKE_CANCEL,
    FAKE_UPDATE,
    FAKE_CHECKPOINT,
    FAKE_PIDS,
    FAKE_STATS,
    FAKE_PROCESS_NEW,
    FAKE_PROCESS_START,
    FAKE_SIGNAL,
    FAKE_RESIZE,
    FAKE_MOUNT,
    FAKE_UNMOUNT,
    FAKE_OPS,
};

/* struct shim's find_provider: any name but "none". */
const struct hcs_provider *hcs_fake_find(const char *name);

/* Forgets all that was noted and ordered. Nothing of an earlier test may be left. */
void hcs_fake_reset(void);
/* Systems and processes that were not freed. */
unsigned hcs_fake_left(void);

/* --- orders; they hold until taken back ----------------------------------------------------- */

/* Calls fail with this code and "<op> fails" until code is 0. */
void hcs_fake_fail(enum hcs_fake_op op, int code);
/* Calls wait until it is taken back, or until their system is cancelled: SHIM_E_CANCELED. */
void hcs_fake_hang(enum hcs_fake_op op, bool on);
/* CREATE, START and PROCESS_START: the process ends before the call returns, well or failed. */
void hcs_fake_end_during(enum hcs_fake_op op, uint32_t status);
/* Signals are taken and ignored. */
void hcs_fake_deafen(bool on);
/* PROCESS_START and CREATE hand out no pipes: the relay cannot start. */
void hcs_fake_withhold_pipes(bool on);
/* A process' end leaves its pipes open, as a grandchild that holds them does. */
void hcs_fake_hold_pipes(bool on);

/* --- events; exec_id "" is init ------------------------------------------------------------- */

/* The process ends now, on this thread. */
void hcs_fake_exit(const char *id, const char *exec_id, uint32_t status);
void hcs_fake_oom(const char *id);
/* What the process writes to its standard output. */
void hcs_fake_write(const char *id, const char *exec_id, const char *text);
/* Reads what came on its standard input: lent till the next call; waits for the end of the file. */
const char *hcs_fake_read_all(const char *id, const char *exec_id);

/* --- notes ---------------------------------------------------------------------------------- */

unsigned hcs_fake_calls(enum hcs_fake_op op);
/* Of the last call: "c1", "c1 e1 15", an update's JSON …; lent till the next
 * question. For the test's own thread. */
const char *hcs_fake_last(enum hcs_fake_op op);
/* So many calls hang now. False after ten seconds. */
bool hcs_fake_await_hanging(enum hcs_fake_op op, unsigned at_least);
bool hcs_fake_await_calls(enum hcs_fake_op op, unsigned at_least);

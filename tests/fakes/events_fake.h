/* SPDX-License-Identifier: Apache-2.0 */
/*
 * containerd's Events endpoint in the test's own process: takes what a shim publishes, in the order
 * in which it comes, and refuses or keeps waiting when told to. Threads: any.
 */
#pragma once
#include <stdbool.h>

struct events_fake; /* opaque */

/* Serves at `address` (a unix socket) from now on. */
struct events_fake *events_fake_new(const char *address);
/* Calls that are kept waiting are failed. NULL is a no-op. */
void events_fake_free(struct events_fake *f);

/* Stops serving, and serves again; what came stays. */
void events_fake_go_away(struct events_fake *f);
void events_fake_come_back(struct events_fake *f);

/* Every event is refused with this code until it is 0. */
void events_fake_refuse(struct events_fake *f, int code);
/* Events are taken but not answered while on. */
void events_fake_keep_waiting(struct events_fake *f, bool on);

/* False after ten seconds. */
bool events_fake_await(struct events_fake *f, unsigned at_least);
bool events_fake_await_refused(struct events_fake *f, unsigned at_least);
bool events_fake_await_waiting(struct events_fake *f, unsigned at_least);
unsigned events_fake_count(struct events_fake *f);

/* All events so far, one a line: "exit c1 e1 1002 7" has topic, ids, pid and exit status. Lent
 * until the next question. For the test's own thread. */
const char *events_fake_text(struct events_fake *f);
/* Of the last event; likewise. */
const char *events_fake_namespace(struct events_fake *f);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Publishes events to containerd, in order, one at a time, from one bounded queue. No caller ever
 * waits for containerd: while it is away the head of the queue is retried, and beyond the bound
 * the oldest event is dropped and counted in the log. The publisher is a worker, while there are
 * events.
 * Threads: any. Lock order: may be called with shim_tasks.lock held; its own lock is a leaf.
 */
#pragma once
#include "base/error.h"
#include "base/workers.h"
#include <protobuf-c/protobuf-c.h>

struct shim_events; /* opaque */

#define SHIM_EVENTS_QUEUED_MAX 4096

struct shim_events_config { /* borrowed for the call */
    const char *ns;
    const char *ttrpc_address;    /* of containerd; "" where not given: the publish binary serves */
    const char *publish_binary;   /* containerd itself; "" where not given */
    const char *grpc_address;     /* for the publish binary */
    struct shim_workers *workers; /* freed between shim_events_stop and shim_events_free */
};
SHIM_MUST_USE int shim_events_new(const struct shim_events_config *config, struct shim_events **ret,
                                  struct shim_error *err);

/* Queues a copy, stamped with the time. The topic is borrowed and must be static ("/tasks/exit").
 * Never waits and never logs; what cannot be queued for want of memory counts as dropped. */
void shim_events_publish(struct shim_events *e, const char *topic, const ProtobufCMessage *event);

/* Waits until the queue is empty, at most timeout_ms (and two seconds more if a connection is being
 * made that nobody accepts), then ends the publisher. What is published from then on is dropped. */
void shim_events_stop(struct shim_events *e, unsigned timeout_ms);
/* After stop. NULL is a no-op. */
void shim_events_free(struct shim_events *e);

/* Queued, and dropped so far: for the state dump. */
void shim_events_count(struct shim_events *e, unsigned *ret_queued, unsigned *ret_dropped);

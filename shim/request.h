/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of the task service on its way through the shim. The generated service's methods get it
 * as their closure data; each is answered exactly once, which frees it.
 */
#pragma once
#include "base/error.h"
#include "base/workers.h"
#include <protobuf-c/protobuf-c.h>

struct ttrpc_call;
struct shim;

struct shim_request {
    struct shim_work work;
    struct shim_request *next; /* while parked at a task's slot */
    struct shim *shim;
    ProtobufCService *service;
    unsigned method;
    bool urgent;
    const ProtobufCMessage *input; /* lent by the call */
    ProtobufCClosure reply;        /* ttrpc's */
    struct ttrpc_call *call;
};

/* The closure that methods get; `data` is the struct shim_request. */
void shim_request_reply(const ProtobufCMessage *answer, void *data);
void shim_request_fail(struct shim_request *request, const struct shim_error *err);
/* Runs the request's method again, on a worker. */
void shim_request_rerun(struct shim_request *request);
/* Frees the request but leaves the call to the caller, without its message: for parked Waits. */
struct ttrpc_call *shim_request_detach(struct shim_request *request);

/* SPDX-License-Identifier: Apache-2.0 */
/* Decides about a frame, with the words of Go's ttrpc where it refuses. */
#include "ttrpc/dispatch.h"
#include <stdlib.h>
#include <string.h>

void ttrpc_invocation_done(struct ttrpc_invocation *invocation)
{
    if (invocation->message)
        protobuf_c_message_free_unpacked(invocation->message, NULL);
    if (invocation->request)
        ttrpc__request__free_unpacked(invocation->request, NULL);
    invocation->message = NULL;
    invocation->request = NULL;
}

static int find_method(const struct ttrpc_service *services, const Ttrpc__Request *request,
                       struct ttrpc_invocation *ret, struct shim_error *err)
{
    const ProtobufCMethodDescriptor *method;

    while (services && strcmp(services->name, request->service) != 0)
        services = services->next;
    if (!services)
        return shim_fail(err, SHIM_E_UNIMPLEMENTED, "service %s", request->service);

    ret->service = services->service;
    method =
        protobuf_c_service_descriptor_get_method_by_name(ret->service->descriptor, request->method);
    if (!method)
        return shim_fail(err, SHIM_E_UNIMPLEMENTED, "method %s", request->method);
    ret->method = (unsigned)(method - ret->service->descriptor->methods);
    return 0;
}

static int decode_payload(struct ttrpc_invocation *invocation, struct shim_error *err)
{
    const ProtobufCMessageDescriptor *input =
        invocation->service->descriptor->methods[invocation->method].input;
    ProtobufCBinaryData *payload = &invocation->request->payload;
    int r = ttrpc_unpack(input, payload->data, payload->len, &invocation->message, err);

    if (r < 0)
        return shim_wrap(err, r == SHIM_E_INVALID ? SHIM_E_INTERNAL : r,
                         "ttrpc: error unmarshalling payload");
    free(payload->data); /* not needed beside its message */
    *payload = (ProtobufCBinaryData){0};
    return 0;
}

static int decode(const struct ttrpc_service *services, const struct ttrpc_frame *frame,
                  struct ttrpc_invocation *ret, struct shim_error *err)
{
    ProtobufCMessage *request;
    int r =
        ttrpc_unpack(&ttrpc__request__descriptor, frame->data, frame->data_bytes, &request, err);

    if (r < 0)
        return shim_wrap(err, r, "unmarshal request error");
    ret->request = (Ttrpc__Request *)request;
    r = find_method(services, ret->request, ret, err);
    return r < 0 ? r : decode_payload(ret, err);
}

/* Client streams have odd ids that grow; Data belongs to one that was opened before. */
static int check_id(uint32_t *last_id, const struct ttrpc_frame *frame, struct shim_error *err)
{
    if (frame->stream_id % 2 != 1)
        return shim_fail(err, SHIM_E_INVALID, "StreamID must be odd for client initiated streams");
    if (frame->type == TTRPC_DATA)
        return 0;
    if (frame->stream_id <= *last_id)
        return shim_fail(err, SHIM_E_INVALID, "StreamID cannot be re-used and must increment");
    *last_id = frame->stream_id;
    return 0;
}

enum ttrpc_verdict ttrpc_dispatch(const struct ttrpc_service *services, uint32_t *last_id,
                                  const struct ttrpc_frame *frame, struct ttrpc_invocation *ret,
                                  struct shim_error *err)
{
    struct ttrpc_invocation invocation = {0};

    if (frame->type != TTRPC_REQUEST && frame->type != TTRPC_DATA)
        return TTRPC_IGNORE;
    if (check_id(last_id, frame, err) < 0)
        return TTRPC_REFUSE;
    if (frame->type == TTRPC_DATA) {
        shim_fail(err, SHIM_E_INVALID, "StreamID is no longer active");
        return TTRPC_STREAM_DATA;
    }
    if (decode(services, frame, &invocation, err) < 0) {
        ttrpc_invocation_done(&invocation);
        return TTRPC_REFUSE;
    }
    *ret = invocation;
    return TTRPC_INVOKE;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's frames of a hostile peer, dispatched to containerd's task service: every decision
 * is clean, and every refusal can be sent and read. */
#include "shim/proto/task.pb-c.h"
#include "ttrpc/dispatch.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool right)
{
    if (!right)
        abort();
}

static void check_refusal(uint32_t stream_id, const struct shim_error *err)
{
    struct ttrpc_out *out = ttrpc_out_status(stream_id, err->code, err->msg);
    ProtobufCMessage *response = NULL;

    check(err->code < 0 && out != NULL);
    check(ttrpc_unpack(&ttrpc__response__descriptor, out->data + TTRPC_HEADER_BYTES,
                       out->bytes - TTRPC_HEADER_BYTES, &response, NULL) == 0);
    check(((Ttrpc__Response *)response)->status->code == -err->code);
    protobuf_c_message_free_unpacked(response, NULL);
    ttrpc_out_drop(out);
}

/* What a method would answer that echoes its request. */
static void check_answer(struct ttrpc_invocation *invocation, uint32_t stream_id)
{
    struct ttrpc_out *out = NULL;

    check(invocation->method < invocation->service->descriptor->n_methods);
    check(invocation->message->descriptor ==
          invocation->service->descriptor->methods[invocation->method].input);
    if (ttrpc_out_response(stream_id, invocation->message, &out, NULL) == 0)
        ttrpc_out_drop(out);
    ttrpc_invocation_done(invocation);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ProtobufCService task = {.descriptor = &task__task__descriptor};
    static const struct ttrpc_service v2 = {NULL, "containerd.task.v2.Task", &task};
    static const struct ttrpc_service v3 = {&v2, "containerd.task.v3.Task", &task};
    struct ttrpc_invocation invocation;
    struct ttrpc_frame frame;
    struct shim_error err;
    uint32_t last_id = 0;
    ssize_t n;

    while ((n = ttrpc_frame_parse(data, size, &frame, NULL)) > 0) {
        uint32_t before = last_id;
        enum ttrpc_verdict verdict = ttrpc_dispatch(&v3, &last_id, &frame, &invocation, &err);

        check(last_id == before || (last_id == frame.stream_id && last_id > before));
        if (verdict == TTRPC_INVOKE)
            check_answer(&invocation, frame.stream_id);
        else if (verdict != TTRPC_IGNORE)
            check_refusal(frame.stream_id, &err);
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

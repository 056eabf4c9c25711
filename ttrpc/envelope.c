/* SPDX-License-Identifier: Apache-2.0 */
/* Packs answers and requests straight into frames, and decodes with a bound on memory. */
#include "ttrpc/envelope.h"
#include "base/str.h"
#include <stdlib.h>
#include <string.h>

#define STATUS_TEXT_BYTES    ((size_t)64 * 1024)
#define UNPACK_BYTES_MAX     ((size_t)64 << 20) /* 16 times the longest message */
#define MESSAGE_DEPTH_MAX    32
#define RESPONSE_PAYLOAD_TAG 0x12 /* field 2, length-delimited */

static struct ttrpc_out *out_new(size_t data_bytes, uint32_t stream_id, enum ttrpc_frame_type type)
{
    struct ttrpc_out *out = malloc(sizeof(*out) + TTRPC_HEADER_BYTES + data_bytes);

    if (!out)
        return NULL;
    *out = (struct ttrpc_out){.bytes = TTRPC_HEADER_BYTES + data_bytes};
    ttrpc_frame_put_header(out->data, (uint32_t)data_bytes, stream_id, type);
    return out;
}

void ttrpc_out_drop(struct ttrpc_out *out)
{
    if (!out)
        return;
    if (out->sent)
        out->sent(out->user);
    free(out);
}

/* A copy without its invalid bytes, at most STATUS_TEXT_BYTES long. */
static char *status_text(const char *message)
{
    size_t bytes = strnlen(message, STATUS_TEXT_BYTES);
    char *text = strndup(message, bytes);

    if (!text || shim_is_utf8(text, bytes))
        return text;
    for (char *c = text; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    return text;
}

struct ttrpc_out *ttrpc_out_status(uint32_t stream_id, int code, const char *message)
{
    cleanup_free char *text = status_text(message ? message : "");
    Ttrpc__Status status = TTRPC__STATUS__INIT;
    Ttrpc__Response response = TTRPC__RESPONSE__INIT;
    struct ttrpc_out *out;

    if (!text)
        return NULL;
    status.code = code < 0 ? -code : -SHIM_E_UNKNOWN;
    status.message = text;
    response.status = &status;
    out = out_new(ttrpc__response__get_packed_size(&response), stream_id, TTRPC_RESPONSE);
    if (out)
        ttrpc__response__pack(&response, out->data + TTRPC_HEADER_BYTES);
    return out;
}

static size_t put_varint(uint8_t *at, size_t value)
{
    size_t n = 0;

    for (; value >= 0x80; value >>= 7)
        at[n++] = (uint8_t)(value | 0x80);
    at[n++] = (uint8_t)value;
    return n;
}

/* Response{payload} written by hand, so that the payload is packed once and in place. */
int ttrpc_out_response(uint32_t stream_id, const ProtobufCMessage *message, struct ttrpc_out **ret,
                       struct shim_error *err)
{
    size_t bytes = protobuf_c_message_get_packed_size(message), prefix_bytes = 0;
    uint8_t prefix[11] = {RESPONSE_PAYLOAD_TAG};
    struct ttrpc_out *out;

    if (bytes > 0)
        prefix_bytes = 1 + put_varint(prefix + 1, bytes);
    if (bytes + prefix_bytes > TTRPC_DATA_MAX_BYTES)
        return ttrpc_fail_too_long(err, bytes + prefix_bytes);
    out = out_new(prefix_bytes + bytes, stream_id, TTRPC_RESPONSE);
    if (!out)
        return shim_fail_memory(err);
    memcpy(out->data + TTRPC_HEADER_BYTES, prefix, prefix_bytes);
    protobuf_c_message_pack(message, out->data + TTRPC_HEADER_BYTES + prefix_bytes);
    *ret = out;
    return 0;
}

static int pack_request(const Ttrpc__Request *request, struct ttrpc_out **ret,
                        struct shim_error *err)
{
    size_t bytes = ttrpc__request__get_packed_size(request);

    if (bytes > TTRPC_DATA_MAX_BYTES)
        return ttrpc_fail_too_long(err, bytes);
    *ret = out_new(bytes, 0, TTRPC_REQUEST);
    if (!*ret)
        return shim_fail_memory(err);
    ttrpc__request__pack(request, (*ret)->data + TTRPC_HEADER_BYTES);
    return 0;
}

static Ttrpc__KeyValue **lend_metadata(const struct ttrpc_call_options *options)
{
    size_t n = options->n_metadata;
    Ttrpc__KeyValue **list = malloc(n * (sizeof(Ttrpc__KeyValue *) + sizeof(Ttrpc__KeyValue)));
    Ttrpc__KeyValue *pairs = (Ttrpc__KeyValue *)(void *)(list + n);

    for (size_t i = 0; list && i < n; i++) {
        ttrpc__key_value__init(&pairs[i]);
        pairs[i].key = (char *)options->metadata[i].key;
        pairs[i].value = (char *)options->metadata[i].value;
        list[i] = &pairs[i];
    }
    return list;
}

int ttrpc_out_request(const char *service, const char *method, const ProtobufCMessage *message,
                      const struct ttrpc_call_options *options, struct ttrpc_out **ret,
                      struct shim_error *err)
{
    size_t bytes = protobuf_c_message_get_packed_size(message);
    cleanup_free uint8_t *payload = NULL;
    cleanup_free Ttrpc__KeyValue **metadata = NULL;
    Ttrpc__Request request = TTRPC__REQUEST__INIT;

    if (bytes > TTRPC_DATA_MAX_BYTES)
        return ttrpc_fail_too_long(err, bytes);
    payload = malloc(bytes + 1);
    if (!payload)
        return shim_fail_memory(err);
    request.service = (char *)service;
    request.method = (char *)method;
    request.payload = (ProtobufCBinaryData){
        .len = protobuf_c_message_pack(message, payload),
        .data = payload,
    };
    if (options && options->n_metadata > 0) {
        metadata = lend_metadata(options);
        if (!metadata)
            return shim_fail_memory(err);
        request.metadata = metadata;
        request.n_metadata = options->n_metadata;
    }
    request.timeout_nano = options ? options->timeout_ns : 0;
    return pack_request(&request, ret, err);
}

void ttrpc_out_set_stream(struct ttrpc_out *out, uint32_t stream_id)
{
    ttrpc_frame_put_header(out->data, (uint32_t)(out->bytes - TTRPC_HEADER_BYTES), stream_id,
                           TTRPC_REQUEST);
}

/* protobuf-c says only "no": the allocator remembers whether memory was the reason. */
struct budget {
    size_t left_bytes;
    bool exceeded;
};

static void *budget_alloc(void *data, size_t bytes)
{
    struct budget *budget = data;
    void *p = NULL;

    if (bytes <= budget->left_bytes)
        p = malloc(bytes);
    if (p)
        budget->left_bytes -= bytes;
    else
        budget->exceeded = true;
    return p;
}

static void budget_free(void *data, void *p)
{
    (void)data;
    free(p);
}

int ttrpc_unpack(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t bytes,
                 ProtobufCMessage **ret, struct shim_error *err)
{
    struct budget budget = {.left_bytes = UNPACK_BYTES_MAX};
    ProtobufCAllocator allocator = {budget_alloc, budget_free, &budget};
    ProtobufCMessage *message = protobuf_c_message_unpack(descriptor, &allocator, bytes, data);

    if (!message && budget.exceeded)
        return shim_fail(err, SHIM_E_EXHAUSTED, "out of memory for %s of %zu bytes",
                         descriptor->name, bytes);
    if (!message)
        return shim_fail(err, SHIM_E_INVALID, "malformed %s of %zu bytes", descriptor->name, bytes);
    *ret = message;
    return 0;
}

static bool deeper_than(const ProtobufCMessageDescriptor *descriptor, unsigned depth)
{
    if (depth == 0)
        return true;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];

        if (field->type == PROTOBUF_C_TYPE_MESSAGE && deeper_than(field->descriptor, depth - 1))
            return true;
    }
    return false;
}

bool ttrpc_is_recursive(const ProtobufCMessageDescriptor *descriptor)
{
    return deeper_than(descriptor, MESSAGE_DEPTH_MAX);
}

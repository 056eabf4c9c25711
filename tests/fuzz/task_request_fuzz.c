/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte chooses a method of the task or sandbox service, the others are its request: what
 * decodes must encode to something that, decoded once more, encodes to the same. The same bytes
 * also serve as runtime options and as the stdin of start.
 */
#include "shim/payload/options.h"
#include "shim/proto/sandbox.pb-c.h"
#include "shim/proto/task.pb-c.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const ProtobufCMessageDescriptor *request_kind(uint8_t choice)
{
    const unsigned tasks = task__task__descriptor.n_methods;
    const unsigned all = tasks + sandbox__sandbox__descriptor.n_methods;
    const unsigned i = choice % all;

    return i < tasks ? task__task__descriptor.methods[i].input
                     : sandbox__sandbox__descriptor.methods[i - tasks].input;
}

/* The packed form, which is for free(). */
static uint8_t *repack(const ProtobufCMessageDescriptor *kind, const uint8_t *data, size_t bytes,
                       size_t *ret_bytes)
{
    ProtobufCMessage *m = protobuf_c_message_unpack(kind, NULL, bytes, data);
    uint8_t *packed;

    if (!m)
        return NULL;
    *ret_bytes = protobuf_c_message_get_packed_size(m);
    packed = malloc(*ret_bytes + 1);
    if (!packed || protobuf_c_message_pack(m, packed) != *ret_bytes)
        abort();
    protobuf_c_message_free_unpacked(m, NULL);
    return packed;
}

static void decode_request(const ProtobufCMessageDescriptor *kind, const uint8_t *data, size_t size)
{
    size_t bytes = 0, again_bytes = 0;
    uint8_t *packed = repack(kind, data, size, &bytes), *again;

    if (!packed)
        return;
    again = repack(kind, packed, bytes, &again_bytes);
    /* protobuf-c takes an unknown field 0 whose tag is spelled long, but not as it then writes it.
     */
    if (again && (again_bytes != bytes || memcmp(again, packed, bytes) != 0))
        abort();
    free(again);
    free(packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_oci_options struct oci_options options = {0};
    cleanup_shim_bootstrap struct shim_bootstrap bootstrap = {0};

    if (size == 0)
        return 0;
    decode_request(request_kind(data[0]), data + 1, size - 1);
    if (shim_options_from_any("containerd.runc.v1.Options", data + 1, size - 1, &options, NULL,
                              NULL, NULL) > 0)
        abort();
    if (shim_options_from_stdin(data + 1, size - 1, "c1", "testns", &bootstrap, NULL) == 0 &&
        !bootstrap.is_bootstrap && bootstrap.debug)
        abort();
    return 0;
}

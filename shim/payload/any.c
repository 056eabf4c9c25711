/* SPDX-License-Identifier: Apache-2.0 */
/* Packs messages into Any and tells what an Any holds; decodes nothing. */
#include "shim/payload/any.h"
#include "base/str.h"
#include <string.h>

void shim_any_freep(Pb__Any **any)
{
    pb__any__free_unpacked(*any, NULL);
}

int shim_any_pack(const ProtobufCMessage *message, Pb__Any **ret, struct shim_error *err)
{
    const size_t bytes = protobuf_c_message_get_packed_size(message);
    cleanup_any Pb__Any *any = malloc(sizeof(*any));

    if (!any)
        return shim_fail_memory(err);
    pb__any__init(any);
    any->type_url = strdup(message->descriptor->name);
    any->value.data = malloc(bytes ? bytes : 1);
    if (!any->type_url || !any->value.data)
        return shim_fail_memory(err);
    any->value.len = protobuf_c_message_pack(message, any->value.data);
    *ret = shim_take(any);
    return 0;
}

bool shim_any_names(const char *type_url, const ProtobufCMessageDescriptor *kind)
{
    const char *slash = type_url ? strrchr(type_url, '/') : NULL;

    return shim_str_equal(slash ? slash + 1 : type_url, kind->name);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Walks a protobuf message by its descriptor and builds JSON of it. */
#include "shim/ctl/message_json.h"
#include "base/clock.h"
#include "base/str.h"
#include "shim/ctl/json.h"
#include "shim/proto/cgroups1.pb-c.h"
#include "shim/proto/cgroups2.pb-c.h"
#include "shim/proto/events.pb-c.h"
#include "shim/proto/options.pb-c.h"
#include "shim/proto/runtimeoptions.pb-c.h"
#include <string.h>

static const ProtobufCMessageDescriptor *const known_types[] = {
    &events__task_create__descriptor,
    &events__task_start__descriptor,
    &events__task_delete__descriptor,
    &events__task_exit__descriptor,
    &events__task_oom__descriptor,
    &events__task_exec_added__descriptor,
    &events__task_exec_started__descriptor,
    &events__task_paused__descriptor,
    &events__task_resumed__descriptor,
    &events__task_checkpointed__descriptor,
    &cgroups1__metrics__descriptor,
    &cgroups2__metrics__descriptor,
    &runc__options__descriptor,
    &runc__process_details__descriptor,
    &runtimeoptions__options__descriptor,
};

/* The .proto files rename these fields, because stdin and the like are C macros. */
static const char *shown_name(const char *field)
{
    static const char *const renamed[][2] = {
        {"stdin_path", "stdin"}, {"stdout_path", "stdout"}, {"stderr_path", "stderr"}};

    for (size_t i = 0; i < SHIM_ARRAY_LEN(renamed); i++)
        if (strcmp(field, renamed[i][0]) == 0)
            return renamed[i][1];
    return field;
}

int64_t ctl_timestamp_ns(const Pb__Timestamp *t)
{
    if (!t || t->seconds >= INT64_MAX / SHIM_NS_PER_S || t->seconds < 0 || t->nanos < 0 ||
        t->nanos >= SHIM_NS_PER_S)
        return 0;
    return t->seconds * SHIM_NS_PER_S + t->nanos;
}

struct json_object *ctl_json_from_time(int64_t realtime_ns)
{
    char text[SHIM_RFC3339_BYTES] = "";

    return json_object_new_string(realtime_ns ? shim_rfc3339(realtime_ns, text) : text);
}

static struct json_object *from_submessage(const ProtobufCMessage *m)
{
    if (m->descriptor == &pb__timestamp__descriptor)
        return ctl_json_from_time(ctl_timestamp_ns((const Pb__Timestamp *)m));
    if (m->descriptor == &pb__any__descriptor)
        return ctl_json_from_any((const Pb__Any *)m);
    return ctl_json_from_message(m);
}

static struct json_object *from_enum(const ProtobufCFieldDescriptor *f, int value)
{
    const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(f->descriptor, value);

    return v ? json_object_new_string(v->name) : json_object_new_int(value);
}

static struct json_object *from_bytes(const ProtobufCBinaryData *b)
{
    if (shim_is_utf8(b->data, b->len))
        return json_object_new_string_len((const char *)b->data, (int)b->len);
    return json_object_new_string("(binary)");
}

/* One value; `at` is where it lies in the message or in its array. */
static struct json_object *from_value(const ProtobufCFieldDescriptor *f, const void *at)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT32:
    case PROTOBUF_C_TYPE_SINT32:
    case PROTOBUF_C_TYPE_SFIXED32:
        return json_object_new_int(*(const int32_t *)at);
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
        return json_object_new_int64(*(const int64_t *)at);
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_FIXED32:
        return json_object_new_int64(*(const uint32_t *)at);
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return json_object_new_uint64(*(const uint64_t *)at);
    case PROTOBUF_C_TYPE_FLOAT:
        return json_object_new_double((double)*(const float *)at);
    case PROTOBUF_C_TYPE_DOUBLE:
        return json_object_new_double(*(const double *)at);
    case PROTOBUF_C_TYPE_BOOL:
        return json_object_new_boolean(*(const protobuf_c_boolean *)at);
    case PROTOBUF_C_TYPE_ENUM:
        return from_enum(f, *(const int *)at);
    case PROTOBUF_C_TYPE_STRING:
        return json_object_new_string(*(char *const *)at ? *(char *const *)at : "");
    case PROTOBUF_C_TYPE_BYTES:
        return from_bytes(at);
    case PROTOBUF_C_TYPE_MESSAGE:
        return from_submessage(*(ProtobufCMessage *const *)at);
    }
    return NULL;
}

static size_t element_bytes(const ProtobufCFieldDescriptor *f)
{
    switch (f->type) {
    case PROTOBUF_C_TYPE_INT64:
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_SFIXED64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
    case PROTOBUF_C_TYPE_DOUBLE:
        return sizeof(uint64_t);
    case PROTOBUF_C_TYPE_BOOL:
        return sizeof(protobuf_c_boolean);
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    case PROTOBUF_C_TYPE_STRING:
    case PROTOBUF_C_TYPE_MESSAGE:
        return sizeof(void *);
    default:
        return sizeof(uint32_t);
    }
}

static struct json_object *from_array(const ProtobufCFieldDescriptor *f, const uint8_t *message)
{
    size_t n = *(const size_t *)(const void *)(message + f->quantifier_offset);
    const uint8_t *at = *(uint8_t *const *)(const void *)(message + f->offset);
    cleanup_json struct json_object *array = json_object_new_array();

    for (size_t i = 0; array && i < n; i++)
        if (!ctl_json_push(array, from_value(f, at + i * element_bytes(f))))
            return NULL;
    return shim_take(array);
}

static bool is_absent(const ProtobufCFieldDescriptor *f, const uint8_t *message)
{
    return f->type == PROTOBUF_C_TYPE_MESSAGE && f->label != PROTOBUF_C_LABEL_REPEATED &&
           !*(void *const *)(const void *)(message + f->offset);
}

struct json_object *ctl_json_from_message(const ProtobufCMessage *m)
{
    const uint8_t *base = (const uint8_t *)m;
    cleanup_json struct json_object *object = json_object_new_object();

    for (unsigned i = 0; object && i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];

        if (is_absent(f, base))
            continue;
        if (!ctl_json_add(object, shown_name(f->name),
                          f->label == PROTOBUF_C_LABEL_REPEATED ? from_array(f, base)
                                                                : from_value(f, base + f->offset)))
            return NULL;
    }
    return shim_take(object);
}

static struct json_object *from_unknown(const Pb__Any *any)
{
    cleanup_json struct json_object *object = json_object_new_object();

    if (!object || !ctl_json_add(object, "type_url", json_object_new_string(any->type_url)) ||
        !ctl_json_add(object, "value_bytes", json_object_new_int64((int64_t)any->value.len)))
        return NULL;
    return shim_take(object);
}

struct json_object *ctl_json_from_any(const Pb__Any *any)
{
    const char *slash = strrchr(any->type_url, '/');
    const char *name = slash ? slash + 1 : any->type_url;

    for (size_t i = 0; i < SHIM_ARRAY_LEN(known_types); i++) {
        ProtobufCMessage *m;
        struct json_object *object;

        if (strcmp(known_types[i]->name, name) != 0)
            continue;
        m = protobuf_c_message_unpack(known_types[i], NULL, any->value.len, any->value.data);
        if (!m)
            break;
        object = ctl_json_from_message(m);
        protobuf_c_message_free_unpacked(m, NULL);
        return object;
    }
    return from_unknown(any);
}

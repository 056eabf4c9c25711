/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows any protobuf message as JSON, by its descriptor: timestamps as RFC 3339 text, an Any of a
 * known type as its message. Pure. Threads: any.
 */
#pragma once
#include "shim/proto/well_known.pb-c.h"
#include <protobuf-c/protobuf-c.h>

struct json_object;

/* The caller owns the object; NULL when out of memory. */
struct json_object *ctl_json_from_message(const ProtobufCMessage *message);

/* Same for what is inside an Any; {"type_url", "value_bytes"} where the type is not known or the
 * value does not decode. */
struct json_object *ctl_json_from_any(const Pb__Any *any);

/* Since 1970-01-01 UTC; 0 for NULL and for what 64 bits of nanoseconds cannot say. */
int64_t ctl_timestamp_ns(const Pb__Timestamp *t);
/* RFC 3339 text, "" for 0. The caller owns it; NULL when out of memory. */
struct json_object *ctl_json_from_time(int64_t realtime_ns);

/* SPDX-License-Identifier: Apache-2.0 */
/* The few lines that make json-c's ownership safe. Threads: one at a time for each value. */
#pragma once
#include "base/compiler.h"
#include "oci/spec.h" /* cleanup_json */
#include <json-c/json.h>
#include <stdbool.h>

/* Owns `value`; false when out of memory, also when `value` is NULL for that reason. */
SHIM_MUST_USE static inline bool ctl_json_add(struct json_object *object, const char *key,
                                              struct json_object *value)
{
    if (value && json_object_object_add(object, key, value) == 0)
        return true;
    json_object_put(value);
    return false;
}
SHIM_MUST_USE static inline bool ctl_json_push(struct json_object *array, struct json_object *value)
{
    if (value && json_object_array_add(array, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

/* The text of a string member, lent; "" when there is none. */
static inline const char *ctl_json_text(struct json_object *object, const char *key)
{
    struct json_object *value;

    if (!json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_string))
        return "";
    return json_object_get_string(value);
}

/* The member object of that name, made if missing; lent. NULL when out of memory. */
static inline struct json_object *ctl_json_member(struct json_object *object, const char *key)
{
    struct json_object *value;

    if (json_object_object_get_ex(object, key, &value) &&
        json_object_is_type(value, json_type_object))
        return value;
    value = json_object_new_object();
    return ctl_json_add(object, key, value) ? value : NULL;
}

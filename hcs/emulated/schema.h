/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checks JSON against a table as strictly as the real service checks its documents: a member that
 * is not known, missing or of the wrong type is HCS_E_INVALID_JSON; a value out of range, or two
 * members that exclude each other, E_INVALIDARG. Messages name the path of what is wrong. Pure.
 * Threads: any.
 */
#pragma once
#include "base/error.h"
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a string has to be. */
enum schema_text {
    SCHEMA_ANY_TEXT,
    SCHEMA_SOME_TEXT, /* not empty */
    SCHEMA_ABSOLUTE_PATH,
    SCHEMA_ENVIRONMENT, /* NAME=value */
};

struct schema_member;

struct schema_type {
    enum json_type type; /* json_type_null: anything */
    enum schema_text text;
    int64_t min; /* of a number */
    uint64_t max;
    size_t min_items;                    /* of an array */
    const struct schema_type *each;      /* of an array, or of an object whose names are free */
    const struct schema_member *members; /* of an object */
    size_t n_members;
    bool open; /* members that are not listed may be there, unchecked */
};

struct schema_member {
    const char *name;
    const struct schema_type *type;
    bool optional;
    unsigned alternative; /* not 0: only one member with the same number may be there */
};

#define SCHEMA_REQUIRED(name_, type_)                                                              \
    {                                                                                              \
        .name = (name_), .type = (type_)                                                           \
    }
#define SCHEMA_OPTIONAL(name_, type_)                                                              \
    {                                                                                              \
        .name = (name_), .type = (type_), .optional = true                                         \
    }

/* `what` names the document in messages. SHIM_E_INVALID with the HRESULT in err->os. */
SHIM_MUST_USE int schema_check(struct json_object *value, const struct schema_type *type,
                               const char *what, struct shim_error *err);

/* From text. SHIM_E_INVALID (HCS_E_INVALID_JSON) when it is not one JSON value. *ret is put with
 * json_object_put. */
SHIM_MUST_USE int schema_parse(const char *text, size_t bytes, const char *what,
                               struct json_object **ret, struct shim_error *err);

static inline void schema_putp(struct json_object **value)
{
    json_object_put(*value);
}
#define cleanup_json SHIM_CLEANUP(schema_putp)

/* SPDX-License-Identifier: Apache-2.0 */
/* The walk over a JSON value and its table; never follows anything deeper than the table goes. */
#include "hcs/emulated/schema.h"
#include "hcs/hresult.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Where the walk is: a chain on the stack from the inside out. */
struct place {
    const struct place *up;
    const char *name; /* of a member; NULL: an element of an array */
    size_t index;
};

struct walk {
    const char *what;
    struct shim_error *err;
};

#define PATH_TEXT_BYTES 512

static size_t place_text(const struct place *at, char *buf, size_t bytes)
{
    size_t used = at->up ? place_text(at->up, buf, bytes) : 0;
    int n;

    if (used >= bytes)
        return used;
    if (at->name)
        n = snprintf(buf + used, bytes - used, "%s%s", used ? "." : "", at->name);
    else
        n = snprintf(buf + used, bytes - used, "[%zu]", at->index);
    return n < 0 ? used : used + (size_t)n;
}

static int wrong(const struct walk *w, const struct place *at, uint32_t hresult,
                 const char *problem)
{
    char path[PATH_TEXT_BYTES] = "";

    if (at)
        place_text(at, path, sizeof(path));
    return hcs_fail(w->err, hresult, "%s: %s%s%s", w->what, path, *path ? ": " : "", problem);
}

static int check_value(const struct walk *w, const struct place *at, struct json_object *value,
                       const struct schema_type *type);

static int check_string(const struct walk *w, const struct place *at, struct json_object *value,
                        const struct schema_type *type)
{
    const char *text = json_object_get_string(value);
    const char *equals;

    if (strlen(text) != (size_t)json_object_get_string_len(value))
        return wrong(w, at, HRESULT_INVALID_ARGUMENT, "NUL inside a string");
    switch (type->text) {
    case SCHEMA_SOME_TEXT:
        return *text ? 0 : wrong(w, at, HRESULT_INVALID_ARGUMENT, "must not be empty");
    case SCHEMA_ABSOLUTE_PATH:
        return *text == '/' ? 0 : wrong(w, at, HRESULT_INVALID_ARGUMENT, "not an absolute path");
    case SCHEMA_ENVIRONMENT:
        equals = strchr(text, '=');
        return equals && equals > text ? 0
                                       : wrong(w, at, HRESULT_INVALID_ARGUMENT, "not NAME=value");
    case SCHEMA_ANY_TEXT:
        break;
    }
    return 0;
}

static int check_number(const struct walk *w, const struct place *at, struct json_object *value,
                        const struct schema_type *type)
{
    int64_t number = json_object_get_int64(value); /* both are clamped to their range */
    uint64_t positive = json_object_get_uint64(value);

    if (number < type->min || (number > 0 && positive > type->max))
        return wrong(w, at, HRESULT_INVALID_ARGUMENT, "out of range");
    return 0;
}

static int check_array(const struct walk *w, const struct place *at, struct json_object *value,
                       const struct schema_type *type)
{
    size_t n = json_object_array_length(value);

    if (n < type->min_items)
        return wrong(w, at, HRESULT_INVALID_ARGUMENT, "has too few elements");
    for (size_t i = 0; i < n; i++) {
        struct place inner = {.up = at, .index = i};
        int r = check_value(w, &inner, json_object_array_get_idx(value, i), type->each);

        if (r < 0)
            return r;
    }
    return 0;
}

static const struct schema_member *find_member(const struct schema_type *type, const char *name)
{
    for (size_t i = 0; i < type->n_members; i++)
        if (!strcmp(type->members[i].name, name))
            return &type->members[i];
    return NULL;
}

static int check_known(const struct walk *w, const struct place *at, struct json_object *value,
                       const struct schema_type *type)
{
    json_object_object_foreach(value, name, member)
    {
        struct place inner = {.up = at, .name = name};

        (void)member;
        if (!type->open && !type->each && !find_member(type, name))
            return wrong(w, &inner, HRESULT_INVALID_JSON, "unknown member");
    }
    return 0;
}

/* Members that exclude each other, then members that have to be there. */
static int check_complete(const struct walk *w, const struct place *at, struct json_object *value,
                          const struct schema_type *type)
{
    unsigned seen = 0;

    for (size_t i = 0; i < type->n_members; i++) {
        const struct schema_member *m = &type->members[i];
        struct place inner = {.up = at, .name = m->name};

        if (!m->alternative || !json_object_object_get_ex(value, m->name, NULL))
            continue;
        if (seen & (1U << m->alternative))
            return wrong(w, &inner, HRESULT_INVALID_ARGUMENT,
                         "excludes another member that is there too");
        seen |= 1U << m->alternative;
    }
    for (size_t i = 0; i < type->n_members; i++) {
        const struct schema_member *m = &type->members[i];
        struct place inner = {.up = at, .name = m->name};

        if (!m->optional && !json_object_object_get_ex(value, m->name, NULL))
            return wrong(w, &inner, HRESULT_INVALID_JSON, "missing");
    }
    return 0;
}

static int check_object(const struct walk *w, const struct place *at, struct json_object *value,
                        const struct schema_type *type)
{
    int r = check_known(w, at, value, type);

    if (r == 0)
        r = check_complete(w, at, value, type);
    if (r < 0)
        return r;
    json_object_object_foreach(value, name, inner_value)
    {
        const struct schema_member *m = find_member(type, name);
        const struct schema_type *inner_type = m ? m->type : type->each;
        struct place inner = {.up = at, .name = name};

        r = inner_type ? check_value(w, &inner, inner_value, inner_type) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

static const char *type_problem(enum json_type type)
{
    switch (type) {
    case json_type_boolean:
        return "not a boolean";
    case json_type_int:
        return "not a whole number";
    case json_type_string:
        return "not a string";
    case json_type_array:
        return "not an array";
    default:
        return "not an object";
    }
}

static int check_value(const struct walk *w, const struct place *at, struct json_object *value,
                       const struct schema_type *type)
{
    if (type->type == json_type_null)
        return 0;
    if (!json_object_is_type(value, type->type))
        return wrong(w, at, HRESULT_INVALID_JSON, type_problem(type->type));
    switch (type->type) {
    case json_type_string:
        return check_string(w, at, value, type);
    case json_type_int:
        return check_number(w, at, value, type);
    case json_type_array:
        return check_array(w, at, value, type);
    case json_type_object:
        return check_object(w, at, value, type);
    default:
        return 0;
    }
}

int schema_check(struct json_object *value, const struct schema_type *type, const char *what,
                 struct shim_error *err)
{
    return check_value(&(struct walk){.what = what, .err = err}, NULL, value, type);
}

static void tokener_freep(struct json_tokener **tok)
{
    if (*tok)
        json_tokener_free(*tok);
}

/* json-c's strict mode lets through what is JavaScript, not JSON: 'single quotes', NaN,
 * Infinity. */
static bool only_json_outside_strings(const char *text, size_t bytes)
{
    static const char allowed[] = " \t\r\n{}[]:,+-.0123456789eEtrufalsn\"";
    bool in_string = false;

    for (size_t i = 0; i < bytes; i++) {
        if (in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            in_string = !in_string;
        else if (!in_string && !strchr(allowed, text[i]))
            return false;
    }
    return true;
}

int schema_parse(const char *text, size_t bytes, const char *what, struct json_object **ret,
                 struct shim_error *err)
{
    SHIM_CLEANUP(tokener_freep) struct json_tokener *tok = json_tokener_new();
    cleanup_json struct json_object *value = NULL;
    enum json_tokener_error problem;

    if (!tok)
        return shim_fail_memory(err);
    if (bytes > INT_MAX - 1 || memchr(text, 0, bytes))
        return hcs_fail(err, HRESULT_INVALID_JSON, "%s: not JSON: too long or a NUL in it", what);
    if (!only_json_outside_strings(text, bytes))
        return hcs_fail(err, HRESULT_INVALID_JSON, "%s: not JSON: stray characters", what);
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    value = json_tokener_parse_ex(tok, text, (int)bytes);
    problem = json_tokener_get_error(tok);
    if (problem == json_tokener_continue) {
        /* A bare number ends only where something else follows. */
        value = json_tokener_parse_ex(tok, "", 1);
        problem = json_tokener_get_error(tok);
    }
    if (problem != json_tokener_success)
        return hcs_fail(err, HRESULT_INVALID_JSON, "%s: not JSON: %s", what,
                        json_tokener_error_desc(problem));
    if (!value)
        return hcs_fail(err, HRESULT_INVALID_JSON, "%s: null", what);
    *ret = shim_take(value);
    return 0;
}

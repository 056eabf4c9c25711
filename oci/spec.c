/* SPDX-License-Identifier: Apache-2.0 */
/* Looks things up in a spec; lends what it finds and never changes the tree. */
#include "oci/spec.h"
#include "base/file.h"
#include "base/str.h"
#include <json-c/json.h>
#include <string.h>

int oci_spec_load(const char *bundle, struct json_object **ret, struct shim_error *err)
{
    cleanup_free char *path = shim_strf("%s/config.json", bundle);
    cleanup_json struct json_object *spec = NULL;
    cleanup_buf struct shim_buf text = {0};
    int r;

    if (!path)
        return shim_fail_memory(err);
    r = shim_file_read(path, OCI_SPEC_MAX_BYTES, &text, err);
    if (r < 0)
        return shim_wrap(err, r, "read the bundle's spec");
    r = oci_json_parse(path, shim_buf_str(&text), text.len, &spec, err);
    if (r < 0)
        return r;
    if (!json_object_is_type(spec, json_type_object))
        return shim_fail(err, SHIM_E_INVALID, "%s: not an object", path);
    *ret = shim_take(spec);
    return 0;
}

static const char *type_name(int json_type)
{
    static const char *const names[] = {
        [json_type_boolean] = "a boolean", [json_type_double] = "a number",
        [json_type_int] = "an integer",    [json_type_object] = "an object",
        [json_type_array] = "an array",    [json_type_string] = "a string"};

    return names[json_type];
}

/* Fails with "a.b.c is not …", the path up to and without path[steps]. */
static int is_not(const char *const path[], size_t steps, const char *wanted,
                  struct shim_error *err)
{
    cleanup_buf struct shim_buf name = {0};

    for (size_t i = 0; i < steps; i++)
        if (!shim_buf_appendf(&name, i ? ".%s" : "%s", path[i]))
            return shim_fail_memory(err);
    return shim_fail(err, SHIM_E_INVALID, "%s is not %s", steps ? shim_buf_str(&name) : "the root",
                     wanted);
}

int oci_find(struct json_object *spec, const char *const path[], int json_type,
             struct json_object **ret, struct shim_error *err)
{
    struct json_object *at = spec;
    size_t steps = 0;

    for (; path[steps]; steps++) {
        if (!json_object_is_type(at, json_type_object))
            return is_not(path, steps, type_name(json_type_object), err);
        if (!json_object_object_get_ex(at, path[steps], &at) || !at)
            return 0;
    }
    if (!json_object_is_type(at, (enum json_type)json_type))
        return is_not(path, steps, type_name(json_type), err);
    *ret = at;
    return 1;
}

int oci_find_string(struct json_object *spec, const char *const path[], const char **ret,
                    struct shim_error *err)
{
    struct json_object *found = NULL;
    int r = oci_find(spec, path, json_type_string, &found, err);

    if (r > 0)
        *ret = json_object_get_string(found);
    return r;
}

int oci_find_bool(struct json_object *spec, const char *const path[], bool *ret,
                  struct shim_error *err)
{
    struct json_object *found = NULL;
    int r = oci_find(spec, path, json_type_boolean, &found, err);

    if (r > 0)
        *ret = json_object_get_boolean(found);
    return r;
}

int oci_find_int(struct json_object *spec, const char *const path[], int64_t *ret,
                 struct shim_error *err)
{
    struct json_object *found = NULL;
    int r = oci_find(spec, path, json_type_int, &found, err);

    if (r <= 0)
        return r;
    if (json_object_get_uint64(found) > INT64_MAX) {
        size_t steps = 0;

        while (path[steps])
            steps++;
        return is_not(path, steps, "an integer of 64 bits with sign", err);
    }
    *ret = json_object_get_int64(found);
    return r;
}

int oci_find_array(struct json_object *spec, const char *const path[], struct json_object **ret,
                   struct shim_error *err)
{
    return oci_find(spec, path, json_type_array, ret, err);
}

int oci_find_object(struct json_object *spec, const char *const path[], struct json_object **ret,
                    struct shim_error *err)
{
    return oci_find(spec, path, json_type_object, ret, err);
}

const char *oci_annotation(struct json_object *spec, const char *key)
{
    const char *value = NULL;

    return oci_find_string(spec, (const char *const[]){"annotations", key, NULL}, &value, NULL) > 0
               ? value
               : NULL;
}

const char *oci_group(struct json_object *spec)
{
    const char *group = oci_annotation(spec, "io.containerd.runc.v2.group");

    return group ? group : oci_annotation(spec, "io.kubernetes.cri.sandbox-id");
}

bool oci_private_pid_namespace(struct json_object *spec)
{
    struct json_object *list = NULL, *entry;
    const char *type, *path = "";

    if (oci_find_array(spec, (const char *const[]){"linux", "namespaces", NULL}, &list, NULL) <= 0)
        return false;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        entry = json_object_array_get_idx(list, i);
        if (oci_find_string(entry, (const char *const[]){"type", NULL}, &type, NULL) > 0 &&
            strcmp(type, "pid") == 0)
            return oci_find_string(entry, (const char *const[]){"path", NULL}, &path, NULL) >= 0 &&
                   !*path;
    }
    return false;
}

bool oci_is_windows(struct json_object *spec)
{
    struct json_object *windows;

    return oci_find_object(spec, (const char *const[]){"windows", NULL}, &windows, NULL) > 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Our files in the bundle. */
#include "shim/bundle.h"
#include "base/file.h"
#include "base/str.h"
#include "oci/spec.h"
#include <json-c/json.h>
#include <string.h>

#define RECORD_VERSION 1

char *shim_bundle_path(const char *bundle, const char *name)
{
    return shim_strf("%s/%s", bundle, name);
}

static int write_file(const char *bundle, const char *name, const char *text,
                      struct shim_error *err)
{
    cleanup_free char *path = shim_bundle_path(bundle, name);

    return path ? shim_file_write(path, text, strlen(text), err) : shim_fail_memory(err);
}

int shim_bundle_write_address(const char *bundle, const char *address, struct shim_error *err)
{
    return write_file(bundle, "address", address, err);
}

int shim_bundle_read_address(const char *bundle, char **ret, struct shim_error *err)
{
    cleanup_free char *path = shim_bundle_path(bundle, "address");
    cleanup_buf struct shim_buf text = {0};
    int r = path ? shim_file_read(path, 4096, &text, err) : shim_fail_memory(err);

    if (r < 0)
        return r;
    *ret = shim_buf_take(&text);
    return 0;
}

int shim_bundle_write_record(const char *bundle, const char *provider, const char *id,
                             struct json_object *document, struct shim_error *err)
{
    cleanup_json struct json_object *record = json_object_new_object();

    if (!record)
        return shim_fail_memory(err);
    json_object_object_add(record, "Version", json_object_new_int(RECORD_VERSION));
    json_object_object_add(record, "Provider", json_object_new_string(provider));
    json_object_object_add(record, "Id", json_object_new_string(id));
    json_object_object_add(record, "Document", json_object_get(document));
    return write_file(bundle, "hcs.json", json_object_to_json_string(record), err);
}

static int take_record(struct json_object *json, struct shim_record *ret, struct shim_error *err)
{
    const char *provider, *id;
    struct json_object *document;

    if (oci_find_string(json, (const char *const[]){"Provider", NULL}, &provider, err) != 1 ||
        oci_find_string(json, (const char *const[]){"Id", NULL}, &id, err) != 1 ||
        oci_find_object(json, (const char *const[]){"Document", NULL}, &document, err) != 1)
        return shim_fail(err, SHIM_E_INVALID, "Provider, Id or Document is missing");
    ret->provider = strdup(provider);
    ret->id = strdup(id);
    ret->document = json_object_get(document);
    return ret->provider && ret->id ? 0 : shim_fail_memory(err);
}

int shim_bundle_read_record(const char *bundle, struct shim_record *ret, struct shim_error *err)
{
    cleanup_free char *path = shim_bundle_path(bundle, "hcs.json");
    cleanup_json struct json_object *json = NULL;
    cleanup_record struct shim_record record = {0};
    cleanup_buf struct shim_buf text = {0};
    int r = path ? shim_file_read(path, OCI_SPEC_MAX_BYTES, &text, err) : shim_fail_memory(err);

    if (r < 0)
        return r;
    r = oci_json_parse("hcs.json", shim_buf_str(&text), text.len, &json, err);
    if (r == 0)
        r = take_record(json, &record, err);
    if (r < 0)
        return shim_wrap(err, r, "%s", path);
    *ret = record;
    record = (struct shim_record){0};
    return 0;
}

void shim_record_done(struct shim_record *r)
{
    free(r->provider);
    free(r->id);
    json_object_put(r->document);
    *r = (struct shim_record){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Makes, reads and removes bundles. Starts nothing. */
#include "shim/ctl/bundle.h"
#include "base/file.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/json.h"
#include "shim/ctl/platform.h"
#include <string.h>

#define SMALL_FILE_BYTES ((size_t)64 * 1024)

int ctl_bundle_path(const struct ctl *c, const char *id, char **ret, struct shim_error *err)
{
    int r = ctl_check_name("container id", id, err);

    if (r < 0)
        return r;
    *ret = shim_strf("%s/%s/%s", c->state_dir, c->ns, id);
    return *ret ? 0 : shim_fail_memory(err);
}

static int write_in(const char *bundle, const char *name, const char *text, struct shim_error *err)
{
    cleanup_free char *path = shim_strf("%s/%s", bundle, name);

    if (!path || !text)
        return shim_fail_memory(err);
    return shim_file_write(path, text, strlen(text), err);
}

static int read_in(const char *bundle, const char *name, struct shim_buf *ret,
                   struct shim_error *err)
{
    cleanup_free char *path = shim_strf("%s/%s", bundle, name);

    if (!path)
        return shim_fail_memory(err);
    return shim_file_read(path, SMALL_FILE_BYTES, ret, err);
}

static int fill(const char *bundle, struct json_object *spec, struct shim_error *err)
{
    cleanup_free char *rootfs = shim_strf("%s/rootfs", bundle);
    int r = rootfs ? ctl_dir_new(rootfs, 0711, err) : shim_fail_memory(err);

    if (r < 0)
        return r;
    return write_in(bundle, "config.json",
                    json_object_to_json_string_ext(spec, JSON_C_TO_STRING_NOSLASHESCAPE), err);
}

int ctl_bundle_make(const struct ctl *c, const char *id, struct json_object *spec, char **ret,
                    struct shim_error *err)
{
    cleanup_free char *bundle = NULL;
    cleanup_free char *parent = shim_strf("%s/%s", c->state_dir, c->ns);
    int r = parent ? ctl_bundle_path(c, id, &bundle, err) : shim_fail_memory(err);

    if (r < 0)
        return r;
    r = ctl_dir_private(parent, err);
    if (r < 0)
        return r;
    r = ctl_dir_new(bundle, 0700, err);
    if (r == SHIM_E_EXISTS)
        return shim_fail(err, SHIM_E_EXISTS, "container \"%s\" exists already in %s", id, parent);
    if (r < 0)
        return r;
    r = fill(bundle, spec, err);
    if (r < 0) {
        ctl_best_effort(ctl_bundle_remove(bundle, NULL)); /* the first error is the one to tell */
        return r;
    }
    *ret = shim_take(bundle);
    return 0;
}

int ctl_bundle_remove(const char *bundle, struct shim_error *err)
{
    return ctl_tree_remove(bundle, err);
}

int ctl_bundle_list(const struct ctl *c, struct shim_strv *ret, struct shim_error *err)
{
    cleanup_free char *parent = shim_strf("%s/%s", c->state_dir, c->ns);

    return parent ? ctl_dir_list(parent, ret, err) : shim_fail_memory(err);
}

int ctl_bundle_note_shim(const char *bundle, const char *shim, const struct ctl_endpoint *endpoint,
                         struct shim_error *err)
{
    cleanup_json struct json_object *note = json_object_new_object();
    int r;

    if (!note || !ctl_json_add(note, "version", json_object_new_int(endpoint->version)) ||
        !ctl_json_add(note, "address", json_object_new_string(endpoint->address)) ||
        !ctl_json_add(note, "protocol", json_object_new_string("ttrpc")))
        return shim_fail_memory(err);
    r = write_in(bundle, "shim-binary-path", shim, err);
    if (r < 0)
        return r;
    return write_in(bundle, "bootstrap.json",
                    json_object_to_json_string_ext(note, JSON_C_TO_STRING_NOSLASHESCAPE), err);
}

char *ctl_bundle_shim(const char *bundle)
{
    cleanup_buf struct shim_buf b = {0};

    if (read_in(bundle, "shim-binary-path", &b, NULL) < 0)
        return NULL;
    return shim_strdup0(shim_buf_str(&b));
}

int ctl_bundle_endpoint(const char *bundle, struct ctl_endpoint *ret, struct shim_error *err)
{
    cleanup_buf struct shim_buf b = {0};
    int r = read_in(bundle, "bootstrap.json", &b, err);

    if (r == SHIM_E_NOT_FOUND)
        r = read_in(bundle, "address", &b, err);
    if (r < 0)
        return r;
    r = ctl_start_output_parse(b.data, b.len, ret, err);
    return r < 0 ? shim_wrap(err, r, "read the shim's address in %s", bundle) : 0;
}

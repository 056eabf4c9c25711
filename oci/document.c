/* SPDX-License-Identifier: Apache-2.0 */
/* Builds documents for Linux containers; checks of the spec what every OCI runtime insists on. */
#include "oci/document.h"
#include "base/str.h"
#include "oci/spec.h"
#include <json-c/json.h>
#include <string.h>

/* Takes `value`, also when it fails. False when out of memory, which a NULL value stands for. */
static bool put(struct json_object *at, const char *key, struct json_object *value)
{
    if (value && json_object_object_add(at, key, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

static bool put_string(struct json_object *at, const char *key, const char *value)
{
    return value && put(at, key, json_object_new_string(value));
}

static bool put_given(struct json_object *at, const char *key, const char *value)
{
    return !value || put_string(at, key, value);
}

static bool put_bool(struct json_object *at, const char *key, bool value)
{
    return put(at, key, json_object_new_boolean(value));
}

static bool put_int(struct json_object *at, const char *key, int64_t value)
{
    return put(at, key, json_object_new_int64(value));
}

/* The new object that `at` holds under `key`, lent; NULL when out of memory. */
static struct json_object *put_object(struct json_object *at, const char *key)
{
    struct json_object *object = json_object_new_object();

    return put(at, key, object) ? object : NULL;
}

static int check_args(struct json_object *process, struct shim_error *err)
{
    struct json_object *args;
    int r = oci_find_array(process, (const char *const[]){"args", NULL}, &args, err);

    if (r < 0)
        return r;
    if (r == 0 || json_object_array_length(args) == 0)
        return shim_fail(err, SHIM_E_INVALID, "args is missing or empty");
    for (size_t i = 0; i < json_object_array_length(args); i++)
        if (!json_object_is_type(json_object_array_get_idx(args, i), json_type_string))
            return shim_fail(err, SHIM_E_INVALID, "args[%zu] is not a string", i);
    return 0;
}

static int check_process(struct json_object *process, struct shim_error *err)
{
    const char *cwd = "";
    int r = check_args(process, err);

    if (r == 0)
        r = oci_find_string(process, (const char *const[]){"cwd", NULL}, &cwd, err);
    if (r < 0)
        return shim_wrap(err, r, "process");
    if (*cwd != '/')
        return shim_fail(err, SHIM_E_INVALID, "process: cwd is not an absolute path: \"%s\"", cwd);
    return 0;
}

static int check_spec(struct json_object *spec, const char **ret_root, struct shim_error *err)
{
    struct json_object *process;
    int r = oci_find_object(spec, (const char *const[]){"process", NULL}, &process, err);

    if (r == 0)
        r = shim_fail(err, SHIM_E_INVALID, "process is missing");
    if (r > 0)
        r = check_process(process, err);
    if (r < 0)
        return shim_wrap(err, r, "config.json");

    r = oci_find_string(spec, (const char *const[]){"root", "path", NULL}, ret_root, err);
    if (r == 0 || (r > 0 && !**ret_root))
        r = shim_fail(err, SHIM_E_INVALID, "root.path is missing or empty");
    return r < 0 ? shim_wrap(err, r, "config.json") : 0;
}

static int check_input(const struct oci_linux_input *in, struct shim_error *err)
{
    if (shim_str_empty(in->bundle) || *in->bundle != '/')
        return shim_fail(err, SHIM_E_INVALID, "bundle is not an absolute path: \"%s\"",
                         in->bundle ? in->bundle : "");
    if (in->runtime && *in->runtime != '/')
        return shim_fail(err, SHIM_E_INVALID, "OCI runtime is not an absolute path: \"%s\"",
                         in->runtime);
    if (shim_str_empty(in->ns))
        return shim_fail(err, SHIM_E_INVALID, "namespace is missing");
    return 0;
}

static bool put_runtime(struct json_object *at, const struct oci_linux_input *in)
{
    const struct oci_options *o = in->options;
    cleanup_free char *root = shim_strf("%s/%s", o->root ? o->root : in->default_root, in->ns);
    struct json_object *runtime = put_object(at, "Runtime");

    return runtime && put_string(runtime, "Path", in->runtime) &&
           put_string(runtime, "Root", root) &&
           put_bool(runtime, "SystemdCgroup", o->systemd_cgroup) &&
           put_bool(runtime, "NoPivotRoot", o->no_pivot_root) &&
           put_bool(runtime, "NoNewKeyring", o->no_new_keyring);
}

static bool put_criu(struct json_object *at, const struct oci_options *o)
{
    struct json_object *criu;

    if (!o->criu_path && !o->criu_image_path && !o->criu_work_path)
        return true;
    criu = put_object(at, "Criu");
    return criu && put_given(criu, "Path", o->criu_path) &&
           put_given(criu, "ImagePath", o->criu_image_path) &&
           put_given(criu, "WorkPath", o->criu_work_path);
}

static bool put_io_owner(struct json_object *at, const struct oci_options *o)
{
    return put_int(at, "IoUid", o->io_uid) && put_int(at, "IoGid", o->io_gid);
}

static bool put_linux(struct json_object *at, const struct oci_linux_input *in, const char *root)
{
    cleanup_free char *rootfs = *root == '/' ? strdup(root) : shim_strf("%s/%s", in->bundle, root);
    struct json_object *section = put_object(at, "Linux");

    return section && put_string(section, "Bundle", in->bundle) &&
           put_string(section, "Rootfs", rootfs) && put_bool(section, "Terminal", in->terminal) &&
           (!in->runtime || put_runtime(section, in)) && put_criu(section, in->options) &&
           put_io_owner(section, in->options);
}

static bool put_header(struct json_object *at)
{
    struct json_object *version;

    if (!put_string(at, "Owner", OCI_OWNER))
        return false;
    version = put_object(at, "SchemaVersion");
    return version && put_int(version, "Major", 2) && put_int(version, "Minor", 1) &&
           put_bool(at, "ShouldTerminateOnLastHandleClosed", false);
}

int oci_linux_document(struct json_object *spec, const struct oci_linux_input *in,
                       struct json_object **ret, struct shim_error *err)
{
    cleanup_json struct json_object *document = NULL;
    const char *root = "";
    int r = check_input(in, err);

    if (r == 0)
        r = check_spec(spec, &root, err);
    if (r < 0)
        return r;
    document = json_object_new_object();
    if (!document || !put_header(document) || !put_linux(document, in, root))
        return shim_fail_memory(err);
    *ret = shim_take(document);
    return 0;
}

int oci_process_parameters(const char *process_json, size_t bytes, bool terminal,
                           const struct oci_options *options, struct json_object **ret,
                           struct shim_error *err)
{
    cleanup_json struct json_object *process = NULL, *parameters = NULL;
    int r = oci_json_parse("process", process_json, bytes, &process, err);

    if (r == 0)
        r = check_process(process, err);
    if (r < 0)
        return r;
    parameters = json_object_new_object();
    if (!parameters || !put_bool(parameters, "Terminal", terminal) ||
        !put_io_owner(parameters, options) || !put_bool(process, "terminal", terminal) ||
        !put(parameters, "OciProcess", shim_take(process)))
        return shim_fail_memory(err);
    *ret = shim_take(parameters);
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes runtime options and bootstrap parameters; knows nothing of what they are used for. */
#include "shim/payload/options.h"
#include "base/file.h"
#include "base/str.h"
#include "shim/payload/any.h"
#include "shim/proto/bootstrap.pb-c.h"
#include "shim/proto/options.pb-c.h"
#include "shim/proto/runtimeoptions.pb-c.h"
#include <string.h>

/* --- options -------------------------------------------------------------------------------- */

/* Protobuf has no absent strings: an empty one is kept as NULL. */
static int copy_string(const char *from, char **to, struct shim_error *err)
{
    if (shim_str_empty(from))
        return 0;
    *to = strdup(from);
    return *to ? 0 : shim_fail_memory(err);
}

static int copy_runc_options(const Runc__Options *m, struct oci_options *o, struct shim_error *err)
{
    o->no_pivot_root = m->no_pivot_root;
    o->no_new_keyring = m->no_new_keyring;
    o->systemd_cgroup = m->systemd_cgroup;
    o->io_uid = m->io_uid;
    o->io_gid = m->io_gid;
    if (copy_string(m->shim_cgroup, &o->shim_cgroup, err) < 0 ||
        copy_string(m->binary_name, &o->binary_name, err) < 0 ||
        copy_string(m->root, &o->root, err) < 0 ||
        copy_string(m->criu_path, &o->criu_path, err) < 0 ||
        copy_string(m->criu_image_path, &o->criu_image_path, err) < 0 ||
        copy_string(m->criu_work_path, &o->criu_work_path, err) < 0)
        return SHIM_E_EXHAUSTED;
    return 0;
}

static int fail_decode(const ProtobufCMessageDescriptor *kind, struct shim_error *err)
{
    return shim_fail(err, SHIM_E_INVALID, "value is no %s", kind->name);
}

static int read_runc_options(const void *value, size_t bytes, struct oci_options *o,
                             struct shim_error *err)
{
    Runc__Options *m = runc__options__unpack(NULL, bytes, value);
    int r;

    if (!m)
        return fail_decode(&runc__options__descriptor, err);
    r = copy_runc_options(m, o, err);
    runc__options__free_unpacked(m, NULL);
    return r;
}

struct toml_reader {
    struct oci_options *options;
    oci_unknown_key *unknown;
    void *user;
};

static int read_toml(const struct toml_reader *t, const char *where, const void *text, size_t bytes,
                     struct shim_error *err)
{
    int r = oci_options_from_toml(text, bytes, t->options, t->unknown, t->user, err);

    return r < 0 ? shim_wrap(err, r, "%s", where) : 0;
}

static int read_toml_file(const struct toml_reader *t, const char *path, struct shim_error *err)
{
    cleanup_buf struct shim_buf text = {0};
    int r;

    if (*path != '/')
        return shim_fail(err, SHIM_E_INVALID, "config_path is not an absolute path: \"%s\"", path);
    r = shim_file_read(path, OCI_OPTIONS_MAX_BYTES, &text, err);
    if (r < 0)
        return shim_wrap(err, r, "config_path");
    return read_toml(t, path, shim_buf_str(&text), text.len, err);
}

static int read_runtime_options(const void *value, size_t bytes, const struct toml_reader *t,
                                struct shim_error *err)
{
    Runtimeoptions__Options *m = runtimeoptions__options__unpack(NULL, bytes, value);
    int r = 0;

    if (!m)
        return fail_decode(&runtimeoptions__options__descriptor, err);
    if (m->config_body.len > 0)
        r = read_toml(t, "config_body", m->config_body.data, m->config_body.len, err);
    else if (*m->config_path)
        r = read_toml_file(t, m->config_path, err);
    runtimeoptions__options__free_unpacked(m, NULL);
    return r;
}

int shim_options_from_any(const char *type_url, const void *value, size_t bytes,
                          struct oci_options *ret, oci_unknown_key *unknown, void *user,
                          struct shim_error *err)
{
    cleanup_oci_options struct oci_options options = {0};
    const struct toml_reader toml = {&options, unknown, user};
    int r;

    if (shim_str_empty(type_url))
        return 0;
    if (shim_any_names(type_url, &runc__options__descriptor))
        r = read_runc_options(value, bytes, &options, err);
    else if (shim_any_names(type_url, &runtimeoptions__options__descriptor))
        r = read_runtime_options(value, bytes, &toml, err);
    else
        return 1;
    if (r < 0)
        return r;
    *ret = options;
    options = (struct oci_options){0};
    return 0;
}

/* --- stdin of start ------------------------------------------------------------------------- */

void shim_bootstrap_done(struct shim_bootstrap *b)
{
    free(b->ttrpc_address);
    free(b->grpc_address);
    free(b->containerd_binary);
    free(b->socket_dir);
    pb__any__free_unpacked(b->options, NULL);
    *b = (struct shim_bootstrap){0};
}

/* Moves the options out of the extensions, which may hold other things too. */
static Pb__Any *take_options(const Bootstrap__BootstrapParams *m)
{
    for (size_t i = 0; i < m->n_extensions; i++) {
        Pb__Any *any = m->extensions[i]->value;

        if (any && (shim_any_names(any->type_url, &runc__options__descriptor) ||
                    shim_any_names(any->type_url, &runtimeoptions__options__descriptor)))
            return shim_take(m->extensions[i]->value);
    }
    return NULL;
}

static int copy_params(const Bootstrap__BootstrapParams *m, struct shim_bootstrap *b,
                       struct shim_error *err)
{
    b->is_bootstrap = true;
    b->debug = (int)m->log_level <= BOOTSTRAP__LOG_LEVEL__DEBUG;
    b->options = take_options(m);
    if (copy_string(m->containerd_ttrpc_address, &b->ttrpc_address, err) < 0 ||
        copy_string(m->containerd_grpc_address, &b->grpc_address, err) < 0 ||
        copy_string(m->containerd_binary, &b->containerd_binary, err) < 0 ||
        copy_string(m->socket_dir, &b->socket_dir, err) < 0)
        return SHIM_E_EXHAUSTED;
    return 0;
}

/* 1 when the bytes are the new form. */
static int read_params(const void *data, size_t bytes, const char *id, const char *ns,
                       struct shim_bootstrap *b, struct shim_error *err)
{
    Bootstrap__BootstrapParams *m = bootstrap__bootstrap_params__unpack(NULL, bytes, data);
    int r = 0;

    if (m && strcmp(m->instance_id, id) == 0 && strcmp(m->namespace_, ns) == 0) {
        r = copy_params(m, b, err);
        r = r < 0 ? r : 1;
    }
    if (m)
        bootstrap__bootstrap_params__free_unpacked(m, NULL);
    return r;
}

/* An Any will never have more than its two fields: what has more is parameters for somebody
 * else. */
static int read_any(const void *data, size_t bytes, const char *id, const char *ns, Pb__Any **ret,
                    struct shim_error *err)
{
    cleanup_any Pb__Any *any = pb__any__unpack(NULL, bytes, data);

    if (!any || any->base.n_unknown_fields > 0)
        return shim_fail(err, SHIM_E_INVALID,
                         "stdin holds neither bootstrap parameters for %s in namespace %s nor "
                         "options",
                         id, ns);
    *ret = shim_take(any);
    return 0;
}

int shim_options_from_stdin(const void *data, size_t bytes, const char *id, const char *ns,
                            struct shim_bootstrap *ret, struct shim_error *err)
{
    cleanup_shim_bootstrap struct shim_bootstrap b = {0};
    int r = 0;

    if (bytes > 0) {
        r = read_params(data, bytes, id, ns, &b, err);
        if (r == 0)
            r = read_any(data, bytes, id, ns, &b.options, err);
    }
    if (r < 0)
        return r;
    *ret = b;
    b = (struct shim_bootstrap){0};
    return 0;
}

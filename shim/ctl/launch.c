/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's command line, environment and standard input, and what comes back. */
#include "shim/ctl/launch.h"
#include "base/str.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/message_json.h"
#include "shim/ctl/output.h"
#include "shim/ctl/platform.h"
#include "shim/proto/bootstrap.pb-c.h"
#include "shim/proto/runtimeoptions.pb-c.h"
#include "shim/proto/task.pb-c.h"
#include <string.h>
#include <unistd.h>

#define SHIM_NAME          "containerd-shim-hcs-v1"
#define OUTPUT_LIMIT_BYTES ((size_t)1024 * 1024)
#define DELETE_TIMEOUT_MS  30000 /* containerd gives 5 s; people can wait longer than a node */
#define LOG_LEVEL_DEBUG    (-4)

void ctl_any_done(struct ctl_any *a)
{
    free(a->type_url);
    shim_buf_done(&a->value);
    *a = (struct ctl_any){0};
}

static bool pack(const ProtobufCMessage *m, struct shim_buf *ret)
{
    size_t bytes = protobuf_c_message_get_packed_size(m);

    if (!shim_buf_reserve(ret, bytes + 1))
        return false;
    ret->len += protobuf_c_message_pack(m, ret->data + ret->len);
    return true;
}

int ctl_runtime_options(const char *toml_path, struct ctl_any *ret, struct shim_error *err)
{
    Runtimeoptions__Options m = RUNTIMEOPTIONS__OPTIONS__INIT;
    cleanup_any struct ctl_any any = {.type_url = shim_strdup0(m.base.descriptor->name)};
    cleanup_free char *path = NULL;
    int r = ctl_path_real(toml_path, &path, err);

    if (r < 0)
        return r;
    m.config_path = path;
    if (!any.type_url || !pack(&m.base, &any.value))
        return shim_fail_memory(err);
    *ret = any;
    any = (struct ctl_any){0};
    return 0;
}

int ctl_shim_path(const struct ctl *c, char **ret, struct shim_error *err)
{
    cleanup_free char *self = NULL;
    char *path;
    int r;

    if (c->shim && strpbrk(c->shim, "/\\"))
        return ctl_path_real(c->shim, ret, err);
    if (!c->shim) {
        r = ctl_self_path(&self, err);
        if (r < 0)
            return r;
        path = shim_strf("%.*s/%s", (int)(strrchr(self, '/') - self), self, SHIM_NAME);
        if (path && shim_file_exists(path)) {
            *ret = path;
            return 0;
        }
        free(path);
    }
    *ret = shim_strdup0(c->shim ? c->shim : SHIM_NAME);
    return *ret ? 0 : shim_fail_memory(err);
}

/* --- command line and environment ----------------------------------------------------------- */

/* What stands for containerd's own address: a shim hashes it into the name of its socket. */
static char *own_address(const struct ctl_launch *l)
{
    return shim_strf("%s/shimctl.sock", l->ctl->state_dir);
}

static bool make_argv(const struct ctl_launch *l, const char *address, const char *self,
                      const char *action, struct shim_strv *ret)
{
    bool is_delete = strcmp(action, "delete") == 0;
    const char *words[] = {l->shim,           "-namespace", l->ctl->ns, "-address", address,
                           "-publish-binary", self,         "-id",      l->id};

    for (size_t i = 0; i < SHIM_ARRAY_LEN(words); i++)
        if (!shim_strv_add(ret, words[i]))
            return false;
    if (is_delete && (!shim_strv_add(ret, "-bundle") || !shim_strv_add(ret, l->bundle)))
        return false;
    if (l->ctl->debug && !shim_strv_add(ret, "-debug"))
        return false;
    return shim_strv_add(ret, action);
}

struct variable {
    const char *name, *value; /* value NULL: leave the user's own */
};

static bool is_replaced(const char *word, const struct variable *v, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        size_t bytes = strlen(v[i].name);

        if (v[i].value && strncmp(word, v[i].name, bytes) == 0 && word[bytes] == '=')
            return true;
    }
    return false;
}

static bool make_env(const struct ctl_launch *l, const char *address, struct shim_strv *ret)
{
    const struct variable v[] = {
        {"GOMAXPROCS", "2"},          {"MAX_SHIM_VERSION", "2"},
        {"TTRPC_ADDRESS", l->events}, {"GRPC_ADDRESS", address},
        {"NAMESPACE", l->ctl->ns},    {"CONTAINERD_SHIM_HCS_PROVIDER", l->ctl->provider},
    };

    for (char **word = environ; *word; word++)
        if (!is_replaced(*word, v, SHIM_ARRAY_LEN(v)) && !shim_strv_add(ret, *word))
            return false;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(v); i++)
        if (v[i].value && !shim_strv_addf(ret, "%s=%s", v[i].name, v[i].value))
            return false;
    return true;
}

/* --- standard input of `start` -------------------------------------------------------------- */

static bool make_bootstrap(const struct ctl_launch *l, const char *address, const char *self,
                           Pb__Any *options, struct shim_buf *ret)
{
    Bootstrap__BootstrapParams m = BOOTSTRAP__BOOTSTRAP_PARAMS__INIT;
    Bootstrap__Extension extension = BOOTSTRAP__EXTENSION__INIT;
    Bootstrap__Extension *extensions[] = {&extension};

    m.instance_id = (char *)l->id;
    m.namespace_ = (char *)l->ctl->ns;
    m.log_level = l->ctl->debug ? (Bootstrap__LogLevel)LOG_LEVEL_DEBUG : BOOTSTRAP__LOG_LEVEL__INFO;
    m.containerd_version = (char *)SHIM_VERSION;
    m.containerd_ttrpc_address = (char *)l->events;
    m.containerd_grpc_address = (char *)address;
    m.containerd_binary = (char *)self;
    extension.value = options;
    m.extensions = extensions;
    m.n_extensions = options ? 1 : 0;
    return pack(&m.base, ret);
}

static int make_input(const struct ctl_launch *l, const char *address, const char *self,
                      struct shim_buf *ret, struct shim_error *err)
{
    Pb__Any options = PB__ANY__INIT;
    bool has_options = l->options && l->options->type_url;
    bool done = true;

    if (has_options) {
        options.type_url = l->options->type_url;
        options.value.data = l->options->value.data;
        options.value.len = l->options->value.len;
    }
    if (l->bootstrap)
        done = make_bootstrap(l, address, self, has_options ? &options : NULL, ret);
    else if (has_options)
        done = pack(&options.base, ret);
    return done ? 0 : shim_fail_memory(err);
}

/* --- running -------------------------------------------------------------------------------- */

static int run_action(const struct ctl_launch *l, const char *action, struct shim_run_result *ret,
                      struct shim_error *err)
{
    bool is_start = strcmp(action, "start") == 0;
    cleanup_free char *address = own_address(l);
    cleanup_free char *self = NULL;
    cleanup_strv struct shim_strv argv = {0};
    cleanup_strv struct shim_strv env = {0};
    cleanup_buf struct shim_buf input = {0};
    struct shim_run run = {.output_limit_bytes = OUTPUT_LIMIT_BYTES, .stopper = l->stopper};
    int r = ctl_self_path(&self, err);

    if (r >= 0 &&
        (!address || !make_argv(l, address, self, action, &argv) || !make_env(l, address, &env)))
        r = shim_fail_memory(err);
    if (r >= 0 && is_start)
        r = make_input(l, address, self, &input, err);
    if (r < 0)
        return r;
    run.spawn.argv = (const char *const *)argv.v;
    run.spawn.env = (const char *const *)env.v;
    run.spawn.cwd = l->bundle;
    run.input = input.len ? input.data : NULL;
    run.input_bytes = input.len;
    run.timeout_ms = is_start ? 0 : DELETE_TIMEOUT_MS;
    return shim_child_run(&run, ret, err);
}

/* The printed text without the white space around it, cut to one message's length. */
static int fail_with_output(const char *action, const struct shim_run_result *result,
                            struct shim_error *err)
{
    const char *text =
        result->error.len ? shim_buf_str(&result->error) : shim_buf_str(&result->output);
    size_t bytes = strlen(text);

    while (bytes > 0 && strchr(" \t\r\n", text[bytes - 1]))
        bytes--;
    return shim_fail(err, SHIM_E_UNKNOWN, "the shim's %s failed with status %u: %.*s", action,
                     result->exit.status, (int)(bytes > 1500 ? 1500 : bytes), text);
}

int ctl_launch_start(const struct ctl_launch *l, struct ctl_endpoint *ret, struct shim_error *err)
{
    cleanup_run_result struct shim_run_result result = {0};
    struct ctl_progress *p;
    int r;

    p = ctl_progress_begin("waiting for the shim to start");
    r = run_action(l, "start", &result, err);
    ctl_progress_end(p);
    if (r < 0)
        return shim_wrap(err, r, "start shim %s", l->shim);
    if (result.exit.status != 0)
        return fail_with_output("start", &result, err);
    /* containerd reads both streams through one pipe, so that this text spoils the address. */
    if (result.error.len > 0)
        return shim_fail(err, SHIM_E_INVALID, "the shim's start wrote to standard error: %.1000s",
                         shim_buf_str(&result.error));
    r = ctl_start_output_parse(result.output.data, result.output.len, ret, err);
    return r < 0 ? shim_wrap(err, r, "read what the shim's start printed") : 0;
}

int ctl_launch_delete(const struct ctl_launch *l, struct ctl_exit *ret, struct shim_error *err)
{
    cleanup_run_result struct shim_run_result result = {0};
    struct ctl_progress *p = ctl_progress_begin("waiting for the shim's delete command");
    Task__DeleteResponse *m;
    int r = run_action(l, "delete", &result, err);

    ctl_progress_end(p);
    if (r < 0)
        return shim_wrap(err, r, "run %s delete", l->shim);
    if (result.exit.status != 0)
        return fail_with_output("delete", &result, err);
    m = task__delete_response__unpack(NULL, result.output.len, result.output.data);
    if (!m)
        return shim_fail(err, SHIM_E_INVALID, "the shim's delete printed no DeleteResponse");
    ret->pid = m->pid;
    ret->status = m->exit_status;
    ret->at_ns = ctl_timestamp_ns(m->exited_at);
    task__delete_response__free_unpacked(m, NULL);
    return 0;
}

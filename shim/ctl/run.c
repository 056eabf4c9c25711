/* SPDX-License-Identifier: Apache-2.0 */
/* The command `run`: a bundle, a shim, a container, and what containerd does in between. */
#include "base/file.h"
#include "shim/ctl/bundle.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/events.h"
#include "shim/ctl/json.h"
#include "shim/ctl/log_channel.h"
#include "shim/ctl/output.h"
#include "shim/ctl/platform.h"
#include "shim/ctl/remove.h"
#include "shim/ctl/session.h"
#include "shim/ctl/spec.h"
#include <string.h>

struct run {
    struct ctl *ctl;
    /* as the user asked */
    bool interactive, terminal, detach, remove, events, bootstrap;
    const char *rootfs, *config, *cwd, *runtime_config, *log_uri;
    struct shim_strv env;
    struct ctl_words words; /* id, arguments */
    const char *id;
    /* as it came to be, in this order */
    struct ctl_any options;
    char *shim, *bundle, *events_address;
    struct ctl_events *events_server; /* NULL: somebody else's business */
    struct ctl_log *log;
    struct ctl_client *client;
    struct ctl_session *session; /* NULL when detached */
};

static void run_done(struct run *r)
{
    ctl_session_free(r->session);
    ctl_client_free(r->client);
    ctl_log_free(r->log);
    ctl_events_free(r->events_server);
    ctl_any_done(&r->options);
    shim_strv_done(&r->env);
    ctl_words_done(&r->words);
    free(r->shim);
    free(r->bundle);
    free(r->events_address);
}

static int parse(struct run *run, const char *const *argv, struct shim_error *err)
{
    const struct ctl_flag flags[] = {
        {'i', "interactive", CTL_FLAG_BOOL, &run->interactive},
        {'t', "tty", CTL_FLAG_BOOL, &run->terminal},
        {'d', "detach", CTL_FLAG_BOOL, &run->detach},
        {0, "rm", CTL_FLAG_BOOL, &run->remove},
        {0, "events", CTL_FLAG_BOOL, &run->events},
        {0, "bootstrap", CTL_FLAG_BOOL, &run->bootstrap},
        {0, "rootfs", CTL_FLAG_TEXT, &run->rootfs},
        {0, "config", CTL_FLAG_TEXT, &run->config},
        {'e', "env", CTL_FLAG_LIST, &run->env},
        {0, "cwd", CTL_FLAG_TEXT, &run->cwd},
        {0, "runtime-config", CTL_FLAG_TEXT, &run->runtime_config},
        {0, "log-uri", CTL_FLAG_TEXT, &run->log_uri},
    };
    const struct ctl_parse how = {flags, SHIM_ARRAY_LEN(flags), true, 1, SIZE_MAX};
    int r = ctl_parse(run->ctl, &how, argv, &run->words, err);

    if (r < 0)
        return r;
    run->id = run->words.v[0];
    if (!run->rootfs && !run->config)
        return shim_fail(err, CTL_E_USAGE, "--rootfs DIR or --config FILE is missing");
    if (run->detach && (run->interactive || run->terminal || run->remove || run->events))
        return shim_fail(err, CTL_E_USAGE, "-d does not go with -i, -t, --rm or --events");
    if (run->log_uri && !run->detach)
        return shim_fail(err, CTL_E_USAGE, "--log-uri needs -d");
    if (run->ctl->address)
        return shim_fail(err, CTL_E_USAGE, "--address is for shims that run already");
    return ctl_check_name("container id", run->id, err);
}

/* --- the bundle ----------------------------------------------------------------------------- */

/* A relative root.path is seen from where the file is. */
static int make_root_absolute(struct json_object *spec, const char *config, struct shim_error *err)
{
    struct json_object *root = json_object_object_get(spec, "root");
    const char *path = ctl_json_text(root, "path");
    cleanup_free char *file = NULL;
    cleanup_free char *joined = NULL;
    int r;

    if (!*path || *path == '/')
        return 0;
    r = ctl_path_real(config, &file, err);
    if (r < 0)
        return r;
    joined = shim_strf("%.*s/%s", (int)(strrchr(file, '/') - file), file, path);
    if (!joined || !ctl_json_add(root, "path", json_object_new_string(joined)))
        return shim_fail_memory(err);
    return 0;
}

static int read_config(const char *path, struct json_object **ret, struct shim_error *err)
{
    cleanup_buf struct shim_buf text = {0};
    cleanup_json struct json_object *spec = NULL;
    int r = shim_file_read(path, OCI_SPEC_MAX_BYTES, &text, err);

    if (r >= 0)
        r = oci_json_parse(path, shim_buf_str(&text), text.len, &spec, err);
    if (r < 0)
        return r;
    if (!json_object_is_type(spec, json_type_object))
        return shim_fail(err, SHIM_E_INVALID, "%s: not a JSON object", path);
    r = make_root_absolute(spec, path, err);
    if (r < 0)
        return r;
    *ret = shim_take(spec);
    return 0;
}

static int make_spec(const struct run *run, struct json_object **ret, struct shim_error *err)
{
    struct ctl_spec_owner owner = {.ns = run->ctl->ns, .id = run->id};

    if (run->config)
        return read_config(run->config, ret, err);
    ctl_user(&owner.uid, &owner.gid);
    return ctl_spec_default(&owner, ret, err);
}

static int make_bundle(struct run *run, struct shim_error *err)
{
    cleanup_json struct json_object *spec = NULL;
    cleanup_free char *rootfs = NULL;
    struct ctl_spec_wishes wishes = {.process = {.args = run->words.v + 1,
                                                 .env = &run->env,
                                                 .cwd = run->cwd,
                                                 .terminal = run->terminal}};
    int r = make_spec(run, &spec, err);

    if (r >= 0 && run->rootfs)
        r = ctl_path_real(run->rootfs, &rootfs, err);
    if (r < 0)
        return r;
    wishes.rootfs = rootfs;
    r = ctl_spec_apply(spec, &wishes, err);
    return r < 0 ? r : ctl_bundle_make(run->ctl, run->id, spec, &run->bundle, err);
}

/* --- the shim ------------------------------------------------------------------------------- */

/* With --events the shim brings its events to a socket of this run's own, so that any number of
 * runs can print theirs. */
static int serve_events(struct run *run, struct shim_error *err)
{
    if (!run->events) {
        run->events_address = ctl_events_address(run->ctl);
        return run->events_address ? 0 : shim_fail_memory(err);
    }
    run->events_address = shim_strf("%s/events.sock", run->bundle);
    if (!run->events_address)
        return shim_fail_memory(err);
    return ctl_events_serve(run->ctl, run->events_address, NULL, true, &run->events_server, err);
}

static int open_session(struct run *run, struct shim_error *err)
{
    cleanup_free char *dir = shim_strf("%s/io", run->bundle);
    struct ctl_session_config config = {.dir = dir,
                                        .id = run->id,
                                        .exec_id = "",
                                        .terminal = run->terminal,
                                        .interactive = run->interactive};
    int r;

    if (run->detach)
        return 0;
    r = dir ? ctl_dir_new(dir, 0700, err) : shim_fail_memory(err);
    return r < 0 ? r : ctl_session_new(&config, &run->session, err);
}

static int start_shim(struct run *run, struct shim_error *err)
{
    cleanup_endpoint struct ctl_endpoint endpoint = {0};
    struct ctl_launch launch = {.ctl = run->ctl,
                                .shim = run->shim,
                                .id = run->id,
                                .bundle = run->bundle,
                                .events = run->events_address,
                                .options = &run->options,
                                .bootstrap = run->bootstrap};
    int r;

    if (run->session)
        launch.stopper = ctl_session_stopper(run->session);
    r = ctl_launch_start(&launch, &endpoint, err);
    if (r >= 0)
        r = ctl_bundle_note_shim(run->bundle, run->shim, &endpoint, err);
    return r < 0 ? r : ctl_client_connect(run->ctl, &endpoint, &run->client, err);
}

/* --- the container -------------------------------------------------------------------------- */

static int create(struct run *run, struct shim_error *err)
{
    const struct ctl_stdio *stdio = run->session ? ctl_session_stdio(run->session) : NULL;
    Task__CreateTaskRequest request = TASK__CREATE_TASK_REQUEST__INIT;
    Pb__Any options = PB__ANY__INIT;

    request.id = ctl_lend(run->id);
    request.bundle = run->bundle;
    request.terminal = run->terminal;
    if (stdio) {
        request.stdin_path = ctl_lend(ctl_stdio_in_path(stdio));
        request.stdout_path = ctl_lend(ctl_stdio_out_path(stdio));
        request.stderr_path = ctl_lend(ctl_stdio_err_path(stdio));
    } else if (run->log_uri) {
        request.stdout_path = ctl_lend(run->log_uri);
        request.stderr_path = ctl_lend(run->log_uri);
    }
    if (run->options.type_url) {
        options.type_url = run->options.type_url;
        options.value.data = run->options.value.data;
        options.value.len = run->options.value.len;
        request.options = &options;
    }
    return ctl_call(run->client, "Create", &request.base, 0, NULL, err);
}

static int check(struct run *run, struct shim_error *err)
{
    return run->session ? ctl_session_check(run->session, err) : 0;
}

static int start(struct run *run, uint32_t *ret_pid, struct shim_error *err)
{
    Task__StartRequest request = TASK__START_REQUEST__INIT;
    cleanup_answer ProtobufCMessage *answer = NULL;
    int r = 0;

    if (run->session)
        r = ctl_session_attach(run->session, run->client, err);
    request.id = ctl_lend(run->id);
    if (r >= 0)
        r = ctl_call(run->client, "Start", &request.base, 0, &answer, err);
    if (r >= 0)
        *ret_pid = ((const Task__StartResponse *)answer)->pid;
    return r;
}

/* From the bundle to a running container; what fails leaves its traces to clean_up. */
static int bring_up(struct run *run, uint32_t *ret_pid, struct shim_error *err)
{
    int r = serve_events(run, err);

    if (r >= 0)
        r = ctl_log_open(run->bundle, run->ctl->debug, &run->log, err);
    if (r >= 0)
        r = open_session(run, err);
    if (r >= 0)
        r = start_shim(run, err);
    if (r >= 0)
        r = check(run, err);
    if (r >= 0)
        r = create(run, err);
    if (r >= 0)
        r = check(run, err);
    return r < 0 ? r : start(run, ret_pid, err);
}

/* The user is told the first error; that cleaning up failed as well is worth a line. */
static void clean_up(struct run *run)
{
    struct ctl_container x = {run->ctl, run->id, run->bundle, run->client, run->events};
    struct ctl_exit unwanted;
    struct shim_error err;

    if (ctl_clean_up(&x, &unwanted, &err) < 0)
        ctl_say("%s is left behind: %s", run->bundle, err.msg);
}

static int print_started(struct run *run, uint32_t pid, struct shim_error *err)
{
    cleanup_json struct json_object *line = json_object_new_object();

    if (!run->ctl->json)
        return ctl_print_line(run->id, err);
    if (!line || !ctl_json_add(line, "id", json_object_new_string(run->id)) ||
        !ctl_json_add(line, "pid", json_object_new_int64(pid)) ||
        !ctl_json_add(line, "bundle", json_object_new_string(run->bundle)))
        return shim_fail_memory(err);
    return ctl_print_json(line, err);
}

/* The shim died under the container: what it left is cleaned up, as containerd does. */
static int after_shim_death(struct run *run, const struct shim_error *why, struct shim_error *err)
{
    struct ctl_container x = {run->ctl, run->id, run->bundle, NULL, run->events};
    struct ctl_exit exit;
    int r;

    ctl_say("the shim is gone (%s); cleaning up after it", why->msg);
    r = ctl_clean_up(&x, &exit, err);
    return r < 0 ? r : (int)(exit.status & 0xff);
}

static int stay(struct run *run, struct shim_error *err)
{
    struct ctl_container x = {run->ctl, run->id, run->bundle, run->client, run->events};
    struct ctl_exit exit, deleted;
    struct shim_error why;
    int r = ctl_session_finish(run->session, &exit, &why);

    if (r == SHIM_E_UNAVAILABLE)
        return after_shim_death(run, &why, err);
    if (r < 0)
        return shim_fail(err, r, "%s", why.msg);
    ctl_session_drain(run->session);
    if (run->remove)
        r = ctl_remove(&x, &deleted, err);
    return r < 0 ? r : (int)(exit.status & 0xff);
}

int ctl_run(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    SHIM_CLEANUP(run_done) struct run run = {.ctl = c};
    uint32_t pid = 0;
    int r = parse(&run, argv, err);

    if (r >= 0)
        r = ctl_shim_path(c, &run.shim, err);
    if (r >= 0 && run.runtime_config)
        r = ctl_runtime_options(run.runtime_config, &run.options, err);
    if (r >= 0)
        r = make_bundle(&run, err);
    if (r < 0)
        return r;
    r = bring_up(&run, &pid, err);
    if (r < 0) {
        clean_up(&run);
        return r;
    }
    return run.detach ? print_started(&run, pid, err) : stay(&run, err);
}

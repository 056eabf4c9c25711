/* SPDX-License-Identifier: Apache-2.0 */
/* The command `exec`: one more process in a running container. */
#include "base/clock.h"
#include "base/file.h"
#include "shim/ctl/bundle.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/json.h"
#include "shim/ctl/output.h"
#include "shim/ctl/platform.h"
#include "shim/ctl/session.h"
#include "shim/ctl/spec.h"

#define PROCESS_URL "types.containerd.io/opencontainers/runtime-spec/1/Process"

struct exec {
    struct ctl *ctl;
    bool interactive, terminal;
    const char *cwd, *exec_id;
    struct shim_strv env;
    struct ctl_words words; /* id, arguments */
    const char *id;
    char *own_exec_id; /* when the user gave none */
    char *dir;         /* for the pipes */
    struct ctl_client *client;
    struct ctl_session *session;
};

static void exec_done(struct exec *x)
{
    ctl_session_free(x->session);
    ctl_client_free(x->client);
    if (x->dir)
        ctl_best_effort(ctl_tree_remove(x->dir, NULL)); /* empty by now */
    shim_strv_done(&x->env);
    ctl_words_done(&x->words);
    free(x->own_exec_id);
    free(x->dir);
}

static int parse(struct exec *x, const char *const *argv, struct shim_error *err)
{
    const struct ctl_flag flags[] = {
        {'i', "interactive", CTL_FLAG_BOOL, &x->interactive},
        {'t', "tty", CTL_FLAG_BOOL, &x->terminal},
        {'e', "env", CTL_FLAG_LIST, &x->env},
        {0, "cwd", CTL_FLAG_TEXT, &x->cwd},
        {0, "exec-id", CTL_FLAG_TEXT, &x->exec_id},
    };
    const struct ctl_parse how = {flags, SHIM_ARRAY_LEN(flags), true, 2, SIZE_MAX};
    int r = ctl_parse(x->ctl, &how, argv, &x->words, err);

    if (r < 0)
        return r;
    x->id = x->words.v[0];
    if (!x->exec_id) {
        x->own_exec_id = shim_strf("exec-%llx", (unsigned long long)shim_realtime_ns());
        x->exec_id = x->own_exec_id;
    }
    return x->exec_id ? ctl_check_name("exec id", x->exec_id, err) : shim_fail_memory(err);
}

/* The bundle is where the shim says, also when containerd made it; then we may not get to read
 * it. */
static int load_spec(struct exec *x, struct json_object **ret, struct shim_error *err)
{
    struct shim_error why;
    Task__StateResponse *state;
    int r = ctl_call_state(x->client, x->id, "", &state, err);

    if (r < 0)
        return r;
    r = oci_spec_load(state->bundle, ret, x->ctl->address ? &why : err);
    protobuf_c_message_free_unpacked(&state->base, NULL);
    if (r < 0 && x->ctl->address) {
        ctl_say("%s; using a plain process", why.msg);
        *ret = NULL;
        return 0;
    }
    return r;
}

static int add_process(struct exec *x, struct shim_error *err)
{
    const struct ctl_stdio *stdio = ctl_session_stdio(x->session);
    struct ctl_process_wishes wishes = {x->words.v + 1, &x->env, x->cwd, x->terminal};
    cleanup_json struct json_object *spec = NULL;
    cleanup_json struct json_object *process = NULL;
    Task__ExecProcessRequest request = TASK__EXEC_PROCESS_REQUEST__INIT;
    Pb__Any any = PB__ANY__INIT;
    size_t bytes;
    int r = load_spec(x, &spec, err);

    if (r >= 0)
        r = ctl_spec_exec(spec, &wishes, &process, err);
    if (r < 0)
        return r;
    any.type_url = ctl_lend(PROCESS_URL);
    any.value.data = (uint8_t *)ctl_lend(
        json_object_to_json_string_length(process, JSON_C_TO_STRING_NOSLASHESCAPE, &bytes));
    if (!any.value.data)
        return shim_fail_memory(err);
    any.value.len = bytes;
    request.id = ctl_lend(x->id);
    request.exec_id = ctl_lend(x->exec_id);
    request.terminal = x->terminal;
    request.stdin_path = ctl_lend(ctl_stdio_in_path(stdio));
    request.stdout_path = ctl_lend(ctl_stdio_out_path(stdio));
    request.stderr_path = ctl_lend(ctl_stdio_err_path(stdio));
    request.spec = &any;
    return ctl_call(x->client, "Exec", &request.base, 0, NULL, err);
}

static int start(struct exec *x, struct shim_error *err)
{
    Task__StartRequest request = TASK__START_REQUEST__INIT;
    int r = ctl_session_check(x->session, err);

    if (r >= 0)
        r = ctl_session_attach(x->session, x->client, err);
    request.id = ctl_lend(x->id);
    request.exec_id = ctl_lend(x->exec_id);
    return r < 0 ? r : ctl_call(x->client, "Start", &request.base, 0, NULL, err);
}

/* An exec is deleted before its output is at its end: that makes the shim close what a process of
 * its holds open. */
static int run_process(struct exec *x, struct shim_error *err)
{
    struct ctl_exit exit, deleted;
    struct shim_error late;
    int r = start(x, err);

    if (r >= 0)
        r = ctl_session_finish(x->session, &exit, err);
    if (r == SHIM_E_UNAVAILABLE)
        return r;
    if (ctl_call_delete(x->client, x->id, x->exec_id, 0, &deleted, &late) < 0 && r >= 0)
        ctl_say("exec %s is left behind: %s", x->exec_id, late.msg);
    if (r < 0)
        return r;
    ctl_session_drain(x->session);
    return (int)(exit.status & 0xff);
}

int ctl_exec(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    SHIM_CLEANUP(exec_done) struct exec x = {.ctl = c};
    struct ctl_session_config config = {0};
    int r = parse(&x, argv, err);

    if (r >= 0)
        r = ctl_client_open(c, x.id, &x.client, err);
    if (r >= 0)
        r = ctl_dir_temporary(c->state_dir, &x.dir, err);
    if (r < 0)
        return r;
    config = (struct ctl_session_config){x.dir, x.id, x.exec_id, x.terminal, x.interactive};
    r = ctl_session_new(&config, &x.session, err);
    if (r >= 0)
        r = add_process(&x, err);
    return r < 0 ? r : run_process(&x, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `start`: finds or starts the daemon for a container and prints its address. Touches no nng; is
 * gone as soon as the address is out, and prints nothing else where it succeeds.
 */
#include "base/child.h"
#include "base/file.h"
#include "base/str.h"
#include "oci/spec.h"
#include "shim/address.h"
#include "shim/bundle.h"
#include "shim/daemon.h"
#include "shim/payload/options.h"
#include "shim/proto/bootstrap.pb-c.h"
#include "shim/shim.h"
#include <stdio.h>
#include <string.h>

#define STDIN_MAX_BYTES  ((size_t)10 * 1024 * 1024)
#define READY_TIMEOUT_MS 10000

/* What `start` has found out so far. */
struct start {
    const struct shim_cli *cli;
    struct shim_bootstrap bootstrap;
    struct oci_options options;
    char *bundle; /* the current folder */
    char *group, *address;
    bool grouped; /* others may be starting for the same group now */
};

static void start_done(struct start *s)
{
    shim_bootstrap_done(&s->bootstrap);
    oci_options_done(&s->options);
    free(s->bundle);
    free(s->group);
    free(s->address);
}

static int check_cli(const struct shim_cli *cli, struct shim_error *err)
{
    if (!*cli->ns)
        return shim_fail(err, SHIM_E_INVALID, "shim namespace cannot be empty");
    if (!*cli->id)
        return shim_fail(err, SHIM_E_INVALID, "shim id cannot be empty");
    if (strchr(cli->id, '/') || cli->id[0] == '-')
        return shim_fail(err, SHIM_E_INVALID, "shim id \"%s\" is no container id", cli->id);
    return 0;
}

static int read_bootstrap(struct start *s, struct shim_error *err)
{
    cleanup_buf struct shim_buf input = {0};
    int r = shim_handle_read(shim_stdin(), STDIN_MAX_BYTES, &input, err);

    if (r < 0)
        return shim_wrap(err, r, "standard input");
    r = shim_options_from_stdin(input.data, input.len, s->cli->id, s->cli->ns, &s->bootstrap, err);
    if (r < 0)
        return r;
    if (!s->bootstrap.options)
        return 0;
    r = shim_options_from_any(s->bootstrap.options->type_url, s->bootstrap.options->value.data,
                              s->bootstrap.options->value.len, &s->options, NULL, NULL, err);
    return r < 0 ? shim_wrap(err, r, "runtime options") : 0;
}

/* The group comes from the spec; a sandbox's bundle may have none. */
static int find_group(struct start *s, struct shim_error *err)
{
    cleanup_json struct json_object *spec = NULL;
    const char *group = NULL;
    int r = oci_spec_load(s->bundle, &spec, err);

    if (r < 0 && r != SHIM_E_NOT_FOUND)
        return r;
    if (r == 0)
        group = oci_group(spec);
    s->grouped = group != NULL;
    s->group = strdup(group ? group : s->cli->id);
    return s->group ? 0 : shim_fail_memory(err);
}

static const char *either(const char *a, const char *b)
{
    if (!shim_str_empty(a))
        return a;
    return b ? b : "";
}

/* --- the daemon ----------------------------------------------------------------------------- */

static int spawn_daemon(struct start *s, int64_t *ret_pid, intptr_t *ret_ready,
                        struct shim_error *err)
{
    struct shim_cli cli = *s->cli;
    cleanup_strv struct shim_strv env = {0};

    cli.action = SHIM_ACTION_SERVE;
    if (!*cli.address && s->bootstrap.grpc_address)
        cli.address = s->bootstrap.grpc_address;
    if (!*cli.publish_binary && s->bootstrap.containerd_binary)
        cli.publish_binary = s->bootstrap.containerd_binary;
    cli.socket = s->address;
    cli.debug = cli.debug || s->bootstrap.debug;
    if (!shim_str_empty(s->bootstrap.ttrpc_address) &&
        !shim_strv_addf(&env, "TTRPC_ADDRESS=%s", s->bootstrap.ttrpc_address))
        return shim_fail_memory(err);
    return shim_daemon_start(&(struct shim_daemon_spawn){.serve = shim_serve_main,
                                                         .cli = &cli,
                                                         .env = (const char *const *)env.v,
                                                         .cwd = s->bundle},
                             ret_pid, ret_ready, err);
}

static int start_daemon(struct start *s, struct shim_error *err)
{
    cleanup_handle intptr_t ready = SHIM_NO_HANDLE;
    int64_t pid = 0;
    int r = spawn_daemon(s, &pid, &ready, err);

    if (r < 0)
        return r;
    if (s->options.shim_cgroup)
        r = shim_daemon_move_to_cgroup(pid, s->options.shim_cgroup, err);
    if (r == 0)
        r = shim_daemon_wait_ready(ready, READY_TIMEOUT_MS, err);
    if (r == 0)
        r = shim_bundle_write_address(s->bundle, s->address, err);
    if (r < 0) {
        shim_daemon_kill(pid);
        shim_socket_remove_stale(s->address);
    }
    return r;
}

static int find_or_start(struct start *s, struct shim_error *err)
{
    cleanup_handle intptr_t lock = SHIM_NO_HANDLE;
    int r = s->grouped ? shim_socket_lock(s->address, &lock, err)
                       : shim_folder_lock(s->bundle, &lock, err);

    if (r < 0)
        return r;
    if (shim_socket_is_served(s->address))
        return shim_bundle_write_address(s->bundle, s->address, err);
    return start_daemon(s, err);
}

/* --- the answer ----------------------------------------------------------------------------- */

static int print_address(struct start *s, struct shim_error *err)
{
    Bootstrap__BootstrapResult result = BOOTSTRAP__BOOTSTRAP_RESULT__INIT;
    cleanup_free uint8_t *packed = NULL;

    if (!s->bootstrap.is_bootstrap)
        return shim_handle_write(shim_stdout(), s->address, strlen(s->address), err);
    result.version = 3;
    result.address = s->address;
    result.protocol = (char *)"ttrpc";
    packed = malloc(bootstrap__bootstrap_result__get_packed_size(&result));
    if (!packed)
        return shim_fail_memory(err);
    return shim_handle_write(shim_stdout(), packed,
                             bootstrap__bootstrap_result__pack(&result, packed), err);
}

static int run(struct start *s, struct shim_error *err)
{
    int r = check_cli(s->cli, err);

    if (r == 0)
        r = shim_child_init(false, err);
    if (r == 0)
        r = read_bootstrap(s, err);
    if (r < 0)
        return r;
    s->bundle = shim_current_dir();
    if (!s->bundle)
        return shim_fail(err, SHIM_E_NOT_FOUND, "the current folder, which is the bundle, is gone");
    r = find_group(s, err);
    if (r == 0)
        r = shim_socket_address(s->bootstrap.socket_dir,
                                either(s->cli->address, s->bootstrap.grpc_address), s->cli->ns,
                                s->group, &s->address, err);
    if (r == 0)
        r = find_or_start(s, err);
    return r < 0 ? r : print_address(s, err);
}

int shim_start_main(const struct shim_cli *cli)
{
    struct start s = {.cli = cli};
    struct shim_error err;
    int r = run(&s, &err);

    start_done(&s);
    if (r < 0)
        fprintf(stderr, "containerd-shim-hcs-v1: start %s: %s\n", cli->id, err.msg);
    return r < 0 ? 1 : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a shim's start and delete are given, and what is made of their answers: a shell script
 * stands in for the shim and writes down what it got. */
#include "shim/ctl/ctl.h"
#include "shim/ctl/launch.h"
#include "shim/proto/bootstrap.pb-c.h"
#include "shim/proto/runtimeoptions.pb-c.h"
#include "tests/folder.h"
#include <sys/stat.h>

#define NOTES                                                                                      \
    "#!/bin/sh\n"                                                                                  \
    "echo \"$*\" >args; env >env; pwd >cwd; cat >stdin\n"

struct stand_in {
    char *folder; /* the bundle as well */
    char *path;
    struct ctl ctl;
    struct ctl_launch launch;
};

static void stand_in_begin(struct stand_in *s, const char *script)
{
    cleanup_free char *text = shim_strf(NOTES "%s\n", script);

    *s = (struct stand_in){.folder = folder_new()};
    s->path = shim_strf("%s/shim", s->folder);
    folder_write(s->folder, "shim", text);
    assert_int_equal(chmod(s->path, 0700), 0);
    s->ctl = (struct ctl){.ns = "ns1", .state_dir = "/state", .provider = "emulated"};
    s->launch = (struct ctl_launch){.ctl = &s->ctl,
                                    .shim = s->path,
                                    .id = "c1",
                                    .bundle = s->folder,
                                    .events = "/state/events.sock"};
}

static void stand_in_done(struct stand_in *s)
{
    folder_done(&s->folder);
    free(s->path);
}
#define cleanup_stand_in SHIM_CLEANUP(stand_in_done)

static bool noted(const struct stand_in *s, const char *file, const char *text)
{
    cleanup_free char *have = folder_read(s->folder, file);

    return strstr(have, text) != NULL;
}

static void test_start_gets_containerds_command_line_and_environment(void **state)
{
    cleanup_stand_in struct stand_in s;
    cleanup_endpoint struct ctl_endpoint e = {0};

    (void)state;
    stand_in_begin(&s, "echo unix:///a");
    assert_int_equal(setenv("NAMESPACE", "the user's own", 1), 0);
    s.ctl.debug = true;
    assert_int_equal(ctl_launch_start(&s.launch, &e, NULL), 0);
    assert_string_equal(e.address, "unix:///a");
    assert_true(noted(&s, "args", "-namespace ns1 -address /state/shimctl.sock -publish-binary /"));
    assert_true(noted(&s, "args", " -id c1 -debug start\n"));
    assert_true(noted(&s, "env", "TTRPC_ADDRESS=/state/events.sock\n"));
    assert_true(noted(&s, "env", "GRPC_ADDRESS=/state/shimctl.sock\n"));
    assert_true(noted(&s, "env", "MAX_SHIM_VERSION=2\n"));
    assert_true(noted(&s, "env", "NAMESPACE=ns1\n"));
    assert_false(noted(&s, "env", "the user's own"));
    assert_true(noted(&s, "env", "CONTAINERD_SHIM_HCS_PROVIDER=emulated\n"));
    assert_true(noted(&s, "cwd", s.folder));
}

static void test_options_arrive_bare_or_in_bootstrap_params(void **state)
{
    cleanup_stand_in struct stand_in s;
    cleanup_any struct ctl_any options = {0};
    cleanup_endpoint struct ctl_endpoint e1 = {0};
    cleanup_endpoint struct ctl_endpoint e2 = {0};
    cleanup_buf struct shim_buf got = {0};
    cleanup_free char *stdin_path = NULL;
    Bootstrap__BootstrapParams *params;

    (void)state;
    stand_in_begin(&s, "echo unix:///a");
    stdin_path = shim_strf("%s/stdin", s.folder);
    assert_int_equal(ctl_runtime_options(s.path, &options, NULL), 0);
    assert_string_equal(options.type_url, "runtimeoptions.v1.Options");
    s.launch.options = &options;
    assert_int_equal(ctl_launch_start(&s.launch, &e1, NULL), 0);
    assert_true(noted(&s, "stdin", "runtimeoptions.v1.Options"));
    s.launch.bootstrap = true;
    assert_int_equal(ctl_launch_start(&s.launch, &e2, NULL), 0);
    assert_int_equal(shim_file_read(stdin_path, 4096, &got, NULL), 0);
    params = bootstrap__bootstrap_params__unpack(NULL, got.len, got.data);
    assert_non_null(params);
    assert_string_equal(params->instance_id, "c1");
    assert_string_equal(params->namespace_, "ns1");
    assert_int_equal(params->n_extensions, 1);
    assert_string_equal(params->extensions[0]->value->type_url, "runtimeoptions.v1.Options");
    bootstrap__bootstrap_params__free_unpacked(params, NULL);
}

static void refuse_start(const char *script, int code, const char *message)
{
    cleanup_stand_in struct stand_in s;
    struct ctl_endpoint e = {0};
    struct shim_error err;

    stand_in_begin(&s, script);
    assert_int_equal(ctl_launch_start(&s.launch, &e, &err), code);
    assert_non_null(strstr(err.msg, message));
    assert_null(e.address);
}

static void test_a_failed_start_says_what_the_shim_said(void **state)
{
    (void)state;
    refuse_start("echo no such luck >&2; exit 3", SHIM_E_UNKNOWN,
                 "start failed with status 3: no such luck");
    refuse_start("exit 1", SHIM_E_UNKNOWN, "start failed with status 1: ");
    refuse_start("echo unix:///a; echo careful >&2", SHIM_E_INVALID,
                 "wrote to standard error: careful");
    refuse_start("true", SHIM_E_INVALID, "nothing was printed");
}

static void test_a_shim_that_is_not_there_is_named(void **state)
{
    cleanup_stand_in struct stand_in s;
    struct ctl_endpoint e = {0};
    struct shim_error err;

    (void)state;
    stand_in_begin(&s, "true");
    s.launch.shim = "no-such-shim-anywhere";
    assert_int_equal(ctl_launch_start(&s.launch, &e, &err), SHIM_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, "no-such-shim-anywhere"));
}

static void test_delete_says_how_the_container_ended(void **state)
{
    cleanup_stand_in struct stand_in s;
    struct ctl_exit exit;

    (void)state;
    stand_in_begin(&s, "printf '\\010\\052\\020\\211\\001\\032\\002\\010\\074'");
    assert_int_equal(ctl_launch_delete(&s.launch, &exit, NULL), 0);
    assert_int_equal(exit.pid, 42);
    assert_int_equal(exit.status, 137);
    assert_int_equal(exit.at_ns, INT64_C(60000000000));
    assert_true(noted(&s, "args", " -bundle "));
    assert_true(noted(&s, "args", " delete\n"));
}

static void test_a_failed_delete_is_an_error(void **state)
{
    cleanup_stand_in struct stand_in fails;
    cleanup_stand_in struct stand_in babbles;
    struct ctl_exit exit;
    struct shim_error err;

    (void)state;
    stand_in_begin(&fails, "echo cannot >&2; exit 1");
    assert_int_equal(ctl_launch_delete(&fails.launch, &exit, &err), SHIM_E_UNKNOWN);
    assert_non_null(strstr(err.msg, "delete failed with status 1: cannot"));
    stand_in_begin(&babbles, "echo hello");
    assert_int_equal(ctl_launch_delete(&babbles.launch, &exit, &err), SHIM_E_INVALID);
}

static void test_the_shim_beside_shimctl_comes_first(void **state)
{
    struct ctl by_path = {.shim = "/bin/sh"};
    struct ctl by_name = {.shim = "some-shim"};
    struct ctl missing = {.shim = "./no/such/shim"};
    cleanup_free char *path = NULL;
    cleanup_free char *name = NULL;
    char *none = NULL;

    (void)state;
    assert_int_equal(ctl_shim_path(&by_path, &path, NULL), 0);
    assert_int_equal(path[0], '/');
    assert_int_equal(ctl_shim_path(&by_name, &name, NULL), 0);
    assert_string_equal(name, "some-shim");
    assert_int_equal(ctl_shim_path(&missing, &none, NULL), SHIM_E_NOT_FOUND);
    assert_null(none);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_gets_containerds_command_line_and_environment),
        cmocka_unit_test(test_options_arrive_bare_or_in_bootstrap_params),
        cmocka_unit_test(test_a_failed_start_says_what_the_shim_said),
        cmocka_unit_test(test_a_shim_that_is_not_there_is_named),
        cmocka_unit_test(test_delete_says_how_the_container_ended),
        cmocka_unit_test(test_a_failed_delete_is_an_error),
        cmocka_unit_test(test_the_shim_beside_shimctl_comes_first),
    };

    if (shim_child_init(false, NULL) < 0 || shim_child_start_reaper(NULL) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

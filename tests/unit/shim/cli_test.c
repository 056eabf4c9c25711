/* SPDX-License-Identifier: Apache-2.0 */
/* The command line, as containerd gives it and as people get it wrong. */
#include "shim/cli.h"
#include "tests/test.h"
#include <string.h>

#define PARSE(ret, err, ...) parse((char *[]){(char *)"shim", __VA_ARGS__, NULL}, (ret), (err))

static int parse(char **argv, struct shim_cli *ret, struct shim_error *err)
{
    int argc = 0;

    while (argv[argc])
        argc++;
    return shim_cli_parse(argc, argv, ret, err);
}

static void test_containerds_start_line_is_taken(void **state)
{
    struct shim_cli cli;

    (void)state;
    assert_int_equal(PARSE(&cli, NULL, "-namespace", "k8s.io", "-address", "/run/c.sock",
                           "-publish-binary", "/usr/bin/containerd", "-id", "c1", "-debug",
                           "start"),
                     0);
    assert_string_equal(cli.ns, "k8s.io");
    assert_string_equal(cli.address, "/run/c.sock");
    assert_string_equal(cli.publish_binary, "/usr/bin/containerd");
    assert_string_equal(cli.id, "c1");
    assert_string_equal(cli.bundle, "");
    assert_true(cli.debug);
    assert_int_equal(cli.action, SHIM_ACTION_START);
    assert_string_equal(cli.action_word, "start");
}

static void test_go_spellings_of_a_flag_are_equal(void **state)
{
    struct shim_cli cli;

    (void)state;
    assert_int_equal(PARSE(&cli, NULL, "--namespace", "a", "-id=b", "--bundle=/x=y", "delete"), 0);
    assert_string_equal(cli.ns, "a");
    assert_string_equal(cli.id, "b");
    assert_string_equal(cli.bundle, "/x=y");
    assert_int_equal(cli.action, SHIM_ACTION_DELETE);
}

static void test_boolean_flags_take_a_value_only_after_an_equals_sign(void **state)
{
    struct shim_cli cli;
    struct shim_error err;

    (void)state;
    assert_int_equal(PARSE(&cli, NULL, "-debug=false", "start"), 0);
    assert_false(cli.debug);
    assert_int_equal(PARSE(&cli, &err, "-debug=maybe", "start"), SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, "maybe"));
    assert_int_equal(PARSE(&cli, &err, "-debug", "false"), SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, "unknown action \"false\""));
}

static void test_what_is_unknown_is_refused_by_name(void **state)
{
    struct shim_cli cli;
    struct shim_error err;

    (void)state;
    assert_int_equal(PARSE(&cli, &err, "-nonsense", "start"), SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, "-nonsense"));
    assert_int_equal(PARSE(&cli, &err, "-id"), SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, "needs an argument: -id"));
    assert_int_equal(PARSE(&cli, &err, "start", "more"), SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, "\"more\""));
}

static void test_info_and_version_need_no_action(void **state)
{
    struct shim_cli cli;

    (void)state;
    assert_int_equal(PARSE(&cli, NULL, "-info"), 0);
    assert_true(cli.info);
    assert_int_equal(cli.action, SHIM_ACTION_NONE);
    assert_int_equal(PARSE(&cli, NULL, "-v"), 0);
    assert_true(cli.version);
    assert_int_equal(PARSE(&cli, NULL, "--version"), 0);
    assert_true(cli.version);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_containerds_start_line_is_taken),
        cmocka_unit_test(test_go_spellings_of_a_flag_are_equal),
        cmocka_unit_test(test_boolean_flags_take_a_value_only_after_an_equals_sign),
        cmocka_unit_test(test_what_is_unknown_is_refused_by_name),
        cmocka_unit_test(test_info_and_version_need_no_action),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Running a runtime: its prefix, its input, its errors. */
#include "hcs/linux/runtime.h"
#include "tests/unit/hcs/linux/standin.h"

static void test_the_last_error_of_a_log_is_found(void **state)
{
    static const struct {
        const char *log, *error;
    } cases[] = {
        {"", NULL},
        {"\n\n", NULL},
        {"not json at all", NULL},
        {"{\"level\":\"info\",\"msg\":\"fine\"}\n", NULL},
        {"{\"level\":\"error\"}\n", NULL},
        {"[1]\n7\n", NULL},
        {"{\"level\":\"error\",\"msg\":\"one\"}", "one"},
        {"{\"level\":\"error\",\"msg\":\"one\"}\n{\"level\":\"error\",\"msg\":\"two\"}\n", "two"},
        {"{\"level\":\"error\",\"msg\":\"one\"}\n{\"level\":\"warning\",\"msg\":\"x\"}\n", "one"},
        {"{\"level\":\"error\",\"msg\":\"one\"}\n{\"level\":\"error\",\"ms", "one"},
        {"{\"msg\":\"a \\\"quoted\\\" \\u00e4\",\"level\":\"error\"}\r\n", "a \"quoted\" \xc3\xa4"},
    };

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(cases); i++) {
        cleanup_free char *error = linux_log_last_error(cases[i].log);

        if (cases[i].error)
            assert_string_equal(error, cases[i].error);
        else
            assert_null(error);
    }
}

/* Runs `word` with the stand-in. */
static int run(struct standin *s, const char *word, const char *input, int64_t timeout_ms,
               struct shim_error *error)
{
    struct linux_document doc = {
        .bundle = s->world.bundle, .runtime = s->runtime, .root = s->world.root};
    cleanup_strv struct shim_strv args = {0};
    struct linux_command command = {
        .verb = word, .args = &args, .input = input, .capture = true, .timeout_ms = timeout_ms};

    assert_ok(linux_args_simple(word, NULL, "box", NULL, &args, err));
    return linux_runtime_run(&doc, &command, error);
}

static void test_input_arrives(void **state)
{
    struct standin *s = *state;
    cleanup_free char *got = NULL;

    assert_ok(run(s, "update", "some input", 0, err));
    got = read_text(below(s->world.dir, "resources"));
    assert_string_equal(got, "some input");
}

static void test_only_errors_of_this_run_count(void **state)
{
    struct standin *s = *state;

    standin_on(s, "start", "error 'of the first run'; exit 1\n");
    assert_fails(SHIM_E_UNKNOWN, "OCI runtime start failed: of the first run",
                 run(s, "start", NULL, 0, err));
    standin_on(s, "start", "exit 1\n");
    assert_fails(SHIM_E_UNKNOWN, "OCI runtime start failed: exit status 1",
                 run(s, "start", NULL, 0, err));
    standin_on(s, "start", "rm \"$log\"; error new; exit 1\n"); /* shorter than before */
    assert_fails(SHIM_E_UNKNOWN, "OCI runtime start failed: new", run(s, "start", NULL, 0, err));
}

static void test_a_time_limit_is_kept(void **state)
{
    struct standin *s = *state;

    standin_on(s, "start", "sleep 1000\n");
    assert_fails(SHIM_E_DEADLINE, "OCI runtime start failed", run(s, "start", NULL, 50, err));
}

static void test_a_runtime_says_itself_what_it_knows(void **state)
{
    struct standin *s = *state;
    struct linux_document doc = {
        .bundle = s->world.bundle, .runtime = s->runtime, .root = s->world.root};

    write_text(s->runtime, "#!/bin/sh\n[ \"$1 $2\" = \"checkpoint --help\" ]\n");
    assert_int_equal(chmod(s->runtime, 0755), 0);
    assert_true(linux_runtime_knows(&doc, "checkpoint"));
    assert_false(linux_runtime_knows(&doc, "restore"));
    assert_int_equal(unlink(s->runtime), 0);
    assert_true(linux_runtime_knows(&doc, "restore")); /* nobody said anything */
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, standin_setup, standin_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_error_of_a_log_is_found),
        TEST(test_input_arrives),
        TEST(test_only_errors_of_this_run_count),
        TEST(test_a_time_limit_is_kept),
        TEST(test_a_runtime_says_itself_what_it_knows),
    };

    return standin_main("runtime", tests, SHIM_ARRAY_LEN(tests));
}

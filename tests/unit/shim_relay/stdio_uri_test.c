/* SPDX-License-Identifier: Apache-2.0 */
/* The stdout field: which scheme it is, and what it says. */
#include "shim/stdio_uri.h"
#include "tests/test.h"
#include <string.h>

static void expect_kind(const char *text, enum shim_stdio_kind kind, const char *path)
{
    cleanup_stdio_uri struct shim_stdio_uri uri = {0};
    struct shim_error err = {0};

    if (shim_stdio_uri_parse(text, &uri, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    assert_int_equal(uri.kind, kind);
    if (path)
        assert_string_equal(uri.path, path);
    else
        assert_null(uri.path);
}

static void expect_error(const char *text, int code, const char *message)
{
    cleanup_stdio_uri struct shim_stdio_uri uri = {0};
    struct shim_error err = {0};

    assert_int_equal(shim_stdio_uri_parse(text, &uri, &err), code);
    if (!strstr(err.msg, message))
        fail_msg("%s: \"%s\" does not say \"%s\"", text, err.msg, message);
}

static void test_text_without_a_scheme_is_a_path(void **state)
{
    (void)state;
    expect_kind(NULL, SHIM_STDIO_PATHS, NULL);
    expect_kind("", SHIM_STDIO_PATHS, NULL);
    expect_kind("/run/fifo", SHIM_STDIO_PATHS, NULL);
    expect_kind("/run/file://x", SHIM_STDIO_PATHS, NULL);
    expect_kind("://x", SHIM_STDIO_PATHS, NULL);
    expect_kind("\\\\.\\pipe\\x", SHIM_STDIO_PATHS, NULL);
    expect_kind("fifo:///run/fifo", SHIM_STDIO_PATHS, NULL);
}

static void test_plain_paths_lose_a_fifo_scheme(void **state)
{
    (void)state;
    assert_string_equal(shim_stdio_path(NULL), "");
    assert_string_equal(shim_stdio_path(""), "");
    assert_string_equal(shim_stdio_path("/run/%41"), "/run/%41");
    assert_string_equal(shim_stdio_path("fifo:///run/x"), "/run/x");
}

static void test_file_paths_are_decoded(void **state)
{
    (void)state;
    expect_kind("file:///var/log/a%20b+c", SHIM_STDIO_FILE, "/var/log/a b+c");
    expect_kind("FILE:///x?ignored=%zz#part", SHIM_STDIO_FILE, "/x");
    expect_kind("file:///x%2fy%3F", SHIM_STDIO_FILE, "/x/y?");
}

static void test_logger_arguments_are_keys_and_first_values_in_order(void **state)
{
    static const char *const want[] = {"z", "1", "a", "", "b c", "d&e", "=", "x=y"};
    cleanup_stdio_uri struct shim_stdio_uri uri = {0};

    (void)state;
    assert_int_equal(
        shim_stdio_uri_parse("binary:///bin/log%20ger?z=1&a&&b+c=d%26e&z=2&%3D=x=y#f", &uri, NULL),
        0);
    assert_int_equal(uri.kind, SHIM_STDIO_BINARY);
    assert_string_equal(uri.path, "/bin/log ger");
    assert_int_equal(uri.args.n, SHIM_ARRAY_LEN(want));
    for (size_t i = 0; i < SHIM_ARRAY_LEN(want); i++)
        assert_string_equal(uri.args.v[i], want[i]);
}

static void test_loggers_need_no_arguments(void **state)
{
    (void)state;
    expect_kind("binary:///bin/log", SHIM_STDIO_BINARY, "/bin/log");
    expect_kind("binary-v2:///bin/log?", SHIM_STDIO_BINARY_V2, "/bin/log");
}

static void test_unknown_schemes_are_named(void **state)
{
    (void)state;
    expect_error("ftp:///x", SHIM_E_INVALID, "unknown STDIO scheme ftp in ftp:///x");
    expect_error("binary-v3:///x", SHIM_E_INVALID, "unknown STDIO scheme binary-v3");
}

static void test_streaming_is_unimplemented(void **state)
{
    (void)state;
    expect_error("ttrpc+unix:///run/s?streaming_id=x-stdout", SHIM_E_UNIMPLEMENTED, "streaming");
    expect_error("ttrpc+hvsock://1:2", SHIM_E_UNIMPLEMENTED, "streaming");
    expect_error("grpc+vsock://1:2", SHIM_E_UNIMPLEMENTED, "streaming");
    expect_error("streaming://x", SHIM_E_UNIMPLEMENTED, "streaming");
}

static void test_bad_uris_are_refused(void **state)
{
    static const char *const bad[] = {
        "file:///x%", "file:///x%4", "file:///x%4g", "file:///x%00y", "binary:///x%zz",
    };

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(bad); i++)
        expect_error(bad[i], SHIM_E_INVALID, "bad percent escape in the path");
    expect_error("binary:///x?a=%g0", SHIM_E_INVALID, "bad percent escape in the query");
    expect_error("binary:///x?%=1", SHIM_E_INVALID, "bad percent escape in the query");
    expect_error("file://", SHIM_E_INVALID, "absolute path");
    expect_error("file://host/x", SHIM_E_INVALID, "absolute path");
    expect_error("binary://?a=b", SHIM_E_INVALID, "absolute path");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_without_a_scheme_is_a_path),
        cmocka_unit_test(test_plain_paths_lose_a_fifo_scheme),
        cmocka_unit_test(test_file_paths_are_decoded),
        cmocka_unit_test(test_logger_arguments_are_keys_and_first_values_in_order),
        cmocka_unit_test(test_loggers_need_no_arguments),
        cmocka_unit_test(test_unknown_schemes_are_named),
        cmocka_unit_test(test_streaming_is_unimplemented),
        cmocka_unit_test(test_bad_uris_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

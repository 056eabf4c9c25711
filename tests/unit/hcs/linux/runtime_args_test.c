/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of commands that need a console; the tests of the operations have the rest. */
#include "hcs/linux/runtime.h"
#include "tests/unit/hcs/linux/world.h"

static void assert_args(const struct shim_strv *args, const char *wanted)
{
    cleanup_buf struct shim_buf text = {0};

    for (size_t i = 0; i < args->n; i++)
        assert_true(shim_buf_appendf(&text, "%s%s", i > 0 ? " " : "", args->v[i]));
    assert_string_equal(shim_buf_str(&text), wanted);
}

static const struct linux_document doc = {.bundle = (char[]){"/b"}, .no_pivot_root = true};

static void test_create_names_the_console_socket(void **state)
{
    cleanup_strv struct shim_strv args = {0};

    (void)state;
    assert_ok(linux_args_create(&doc, "box", "/t/pty.sock", &args, err));
    assert_args(&args, "create --bundle /b --pid-file /b/init.pid --console-socket /t/pty.sock "
                       "--no-pivot box");
}

static void test_restore_names_the_console_socket(void **state)
{
    cleanup_strv struct shim_strv args = {0};

    (void)state;
    assert_ok(linux_args_restore(&doc, "box", "/i", "/w", "/t/pty.sock", &args, err));
    assert_args(&args, "restore --image-path /i --work-path /w --bundle /b --pid-file /b/init.pid "
                       "--detach --no-subreaper --console-socket /t/pty.sock --no-pivot box");
}

static void test_exec_names_the_console_socket(void **state)
{
    cleanup_strv struct shim_strv args = {0};

    (void)state;
    assert_ok(linux_args_exec("box", "/b/p", "/b/e.pid", "/t/pty.sock", &args, err));
    assert_args(&args, "exec --process /b/p --console-socket /t/pty.sock --detach --pid-file "
                       "/b/e.pid box");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_names_the_console_socket),
        cmocka_unit_test(test_restore_names_the_console_socket),
        cmocka_unit_test(test_exec_names_the_console_socket),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Programs and folders of processes without isolation: rootfs first, links never leave it. */
#include "hcs/emulated/lookup.h"
#include "tests/unit/hcs/emulated_world.h"

static const char *const env[] = {"PATH=/bin:/sbin", NULL};

static void assert_resolves(const char *path, const char *wanted)
{
    cleanup_free char *root = world_path("rootfs");
    cleanup_free char *got = emu_resolve(root, path);
    cleanup_free char *full = wanted ? shim_strf("%s%s", root, wanted) : NULL;

    if (wanted)
        assert_string_equal(got ? got : "nothing", full);
    else
        assert_null(got);
}

static void test_paths_are_resolved_inside_the_root(void **state)
{
    (void)state;
    assert_resolves("/bin/busybox", "/bin/busybox");
    assert_resolves("bin//./busybox", "/bin/busybox");
    assert_resolves("/bin/sh", "/bin/busybox");
    assert_resolves("/usr-bin/sh", "/bin/busybox");
    assert_resolves("/../../bin/../bin/sh", "/bin/busybox");
    assert_resolves("/", "");
    assert_resolves("/bin/nothing", NULL);
    assert_resolves("/bin/busybox/inside", NULL);
}

static void test_links_cannot_leave_the_root(void **state)
{
    (void)state;
    assert_resolves("/absolute", "/bin/busybox");
    assert_resolves("/climbing", NULL); /* the host has /etc/passwd, the rootfs has not */
    assert_resolves("/loop", NULL);
}

static void test_the_host_is_the_root_without_name(void **state)
{
    cleanup_free char *root = emu_resolve("", "/");
    cleanup_free char *tmp = emu_resolve("", "/tmp/..");

    (void)state;
    assert_string_equal(root, "/");
    assert_string_equal(tmp, "/");
}

static void test_too_long_paths_are_not_there(void **state)
{
    char path[3 * 4096];

    (void)state;
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = 0;
    assert_resolves(path, NULL);
    for (size_t i = 0; i < 4095; i += 2)
        memcpy(path + i, "a/", 2);
    path[4094] = 0;
    assert_resolves(path, NULL);
}

static int find(const char *cwd, const char *name, const char *const *with, char **ret,
                struct shim_error *err)
{
    cleanup_free char *root = world_path("rootfs");

    return emu_find_program(root, cwd, name, with, ret, err);
}

static void assert_finds(const char *cwd, const char *name, const char *wanted_in_root)
{
    cleanup_free char *wanted = shim_strf("%s/rootfs%s", world, wanted_in_root);
    cleanup_free char *got = NULL;
    struct shim_error err = {0};

    if (find(cwd, name, env, &got, &err) != 0)
        fail_msg("%s: %s", name, err.msg);
    assert_string_equal(got, wanted);
}

static void test_programs_come_from_the_rootfs_with_links_followed(void **state)
{
    (void)state;
    assert_finds("/", "sh", "/bin/busybox");
    assert_finds("/", "/bin/sh", "/bin/busybox");
    assert_finds("/", "/usr-bin/sh", "/bin/busybox");
    assert_finds("/", "bin/sh", "/bin/busybox");
    assert_finds("/bin", "./sh", "/bin/busybox");
    assert_finds("/", "/absolute", "/bin/busybox");
}

static void test_else_they_come_from_the_host(void **state)
{
    static const char *const host_env[] = {"A=b", "PATH=/nowhere::/proc/self", NULL};
    cleanup_free char *absolute = NULL, *by_path = NULL;

    (void)state;
    assert_int_equal(find("/", "/proc/self/exe", env, &absolute, NULL), 0);
    assert_int_equal(find("/", "exe", host_env, &by_path, NULL), 0);
    assert_int_equal(access(absolute, X_OK), 0);
    assert_int_equal(access(by_path, X_OK), 0);
}

static void test_what_is_nowhere_is_not_found(void **state)
{
    struct shim_error err = {0};
    char *got = NULL;

    (void)state;
    assert_int_equal(find("/", "no-such", env, &got, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(err.os, HRESULT_FILE_NOT_FOUND);
    assert_string_equal(err.msg, "exec: \"no-such\": executable file not found in $PATH: "
                                 "ERROR_FILE_NOT_FOUND (0x80070002)");
    assert_int_equal(find("/", "/no/such", env, &got, &err), SHIM_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, "no such file or directory"));
    assert_int_equal(find("/", "", env, &got, &err), SHIM_E_NOT_FOUND);
    assert_null(got);
}

static void test_what_cannot_be_run_is_denied(void **state)
{
    struct shim_error err = {0};
    char *got = NULL;

    (void)state;
    assert_int_equal(find("/", "/data", env, &got, &err), SHIM_E_DENIED);
    assert_int_equal(err.os, HRESULT_ACCESS_DENIED);
    assert_int_equal(find("/", "/bin", env, &got, &err), SHIM_E_DENIED);
    assert_null(got);
}

static void assert_cwd(const char *cwd, const char *wanted)
{
    cleanup_free char *root = world_path("rootfs");
    cleanup_free char *got = NULL;

    assert_int_equal(emu_find_cwd(root, cwd, &got, NULL), 0);
    assert_string_equal(got, wanted);
}

static void test_the_working_folder_is_the_rootfs_the_hosts_or_the_rootfs_itself(void **state)
{
    cleanup_free char *root = world_path("rootfs"), *bin = world_path("rootfs/bin");
    cleanup_free char *gone = world_path("gone");
    struct shim_error err = {0};
    char *got = NULL;

    (void)state;
    assert_cwd("/bin", bin);
    assert_cwd("/usr-bin", bin);
    assert_cwd("/proc", "/proc");
    assert_cwd("/no/such/folder", root);
    assert_cwd("/", root);
    assert_int_equal(emu_find_cwd(gone, "/", &got, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(err.os, HRESULT_FILE_NOT_FOUND);
}

static int open_links(void **state)
{
    int r = world_open(state);

    world_link("bin", "rootfs/usr-bin");
    world_link("/bin/busybox", "rootfs/absolute");
    world_link("../../../../../../etc/passwd", "rootfs/climbing");
    world_link("loop", "rootfs/loop");
    world_write("rootfs/data", "text");
    return r;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_are_resolved_inside_the_root),
        cmocka_unit_test(test_links_cannot_leave_the_root),
        cmocka_unit_test(test_the_host_is_the_root_without_name),
        cmocka_unit_test(test_too_long_paths_are_not_there),
        cmocka_unit_test(test_programs_come_from_the_rootfs_with_links_followed),
        cmocka_unit_test(test_else_they_come_from_the_host),
        cmocka_unit_test(test_what_is_nowhere_is_not_found),
        cmocka_unit_test(test_what_cannot_be_run_is_denied),
        cmocka_unit_test(test_the_working_folder_is_the_rootfs_the_hosts_or_the_rootfs_itself),
    };

    return world_main_setup() < 0 ? 1 : cmocka_run_group_tests(tests, open_links, world_close);
}

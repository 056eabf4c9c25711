/* SPDX-License-Identifier: Apache-2.0 */
/* Socket names that containerd's own tests compute, and the folder they lie in. */
#include "base/file.h"
#include "base/str.h"
#include "shim/address.h"
#include "tests/test.h"
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void assert_clean(const char *path, const char *want)
{
    cleanup_free char *clean = shim_path_clean(path);

    assert_string_equal(clean, want);
}

static void test_paths_are_cleaned_as_go_cleans_them(void **state)
{
    (void)state;
    assert_clean("/run/containerd/containerd.sock/k8s.io/abc",
                 "/run/containerd/containerd.sock/k8s.io/abc");
    assert_clean("//a//b/./c/", "/a/b/c");
    assert_clean("/a/../b", "/b");
    assert_clean("/../a", "/a");
    assert_clean("a/../../b", "../b");
    assert_clean("a/..", ".");
    assert_clean("/..", "/");
    assert_clean("../../a/..", "../..");
}

static void test_the_name_is_the_hash_of_address_namespace_and_group(void **state)
{
    char name[SHIM_SOCKET_NAME_BYTES], again[SHIM_SOCKET_NAME_BYTES];

    (void)state;
    assert_int_equal(
        shim_socket_name("/run/containerd/containerd.sock", "k8s.io", "abc", name, NULL), 0);
    /* printf /run/containerd/containerd.sock/k8s.io/abc | sha256sum */
    assert_string_equal(name, "a99a1752d3a0fadfb1f869026f16760475df03a572e20f4ccea9e6c1e5470b72");
    assert_int_equal(
        shim_socket_name("/run//containerd/./containerd.sock", "k8s.io", "abc", again, NULL), 0);
    assert_string_equal(again, name);
    assert_int_equal(
        shim_socket_name("/run/containerd/containerd.sock", "k8s.io", "abd", again, NULL), 0);
    assert_string_not_equal(again, name);
}

static char *temp_dir(void)
{
    char *path = strdup("/tmp/shim-address-XXXXXX");

    assert_non_null(mkdtemp(path));
    return path;
}

static void test_the_socket_lies_in_the_folder_containerd_names(void **state)
{
    cleanup_free char *base = temp_dir(), *folder = shim_strf("%s/a/s", base), *address = NULL;
    struct stat st;

    (void)state;
    assert_int_equal(shim_socket_address(folder, "/c.sock", "ns", "id", &address, NULL), 0);
    assert_true(shim_starts_with(address, "unix:///tmp/shim-address-"));
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void test_a_path_too_long_for_a_socket_is_refused(void **state)
{
    cleanup_free char *base = temp_dir(), *address = NULL;
    cleanup_free char *folder = shim_strf("%s/0123456789012345678901234567890123456789", base);
    struct shim_error err;

    (void)state;
    assert_int_equal(shim_socket_address(folder, "/c.sock", "ns", "id", &address, &err),
                     SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, "too long"));
    assert_null(address);
}

static int bind_socket(const char *path, bool serve)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    if (serve)
        assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void test_only_a_socket_that_nobody_serves_is_stale(void **state)
{
    cleanup_free char *base = temp_dir(), *path = shim_strf("%s/sock", base);
    cleanup_free char *address = shim_strf("unix://%s", path);
    int fd;

    (void)state;
    assert_false(shim_socket_is_served(address));
    shim_socket_remove_stale(address);

    fd = bind_socket(path, true);
    assert_true(shim_socket_is_served(address));
    shim_socket_remove_stale(address);
    assert_true(shim_file_exists(path));

    close(fd);
    assert_false(shim_socket_is_served(address));
    shim_socket_remove_stale(address);
    assert_false(shim_file_exists(path));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_are_cleaned_as_go_cleans_them),
        cmocka_unit_test(test_the_name_is_the_hash_of_address_namespace_and_group),
        cmocka_unit_test(test_the_socket_lies_in_the_folder_containerd_names),
        cmocka_unit_test(test_a_path_too_long_for_a_socket_is_refused),
        cmocka_unit_test(test_only_a_socket_that_nobody_serves_is_stale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

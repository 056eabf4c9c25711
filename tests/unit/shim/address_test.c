/* SPDX-License-Identifier: Apache-2.0 */
/* Socket names that containerd's own tests compute. */
#include "base/str.h"
#include "shim/address.h"
#include "tests/test.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths_are_cleaned_as_go_cleans_them),
        cmocka_unit_test(test_the_name_is_the_hash_of_address_namespace_and_group),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

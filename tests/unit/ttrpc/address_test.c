/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses as they come from containerd, and what nng is to be given for them. */
#include "base/str.h"
#include "tests/test.h"
#include "ttrpc/ttrpc.h"
#include <string.h>

static void expect_url(const char *address, const char *want)
{
    cleanup_free char *url = NULL;
    struct shim_error err = {0};

    assert_int_equal(ttrpc_address_to_url(address, &url, &err), 0);
    assert_string_equal(url, want);
}

static void expect_invalid(const char *address, const char *message)
{
    struct shim_error err = {0};
    char *url = NULL;

    assert_int_equal(ttrpc_address_to_url(address, &url, &err), SHIM_E_INVALID);
    assert_null(url);
    assert_non_null(strstr(err.msg, message));
}

static void test_unix_addresses_and_bare_paths_are_sockets(void **state)
{
    (void)state;
    expect_url("unix:///run/containerd/s/abc", "ipc:///run/containerd/s/abc");
    expect_url("/run/containerd/containerd.sock.ttrpc",
               "ipc:///run/containerd/containerd.sock.ttrpc");
    expect_url("unix:///a b%20c#d?e", "ipc:///a b%20c#d?e"); /* paths are not decoded */
}

static void test_pipes_lose_their_prefix(void **state)
{
    (void)state;
    expect_url("\\\\.\\pipe\\ProtectedPrefix\\Administrators\\containerd-shim-k8s.io-1-pipe",
               "ipc://ProtectedPrefix\\Administrators\\containerd-shim-k8s.io-1-pipe");
    expect_invalid("\\\\.\\pipe\\", "no name");
}

static void test_other_names_are_abstract_sockets(void **state)
{
    (void)state;
    expect_url("containerd-shim/1.sock", "abstract://containerd%2dshim%2f1%2esock");
    expect_url("a%2fb", "abstract://a%252fb");
}

static void test_unusable_addresses_are_refused(void **state)
{
    (void)state;
    expect_invalid("", "empty address");
    expect_invalid("unix://relative/path", "not an absolute path");
    expect_invalid("unix://", "not an absolute path");
    expect_invalid("vsock://3:1024", "only unix:// is supported");
    expect_invalid("tcp://127.0.0.1:1", "only unix:// is supported");
}

static void test_names_are_as_long_as_the_system_allows(void **state)
{
    char address[200];
    char *url = NULL;

    (void)state;
    memset(address, 'a', sizeof(address));
    address[0] = '/';
    address[108] = 0;
    expect_invalid(address, "longer than 107 bytes");
    address[107] = 0;
    assert_int_equal(ttrpc_address_to_url(address, &url, NULL), 0);
    free(url);

    address[0] = 'a';
    address[107] = 'a';
    address[108] = 0;
    expect_invalid(address, "longer than 107 bytes");

    memcpy(address, "\\\\.\\pipe\\", 9);
    address[9 + 128] = 0;
    memset(address + 9, 'a', 128);
    expect_invalid(address, "longer than 127 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unix_addresses_and_bare_paths_are_sockets),
        cmocka_unit_test(test_pipes_lose_their_prefix),
        cmocka_unit_test(test_other_names_are_abstract_sockets),
        cmocka_unit_test(test_unusable_addresses_are_refused),
        cmocka_unit_test(test_names_are_as_long_as_the_system_allows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

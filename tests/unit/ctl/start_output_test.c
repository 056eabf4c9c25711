/* SPDX-License-Identifier: Apache-2.0 */
/* The three forms of a start reply, by the table of the contract. */
#include "base/compiler.h"
#include "shim/ctl/start_output.h"
#include "tests/test.h"
#include <string.h>

static void check(const void *data, size_t bytes, int version, const char *address)
{
    cleanup_endpoint struct ctl_endpoint e = {0};

    assert_int_equal(ctl_start_output_parse(data, bytes, &e, NULL), 0);
    assert_int_equal(e.version, version);
    assert_string_equal(e.address, address);
}

static void refuse(const void *data, size_t bytes, const char *message)
{
    struct ctl_endpoint e = {0};
    struct shim_error err = {0};

    assert_int_equal(ctl_start_output_parse(data, bytes, &e, &err), SHIM_E_INVALID);
    assert_string_equal(err.msg, message);
    assert_null(e.address);
}

#define CHECK(text, version, address) check(text, strlen(text), version, address)
#define REFUSE(text, message)         refuse(text, strlen(text), message)

static void test_a_plain_address_is_version_2(void **state)
{
    (void)state;
    CHECK("unix:///run/s/0a", 2, "unix:///run/s/0a");
    CHECK("\n unix:///run/s/0a\r\n", 2, "unix:///run/s/0a");
    CHECK("\\\\.\\pipe\\containerd-shim-x", 2, "\\\\.\\pipe\\containerd-shim-x");
}

static void test_json_says_its_version(void **state)
{
    (void)state;
    CHECK("{\"version\":2,\"address\":\"unix:///a\",\"protocol\":\"ttrpc\"}\n", 2, "unix:///a");
    CHECK("{\"protocol\":\"TTRPC\",\"address\":\"unix:///a\",\"version\":3}", 3, "unix:///a");
}

static void test_protobuf_says_its_version(void **state)
{
    static const char wire[] = "\x08\x03\x12\x09unix:///a\x1a\x05ttrpc";

    (void)state;
    check(wire, sizeof(wire) - 1, 3, "unix:///a");
}

static void test_what_cannot_be_dialled_is_refused(void **state)
{
    static const char wire4[] = "\x08\x04\x12\x09unix:///a\x1a\x05ttrpc";
    static const char no_address[] = "\x08\x03\x1a\x05ttrpc";

    (void)state;
    REFUSE("", "nothing was printed");
    REFUSE(" \n", "nothing was printed");
    REFUSE("{\"version\":4,\"address\":\"unix:///a\",\"protocol\":\"ttrpc\"}",
           "unsupported shim version 4");
    REFUSE("{\"version\":3,\"address\":\"unix:///a\",\"protocol\":\"grpc\"}",
           "unexpected protocol \"grpc\"");
    REFUSE("{\"version\":3,\"address\":\"unix:///a\"}", "unexpected protocol \"\"");
    REFUSE("{\"version\":3,\"protocol\":\"ttrpc\"}", "no address");
    REFUSE("warning: x\nunix:///a", "not an address: \"warning: x\nunix:///a\"");
    refuse(wire4, sizeof(wire4) - 1, "unsupported shim version 4");
    refuse(no_address, sizeof(no_address) - 1, "no address");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_plain_address_is_version_2),
        cmocka_unit_test(test_json_says_its_version),
        cmocka_unit_test(test_protobuf_says_its_version),
        cmocka_unit_test(test_what_cannot_be_dialled_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What goes around messages, byte for byte as Go's ttrpc does it, and decoding within bounds. */
#include "tests/unit/ttrpc/frames.h"
#include "tests/unit/ttrpc/peer.h"
#include "ttrpc/envelope.h"
#include <string.h>

static void expect_bytes(struct ttrpc_out *out, const char *hex)
{
    uint8_t want[512];
    size_t n = peer_unhex(hex, want, sizeof(want));

    assert_non_null(out);
    assert_int_equal(out->bytes, n);
    assert_memory_equal(out->data, want, n);
    ttrpc_out_drop(out);
}

static void test_errors_are_written_as_go_writes_them(void **state)
{
    (void)state;
    expect_bytes(ttrpc_out_status(21, SHIM_E_NOT_FOUND, "container not created: not found"),
                 F17_NOT_FOUND);
    expect_bytes(ttrpc_out_status(1, SHIM_E_UNIMPLEMENTED, "service containerd.task.v3.Task"),
                 F18_UNIMPLEMENTED);
    expect_bytes(ttrpc_out_status(23, SHIM_E_EXISTS, "id e1: already exists"), F19_ALREADY_EXISTS);
    expect_bytes(ttrpc_out_status(25, SHIM_E_STATE,
                                  "container c1 init process is not running: failed precondition"),
                 F20_FAILED_PRECONDITION);
}

static Ttrpc__Response *read_back(const struct ttrpc_out *out)
{
    Ttrpc__Response *response = ttrpc__response__unpack(NULL, out->bytes - TTRPC_HEADER_BYTES,
                                                        out->data + TTRPC_HEADER_BYTES);

    assert_non_null(response);
    return response;
}

static void expect_status(int code, const char *message, int want_code, const char *want)
{
    struct ttrpc_out *out = ttrpc_out_status(1, code, message);
    Ttrpc__Response *response;

    assert_non_null(out);
    response = read_back(out);
    assert_int_equal(response->status->code, want_code);
    assert_string_equal(response->status->message, want);
    ttrpc__response__free_unpacked(response, NULL);
    ttrpc_out_drop(out);
}

static void test_an_error_is_never_a_success_nor_undecodable(void **state)
{
    (void)state;
    expect_status(0, "no code", 2, "no code");
    expect_status(SHIM_E_INVALID, NULL, 3, "");
    expect_status(SHIM_E_INVALID, "caf\xc3\xa9", 3, "caf\xc3\xa9");
    expect_status(SHIM_E_INVALID, "caf\xe9 \xff", 3, "caf? ?");
}

static void test_a_response_carries_the_packed_message(void **state)
{
    Echo__Text text = ECHO__TEXT__INIT;
    struct ttrpc_out *out;

    (void)state;
    assert_int_equal(ttrpc_out_response(7, &text.base, &out, NULL), 0);
    expect_bytes(out, F08_EMPTY_REPLY);
    assert_int_equal(ttrpc_out_response(1, &text.base, &out, NULL), 0);
    expect_bytes(out, F30_STREAM_OK);
    text.value = "hi";
    assert_int_equal(ttrpc_out_response(5, &text.base, &out, NULL), 0);
    expect_bytes(out, "0000000600000005020012040a026869");
}

/* Tag and length of the payload, tag and length of the text: five bytes each from 2 MiB on. */
#define LONGEST_TEXT (TTRPC_DATA_MAX_BYTES - 10)

static void test_a_response_may_fill_a_frame_and_no_more(void **state)
{
    Echo__Text text = ECHO__TEXT__INIT;
    struct shim_error err = {0};
    Ttrpc__Response *response;
    struct ttrpc_out *out;

    (void)state;
    text.value = malloc(LONGEST_TEXT + 2);
    memset(text.value, 'x', LONGEST_TEXT + 1);
    text.value[LONGEST_TEXT + 1] = 0;
    assert_int_equal(ttrpc_out_response(1, &text.base, &out, &err), SHIM_E_EXHAUSTED);
    assert_string_equal(err.msg, "message length 4194305 exceed maximum message size of 4194304");

    text.value[LONGEST_TEXT] = 0;
    assert_int_equal(ttrpc_out_response(1, &text.base, &out, &err), 0);
    assert_int_equal(out->bytes, TTRPC_HEADER_BYTES + TTRPC_DATA_MAX_BYTES);
    response = read_back(out);
    assert_int_equal(response->payload.len, LONGEST_TEXT + 5);
    ttrpc__response__free_unpacked(response, NULL);
    ttrpc_out_drop(out);
    free(text.value);
}

static void test_a_request_is_written_as_containerd_writes_it(void **state)
{
    const struct ttrpc_metadata ns = {"containerd-namespace-ttrpc", "testns"};
    struct ttrpc_call_options options = {.metadata = &ns, .n_metadata = 1};
    Echo__Text text = ECHO__TEXT__INIT;
    struct ttrpc_out *out;

    (void)state;
    text.value = "c1";
    assert_int_equal(
        ttrpc_out_request("containerd.task.v3.Task", "Connect", &text.base, &options, &out, NULL),
        0);
    ttrpc_out_set_stream(out, 3);
    expect_bytes(out, F01_CONNECT);
}

static void test_a_request_over_the_limit_is_refused(void **state)
{
    Echo__Text text = ECHO__TEXT__INIT;
    struct shim_error err = {0};
    struct ttrpc_out *out;

    (void)state;
    text.value = malloc(TTRPC_DATA_MAX_BYTES + 1);
    memset(text.value, 'x', TTRPC_DATA_MAX_BYTES);
    text.value[TTRPC_DATA_MAX_BYTES] = 0;
    assert_int_equal(ttrpc_out_request("s", "m", &text.base, NULL, &out, &err), SHIM_E_EXHAUSTED);
    text.value[TTRPC_DATA_MAX_BYTES - 8] = 0; /* fits as a message, not with its envelope */
    assert_int_equal(ttrpc_out_request("s", "m", &text.base, NULL, &out, &err), SHIM_E_EXHAUSTED);
    assert_non_null(strstr(err.msg, "exceed maximum message size of 4194304"));
    free(text.value);
}

static void test_unpack_says_what_is_malformed(void **state)
{
    static const uint8_t cut[] = {0x0a, 0x05, 'a'};
    struct shim_error err = {0};
    ProtobufCMessage *message = NULL;

    (void)state;
    assert_int_equal(ttrpc_unpack(&echo__text__descriptor, cut, sizeof(cut), &message, &err),
                     SHIM_E_INVALID);
    assert_null(message);
    assert_string_equal(err.msg, "malformed echo.Text of 3 bytes");
}

/* Two bytes of an empty KeyValue become a struct of some fifty. */
static void test_unpack_bounds_the_memory_that_few_bytes_can_take(void **state)
{
    size_t bytes = TTRPC_DATA_MAX_BYTES;
    uint8_t *pairs = malloc(bytes);
    ProtobufCMessage *message = NULL;
    struct shim_error err = {0};

    (void)state;
    for (size_t i = 0; i < bytes; i += 2) {
        pairs[i] = 0x2a;
        pairs[i + 1] = 0;
    }
    assert_int_equal(ttrpc_unpack(&ttrpc__request__descriptor, pairs, bytes, &message, &err),
                     SHIM_E_EXHAUSTED);
    assert_null(message);
    assert_string_equal(err.msg, "out of memory for ttrpc.Request of 4194304 bytes");
    free(pairs);
}

static void test_recursive_messages_are_recognised(void **state)
{
    (void)state;
    assert_true(ttrpc_is_recursive(&echo__nested__descriptor));
    assert_false(ttrpc_is_recursive(&echo__text__descriptor));
    assert_false(ttrpc_is_recursive(&ttrpc__request__descriptor));
}

static void count(void *user)
{
    ++*(unsigned *)user;
}

static void test_a_dropped_frame_tells_once(void **state)
{
    struct ttrpc_out *out = ttrpc_out_status(1, SHIM_E_INTERNAL, "x");
    unsigned told = 0;

    (void)state;
    out->sent = count;
    out->user = &told;
    ttrpc_out_drop(out);
    ttrpc_out_drop(NULL);
    assert_int_equal(told, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_are_written_as_go_writes_them),
        cmocka_unit_test(test_an_error_is_never_a_success_nor_undecodable),
        cmocka_unit_test(test_a_response_carries_the_packed_message),
        cmocka_unit_test(test_a_response_may_fill_a_frame_and_no_more),
        cmocka_unit_test(test_a_request_is_written_as_containerd_writes_it),
        cmocka_unit_test(test_a_request_over_the_limit_is_refused),
        cmocka_unit_test(test_unpack_says_what_is_malformed),
        cmocka_unit_test(test_unpack_bounds_the_memory_that_few_bytes_can_take),
        cmocka_unit_test(test_recursive_messages_are_recognised),
        cmocka_unit_test(test_a_dropped_frame_tells_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

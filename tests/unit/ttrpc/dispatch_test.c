/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions about frames, with those that containerd sends and the words that Go's server uses. */
#include "tests/unit/ttrpc/frames.h"
#include "tests/unit/ttrpc/peer.h"
#include "ttrpc/dispatch.h"
#include <string.h>

static ProtobufCService task = {.descriptor = &echo__task__descriptor};
static const struct ttrpc_service v2 = {.name = "containerd.task.v2.Task", .service = &task};
static const struct ttrpc_service v3 = {&v2, "containerd.task.v3.Task", &task};

struct decided {
    enum ttrpc_verdict verdict;
    struct ttrpc_invocation invocation;
    struct shim_error err;
};

static struct decided decide(const char *hex, uint32_t *last_id)
{
    struct decided d = {.err = {0}};
    struct ttrpc_frame frame;
    uint8_t bytes[512];
    size_t n = peer_unhex(hex, bytes, sizeof(bytes));

    assert_int_equal(ttrpc_frame_parse(bytes, n, &frame, NULL), n);
    d.verdict = ttrpc_dispatch(&v3, last_id, &frame, &d.invocation, &d.err);
    return d;
}

static void expect_invoke(const char *hex, const char *method)
{
    uint32_t last_id = 0;
    struct decided d = decide(hex, &last_id);

    assert_int_equal(d.verdict, TTRPC_INVOKE);
    assert_ptr_equal(d.invocation.service, &task);
    assert_string_equal(task.descriptor->methods[d.invocation.method].name, method);
    assert_string_equal(((Echo__Text *)d.invocation.message)->value, "c1");
    assert_string_equal(d.invocation.request->method, method);
    assert_int_equal(d.invocation.request->payload.len, 0); /* not kept beside its message */
    assert_int_equal(d.invocation.request->n_metadata, 1);
    assert_string_equal(d.invocation.request->metadata[0]->key, "containerd-namespace-ttrpc");
    assert_string_equal(d.invocation.request->metadata[0]->value, "testns");
    ttrpc_invocation_done(&d.invocation);
}

static void expect_refused(const char *hex, uint32_t last_id, int code, const char *message)
{
    struct decided d = decide(hex, &last_id);

    assert_int_equal(d.verdict, TTRPC_REFUSE);
    assert_string_equal(d.err.msg, message);
    assert_int_equal(d.err.code, code);
}

static void test_requests_of_containerd_find_their_method_under_both_names(void **state)
{
    (void)state;
    expect_invoke(F01_CONNECT, "Connect");
    expect_invoke(F03_CREATE, "Create");
    expect_invoke(F05_START, "Start");
    expect_invoke(F07_EXEC, "Exec");
    expect_invoke(F09_STATE, "State");
    expect_invoke(F11_WAIT, "Wait");
    expect_invoke(F13_KILL, "Kill");
    expect_invoke(F16_SHUTDOWN, "Shutdown");
}

static void test_the_timeout_is_read(void **state)
{
    uint32_t last_id = 0;
    struct decided d = decide(F09_STATE, &last_id);

    (void)state;
    assert_int_equal(d.verdict, TTRPC_INVOKE);
    assert_true(d.invocation.request->timeout_nano > INT64_C(1900000000));
    assert_true(d.invocation.request->timeout_nano <= INT64_C(2000000000));
    ttrpc_invocation_done(&d.invocation);
}

static void test_ids_must_be_odd_and_grow(void **state)
{
    uint32_t last_id = 0;
    struct decided d = decide(F01_CONNECT, &last_id);

    (void)state;
    ttrpc_invocation_done(&d.invocation);
    assert_int_equal(last_id, 3);
    expect_refused(F01_CONNECT, 3, SHIM_E_INVALID, "StreamID cannot be re-used and must increment");
    expect_refused(F01_CONNECT, 5, SHIM_E_INVALID, "StreamID cannot be re-used and must increment");
    expect_refused(F23_EVEN_ID, 0, SHIM_E_INVALID,
                   "StreamID must be odd for client initiated streams");
    expect_refused("00000000000000000100", 0, SHIM_E_INVALID,
                   "StreamID must be odd for client initiated streams");
    expect_refused("00000000000000020305", 0, SHIM_E_INVALID,
                   "StreamID must be odd for client initiated streams");
}

static void test_ids_beyond_the_sign_bit_grow_on(void **state)
{
    (void)state;
    expect_refused("000000007fffffff0100", 0x7ffffffd, SHIM_E_UNIMPLEMENTED, "service ");
    expect_refused("00000000800000010100", 0x7fffffff, SHIM_E_UNIMPLEMENTED, "service ");
    expect_refused("00000000ffffffff0100", 0x80000001, SHIM_E_UNIMPLEMENTED, "service ");
    expect_refused("00000000000000010100", 0xffffffff, SHIM_E_INVALID,
                   "StreamID cannot be re-used and must increment");
}

static void test_an_undecodable_request_has_used_its_id(void **state)
{
    uint32_t last_id = 0;
    struct decided d = decide(F25_GARBAGE, &last_id);

    (void)state;
    assert_int_equal(d.verdict, TTRPC_REFUSE);
    assert_int_equal(d.err.code, SHIM_E_INVALID);
    assert_string_equal(d.err.msg, "unmarshal request error: malformed ttrpc.Request of 3 bytes");
    assert_int_equal(last_id, 0x1d);
}

static void test_unknown_services_and_methods_are_named(void **state)
{
    (void)state;
    expect_refused("00000000000000010100", 0, SHIM_E_UNIMPLEMENTED, "service ");
    expect_refused(F27_STREAM_OPEN, 0, SHIM_E_UNIMPLEMENTED,
                   "service containerd.services.streaming.v1.Streaming");
    /* {service: containerd.task.v2.Task, method: "Nope"} */
    expect_refused("0000001f0000000101000a17636f6e7461696e6572642e7461736b2e76322e5461736b12044e6f"
                   "7065",
                   0, SHIM_E_UNIMPLEMENTED, "method Nope");
}

static void test_a_broken_payload_is_an_internal_error(void **state)
{
    (void)state;
    /* as above, method Wait, payload ff */
    expect_refused("000000220000000101000a17636f6e7461696e6572642e7461736b2e76322e5461736b12045761"
                   "69741a01ff",
                   0, SHIM_E_INTERNAL,
                   "ttrpc: error unmarshalling payload: malformed echo.Text of 1 bytes");
}

static void test_an_absent_payload_is_an_empty_message(void **state)
{
    uint32_t last_id = 0;
    struct decided d =
        decide("0000001f0000000101000a17636f6e7461696e6572642e7461736b2e76322e5461736b120457616974",
               &last_id);

    (void)state;
    assert_int_equal(d.verdict, TTRPC_INVOKE);
    assert_string_equal(((Echo__Text *)d.invocation.message)->value, "");
    ttrpc_invocation_done(&d.invocation);
}

static void test_flags_of_a_request_are_ignored(void **state)
{
    uint32_t last_id = 0;
    struct decided d =
        decide("0000001f0000000101070a17636f6e7461696e6572642e7461736b2e76322e5461736b120457616974",
               &last_id);

    (void)state;
    assert_int_equal(d.verdict, TTRPC_INVOKE);
    ttrpc_invocation_done(&d.invocation);
}

static void test_data_is_left_to_the_connection_and_uses_no_id(void **state)
{
    uint32_t last_id = 0;
    struct decided d = decide(F28_STREAM_DATA, &last_id);

    (void)state;
    assert_int_equal(d.verdict, TTRPC_STREAM_DATA);
    assert_int_equal(d.err.code, SHIM_E_INVALID);
    assert_string_equal(d.err.msg, "StreamID is no longer active");
    assert_int_equal(last_id, 0);
}

static void test_responses_and_unknown_types_are_ignored(void **state)
{
    uint32_t last_id = 0;

    (void)state;
    assert_int_equal(decide(F02_CONNECT_REPLY, &last_id).verdict, TTRPC_IGNORE);
    assert_int_equal(decide("00000000000000010000", &last_id).verdict, TTRPC_IGNORE);
    assert_int_equal(decide("0000000000000002ff00", &last_id).verdict, TTRPC_IGNORE);
    assert_int_equal(last_id, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_of_containerd_find_their_method_under_both_names),
        cmocka_unit_test(test_the_timeout_is_read),
        cmocka_unit_test(test_ids_must_be_odd_and_grow),
        cmocka_unit_test(test_ids_beyond_the_sign_bit_grow_on),
        cmocka_unit_test(test_an_undecodable_request_has_used_its_id),
        cmocka_unit_test(test_unknown_services_and_methods_are_named),
        cmocka_unit_test(test_a_broken_payload_is_an_internal_error),
        cmocka_unit_test(test_an_absent_payload_is_an_empty_message),
        cmocka_unit_test(test_flags_of_a_request_are_ignored),
        cmocka_unit_test(test_data_is_left_to_the_connection_and_uses_no_id),
        cmocka_unit_test(test_responses_and_unknown_types_are_ignored),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The client, against our server and against a peer that answers whatever the test wants. */
#include "base/clock.h"
#include "tests/unit/ttrpc/peer.h"
#include "ttrpc/client.h"
#include "ttrpc/ttrpc.pb-c.h"
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What was told to callbacks. */
static struct told {
    struct shim_mutex lock;
    struct shim_cond changed;
    unsigned n_done, n_ok, n_lost;
    struct shim_error err; /* the last one */
    char text[64];         /* the last answer */
} told = {.lock = SHIM_MUTEX_INIT};

static struct served served;
static struct site site; /* of the plain peer */
static int listener, fd; /* the plain peer's */
static struct ttrpc_client *client;

static void on_lost(void *user)
{
    assert_ptr_equal(user, &told);
    shim_lock(&told.lock);
    told.n_lost++;
    shim_cond_broadcast(&told.changed);
    shim_unlock(&told.lock);
}

static void on_done(const ProtobufCMessage *answer, const struct shim_error *err, void *user)
{
    assert_ptr_equal(user, &told);
    shim_lock(&told.lock);
    told.n_done++;
    if (answer) {
        told.n_ok++;
        snprintf(told.text, sizeof(told.text), "%s", ((const Echo__Text *)answer)->value);
    } else {
        told.err = *err;
    }
    shim_cond_broadcast(&told.changed);
    shim_unlock(&told.lock);
}

static void wait_told(const unsigned *value, unsigned at_least)
{
    int64_t deadline_ns = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;

    shim_lock(&told.lock);
    while (*value < at_least)
        assert_true(shim_cond_wait_until(&told.changed, &told.lock, deadline_ns));
    shim_unlock(&told.lock);
}

static void connect_to(const char *address)
{
    shim_cond_init(&told.changed);
    told.n_done = told.n_ok = told.n_lost = 0;
    told.err.code = 0;
    assert_int_equal(ttrpc_client_connect(address, 5000, on_lost, &told, &client, NULL), 0);
}

static int setup(void **state)
{
    (void)state;
    served_start(&served, NULL);
    connect_to(served.site.address);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    ttrpc_client_free(client);
    assert_int_equal(told.n_lost, 0);
    served_stop(&served);
    return 0;
}

static int setup_plain(void **state)
{
    (void)state;
    site_make(&site);
    listener = peer_listen(site.path);
    connect_to(site.address);
    fd = peer_accept(listener);
    return 0;
}

static int teardown_plain(void **state)
{
    (void)state;
    ttrpc_client_free(client);
    close(fd);
    close(listener);
    site_remove(&site);
    return 0;
}

static int call(const char *method, const char *text, const struct ttrpc_call_options *options,
                char **ret, struct shim_error *err)
{
    Echo__Text request = ECHO__TEXT__INIT;
    ProtobufCMessage *answer = NULL;
    int r;

    request.value = (char *)text;
    r = ttrpc_client_call(client, &echo__echo__descriptor, method, &request.base, options, &answer,
                          err);
    if (r == 0)
        *ret = strdup(((Echo__Text *)answer)->value);
    if (answer)
        protobuf_c_message_free_unpacked(answer, NULL);
    return r;
}

static uint32_t begin(const char *method, const char *text, int64_t timeout_ns)
{
    const struct ttrpc_call_options options = {.timeout_ns = timeout_ns};
    Echo__Text request = ECHO__TEXT__INIT;
    uint32_t id = 0;

    request.value = (char *)text;
    assert_int_equal(ttrpc_client_start(client, &echo__echo__descriptor, method, &request.base,
                                        &options, on_done, &told, &id, NULL),
                     0);
    return id;
}

static void expect_answer(const char *method, const char *text, const char *want)
{
    struct shim_error err = {0};
    char *got = NULL;

    assert_int_equal(call(method, text, NULL, &got, &err), 0);
    assert_string_equal(got, want);
    free(got);
}

/* --- with our server ------------------------------------------------------------------------ */

static void test_calls_are_answered(void **state)
{
    (void)state;
    expect_answer("Say", "hello", "hello");
    expect_answer("Say", "", "");
}

static void test_errors_keep_code_and_words(void **state)
{
    struct shim_error err = {0};
    char *got;

    (void)state;
    assert_int_equal(call("Fail", "9 not now: failed precondition", NULL, &got, &err),
                     SHIM_E_STATE);
    assert_string_equal(err.msg, "not now: failed precondition");
    assert_int_equal(call("Fail", "16 who?", NULL, &got, &err), SHIM_E_UNAUTHENTICATED);
    assert_int_equal(call("Fail", "77 what?", NULL, &got, &err), SHIM_E_UNKNOWN);
    assert_string_equal(err.msg, "what?");
}

static void test_another_name_and_metadata_go_along(void **state)
{
    const struct ttrpc_metadata pairs[] = {{"a", "1"}, {"b", "2"}};
    struct ttrpc_call_options options = {.metadata = pairs, .n_metadata = 2};
    struct shim_error err = {0};
    char *got = NULL;

    (void)state;
    assert_int_equal(call("Meta", "b", &options, &got, &err), 0);
    assert_string_equal(got, "2");
    free(got);
    options.service = "echo.Unheard";
    assert_int_equal(call("Meta", "b", &options, &got, &err), SHIM_E_UNIMPLEMENTED);
    assert_string_equal(err.msg, "service echo.Unheard");
}

static void test_what_cannot_be_called_is_refused_at_once(void **state)
{
    Ttrpc__Request other = TTRPC__REQUEST__INIT;
    struct shim_error err = {0};
    ProtobufCMessage *answer;
    char *got;

    (void)state;
    assert_int_equal(call("Nope", "", NULL, &got, &err), SHIM_E_UNIMPLEMENTED);
    assert_string_equal(err.msg, "echo.Echo has no method Nope");
    assert_int_equal(
        ttrpc_client_call(client, &echo__echo__descriptor, "Say", &other.base, NULL, &answer, &err),
        SHIM_E_INVALID);
    assert_string_equal(err.msg, "Say takes a echo.Text, not a ttrpc.Request");
}

static void test_many_calls_are_open_at_once(void **state)
{
    enum { N = 1000 };

    (void)state;
    for (int i = 0; i < N; i++)
        assert_int_equal(begin("Park", "all", 0), 2 * i + 1);
    assert_true(echo_wait_parked(&served.echo, N));
    expect_answer("Say", "meanwhile", "meanwhile");
    assert_int_equal(told.n_done, 0);
    assert_int_equal(echo_release(&served.echo), N); /* newest first */
    wait_told(&told.n_done, N);
    assert_int_equal(told.n_ok, N);
    assert_string_equal(told.text, "all");
}

static void *call_in_a_loop(void *arg)
{
    char text[32];

    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof(text), "%p %d", arg, i);
        expect_answer("Say", text, text);
    }
    return NULL;
}

static void test_threads_share_a_client(void **state)
{
    char names[8];
    pthread_t threads[SHIM_ARRAY_LEN(names)];

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_in_a_loop, &names[i]), 0);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
}

static void test_a_deadline_ends_the_call(void **state)
{
    const struct ttrpc_call_options options = {.timeout_ns = 20 * SHIM_NS_PER_MS};
    struct shim_error err = {0};
    char *got;

    (void)state;
    assert_int_equal(call("Park", "x", &options, &got, &err), SHIM_E_DEADLINE);
    assert_string_equal(err.msg, "context deadline exceeded");
    expect_answer("Release", "", "1");
    expect_answer("Say", "the late answer is ignored", "the late answer is ignored");
}

static void test_a_canceled_call_ends_and_its_answer_is_ignored(void **state)
{
    uint32_t id = begin("Park", "x", 0), with_deadline = begin("Park", "x", SHIM_NS_PER_S * 3600);

    (void)state;
    assert_true(echo_wait_parked(&served.echo, 2));
    ttrpc_client_cancel(client, id);
    ttrpc_client_cancel(client, id);
    wait_told(&told.n_done, 1);
    assert_int_equal(told.err.code, SHIM_E_CANCELED);
    ttrpc_client_cancel(client, with_deadline);
    wait_told(&told.n_done, 2);
    ttrpc_client_cancel(client, 4711);
    expect_answer("Release", "", "2");
    assert_int_equal(told.n_done, 2);
}

static void test_free_cancels_what_is_open(void **state)
{
    (void)state;
    begin("Park", "x", 0);
    begin("Park", "x", 3600 * SHIM_NS_PER_S);
    assert_true(echo_wait_parked(&served.echo, 2));
    ttrpc_client_free(client);
    client = NULL;
    assert_int_equal(told.n_done, 2);
    assert_int_equal(told.err.code, SHIM_E_CANCELED);
    assert_int_equal(told.n_lost, 0);
}

static void test_the_longest_request_and_answer_pass(void **state)
{
    struct shim_error err = {0};
    char *text = malloc(TTRPC_DATA_MAX_BYTES), *got = NULL;

    (void)state;
    memset(text, 'x', TTRPC_DATA_MAX_BYTES);
    text[TTRPC_DATA_MAX_BYTES - 25] = 0; /* with 26 bytes around it one too many */
    assert_int_equal(call("Say", text, NULL, &got, &err), SHIM_E_EXHAUSTED);
    assert_string_equal(err.msg, "message length 4194305 exceed maximum message size of 4194304");
    text[TTRPC_DATA_MAX_BYTES - 26] = 0;
    assert_int_equal(call("Say", text, NULL, &got, &err), 0);
    assert_int_equal(strlen(got), TTRPC_DATA_MAX_BYTES - 26);
    free(got);
    assert_int_equal(call("Repeat", "4194304", NULL, &got, &err), SHIM_E_EXHAUSTED);
    expect_answer("Say", "still here", "still here");
    free(text);
}

static void test_the_end_of_the_server_is_told_once(void **state)
{
    struct shim_error err = {0};
    char *got;

    (void)state;
    begin("Park", "x", 0);
    begin("Park", "x", 3600 * SHIM_NS_PER_S);
    assert_true(echo_wait_parked(&served.echo, 2));
    ttrpc_server_close(served.server, 1000);
    wait_told(&told.n_lost, 1);
    assert_int_equal(told.n_done, 2);
    assert_int_equal(told.err.code, SHIM_E_UNAVAILABLE);
    assert_string_equal(told.err.msg, "ttrpc: closed");
    assert_int_equal(call("Say", "x", NULL, &got, &err), SHIM_E_UNAVAILABLE);
    assert_string_equal(err.msg, "ttrpc: closed");
    ttrpc_client_free(client);
    client = NULL;
    assert_int_equal(told.n_lost, 1);
    told.n_lost = 0;
}

/* --- with a plain peer ---------------------------------------------------------------------- */

/* Reads the request that the client has sent. */
static Ttrpc__Request *receive_request(uint32_t want_id)
{
    uint8_t header[TTRPC_HEADER_BYTES], data[1024];
    struct ttrpc_frame frame;
    Ttrpc__Request *request;

    peer_read(fd, header, sizeof(header));
    ttrpc_frame_get_header(header, &frame);
    assert_int_equal(frame.stream_id, want_id);
    assert_int_equal(frame.type, TTRPC_REQUEST);
    assert_int_equal(frame.flags, 0);
    assert_true(frame.data_bytes <= sizeof(data));
    peer_read(fd, data, frame.data_bytes);
    request = ttrpc__request__unpack(NULL, frame.data_bytes, data);
    assert_non_null(request);
    return request;
}

static void test_the_timeout_is_sent_along(void **state)
{
    Ttrpc__Request *request;

    (void)state;
    begin("Say", "x", 12345678901234);
    request = receive_request(1);
    assert_string_equal(request->service, "echo.Echo");
    assert_string_equal(request->method, "Say");
    assert_true(request->timeout_nano == 12345678901234);
    ttrpc__request__free_unpacked(request, NULL);
}

static void test_a_silent_server_does_not_outlast_the_deadline(void **state)
{
    (void)state;
    begin("Say", "x", 20 * SHIM_NS_PER_MS);
    wait_told(&told.n_done, 1);
    assert_int_equal(told.err.code, SHIM_E_DEADLINE);
    peer_write_hex(fd, "00000000000000010200"); /* late */
    begin("Say", "x", 0);
    peer_write_hex(fd, "00000000000000030200");
    wait_told(&told.n_done, 2);
    assert_int_equal(told.n_ok, 1);
}

static void test_answers_to_nobody_are_ignored(void **state)
{
    (void)state;
    begin("Say", "x", 0);
    peer_write_hex(fd, "00000000000000630200"         /* unknown id */
                       "00000000000000000200"         /* id 0 */
                       "00000000000000020305"         /* data, even id */
                       "0000000000000001ff00"         /* what no answer is: this call has failed */
                       "00000000000000010200"         /* its second answer */
                       "000000030000006302ffffffff"); /* garbage for an unknown id */
    wait_told(&told.n_done, 1);
    assert_int_equal(told.err.code, SHIM_E_INTERNAL);
    assert_string_equal(told.err.msg, "answered with a frame of type 255");
    begin("Say", "x", 0);
    peer_write_hex(fd, "0000000600000003020012040a026869");
    wait_told(&told.n_done, 2);
    assert_string_equal(told.text, "hi");
    assert_int_equal(told.n_lost, 0);
}

static void test_what_cannot_be_decoded_fails_its_call_alone(void **state)
{
    (void)state;
    begin("Say", "1", 0);
    begin("Say", "3", 0);
    begin("Say", "5", 0);
    begin("Say", "7", 0);
    peer_write_hex(fd, "000000030000000102000fffff"); /* no Response */
    wait_told(&told.n_done, 1);
    assert_int_equal(told.err.code, SHIM_E_INTERNAL);
    assert_string_equal(told.err.msg, "answer: malformed ttrpc.Response of 3 bytes");
    peer_write_hex(fd, "0000000300000003020012"
                       "01ff"); /* no Text inside */
    wait_told(&told.n_done, 2);
    assert_string_equal(told.err.msg, "answer: malformed echo.Text of 1 bytes");
    peer_write_hex(fd, "00000000000000050300"); /* Data */
    wait_told(&told.n_done, 3);
    assert_string_equal(told.err.msg, "answered with a frame of type 3");
    peer_write_hex(fd, "00000000000000070207"); /* flags are ignored */
    wait_told(&told.n_ok, 1);
}

static void test_a_status_with_code_0_is_a_success(void **state)
{
    (void)state;
    begin("Say", "x", 0);
    peer_write_hex(fd, "0000000800000001020"
                       "00a0012040a026f6b");
    wait_told(&told.n_ok, 1);
    assert_string_equal(told.text, "ok");
}

static void test_an_oversized_answer_fails_its_call_alone(void **state)
{
    uint8_t *body = calloc(1, 4194305);

    (void)state;
    begin("Say", "1", 0);
    begin("Say", "3", 0);
    peer_write_hex(fd, "00400001000000010200");
    peer_write(fd, body, 4194305);
    peer_write_hex(fd, "00000000000000030200");
    wait_told(&told.n_done, 2);
    assert_int_equal(told.n_ok, 1);
    assert_int_equal(told.err.code, SHIM_E_EXHAUSTED);
    assert_string_equal(told.err.msg,
                        "message length 4194305 exceed maximum message size of 4194304");
    free(body);
}

static void test_the_end_within_an_answer_loses_the_connection(void **state)
{
    (void)state;
    begin("Say", "x", 0);
    peer_write_hex(fd, "000000060000000102001204");
    close(fd);
    wait_told(&told.n_lost, 1);
    assert_int_equal(told.n_done, 1);
    assert_string_equal(told.err.msg, "ttrpc: closed");
    fd = -1;
}

static void test_a_server_that_stops_writing_is_lost(void **state)
{
    (void)state;
    begin("Say", "x", 0);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    wait_told(&told.n_lost, 1);
    assert_int_equal(told.n_done, 1);
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define PLAIN(name) cmocka_unit_test_setup_teardown(name, setup_plain, teardown_plain)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_calls_are_answered),
        TEST(test_errors_keep_code_and_words),
        TEST(test_another_name_and_metadata_go_along),
        TEST(test_what_cannot_be_called_is_refused_at_once),
        TEST(test_many_calls_are_open_at_once),
        TEST(test_threads_share_a_client),
        TEST(test_a_deadline_ends_the_call),
        TEST(test_a_canceled_call_ends_and_its_answer_is_ignored),
        TEST(test_free_cancels_what_is_open),
        TEST(test_the_longest_request_and_answer_pass),
        TEST(test_the_end_of_the_server_is_told_once),
        PLAIN(test_the_timeout_is_sent_along),
        PLAIN(test_a_silent_server_does_not_outlast_the_deadline),
        PLAIN(test_answers_to_nobody_are_ignored),
        PLAIN(test_what_cannot_be_decoded_fails_its_call_alone),
        PLAIN(test_a_status_with_code_0_is_a_success),
        PLAIN(test_an_oversized_answer_fails_its_call_alone),
        PLAIN(test_the_end_within_an_answer_loses_the_connection),
        PLAIN(test_a_server_that_stops_writing_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Calls: errors and their words, deadlines, calls that wait, peers that go away. */
#include "base/clock.h"
#include "tests/unit/ttrpc/frames.h"
#include "tests/unit/ttrpc/peer.h"
#include "ttrpc/connection.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct served served;
static int fd;

static void start(const struct ttrpc_server_config *config)
{
    served_start(&served, config);
    fd = peer_connect(served.site.path);
}

static int setup(void **state)
{
    (void)state;
    start(NULL);
    return 0;
}

static int setup_few_calls(void **state)
{
    static const struct ttrpc_server_config config = {.max_calls = 4};

    (void)state;
    start(&config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    close(fd);
    served_stop(&served);
    return 0;
}

static void test_refusals_have_the_words_of_go(void **state)
{
    (void)state;
    peer_write_hex(fd, F23_EVEN_ID);
    peer_expect_hex(fd, F24_ERROR_FOR_F23);
    peer_write_hex(fd, "00000000000000010100");
    peer_expect(fd, 1, 12, "service ");
    peer_write_hex(fd, F01_CONNECT);
    peer_expect(fd, 3, 12, "service containerd.task.v3.Task");
    peer_write_hex(fd, F01_CONNECT);
    peer_expect(fd, 3, 3, "StreamID cannot be re-used and must increment");
    peer_call(fd, 5, "Nope", "");
    peer_expect(fd, 5, 12, "method Nope");
    peer_write_hex(fd, F25_GARBAGE);
    peer_expect(fd, 29, 3, "unmarshal request error: malformed ttrpc.Request of 3 bytes");
    peer_write_hex(fd, F28_STREAM_DATA);
    peer_expect(fd, 1, 3, "StreamID is no longer active");
    peer_write_hex(fd, F02_CONNECT_REPLY); /* ignored */
    peer_call(fd, 31, "Say", "still here");
    peer_expect(fd, 31, 0, "still here");
}

static void test_a_methods_error_keeps_its_code_and_words(void **state)
{
    (void)state;
    peer_call(fd, 21, "Fail", "5 container not created: not found");
    peer_expect_hex(fd, F17_NOT_FOUND);
    peer_call(fd, 23, "Fail", "6 id e1: already exists");
    peer_expect_hex(fd, F19_ALREADY_EXISTS);
    peer_call(fd, 25, "Fail", "9 container c1 init process is not running: failed precondition");
    peer_expect_hex(fd, F20_FAILED_PRECONDITION);
}

static void test_ids_may_be_as_high_as_they_go(void **state)
{
    static const uint32_t ids[] = {0x7ffffffd, 0x7fffffff, 0x80000001, 0xfffffffd, 0xffffffff};

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(ids); i++) {
        peer_call(fd, ids[i], "Say", "high");
        peer_expect(fd, ids[i], 0, "high");
    }
    peer_call(fd, 1, "Say", "wrapped");
    peer_expect(fd, 1, 3, "StreamID cannot be re-used and must increment");
}

static void test_a_call_that_waits_holds_up_no_other(void **state)
{
    (void)state;
    peer_call(fd, 1, "Park", "one");
    peer_call(fd, 3, "Say", "meanwhile");
    peer_expect(fd, 3, 0, "meanwhile");
    peer_call(fd, 5, "Park", "two");
    peer_call(fd, 7, "Say", "and again");
    peer_expect(fd, 7, 0, "and again");
    peer_call(fd, 9, "Release", "");
    peer_expect(fd, 5, 0, "two");
    peer_expect(fd, 1, 0, "one");
    peer_expect(fd, 9, 0, "2");
}

static void test_an_answer_over_the_limit_becomes_an_error(void **state)
{
    cleanup_answer struct peer_answer longest = {0};

    (void)state;
    peer_call(fd, 1, "Repeat", "4194304");
    peer_expect(fd, 1, 8, "message length 4194314 exceed maximum message size of 4194304");
    peer_call(fd, 3, "Repeat", "4194294");
    longest = peer_receive(fd);
    assert_int_equal(longest.code, 0);
    assert_int_equal(longest.length, TTRPC_DATA_MAX_BYTES);
}

static void test_metadata_reaches_the_method(void **state)
{
    (void)state;
    /* echo.Echo, Meta, Text{"k"}, metadata {k: v1}, {k: v2}, {x: } */
    peer_write_hex(fd, "0000002d000000010100"
                       "0a096563686f2e4563686f12044d6574611a030a016b"
                       "2a070a016b120276312a070a016b120276322a030a0178");
    peer_expect(fd, 1, 0, "v1");
    peer_call(fd, 3, "Meta", "k");
    peer_expect(fd, 3, 5, "no such metadata: not found");
}

/* --- deadlines ------------------------------------------------------------------------------ */

static void call_with_timeout(uint32_t id, const char *method, int64_t timeout_ns)
{
    uint8_t frame[400];

    peer_write(fd, frame, peer_request(frame, id, method, "late", timeout_ns));
}

static void test_a_deadline_is_answered_and_the_handler_told(void **state)
{
    int64_t begin_ns = shim_monotonic_ns();

    (void)state;
    call_with_timeout(1, "Park", 50 * SHIM_NS_PER_MS);
    call_with_timeout(3, "Park", 20 * SHIM_NS_PER_MS);
    call_with_timeout(5, "Park", 3600 * SHIM_NS_PER_S);
    peer_expect(fd, 3, 4, "context deadline exceeded");
    peer_expect(fd, 1, 4, "context deadline exceeded");
    assert_true(shim_monotonic_ns() - begin_ns >= 50 * SHIM_NS_PER_MS);
    assert_true(echo_wait_gone(&served.echo, 2));

    peer_call(fd, 7, "Release", ""); /* the late answers are dropped */
    peer_expect(fd, 5, 0, "late");
    peer_expect(fd, 7, 0, "3");
    assert_int_equal(served.echo.n_gone, 2);
}

static void test_a_negative_timeout_has_passed_already(void **state)
{
    (void)state;
    call_with_timeout(1, "Park", -1);
    peer_expect(fd, 1, 4, "context deadline exceeded");
    call_with_timeout(3, "Park", INT64_MIN);
    peer_expect(fd, 3, 4, "context deadline exceeded");
    assert_int_equal(served.echo.n_parked, 0); /* the method did not run */
}

static void test_the_longest_timeout_does_not_overflow(void **state)
{
    (void)state;
    call_with_timeout(1, "Say", INT64_MAX);
    peer_expect(fd, 1, 0, "late");
}

static void test_an_answer_after_the_deadline_is_not_given(void **state)
{
    Echo__Text text = ECHO__TEXT__INIT;
    Echo__Text_Closure closure;
    struct ttrpc_call *call;

    (void)state;
    served.echo.tell_gone = false;
    call_with_timeout(1, "Park", 1);
    assert_true(echo_wait_parked(&served.echo, 1));
    call = echo_take(&served.echo, &closure);
    assert_true(ttrpc_call_deadline_ns(call) <= shim_monotonic_ns());
    closure(&text, call);
    peer_expect(fd, 1, 4, "context deadline exceeded");
    peer_call(fd, 3, "Say", "no second answer");
    peer_expect(fd, 3, 0, "no second answer");
}

/* --- streaming frames ----------------------------------------------------------------------- */

static void test_data_for_an_open_call_ends_it_with_an_error(void **state)
{
    (void)state;
    peer_call(fd, 1, "Park", "x");
    assert_true(echo_wait_parked(&served.echo, 1));
    peer_write_hex(fd, F28_STREAM_DATA);
    peer_expect(fd, 1, 3, "unexpected Data frame: the method is not a streaming one");
    assert_true(echo_wait_gone(&served.echo, 1));
    peer_write_hex(fd, F29_STREAM_HALF_CLOSE);
    peer_expect(fd, 1, 3, "StreamID is no longer active");
    peer_call(fd, 3, "Release", "");
    peer_expect(fd, 3, 0, "1");
}

static void test_flags_of_a_unary_request_are_ignored(void **state)
{
    uint8_t frame[400];
    size_t n;

    (void)state;
    for (uint8_t flags = 1; flags < 8; flags++) {
        n = peer_request(frame, 2u * flags + 1, "Say", "flags", 0);
        frame[9] = flags;
        peer_write(fd, frame, n);
        peer_expect(fd, 2u * flags + 1, 0, "flags");
    }
}

/* --- peers that go away --------------------------------------------------------------------- */

static void test_handlers_learn_that_their_peer_is_gone(void **state)
{
    int other = peer_connect(served.site.path);

    (void)state;
    peer_call(other, 1, "Park", "a");
    peer_call(other, 3, "Park", "b");
    call_with_timeout(1, "Park", 3600 * SHIM_NS_PER_S);
    assert_true(echo_wait_parked(&served.echo, 3));
    close(other);
    assert_true(echo_wait_gone(&served.echo, 2));
    assert_int_equal(echo_release(&served.echo), 3); /* two of them for nobody */
    peer_expect(fd, 1, 0, "late");
    assert_int_equal(served.echo.n_gone, 2);
}

static void test_a_peer_may_vanish_amid_answers(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        int other = peer_connect(served.site.path);

        peer_call(other, 1, "Repeat", "1000000");
        peer_call(other, 3, "Say", "x");
        close(other);
    }
    peer_call(fd, 1, "Say", "still here");
    peer_expect(fd, 1, 0, "still here");
}

static unsigned n_told;

static void answer_when_gone(struct ttrpc_call *call, void *user)
{
    (void)user;
    n_told++;
    ttrpc_call_fail(call, SHIM_E_CANCELED, "nobody waits");
}

static void test_gone_may_answer_and_comes_at_once_when_it_is_late(void **state)
{
    Echo__Text_Closure closure;

    (void)state;
    served.echo.tell_gone = false;
    n_told = 0;
    call_with_timeout(1, "Park", SHIM_NS_PER_MS);
    assert_true(echo_wait_parked(&served.echo, 1));
    peer_expect(fd, 1, 4, "context deadline exceeded");
    ttrpc_call_on_gone(echo_take(&served.echo, &closure), answer_when_gone, NULL);
    assert_int_equal(n_told, 1);
}

/* --- sent ----------------------------------------------------------------------------------- */

static void count_sent(void *user)
{
    struct echo *e = user; /* its lock and condition serve for this as well */

    shim_lock(&e->lock);
    e->n_gone += 100;
    shim_cond_broadcast(&e->changed);
    shim_unlock(&e->lock);
}

static void test_sent_is_told_when_the_answer_has_left(void **state)
{
    Echo__Text text = ECHO__TEXT__INIT;
    Echo__Text_Closure closure;
    struct ttrpc_call *call;

    (void)state;
    peer_call(fd, 1, "Park", "x");
    assert_true(echo_wait_parked(&served.echo, 1));
    call = echo_take(&served.echo, &closure);
    ttrpc_call_on_sent(call, count_sent, &served.echo);
    closure(&text, call);
    peer_expect(fd, 1, 0, "");
    assert_true(echo_wait_gone(&served.echo, 100));
    assert_int_equal(served.echo.n_gone, 100);
}

static void test_sent_is_told_when_there_is_nobody_to_send_to(void **state)
{
    Echo__Text_Closure closure;
    struct ttrpc_call *call;

    (void)state;
    peer_call(fd, 1, "Park", "x");
    assert_true(echo_wait_parked(&served.echo, 1));
    close(fd);
    assert_true(echo_wait_gone(&served.echo, 1));
    call = echo_take(&served.echo, &closure);
    ttrpc_call_on_sent(call, count_sent, &served.echo);
    ttrpc_call_fail(call, SHIM_E_UNKNOWN, "for nobody");
    assert_int_equal(served.echo.n_gone, 101);
    fd = peer_connect(served.site.path);
}

/* --- bounds --------------------------------------------------------------------------------- */

static void test_too_many_open_calls_stop_the_reading_until_one_ends(void **state)
{
    Echo__Text text = ECHO__TEXT__INIT;
    Echo__Text_Closure closure;
    struct ttrpc_call *call;

    (void)state;
    for (uint32_t id = 1; id < 9; id += 2)
        peer_call(fd, id, "Park", "x");
    assert_true(echo_wait_parked(&served.echo, 4));
    peer_call(fd, 9, "Say", "not before one has ended");
    call = echo_take(&served.echo, &closure);
    text.value = "ended";
    closure(&text, call);
    peer_expect(fd, 7, 0, "ended");
    peer_expect(fd, 9, 0, "not before one has ended");
}

/* The fifth call is taken in only because an answer that nobody waits for ends a call, too. */
static void test_a_dropped_answer_makes_room_as_well(void **state)
{
    (void)state;
    for (uint32_t id = 1; id < 9; id += 2)
        call_with_timeout(id, "Park", SHIM_NS_PER_MS);
    for (int i = 0; i < 4; i++) {
        cleanup_answer struct peer_answer answer = peer_receive(fd);

        assert_int_equal(answer.code, 4);
    }
    peer_call(fd, 9, "Say", "room");
    assert_int_equal(echo_release(&served.echo), 4);
    peer_expect(fd, 9, 0, "room");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_refusals_have_the_words_of_go),
        TEST(test_a_methods_error_keeps_its_code_and_words),
        TEST(test_ids_may_be_as_high_as_they_go),
        TEST(test_a_call_that_waits_holds_up_no_other),
        TEST(test_an_answer_over_the_limit_becomes_an_error),
        TEST(test_metadata_reaches_the_method),
        TEST(test_a_deadline_is_answered_and_the_handler_told),
        TEST(test_a_negative_timeout_has_passed_already),
        TEST(test_the_longest_timeout_does_not_overflow),
        TEST(test_an_answer_after_the_deadline_is_not_given),
        TEST(test_data_for_an_open_call_ends_it_with_an_error),
        TEST(test_flags_of_a_unary_request_are_ignored),
        TEST(test_handlers_learn_that_their_peer_is_gone),
        TEST(test_a_peer_may_vanish_amid_answers),
        TEST(test_gone_may_answer_and_comes_at_once_when_it_is_late),
        TEST(test_sent_is_told_when_the_answer_has_left),
        TEST(test_sent_is_told_when_there_is_nobody_to_send_to),
        cmocka_unit_test_setup_teardown(test_too_many_open_calls_stop_the_reading_until_one_ends,
                                        setup_few_calls, teardown),
        cmocka_unit_test_setup_teardown(test_a_dropped_answer_makes_room_as_well, setup_few_calls,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

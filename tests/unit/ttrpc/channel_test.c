/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes in any portions, and peers that read late or never, through a server's connections. */
#include "base/clock.h"
#include "tests/unit/ttrpc/frames.h"
#include "tests/unit/ttrpc/peer.h"
#include "ttrpc/channel.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static struct served served;

static int setup(void **state)
{
    (void)state;
    served_start(&served, NULL);
    return 0;
}

static int setup_small_queue(void **state)
{
    static const struct ttrpc_server_config config = {.max_queued_bytes = 4096};

    (void)state;
    served_start(&served, &config);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    served_stop(&served);
    return 0;
}

/* Until the server has read all that was written. */
static void wait_taken(int fd)
{
    int64_t deadline_ns = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;
    int unread = 1;

    while (unread > 0) {
        assert_int_equal(ioctl(fd, SIOCOUTQ, &unread), 0);
        assert_true(shim_monotonic_ns() < deadline_ns);
        sched_yield();
    }
}

static void test_frames_may_be_cut_at_every_byte(void **state)
{
    int fd = peer_connect(served.site.path);
    uint8_t frame[400];
    uint32_t id = 1;
    size_t n = peer_request(frame, id, "Say", "cut", 0);

    (void)state;
    for (size_t cut = 1; cut < n; cut++, id += 2) {
        peer_request(frame, id, "Say", "cut", 0);
        peer_write(fd, frame, cut);
        wait_taken(fd);
        peer_write(fd, frame + cut, n - cut);
        peer_expect(fd, id, 0, "cut");
    }
    close(fd);
}

static void test_frames_may_come_byte_by_byte(void **state)
{
    int fd = peer_connect(served.site.path);
    uint8_t frame[400];
    size_t n = peer_request(frame, 1, "Say", "drop", 0);

    (void)state;
    for (size_t i = 0; i < n; i++) {
        peer_write(fd, frame + i, 1);
        wait_taken(fd);
    }
    peer_expect(fd, 1, 0, "drop");
    close(fd);
}

static void test_many_frames_may_come_at_once(void **state)
{
    enum { N = 1000 };
    int fd = peer_connect(served.site.path);
    uint8_t *frames = malloc(N * 300);
    size_t bytes = 0;
    char text[16];

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        snprintf(text, sizeof(text), "t%u", i);
        bytes += peer_request(frames + bytes, 2 * i + 1, "Say", text, 0);
    }
    peer_write(fd, frames, bytes);
    for (uint32_t i = 0; i < N; i++) {
        snprintf(text, sizeof(text), "t%u", i);
        peer_expect(fd, 2 * i + 1, 0, text);
    }
    free(frames);
    close(fd);
}

static char *long_text(size_t bytes)
{
    char *text = malloc(bytes + 1);

    memset(text, 'l', bytes);
    text[bytes] = 0;
    return text;
}

static void test_long_and_short_frames_alternate(void **state)
{
    int fd = peer_connect(served.site.path);
    char *text = long_text((size_t)3 << 20);

    (void)state;
    for (uint32_t id = 1; id < 13; id += 4) {
        peer_call(fd, id, "Say", text);
        peer_call(fd, id + 2, "Say", "short");
        peer_expect(fd, id, 0, text);
        peer_expect(fd, id + 2, 0, "short");
    }
    free(text);
    close(fd);
}

static void test_an_oversized_frame_is_skipped_and_answered(void **state)
{
    int fd = peer_connect(served.site.path);
    char *body = long_text(4194305);

    (void)state;
    peer_write_hex(fd, F21_OVERSIZE_HEADER);
    peer_write(fd, body, 4194305);
    peer_call(fd, 0x1b, "Say", "the id was not used up");
    peer_expect_hex(fd, F22_RESOURCE_EXHAUSTED);
    peer_expect(fd, 0x1b, 0, "the id was not used up");
    peer_write_hex(fd, F01_CONNECT); /* a lower one */
    peer_expect(fd, 3, 3, "StreamID cannot be re-used and must increment");
    free(body);
    close(fd);
}

static void test_the_longest_request_is_served(void **state)
{
    int fd = peer_connect(served.site.path);
    uint8_t *frame = malloc(TTRPC_DATA_MAX_BYTES + 1024);
    char *text = long_text(TTRPC_DATA_MAX_BYTES - 27);
    cleanup_answer struct peer_answer answer = {0};

    (void)state;
    assert_int_equal(peer_request(frame, 1, "Fail", text, 0),
                     TTRPC_HEADER_BYTES + TTRPC_DATA_MAX_BYTES);
    peer_write(fd, frame, TTRPC_HEADER_BYTES + TTRPC_DATA_MAX_BYTES);
    answer = peer_receive(fd);
    assert_int_equal(answer.code, 2);
    free(text);
    free(frame);
    close(fd);
}

static void test_ten_thousand_answers_wait_for_their_reader(void **state)
{
    enum { N = 10000 };
    int fd = peer_connect(served.site.path);
    char text[16];

    (void)state;
    for (uint32_t i = 0; i < N; i++) {
        snprintf(text, sizeof(text), "%u", i);
        peer_call(fd, 2 * i + 1, "Say", text);
    }
    for (uint32_t i = 0; i < N; i++) {
        snprintf(text, sizeof(text), "%u", i);
        peer_expect(fd, 2 * i + 1, 0, text);
    }
    close(fd);
}

/* Writes requests until the server takes no more; returns how many went out whole. */
static uint32_t write_until_stopped(int fd, const char *text, uint8_t *rest, size_t *ret_rest_bytes)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    uint8_t frame[1400];
    uint32_t n = 0;

    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    for (;; n++) {
        size_t bytes = peer_request(frame, 2 * n + 1, "Say", text, 0), sent = 0;

        while (sent < bytes && poll(&p, 1, 500) == 1) {
            ssize_t s = send(fd, frame + sent, bytes - sent, MSG_NOSIGNAL);

            assert_true(s > 0 || errno == EAGAIN);
            sent += s > 0 ? (size_t)s : 0;
        }
        if (sent < bytes) {
            memcpy(rest, frame + sent, bytes - sent);
            *ret_rest_bytes = bytes - sent;
            break;
        }
    }
    assert_int_equal(fcntl(fd, F_SETFL, 0), 0);
    return n;
}

static void test_a_reader_that_is_slow_stops_the_reading_and_no_more(void **state)
{
    int slow = peer_connect(served.site.path), other = peer_connect(served.site.path);
    char *text = long_text(1000);
    uint8_t rest[1400];
    size_t rest_bytes;
    uint32_t n = write_until_stopped(slow, text, rest, &rest_bytes);

    (void)state;
    assert_true(n > 4); /* at least the server's queue */
    peer_call(other, 1, "Say", "others are served");
    peer_expect(other, 1, 0, "others are served");

    peer_expect(slow, 1, 0, text);
    for (uint32_t i = 1; i < n; i++)
        peer_expect(slow, 2 * i + 1, 0, text);
    peer_write(slow, rest, rest_bytes);
    peer_expect(slow, 2 * n + 1, 0, text);
    free(text);
    close(slow);
    close(other);
}

static void test_a_stopped_peer_that_goes_away_is_forgotten(void **state)
{
    int fd = peer_connect(served.site.path);
    char *text = long_text(1000);
    uint8_t rest[1400];
    size_t rest_bytes;

    (void)state;
    write_until_stopped(fd, text, rest, &rest_bytes);
    free(text);
    close(fd); /* the teardown would hang on a connection that is kept */
}

static void test_a_frame_cut_by_the_end_closes_the_connection(void **state)
{
    uint8_t frame[400];
    size_t n = peer_request(frame, 1, "Say", "never", 0);
    const size_t cuts[] = {5, 10, n - 1};

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(cuts); i++) {
        int fd = peer_connect(served.site.path);

        peer_write(fd, frame, cuts[i]);
        shutdown(fd, SHUT_WR);
        peer_expect_closed(fd);
        close(fd);
    }
}

static void test_the_end_within_a_skipped_frame_closes_the_connection(void **state)
{
    int fd = peer_connect(served.site.path);

    (void)state;
    peer_write_hex(fd, F21_OVERSIZE_HEADER);
    wait_taken(fd);
    shutdown(fd, SHUT_WR);
    peer_expect_closed(fd);
    close(fd);
}

static void test_a_peer_that_only_stops_writing_gets_its_answers(void **state)
{
    int fd = peer_connect(served.site.path);

    (void)state;
    peer_call(fd, 1, "Park", "first");
    peer_call(fd, 3, "Park", "second");
    assert_true(echo_wait_parked(&served.echo, 2));
    shutdown(fd, SHUT_WR);
    wait_taken(fd);
    assert_int_equal(echo_release(&served.echo), 2);
    peer_expect(fd, 3, 0, "second"); /* newest first */
    peer_expect(fd, 1, 0, "first");
    peer_expect_closed(fd);
    assert_int_equal(served.echo.n_gone, 0);
    close(fd);
}

static void test_an_idle_peer_that_stops_writing_is_let_go(void **state)
{
    int fd = peer_connect(served.site.path);

    (void)state;
    peer_call(fd, 1, "Say", "x");
    peer_expect(fd, 1, 0, "x");
    shutdown(fd, SHUT_WR);
    peer_expect_closed(fd);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_frames_may_be_cut_at_every_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_frames_may_come_byte_by_byte, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_frames_may_come_at_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_and_short_frames_alternate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_oversized_frame_is_skipped_and_answered, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_longest_request_is_served, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ten_thousand_answers_wait_for_their_reader, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_reader_that_is_slow_stops_the_reading_and_no_more,
                                        setup_small_queue, teardown),
        cmocka_unit_test_setup_teardown(test_a_stopped_peer_that_goes_away_is_forgotten,
                                        setup_small_queue, teardown),
        cmocka_unit_test_setup_teardown(test_a_frame_cut_by_the_end_closes_the_connection, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_the_end_within_a_skipped_frame_closes_the_connection,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_peer_that_only_stops_writing_gets_its_answers, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_idle_peer_that_stops_writing_is_let_go, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

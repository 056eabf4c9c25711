/* SPDX-License-Identifier: Apache-2.0 */
/* One step of copying, with splice and without: what stopped it, and that nothing is lost. */
#include "shim/posix/relay_move.h"
#include "tests/unit/shim_relay/fixture.h"
#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <string.h>
#include <unistd.h>

struct channel {
    int read, write;
};

static struct channel channel_new(void)
{
    int fds[2];

    assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
    return (struct channel){fds[0], fds[1]};
}

static void channel_close(struct channel *c)
{
    close_fd(&c->read);
    close_fd(&c->write);
}

static void check_copying(bool splice)
{
    struct channel from = channel_new(), to = channel_new();
    struct relay_ends ends = {.source = from.read, .sink = to.write, .splice = splice};
    enum relay_moved moved;
    char line[1000];
    size_t sent = 0, got = 0;
    ssize_t n;

    moved = relay_move(&ends);
    assert_int_equal(moved, splice ? RELAY_STUCK : RELAY_EMPTY);
    memset(line, 'x', sizeof(line));
    do { /* until both pipes are full */
        while ((n = write(from.write, line, sizeof(line))) > 0)
            sent += (size_t)n;
        while ((moved = relay_move(&ends)) == RELAY_MOVED)
            ;
    } while (write(from.write, line, sizeof(line)) > 0 && (sent += sizeof(line)));
    assert_int_equal(moved, splice ? RELAY_STUCK : RELAY_FULL);
    assert_int_equal(ends.held != NULL, !splice);

    close_fd(&from.write);
    for (;;) {
        while ((n = read(to.read, line, sizeof(line))) > 0)
            got += (size_t)n;
        moved = relay_move(&ends);
        if (moved != RELAY_MOVED)
            break;
    }
    assert_int_equal(moved, RELAY_END);
    assert_int_equal(got, sent);
    assert_int_equal(ends.bytes, sent);
    assert_null(ends.held);
    channel_close(&from);
    channel_close(&to);
}

static void test_splice_copies_all(void **state)
{
    (void)state;
    check_copying(true);
}

static void test_read_and_write_copy_all(void **state)
{
    (void)state;
    check_copying(false);
}

static void test_sink_without_reader_is_gone(void **state)
{
    (void)state;
    for (int splice = 0; splice < 2; splice++) {
        struct channel from = channel_new(), to = channel_new();
        struct relay_ends ends = {.source = from.read, .sink = to.write, .splice = splice};

        close_fd(&to.read);
        write_all(from.write, "x");
        assert_int_equal(relay_move(&ends), RELAY_GONE);
        relay_drop_held(&ends);
        channel_close(&from);
        channel_close(&to);
    }
}

static void test_without_a_sink_data_is_dropped(void **state)
{
    struct channel from = channel_new();
    struct relay_ends ends = {.source = from.read, .sink = -1, .splice = true};

    (void)state;
    write_all(from.write, "dropped");
    assert_int_equal(relay_move(&ends), RELAY_MOVED);
    assert_int_equal(relay_move(&ends), RELAY_EMPTY);
    assert_null(ends.held);
    channel_close(&from);
}

static void test_sink_that_refuses_loses_nothing(void **state)
{
    struct channel from = channel_new(), to = channel_new();
    struct relay_ends ends = {.source = from.read, .sink = -1};

    (void)state;
    ends.sink = open("/dev/full", O_WRONLY | O_CLOEXEC);
    assert_true(ends.sink >= 0);
    write_all(from.write, "kept");
    assert_int_equal(relay_move(&ends), RELAY_FAILED);
    assert_int_equal(ends.os, ENOSPC);
    assert_int_equal(relay_move(&ends), RELAY_FAILED);
    close(ends.sink);
    ends.sink = to.write;
    assert_int_equal(relay_move(&ends), RELAY_MOVED);
    expect_text(to.read, "kept");
    channel_close(&from);
    channel_close(&to);
}

static void test_errors_of_splice_are_told(void **state)
{
    struct channel from = channel_new();
    struct relay_ends ends = {.source = from.read, .sink = from.write, .splice = true};

    (void)state;
    assert_int_equal(relay_move(&ends), RELAY_FAILED); /* a pipe into itself */
    assert_int_equal(ends.os, EINVAL);
    channel_close(&from);
}

static void test_errors_of_the_source_end_it(void **state)
{
    struct relay_ends ends = {.source = -1, .sink = -1};

    (void)state;
    ends.source = open("/", O_RDONLY | O_CLOEXEC);
    assert_int_equal(relay_move(&ends), RELAY_END);
    assert_int_equal(ends.os, EISDIR);
    close(ends.source);
}

static void test_closed_terminal_is_a_hang_up(void **state)
{
    struct relay_ends ends = {.source = -1, .sink = -1};
    int slave;

    (void)state;
    assert_int_equal(openpty(&ends.source, &slave, NULL, NULL, NULL), 0);
    fcntl(ends.source, F_SETFL, O_NONBLOCK);
    assert_int_equal(relay_move(&ends), RELAY_EMPTY);
    close(slave);
    assert_int_equal(relay_move(&ends), RELAY_HUNG_UP);
    close(ends.source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_splice_copies_all),
        cmocka_unit_test(test_read_and_write_copy_all),
        cmocka_unit_test(test_sink_without_reader_is_gone),
        cmocka_unit_test(test_without_a_sink_data_is_dropped),
        cmocka_unit_test(test_sink_that_refuses_loses_nothing),
        cmocka_unit_test(test_errors_of_splice_are_told),
        cmocka_unit_test(test_errors_of_the_source_end_it),
        cmocka_unit_test(test_closed_terminal_is_a_hang_up),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

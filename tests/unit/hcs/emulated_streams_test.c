/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: which ends exist, who has them, and consoles. */
#include "hcs/emulated/streams.h"
#include "tests/unit/hcs/emulated_world.h"
#include <errno.h>
#include <sys/ioctl.h>
#include <termios.h>

static bool closes_on_exec(intptr_t fd)
{
    return fcntl((int)fd, F_GETFD) & FD_CLOEXEC;
}

static void assert_no_handles(const struct emu_streams *s)
{
    for (int i = 0; i < 3; i++)
        assert_int_equal(s->child[i], SHIM_NO_HANDLE);
    assert_int_equal(s->master, SHIM_NO_HANDLE);
}

static void test_pipes_have_two_ends_that_close_on_exec(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct emu_streams s;
    char got[3] = "";

    (void)state;
    io.in.kind = io.out.kind = HCS_STREAM_PIPE;
    assert_int_equal(emu_streams_open(&s, &io, 0, 0, NULL), 0);
    assert_int_equal(s.child[2], SHIM_NO_HANDLE);
    assert_int_equal(s.master, SHIM_NO_HANDLE);
    assert_int_equal(io.err.handle, SHIM_NO_HANDLE);
    assert_int_equal(write((int)io.in.handle, "in", 2), 2);
    assert_int_equal(read((int)s.child[0], got, 2), 2);
    assert_string_equal(got, "in");
    assert_int_equal(write((int)s.child[1], "up", 2), 2);
    assert_int_equal(read((int)io.out.handle, got, 2), 2);
    assert_string_equal(got, "up");
    assert_true(closes_on_exec(io.in.handle) && closes_on_exec(io.out.handle));
    assert_true(closes_on_exec(s.child[0]) && closes_on_exec(s.child[1]));
    emu_streams_close_child(&s);
    assert_int_equal(read((int)io.out.handle, got, 2), 0);
    hcs_stdio_close(&io);
    assert_no_handles(&s);
}

static void test_given_handles_are_only_borrowed(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct emu_streams s;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    io.out = (struct hcs_stream){.kind = HCS_STREAM_HANDLE, .handle = ends[1]};
    assert_int_equal(emu_streams_open(&s, &io, 0, 0, NULL), 0);
    assert_int_not_equal(s.child[1], ends[1]);
    assert_int_equal(io.out.handle, ends[1]);
    emu_streams_close(&s);
    assert_int_equal(write(ends[1], "x", 1), 1);
    close(ends[0]);
    close(ends[1]);
}

static void test_a_failure_leaves_nothing_open(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct emu_streams s;
    struct shim_error err = {0};
    int next = dup(0), after;

    (void)state;
    close(next);
    io.in.kind = HCS_STREAM_PIPE;
    io.out = (struct hcs_stream){.kind = HCS_STREAM_HANDLE, .handle = 9999};
    assert_true(emu_streams_open(&s, &io, 0, 0, &err) < 0);
    assert_int_equal(err.os, EBADF);
    assert_int_equal(io.in.handle, SHIM_NO_HANDLE);
    assert_no_handles(&s);
    after = dup(0);
    close(after);
    assert_int_equal(after, next);
}

static void assert_size(intptr_t fd, unsigned width, unsigned height)
{
    struct winsize size = {0};

    assert_int_equal(ioctl((int)fd, TIOCGWINSZ, &size), 0);
    assert_int_equal(size.ws_col, width);
    assert_int_equal(size.ws_row, height);
}

static void test_a_console_is_handed_out_twice_and_does_not_block(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct emu_streams s;
    char byte;

    (void)state;
    io.console = true;
    io.in.kind = io.out.kind = HCS_STREAM_PIPE;
    io.width = 100;
    assert_int_equal(emu_streams_open(&s, &io, 10, 20, NULL), 0);
    assert_int_not_equal(io.in.handle, io.out.handle);
    assert_true(isatty((int)s.child[0]) && isatty((int)s.child[1]) && isatty((int)s.child[2]));
    assert_int_equal(read((int)io.out.handle, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    assert_true(closes_on_exec(io.in.handle) && closes_on_exec(s.master));
    assert_size(s.child[0], 100, 20); /* the caller's, else the process's */
    assert_int_equal(emu_streams_resize(&s, 7, 8, NULL), 0);
    assert_size(s.child[0], 7, 8);
    emu_streams_close(&s);
    hcs_stdio_close(&io);
}

static void test_a_console_has_a_size_when_nobody_says_one(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct emu_streams s;

    (void)state;
    io.console = true;
    assert_int_equal(emu_streams_open(&s, &io, 0, 0, NULL), 0);
    assert_size(s.master, 80, 24);
    assert_int_equal(io.out.handle, SHIM_NO_HANDLE);
    emu_streams_close(&s);
}

static void test_a_console_refuses_streams_it_cannot_have(void **state)
{
    struct hcs_stdio with_err = HCS_STDIO_INIT, with_handle = HCS_STDIO_INIT;
    struct emu_streams s;
    struct shim_error err = {0};

    (void)state;
    with_err.console = with_handle.console = true;
    with_err.err.kind = HCS_STREAM_PIPE;
    with_handle.out = (struct hcs_stream){.kind = HCS_STREAM_HANDLE, .handle = 1};
    assert_int_equal(emu_streams_open(&s, &with_err, 0, 0, &err), SHIM_E_INVALID);
    assert_int_equal(err.os, HRESULT_INVALID_ARGUMENT);
    assert_int_equal(emu_streams_open(&s, &with_handle, 0, 0, &err), SHIM_E_INVALID);
    assert_int_equal(err.os, HRESULT_INVALID_ARGUMENT);
    assert_no_handles(&s);
}

static void test_resizing_no_console_is_fine_and_a_broken_one_is_told(void **state)
{
    struct emu_streams none = EMU_STREAMS_INIT, broken = EMU_STREAMS_INIT;
    struct shim_error err = {0};

    (void)state;
    broken.master = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(emu_streams_resize(&none, 1, 1, NULL), 0);
    assert_true(emu_streams_resize(&broken, 3, 4, &err) < 0);
    assert_non_null(strstr(err.msg, "3x4"));
    emu_streams_close(&broken);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pipes_have_two_ends_that_close_on_exec),
        cmocka_unit_test(test_given_handles_are_only_borrowed),
        cmocka_unit_test(test_a_failure_leaves_nothing_open),
        cmocka_unit_test(test_a_console_is_handed_out_twice_and_does_not_block),
        cmocka_unit_test(test_a_console_has_a_size_when_nobody_says_one),
        cmocka_unit_test(test_a_console_refuses_streams_it_cannot_have),
        cmocka_unit_test(test_resizing_no_console_is_fine_and_a_broken_one_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of a process: what it gets, what we keep. */
#include "hcs/linux/pipes.h"
#include "tests/unit/hcs/linux/world.h"

static void test_each_kind_of_stream_is_what_it_says(void **state)
{
    struct linux_pipes p = LINUX_PIPES_INIT;
    struct hcs_stdio io = HCS_STDIO_INIT;
    unsigned before = open_descriptors();
    char c = 'x';

    (void)state;
    io.in.kind = HCS_STREAM_PIPE;
    io.err.kind = HCS_STREAM_HANDLE;
    io.err.handle = 2;
    assert_ok(linux_pipes_open(&p, &io, 0, 0, err));
    assert_int_equal(p.n_fds, 2);
    assert_int_equal(p.fds[0].to, 0);
    assert_int_equal(p.fds[1].to, 2);
    assert_int_equal(p.fds[1].from, 2);
    assert_true(fcntl((int)p.ours[0], F_GETFL) & O_NONBLOCK);
    assert_false(fcntl((int)p.theirs[0], F_GETFL) & O_NONBLOCK);
    assert_true(fcntl((int)p.ours[0], F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl((int)p.theirs[0], F_GETFD) & FD_CLOEXEC);
    assert_int_equal(write((int)p.ours[0], &c, 1), 1);
    assert_int_equal(read((int)p.theirs[0], &c, 1), 1);

    linux_pipes_close_theirs(&p);
    linux_pipes_give(&p, &io);
    linux_pipes_close(&p);
    assert_int_equal(open_descriptors(), before + 1);
    assert_int_equal(io.err.handle, 2);
    hcs_stdio_close(&io);
    assert_int_equal(io.in.handle, SHIM_NO_HANDLE);
    assert_int_equal(io.err.handle, 2); /* was never ours */
    assert_int_equal(open_descriptors(), before);
}

static void test_outputs_can_be_read_by_us(void **state)
{
    cleanup_pipes struct linux_pipes p = LINUX_PIPES_INIT;
    struct hcs_stdio io = HCS_STDIO_INIT;
    char c = 'x';

    (void)state;
    io.out.kind = io.err.kind = HCS_STREAM_PIPE;
    assert_ok(linux_pipes_open(&p, &io, 0, 0, err));
    for (int number = 1; number <= 2; number++) {
        assert_int_equal(write((int)p.theirs[number], &c, 1), 1);
        assert_int_equal(read((int)p.ours[number], &c, 1), 1);
    }
}

static void test_pipes_belong_to_the_user_of_the_options(void **state)
{
    cleanup_pipes struct linux_pipes p = LINUX_PIPES_INIT;
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct stat st;

    (void)state;
    io.out.kind = HCS_STREAM_PIPE;
    if (geteuid() != 0) {
        assert_fails(SHIM_E_DENIED, "give the pipe of stdout to 1234:5678",
                     linux_pipes_open(&p, &io, 1234, 5678, err));
        return;
    }
    assert_ok(linux_pipes_open(&p, &io, 1234, 5678, err));
    assert_int_equal(fstat((int)p.theirs[1], &st), 0);
    assert_int_equal(st.st_uid, 1234);
    assert_int_equal(st.st_gid, 5678);
}

static void test_a_console_is_handed_out_once_for_each_stream_that_is_asked_for(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    unsigned before = open_descriptors();

    (void)state;
    io.console = true;
    io.in.kind = io.out.kind = HCS_STREAM_PIPE;
    assert_ok(linux_console_give(1, &io, err));
    assert_int_equal(open_descriptors(), before + 2);
    assert_int_not_equal(io.in.handle, io.out.handle);
    hcs_stdio_close(&io);
    io.in.kind = HCS_STREAM_NONE;
    assert_ok(linux_console_give(1, &io, err));
    assert_int_equal(io.in.handle, SHIM_NO_HANDLE);
    hcs_stdio_close(&io);
    assert_int_equal(linux_console_give(-1, &io, NULL), SHIM_E_UNKNOWN); /* EBADF */
    assert_int_equal(io.out.handle, SHIM_NO_HANDLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_kind_of_stream_is_what_it_says),
        cmocka_unit_test(test_outputs_can_be_read_by_us),
        cmocka_unit_test(test_pipes_belong_to_the_user_of_the_options),
        cmocka_unit_test(test_a_console_is_handed_out_once_for_each_stream_that_is_asked_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

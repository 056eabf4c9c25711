/* SPDX-License-Identifier: Apache-2.0 */
/* Opening of the client's ends: never waits, and says what is wrong. */
#include "shim/posix/fifo.h"
#include "tests/unit/shim_relay/fixture.h"
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_sink_opens_without_a_reader(void **state)
{
    const char *path = fixture_fifo("f");
    struct shim_sink sink;

    (void)state;
    assert_int_equal(shim_sink_open(path, &sink, NULL), 0);
    assert_true(sink.fifo);
    assert_false(sink.disk);
    assert_true(shim_fd_is_pipe(sink.fd));
    assert_true(fcntl(sink.fd, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(sink.fd, F_GETFD) & FD_CLOEXEC);
    assert_true(fcntl(sink.keep, F_GETFD) & FD_CLOEXEC);
    shim_fd_close(&sink.fd);
    shim_fd_close(&sink.keep);
}

static void test_reader_is_seen_while_it_has_the_fifo_open(void **state)
{
    const char *path = fixture_fifo("f");
    struct shim_sink sink;
    int reader;

    (void)state;
    assert_int_equal(shim_sink_open(path, &sink, NULL), 0);
    assert_true(shim_fifo_has_reader(sink.fd)); /* our own */
    shim_fd_close(&sink.keep);
    assert_false(shim_fifo_has_reader(sink.fd));
    reader = open_reader(path);
    assert_true(shim_fifo_has_reader(sink.fd));
    close(reader);
    assert_false(shim_fifo_has_reader(sink.fd));
    shim_fd_close(&sink.fd);
}

static void test_source_is_silent_until_a_writer_came_and_went(void **state)
{
    const char *path = fixture_fifo("f");
    int source, keep;

    (void)state;
    assert_int_equal(shim_source_open(path, &source, NULL), 0);
    assert_int_equal(poll(&(struct pollfd){.fd = source, .events = POLLIN}, 1, 0), 0);
    keep = shim_source_keep(source);
    assert_true(keep >= 0);
    expect_nothing(source);
    shim_fd_close(&keep);
    expect_end(source);
    shim_fd_close(&source);
}

static void test_what_is_missing_is_named(void **state)
{
    int source;
    struct shim_error err;
    struct shim_sink sink;

    (void)state;
    assert_int_equal(shim_sink_open(fixture_path("none"), &sink, &err), SHIM_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, fixture_path("none")));
    assert_int_equal(shim_source_open(fixture_path("none"), &source, &err), SHIM_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, fixture_path("none")));
}

static void test_stdin_must_be_a_fifo(void **state)
{
    int source;
    struct shim_error err;

    (void)state;
    assert_int_equal(shim_source_open("/dev/null", &source, &err), SHIM_E_INVALID);
    assert_string_equal(err.msg, "/dev/null is not a FIFO");
}

static void test_folder_is_no_sink(void **state)
{
    struct shim_error err;
    struct shim_sink sink;

    (void)state;
    assert_true(shim_sink_open(fixture_path("."), &sink, &err) < 0);
    assert_non_null(strstr(err.msg, "to append"));
}

static void test_devices_and_files_are_the_disk_threads(void **state)
{
    const char *path = fixture_script("file", "");
    struct shim_sink sink;

    (void)state;
    assert_int_equal(shim_sink_open(path, &sink, NULL), 0);
    assert_true(sink.disk);
    assert_int_equal(fcntl(sink.fd, F_GETFL) & (O_APPEND | O_NONBLOCK), O_APPEND);
    assert_int_equal(sink.keep, -1);
    shim_fd_close(&sink.fd);
    assert_int_equal(shim_sink_open("/dev/null", &sink, NULL), 0);
    assert_true(sink.disk);
    shim_fd_close(&sink.fd);
}

static void test_log_is_made_with_its_folders(void **state)
{
    const char *path = fixture_path("a/b/log");
    mode_t before = umask(0);
    struct shim_sink sink;
    struct stat st;

    (void)state;
    for (int again = 0; again < 2; again++) {
        assert_int_equal(shim_sink_open_log(path, &sink, NULL), 0);
        write_all(sink.fd, "x");
        shim_fd_close(&sink.fd);
    }
    umask(before);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0644);
    assert_int_equal(st.st_size, 2);
    assert_int_equal(stat(fixture_path("a/b"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
}

static void test_log_below_a_file_is_refused(void **state)
{
    struct shim_error err;
    struct shim_sink sink;

    (void)state;
    fixture_script("file", "");
    assert_true(shim_sink_open_log(fixture_path("file/log"), &sink, &err) < 0);
    assert_non_null(strstr(err.msg, fixture_path("file")));
}

static void test_closing_twice_is_fine(void **state)
{
    int fd = dup(0);

    (void)state;
    shim_fd_close(&fd);
    assert_int_equal(fd, -1);
    shim_fd_close(&fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sink_opens_without_a_reader),
        cmocka_unit_test(test_reader_is_seen_while_it_has_the_fifo_open),
        cmocka_unit_test(test_source_is_silent_until_a_writer_came_and_went),
        cmocka_unit_test(test_what_is_missing_is_named),
        cmocka_unit_test(test_stdin_must_be_a_fifo),
        cmocka_unit_test(test_folder_is_no_sink),
        cmocka_unit_test(test_devices_and_files_are_the_disk_threads),
        cmocka_unit_test(test_log_is_made_with_its_folders),
        cmocka_unit_test(test_log_below_a_file_is_refused),
        cmocka_unit_test(test_closing_twice_is_fine),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

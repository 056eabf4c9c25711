/* SPDX-License-Identifier: Apache-2.0 */
/* The client's side of the FIFOs; the test plays the shim. */
#include "../capture.h"
#include "base/child.h"
#include "shim/ctl/stdio.h"
#include "tests/folder.h"
#include <errno.h>

static int open_as_shim(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);

    assert_true(fd >= 0);
    return fd;
}

static void test_output_comes_through_whole_and_ends(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl_stdio_config config = {.dir = folder, .out = true, .err = true};
    struct ctl_stdio *s;
    struct capture out, err;
    char text[64];
    int fd;

    (void)state;
    capture_begin(&out, STDOUT_FILENO);
    capture_begin(&err, STDERR_FILENO);
    assert_int_equal(ctl_stdio_open(&config, &s, NULL), 0);
    assert_string_equal(ctl_stdio_in_path(s), "");
    assert_int_equal(ctl_stdio_start_output(s, NULL), 0);
    fd = open_as_shim(ctl_stdio_out_path(s), O_WRONLY);
    assert_int_equal(write(fd, "out", 3), 3);
    close(fd);
    fd = open_as_shim(ctl_stdio_err_path(s), O_WRONLY);
    assert_int_equal(write(fd, "err", 3), 3);
    close(fd);
    assert_true(ctl_stdio_drain(s, 10000));
    ctl_stdio_free(s);
    capture_restore(&err);
    capture_restore(&out);
    capture_read(&out, text, sizeof(text));
    assert_string_equal(text, "out");
    capture_read(&err, text, sizeof(text));
    assert_string_equal(text, "err");
}

static void test_a_held_output_is_given_up(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl_stdio_config config = {.dir = folder, .out = true};
    struct ctl_stdio *s;
    int fd;

    (void)state;
    assert_int_equal(ctl_stdio_open(&config, &s, NULL), 0);
    assert_int_equal(ctl_stdio_start_output(s, NULL), 0);
    fd = open_as_shim(ctl_stdio_out_path(s), O_WRONLY);
    assert_false(ctl_stdio_drain(s, 20));
    ctl_stdio_stop(s);
    assert_false(ctl_stdio_drain(s, 10000)); /* at once */
    ctl_stdio_free(s);
    close(fd);
}

static void test_a_reader_that_went_away_reaches_the_process(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl_stdio_config config = {.dir = folder, .out = true};
    struct ctl_stdio *s;
    struct capture out;
    int fd;

    (void)state;
    capture_begin(&out, STDOUT_FILENO);
    close(out.other);
    assert_int_equal(ctl_stdio_open(&config, &s, NULL), 0);
    assert_int_equal(ctl_stdio_start_output(s, NULL), 0);
    fd = open_as_shim(ctl_stdio_out_path(s), O_WRONLY);
    while (write(fd, "x", 1) == 1) /* until nobody reads it */
        ;
    assert_int_equal(errno, EPIPE);
    assert_true(ctl_stdio_drain(s, 10000));
    close(fd);
    ctl_stdio_free(s);
    capture_restore(&out);
}

static void count(void *user)
{
    ++*(unsigned *)user;
}

static void test_input_waits_for_its_reader_and_loses_nothing(void **state)
{
    cleanup_folder char *folder = folder_new();
    unsigned ended = 0;
    struct ctl_stdio_config config = {.dir = folder, .in = true, .in_ended = count, .user = &ended};
    struct ctl_stdio *s;
    struct capture in;
    char text[16] = "";
    int fd;

    (void)state;
    capture_begin(&in, STDIN_FILENO);
    assert_int_equal(write(in.other, "keys", 4), 4);
    close(in.other);
    assert_int_equal(ctl_stdio_open(&config, &s, NULL), 0);
    assert_int_equal(ctl_stdio_start_input(s, NULL), 0);
    fd = open_as_shim(ctl_stdio_in_path(s), O_RDONLY);
    assert_int_equal(read(fd, text, sizeof(text)), 4);
    assert_string_equal(text, "keys");
    assert_int_equal(read(fd, text, sizeof(text)), 0);
    close(fd);
    ctl_stdio_free(s); /* joins */
    assert_true(ended <= 1);
    capture_restore(&in);
}

static void test_input_that_nobody_reads_does_not_hold_us(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl_stdio_config config = {.dir = folder, .in = true};
    struct ctl_stdio *s;
    struct capture in;

    (void)state;
    capture_begin(&in, STDIN_FILENO);
    assert_int_equal(ctl_stdio_open(&config, &s, NULL), 0);
    assert_int_equal(ctl_stdio_start_input(s, NULL), 0);
    ctl_stdio_free(s);
    close(in.other);
    capture_restore(&in);
}

static void test_pipes_that_cannot_be_made_are_an_error(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl_stdio_config nowhere = {.dir = "/no/such/folder", .out = true};
    struct ctl_stdio_config taken = {.dir = folder, .out = true};
    cleanup_free char *kept = NULL;
    struct ctl_stdio *s = NULL;

    (void)state;
    folder_write(folder, "stdout", "mine");
    assert_int_equal(ctl_stdio_open(&nowhere, &s, NULL), SHIM_E_NOT_FOUND);
    assert_int_equal(ctl_stdio_open(&taken, &s, NULL), SHIM_E_EXISTS);
    assert_null(s);
    kept = folder_read(folder, "stdout");
    assert_string_equal(kept, "mine");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output_comes_through_whole_and_ends),
        cmocka_unit_test(test_a_held_output_is_given_up),
        cmocka_unit_test(test_a_reader_that_went_away_reaches_the_process),
        cmocka_unit_test(test_input_waits_for_its_reader_and_loses_nothing),
        cmocka_unit_test(test_input_that_nobody_reads_does_not_hold_us),
        cmocka_unit_test(test_pipes_that_cannot_be_made_are_an_error),
    };

    if (shim_child_init(false, NULL) < 0) /* ignores SIGPIPE */
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

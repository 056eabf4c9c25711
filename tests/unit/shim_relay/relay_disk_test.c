/* SPDX-License-Identifier: Apache-2.0 */
/* Streams into regular files, and the thread they run on. */
#include "base/str.h"
#include "shim/posix/relay_disk.h"
#include "tests/unit/shim_relay/fixture.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_thread_lives_as_long_as_its_users(void **state)
{
    unsigned fds = count_descriptors();
    struct shim_loop *one, *two;

    (void)state;
    assert_int_equal(relay_disk_get(&one, NULL), 0);
    assert_int_equal(relay_disk_get(&two, NULL), 0);
    assert_ptr_equal(one, two);
    relay_disk_put();
    assert_true(count_descriptors() > fds);
    relay_disk_put();
    assert_int_equal(count_descriptors(), fds);
}

static void expect_file(const char *path, const char *text)
{
    cleanup_free char *content = read_whole_file(path);

    assert_string_equal(content, text);
}

static void test_file_log_gets_both_outputs(void **state)
{
    const char *path = fixture_path("logs/both");
    cleanup_free char *uri = shim_strf("file://%s", path);
    struct shim_io_config config = fixture_config("", uri, "");
    struct process p;

    (void)state;
    for (int run = 0; run < 2; run++) {
        process_run(&p, &config);
        write_all(p.out, "out\n");
        close_fd(&p.out);
        write_all(p.err, "err\n");
        process_exit(&p);
        process_wait_drained(&p);
        shim_io_finish(p.io, WAIT_MS);
        process_done(&p);
    }
    {
        cleanup_free char *content = read_whole_file(path);

        assert_int_equal(strlen(content), 16); /* the order of out and err is nobody's */
        assert_non_null(strstr(content, "out\n"));
        assert_non_null(strstr(content, "err\n"));
    }
}

static void test_file_that_is_there_is_appended_to(void **state)
{
    const char *path = fixture_script("plain", "");
    struct shim_io_config config = fixture_config("", path, path);
    struct process p;

    (void)state;
    process_run(&p, &config);
    write_all(p.out, "same file");
    process_exit(&p);
    shim_io_finish(p.io, WAIT_MS);
    expect_file(path, "#!/bin/sh\nsame file");
    process_done(&p);
}

static void test_big_output_is_complete(void **state)
{
    const char *path = fixture_path("big");
    cleanup_free char *uri = shim_strf("file://%s", path);
    struct shim_io_config config = fixture_config("", uri, "");
    uint8_t data[65536];
    struct process p;
    struct stat st;

    (void)state;
    fill_pattern(data, sizeof(data));
    process_run(&p, &config);
    for (int i = 0; i < 64; i++)
        assert_int_equal(write(p.out, data, sizeof(data)), sizeof(data));
    process_exit(&p);
    shim_io_finish(p.io, WAIT_MS);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_size, 64 * sizeof(data));
    process_done(&p);
}

static void test_console_goes_into_a_file(void **state)
{
    const char *path = fixture_path("console");
    cleanup_free char *uri = shim_strf("file://%s", path);
    struct shim_io_config config = fixture_config("", uri, "");
    struct process p;

    (void)state;
    config.terminal = true;
    process_run(&p, &config);
    write_all(p.out, "shown\n");
    process_exit(&p);
    shim_io_finish(p.io, WAIT_MS);
    expect_file(path, "shown\r\n");
    process_done(&p);
}

static void test_full_disk_holds_the_process_back(void **state)
{
    struct shim_io_config config = fixture_config("", "/dev/full", "");
    char text[256];
    struct process p;

    (void)state;
    process_run(&p, &config);
    write_all(p.out, "cannot be stored");
    process_exit(&p);
    process_wait_drained(&p);
    shim_io_describe(p.io, text, sizeof(text));
    assert_string_equal(text, "stdout: trying again soon, 0 bytes");
    shim_io_finish(p.io, 1);
    process_done(&p);
}

static void test_input_does_not_need_the_disk(void **state)
{
    const char *in = fixture_fifo("in"), *path = fixture_path("with-input");
    cleanup_free char *uri = shim_strf("file://%s", path);
    struct shim_io_config config = fixture_config(in, uri, "");
    struct process p;
    int writer;

    (void)state;
    process_run(&p, &config);
    writer = open_writer(in);
    write_all(writer, "typed");
    expect_text(p.in, "typed");
    close(writer);
    process_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thread_lives_as_long_as_its_users),
        cmocka_unit_test(test_file_log_gets_both_outputs),
        cmocka_unit_test(test_file_that_is_there_is_appended_to),
        cmocka_unit_test(test_big_output_is_complete),
        cmocka_unit_test(test_console_goes_into_a_file),
        cmocka_unit_test(test_full_disk_holds_the_process_back),
        cmocka_unit_test(test_input_does_not_need_the_disk),
    };

    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}

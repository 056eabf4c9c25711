/* SPDX-License-Identifier: Apache-2.0 */
/* The shim's log: nothing is lost before the channel is closed. */
#include "../capture.h"
#include "shim/ctl/log_channel.h"
#include "tests/folder.h"

static void write_log(const char *bundle, const char *text)
{
    cleanup_free char *path = shim_strf("%s/log", bundle);
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void test_lines_are_kept_in_a_file(void **state)
{
    cleanup_folder char *folder = folder_new();
    cleanup_free char *text = NULL;
    struct ctl_log *log;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(ctl_log_open(folder, false, &log, NULL), 0);
        write_log(folder, i == 0 ? "one\n" : "two\n");
        ctl_log_free(log);
    }
    text = folder_read(folder, "shim.log");
    assert_string_equal(text, "one\ntwo\n");
}

static void test_lines_are_shown_when_asked_for(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct capture shown;
    struct ctl_log *log;
    char text[64];

    (void)state;
    capture_begin(&shown, STDERR_FILENO);
    assert_int_equal(ctl_log_open(folder, true, &log, NULL), 0);
    write_log(folder, "hello\n");
    ctl_log_free(log);
    capture_restore(&shown);
    capture_read(&shown, text, sizeof(text));
    assert_string_equal(text, "hello\n");
}

static void test_a_bundle_that_is_not_there_is_an_error(void **state)
{
    struct ctl_log *log = NULL;

    (void)state;
    assert_int_equal(ctl_log_open("/no/such/bundle", false, &log, NULL), SHIM_E_NOT_FOUND);
    assert_null(log);
    ctl_log_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines_are_kept_in_a_file),
        cmocka_unit_test(test_lines_are_shown_when_asked_for),
        cmocka_unit_test(test_a_bundle_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

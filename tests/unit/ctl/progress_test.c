/* SPDX-License-Identifier: Apache-2.0 */
/* What the user hears when something takes long. */
#include "capture.h"
#include "shim/ctl/output.h"

static void test_what_is_quick_is_not_mentioned(void **state)
{
    struct capture stderr_pipe;
    char text[64];

    (void)state;
    capture_begin(&stderr_pipe, STDERR_FILENO);
    ctl_progress_end(ctl_progress_begin("waiting for %s", "nothing"));
    ctl_progress_end(NULL);
    capture_restore(&stderr_pipe);
    capture_read(&stderr_pipe, text, sizeof(text));
    assert_string_equal(text, "");
}

static void test_what_takes_longer_is_named(void **state)
{
    struct capture stderr_pipe;
    struct ctl_progress *p;
    char first;

    (void)state;
    capture_begin(&stderr_pipe, STDERR_FILENO);
    p = ctl_progress_begin("waiting for %s", "a bus");
    assert_int_equal(read(stderr_pipe.other, &first, 1), 1); /* until it is said */
    ctl_progress_end(p);
    capture_restore(&stderr_pipe);
    {
        char text[64];

        capture_read(&stderr_pipe, text, sizeof(text));
        assert_string_equal(text, "himctl: waiting for a bus \xe2\x80\xa6\n");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_quick_is_not_mentioned),
        cmocka_unit_test(test_what_takes_longer_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

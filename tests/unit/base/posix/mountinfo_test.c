/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of mountinfo, good and bad. */
#include "base/posix/mountinfo.h"
#include "tests/test.h"
#include <string.h>

static void test_fields_are_cut_out_and_unescaped(void **state)
{
    char text[] = "31 23 0:28 /a\\040b /mnt/x\\011\\134y rw,noatime shared:1 master:2 - tmpfs "
                  "tmp\\040fs rw,mode=755\n"
                  "32 31 0:29 / /m rw - cgroup cgroup rw,cpu";
    char *at = text;
    struct shim_mountinfo m;

    (void)state;
    assert_true(shim_mountinfo_next(&at, &m));
    assert_string_equal(m.root, "/a b");
    assert_string_equal(m.mount_point, "/mnt/x\t\\y");
    assert_string_equal(m.type, "tmpfs");
    assert_string_equal(m.super_options, "rw,mode=755");
    assert_true(shim_mountinfo_next(&at, &m));
    assert_string_equal(m.mount_point, "/m");
    assert_string_equal(m.super_options, "rw,cpu");
    assert_false(shim_mountinfo_next(&at, &m));
    assert_false(shim_mountinfo_next(&at, &m));
}

static void test_lines_that_cannot_be_read_are_skipped(void **state)
{
    char text[] = "\nrubbish\n1 2 - x y z\n1 2 3 4 5 - \n1 2 3 4 5 - only two\n"
                  "32 31 0:29 / /m rw - cgroup cgroup rw\n\n";
    char *at = text, *none = NULL;
    struct shim_mountinfo m;

    (void)state;
    assert_true(shim_mountinfo_next(&at, &m));
    assert_string_equal(m.mount_point, "/m");
    assert_false(shim_mountinfo_next(&at, &m));
    assert_false(shim_mountinfo_next(&none, &m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields_are_cut_out_and_unescaped),
        cmocka_unit_test(test_lines_that_cannot_be_read_are_skipped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

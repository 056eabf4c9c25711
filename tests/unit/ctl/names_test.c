/* SPDX-License-Identifier: Apache-2.0 */
/* containerd's rule for identifiers. */
#include "shim/ctl/ctl.h"
#include "tests/test.h"
#include <string.h>

static void test_containerds_names_are_taken(void **state)
{
    static const char *const names[] = {"a", "default", "k8s.io", "a-b_c.d", "0", "moby"};
    char longest[77];

    (void)state;
    memset(longest, 'x', sizeof(longest));
    longest[76] = 0;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(names); i++)
        assert_int_equal(ctl_check_name("id", names[i], NULL), 0);
    assert_int_equal(ctl_check_name("id", longest, NULL), 0);
}

static void test_other_names_are_refused_and_quoted(void **state)
{
    static const char *const names[] = {"",    "-a",  "a-",       "a--b", "a._b", "../x",
                                        "a/b", "a b", "\xc3\xa4", ".",    "_"};
    char too_long[78];
    struct shim_error err;

    (void)state;
    memset(too_long, 'x', sizeof(too_long));
    too_long[77] = 0;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(names); i++)
        assert_int_equal(ctl_check_name("id", names[i], NULL), SHIM_E_INVALID);
    assert_int_equal(ctl_check_name("id", too_long, NULL), SHIM_E_INVALID);
    assert_int_equal(ctl_check_name("exec id", "a/b", &err), SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, "exec id \"a/b\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_containerds_names_are_taken),
        cmocka_unit_test(test_other_names_are_refused_and_quoted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

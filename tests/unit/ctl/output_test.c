/* SPDX-License-Identifier: Apache-2.0 */
/* Tables and fields as people see them. */
#include "base/compiler.h"
#include "shim/ctl/json.h"
#include "shim/ctl/output.h"
#include "tests/test.h"

static const struct ctl_column columns[] = {{"ID", "id"}, {"PID", "pid"}, {"STATUS", "status"}};

static void table(const char *rows, const char *want)
{
    cleanup_json struct json_object *j = json_tokener_parse(rows);
    cleanup_buf struct shim_buf b = {0};

    assert_true(ctl_format_table(&b, columns, SHIM_ARRAY_LEN(columns), j));
    assert_string_equal(shim_buf_str(&b), want);
}

static void test_columns_are_as_wide_as_needed(void **state)
{
    (void)state;
    table("[]", "ID  PID  STATUS\n");
    table("[{\"id\":\"long-name\",\"pid\":7,\"status\":\"RUNNING\"},{\"id\":\"b\"}]",
          "ID         PID  STATUS\n"
          "long-name  7    RUNNING\n"
          "b               \n");
}

static void test_width_is_counted_in_characters(void **state)
{
    (void)state;
    table("[{\"id\":\"\xc3\xa4\xc3\xb6\xc3\xbc\",\"pid\":1,\"status\":\"x\"}]",
          "ID   PID  STATUS\n"
          "\xc3\xa4\xc3\xb6\xc3\xbc  1    x\n");
}

static void test_control_characters_do_not_reach_the_terminal(void **state)
{
    (void)state;
    table("[{\"id\":\"a\\u001b[31m\\n\",\"pid\":1,\"status\":\"x\"}]", "ID       PID  STATUS\n"
                                                                       "a?[31m?  1    x\n");
}

static void test_fields_are_named_by_their_path(void **state)
{
    cleanup_json struct json_object *j =
        json_tokener_parse("{\"id\":\"a\",\"memory\":{\"usage\":{\"max\":5}},\"on\":true}");
    cleanup_buf struct shim_buf b = {0};

    (void)state;
    assert_true(ctl_format_fields(&b, j));
    assert_string_equal(shim_buf_str(&b), "id                a\n"
                                          "memory.usage.max  5\n"
                                          "on                true\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_are_as_wide_as_needed),
        cmocka_unit_test(test_width_is_counted_in_characters),
        cmocka_unit_test(test_control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(test_fields_are_named_by_their_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

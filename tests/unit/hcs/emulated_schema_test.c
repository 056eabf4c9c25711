/* SPDX-License-Identifier: Apache-2.0 */
/* The checker against a small table of its own: each kind of mistake, its code and its path. */
#include "hcs/emulated/schema.h"
#include "hcs/hresult.h"
#include "tests/test.h"
#include <string.h>

static const struct schema_type flag = {.type = json_type_boolean};
static const struct schema_type text = {.type = json_type_string, .text = SCHEMA_SOME_TEXT};
static const struct schema_type path = {.type = json_type_string, .text = SCHEMA_ABSOLUTE_PATH};
static const struct schema_type env = {.type = json_type_string, .text = SCHEMA_ENVIRONMENT};
static const struct schema_type small = {.type = json_type_int, .min = -1, .max = 9};
static const struct schema_type large = {.type = json_type_int, .max = UINT64_MAX};
static const struct schema_type list = {.type = json_type_array, .min_items = 1, .each = &env};
static const struct schema_type map = {.type = json_type_object, .each = &small};
static const struct schema_member inner_members[] = {SCHEMA_REQUIRED("path", &path)};
static const struct schema_type inner = {
    .type = json_type_object, .members = inner_members, .n_members = 1};
static const struct schema_type inners = {.type = json_type_array, .each = &inner};
static const struct schema_type any = {.type = json_type_null};
static const struct schema_member members[] = {
    SCHEMA_REQUIRED("flag", &flag),
    SCHEMA_OPTIONAL("text", &text),
    SCHEMA_OPTIONAL("small", &small),
    SCHEMA_OPTIONAL("large", &large),
    SCHEMA_OPTIONAL("list", &list),
    SCHEMA_OPTIONAL("map", &map),
    SCHEMA_OPTIONAL("inners", &inners),
    {.name = "a", .type = &any, .optional = true, .alternative = 1},
    {.name = "b", .type = &any, .optional = true, .alternative = 1},
};
static const struct schema_type type = {
    .type = json_type_object, .members = members, .n_members = SHIM_ARRAY_LEN(members)};

static int check(const char *json, struct shim_error *err)
{
    cleanup_json struct json_object *value = NULL;
    int r = schema_parse(json, strlen(json), "doc", &value, err);

    return r < 0 ? r : schema_check(value, &type, "doc", err);
}

static void assert_good(const char *json)
{
    struct shim_error err = {0};

    if (check(json, &err) != 0)
        fail_msg("%s: %s", json, err.msg);
}

static void assert_bad(const char *json, uint32_t hresult, const char *message)
{
    struct shim_error err = {0};

    assert_int_equal(check(json, &err), SHIM_E_INVALID);
    assert_int_equal(err.os, hresult);
    if (!strstr(err.msg, message) || !strstr(err.msg, hresult_name(hresult)))
        fail_msg("%s: not \"%s\" but \"%s\"", json, message, err.msg);
}

static void test_what_the_table_allows_is_accepted(void **state)
{
    (void)state;
    assert_good("{\"flag\":true}");
    assert_good("{\"flag\":false,\"text\":\"x\",\"small\":-1,\"large\":18446744073709551615,"
                "\"list\":[\"A=\",\"B==\"],\"map\":{\"anything\":9},\"inners\":[{\"path\":\"/\"}],"
                "\"a\":null}");
    assert_good("{\"flag\":true,\"inners\":[],\"b\":{\"whatever\":[1]}}");
}

static void test_wrong_shape_is_invalid_json(void **state)
{
    (void)state;
    assert_bad("[]", HRESULT_INVALID_JSON, "doc: not an object");
    assert_bad("{}", HRESULT_INVALID_JSON, "doc: flag: missing");
    assert_bad("{\"flag\":true,\"x\":1}", HRESULT_INVALID_JSON, "doc: x: unknown member");
    assert_bad("{\"Flag\":true}", HRESULT_INVALID_JSON, "doc: Flag: unknown member");
    assert_bad("{\"flag\":1}", HRESULT_INVALID_JSON, "flag: not a boolean");
    assert_bad("{\"flag\":null}", HRESULT_INVALID_JSON, "flag: not a boolean");
    assert_bad("{\"flag\":true,\"text\":1}", HRESULT_INVALID_JSON, "text: not a string");
    assert_bad("{\"flag\":true,\"small\":1.0}", HRESULT_INVALID_JSON, "small: not a whole number");
    assert_bad("{\"flag\":true,\"small\":\"1\"}", HRESULT_INVALID_JSON, "small: not a whole");
    assert_bad("{\"flag\":true,\"list\":{}}", HRESULT_INVALID_JSON, "list: not an array");
    assert_bad("{\"flag\":true,\"list\":[\"A=b\",2]}", HRESULT_INVALID_JSON,
               "list[1]: not a string");
    assert_bad("{\"flag\":true,\"inners\":[{\"path\":\"/\"},{}]}", HRESULT_INVALID_JSON,
               "inners[1].path: missing");
    assert_bad("{\"flag\":true,\"map\":{\"k\":\"v\"}}", HRESULT_INVALID_JSON, "map.k: not a whole");
}

static void test_wrong_values_are_invalid_arguments(void **state)
{
    (void)state;
    assert_bad("{\"flag\":true,\"text\":\"\"}", HRESULT_INVALID_ARGUMENT,
               "text: must not be empty");
    assert_bad("{\"flag\":true,\"text\":\"a\\u0000b\"}", HRESULT_INVALID_ARGUMENT, "text: NUL");
    assert_bad("{\"flag\":true,\"small\":-2}", HRESULT_INVALID_ARGUMENT, "small: out of range");
    assert_bad("{\"flag\":true,\"small\":10}", HRESULT_INVALID_ARGUMENT, "small: out of range");
    assert_bad("{\"flag\":true,\"small\":18446744073709551615}", HRESULT_INVALID_ARGUMENT, "small");
    assert_bad("{\"flag\":true,\"large\":-1}", HRESULT_INVALID_ARGUMENT, "large: out of range");
    assert_bad("{\"flag\":true,\"list\":[]}", HRESULT_INVALID_ARGUMENT, "list: has too few");
    assert_bad("{\"flag\":true,\"list\":[\"=x\"]}", HRESULT_INVALID_ARGUMENT, "not NAME=value");
    assert_bad("{\"flag\":true,\"list\":[\"x\"]}", HRESULT_INVALID_ARGUMENT, "not NAME=value");
    assert_bad("{\"flag\":true,\"inners\":[{\"path\":\"a/b\"}]}", HRESULT_INVALID_ARGUMENT,
               "inners[0].path: not an absolute path");
}

static void test_two_alternatives_at_once_are_refused(void **state)
{
    (void)state;
    assert_bad("{\"flag\":true,\"a\":1,\"b\":1}", HRESULT_INVALID_ARGUMENT, "b: excludes another");
}

static void test_text_that_is_not_json_is_refused(void **state)
{
    struct json_object *value = NULL;
    struct shim_error err = {0};

    (void)state;
    assert_bad("", HRESULT_INVALID_JSON, "not JSON");
    assert_bad("{\"flag\":true", HRESULT_INVALID_JSON, "not JSON");
    assert_bad("{\"flag\":true}x", HRESULT_INVALID_JSON, "not JSON");
    assert_bad("{'flag':true}", HRESULT_INVALID_JSON, "not JSON");
    assert_bad("{\"flag\":true,}", HRESULT_INVALID_JSON, "not JSON");
    assert_bad("{\"text\":\"\xff\"}", HRESULT_INVALID_JSON, "not JSON");
    assert_bad("{\"flag\":NaN}", HRESULT_INVALID_JSON, "not JSON");
    assert_bad("null", HRESULT_INVALID_JSON, "null");
    assert_int_equal(schema_parse("{}\0{}", 5, "doc", &value, &err), SHIM_E_INVALID);
    assert_null(value);
}

static void test_a_bare_number_is_json(void **state)
{
    cleanup_json struct json_object *value = NULL;

    (void)state;
    assert_int_equal(schema_parse("12", 2, "doc", &value, NULL), 0);
    assert_int_equal(json_object_get_int(value), 12);
}

static void test_a_long_path_is_cut_not_overrun(void **state)
{
    char json[4096];
    struct shim_error err = {0};

    (void)state;
    strcpy(json, "{\"flag\":true,\"");
    memset(json + strlen(json), 'x', 3000);
    strcpy(json + 14 + 3000, "\":1}");
    assert_int_equal(check(json, &err), SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, "unknown member"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_table_allows_is_accepted),
        cmocka_unit_test(test_wrong_shape_is_invalid_json),
        cmocka_unit_test(test_wrong_values_are_invalid_arguments),
        cmocka_unit_test(test_two_alternatives_at_once_are_refused),
        cmocka_unit_test(test_text_that_is_not_json_is_refused),
        cmocka_unit_test(test_a_bare_number_is_json),
        cmocka_unit_test(test_a_long_path_is_cut_not_overrun),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

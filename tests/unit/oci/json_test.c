/* SPDX-License-Identifier: Apache-2.0 */
/* The strict JSON reader: what it accepts, what it refuses and where it says so. */
#include "oci/spec.h"
#include "tests/test.h"
#include <json-c/json.h>
#include <string.h>

static int parse(const char *text, struct json_object **ret, struct shim_error *err)
{
    return oci_json_parse("t", text, strlen(text), ret, err);
}

/* Refused with exactly this code and message. */
static void assert_refused(const char *text, int code, const char *message)
{
    struct json_object *untouched = (struct json_object *)&untouched;
    struct json_object *j = untouched;
    struct shim_error err = {0};

    assert_int_equal(parse(text, &j, &err), code);
    assert_int_equal(err.code, code);
    assert_string_equal(err.msg, message);
    assert_ptr_equal(j, untouched);
}

static void assert_reads_as(const char *text, const char *plain)
{
    cleanup_json struct json_object *j = NULL;
    struct shim_error err = {0};

    if (parse(text, &j, &err) != 0)
        fail_msg("%s: %s", text, err.msg);
    assert_string_equal(
        json_object_to_json_string_ext(j, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
        plain);
}

static void test_every_kind_of_value_is_read(void **state)
{
    (void)state;
    assert_reads_as("{}", "{}");
    assert_reads_as(" [ ] ", "[]");
    assert_reads_as("\t{\"a\" : [1, -2,\r\n0.5,1e3 ,true,false,null,\"x\",{}]}\n",
                    "{\"a\":[1,-2,0.5,1e3,true,false,null,\"x\",{}]}");
    assert_reads_as("null", "null");
    assert_reads_as("0", "0");
    assert_reads_as("-0.0E-1", "-0.0E-1");
}

static void test_escapes_are_decoded(void **state)
{
    (void)state;
    assert_reads_as("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"");
    assert_reads_as("\"\\u0041\\u00e9\\u20AC\\uD83D\\ude00\"",
                    "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
}

static void test_integers_keep_all_64_bits(void **state)
{
    cleanup_json struct json_object *j = NULL;

    (void)state;
    assert_int_equal(
        parse("[9223372036854775807,-9223372036854775808,18446744073709551615]", &j, NULL), 0);
    assert_true(json_object_get_int64(json_object_array_get_idx(j, 0)) == INT64_MAX);
    assert_true(json_object_get_int64(json_object_array_get_idx(j, 1)) == INT64_MIN);
    assert_true(json_object_get_uint64(json_object_array_get_idx(j, 2)) == UINT64_MAX);
}

static void test_an_empty_key_and_an_empty_string_do_not_keep_the_last_text(void **state)
{
    (void)state;
    assert_reads_as("{\"a\":\"b\",\"\":\"\"}", "{\"a\":\"b\",\"\":\"\"}");
}

static void test_numbers_beyond_64_bits_are_refused(void **state)
{
    (void)state;
    assert_refused("[18446744073709551616]", SHIM_E_INVALID,
                   "t: byte 1: integer is beyond 64 bits");
    assert_refused("-9223372036854775809", SHIM_E_INVALID, "t: byte 0: integer is beyond 64 bits");
    assert_refused("1e400", SHIM_E_INVALID, "t: byte 0: number is beyond what a double holds");
}

static void test_duplicate_keys_are_refused_however_they_are_spelled(void **state)
{
    (void)state;
    assert_refused("{\"a\":1,\"a\":1}", SHIM_E_INVALID,
                   "t: byte 7: key occurs twice in its object");
    assert_refused("{\"a\":null,\"\\u0061\":1}", SHIM_E_INVALID,
                   "t: byte 10: key occurs twice in its object");
    assert_reads_as("{\"a\":{\"a\":1},\"b\":{\"a\":1}}", "{\"a\":{\"a\":1},\"b\":{\"a\":1}}");
}

static void test_nul_is_refused_in_keys_and_strings(void **state)
{
    (void)state;
    assert_refused("{\"a\\u0000b\":1}", SHIM_E_INVALID, "t: byte 5: NUL in a string");
    assert_refused("\"\\u0000\"", SHIM_E_INVALID, "t: byte 3: NUL in a string");
}

static void test_a_raw_nul_byte_ends_nothing(void **state)
{
    struct json_object *j = NULL;

    (void)state;
    assert_int_equal(oci_json_parse("t", "1\0", 2, &j, NULL), SHIM_E_INVALID);
    assert_int_equal(oci_json_parse("t", "\0001", 2, &j, NULL), SHIM_E_INVALID);
    assert_int_equal(oci_json_parse("t", "\"\0\"", 3, &j, NULL), SHIM_E_INVALID);
    assert_int_equal(oci_json_parse("t", "\"\\\0\"", 4, &j, NULL), SHIM_E_INVALID);
    assert_null(j);
}

static void test_broken_strings_are_refused(void **state)
{
    (void)state;
    assert_refused("\"a\xff\"", SHIM_E_INVALID, "t: byte 1: string is not UTF-8");
    assert_refused("\"\xc0\xaf\"", SHIM_E_INVALID, "t: byte 1: string is not UTF-8");
    assert_refused("\"a\nb\"", SHIM_E_INVALID, "t: byte 2: control character in a string");
    assert_refused("\"\\x\"", SHIM_E_INVALID, "t: byte 2: unknown escape in a string");
    assert_refused("\"\\u12g4\"", SHIM_E_INVALID, "t: byte 3: \\u without four hexadecimal digits");
    assert_refused("\"\\ud800\"", SHIM_E_INVALID, "t: byte 3: half a surrogate pair");
    assert_refused("\"\\ud800\\u0041\"", SHIM_E_INVALID, "t: byte 3: half a surrogate pair");
    assert_refused("\"\\udc00\"", SHIM_E_INVALID, "t: byte 3: half a surrogate pair");
}

static void test_broken_grammar_is_refused_with_its_place(void **state)
{
    (void)state;
    assert_refused("{} x", SHIM_E_INVALID, "t: byte 3: something follows the value");
    assert_refused("01", SHIM_E_INVALID, "t: byte 1: something follows the value");
    assert_refused("{a:1}", SHIM_E_INVALID, "t: byte 1: expected a string");
    assert_refused("{\"a\" 1}", SHIM_E_INVALID, "t: byte 5: expected a colon");
    assert_refused("{\"a\":1,}", SHIM_E_INVALID, "t: byte 7: expected a string");
    assert_refused("[1,]", SHIM_E_INVALID, "t: byte 3: not a JSON value");
    assert_refused("[1 2]", SHIM_E_INVALID, "t: byte 3: expected a comma or the closing bracket");
    assert_refused("[1}", SHIM_E_INVALID, "t: byte 2: expected a comma or the closing bracket");
    assert_refused("-a", SHIM_E_INVALID, "t: byte 1: expected a digit");
    assert_refused("1.e", SHIM_E_INVALID, "t: byte 2: expected a digit");
    assert_refused("1e+x", SHIM_E_INVALID, "t: byte 3: expected a digit");
    assert_refused("TRUE", SHIM_E_INVALID, "t: byte 0: not a JSON value");
    assert_refused("tru!", SHIM_E_INVALID, "t: byte 0: not a JSON value");
    assert_refused("NaN", SHIM_E_INVALID, "t: byte 0: not a JSON value");
    assert_refused("/**/1", SHIM_E_INVALID, "t: byte 0: not a JSON value");
    assert_refused("\xef\xbb\xbf{}", SHIM_E_INVALID, "t: byte 0: not a JSON value");
}

static void test_every_cut_of_a_text_is_refused(void **state)
{
    static const char text[] = "{\"a\":[true,null,-1.5e+3,\"\\u00e9\\ud83d\\ude00\\n\",{}]}";

    (void)state;
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        struct json_object *j = NULL;

        assert_int_equal(oci_json_parse("t", text, n, &j, NULL), SHIM_E_INVALID);
        assert_null(j);
    }
    assert_refused("", SHIM_E_INVALID, "t: byte 0: the text ends too early");
    assert_refused("[", SHIM_E_INVALID, "t: byte 1: the text ends too early");
}

static void test_depth_is_limited(void **state)
{
    char text[2 * OCI_SPEC_MAX_DEPTH + 3] = "";
    cleanup_json struct json_object *j = NULL;
    struct shim_error err = {0};
    size_t n = OCI_SPEC_MAX_DEPTH;

    (void)state;
    memset(text, '[', n);
    memset(text + n, ']', n);
    assert_int_equal(parse(text, &j, NULL), 0);

    memset(text, '[', n + 1);
    memset(text + n + 1, ']', n + 1);
    assert_int_equal(oci_json_parse("t", text, 2 * n + 2, &j, &err), SHIM_E_EXHAUSTED);
    assert_string_equal(err.msg, "t: byte 64: nested deeper than 64");
}

static void test_size_and_number_of_values_are_limited(void **state)
{
    char *text = test_malloc(OCI_SPEC_MAX_BYTES + 1);
    struct json_object *j = NULL;
    struct shim_error err = {0};

    (void)state;
    memset(text, ' ', OCI_SPEC_MAX_BYTES + 1);
    assert_int_equal(oci_json_parse("t", text, OCI_SPEC_MAX_BYTES + 1, &j, &err), SHIM_E_EXHAUSTED);
    assert_string_equal(err.msg, "t: 16777217 bytes are over the limit of 16777216");

    text[0] = '[';
    for (size_t i = 0; i < OCI_SPEC_MAX_VALUES; i++)
        memcpy(text + 1 + 2 * i, "0,", 2);
    text[2 * OCI_SPEC_MAX_VALUES] = ']';
    assert_int_equal(oci_json_parse("t", text, OCI_SPEC_MAX_BYTES, &j, &err), SHIM_E_EXHAUSTED);
    assert_string_equal(err.msg, "t: byte 524287: more values than 262144");
    test_free(text);
}

static void test_a_very_long_number_is_refused(void **state)
{
    char text[300];
    struct json_object *j = NULL;
    struct shim_error err = {0};

    (void)state;
    memset(text, '1', sizeof(text));
    assert_int_equal(oci_json_parse("t", text, sizeof(text), &j, &err), SHIM_E_EXHAUSTED);
    assert_string_equal(err.msg, "t: byte 300: number is longer than 255");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_of_value_is_read),
        cmocka_unit_test(test_escapes_are_decoded),
        cmocka_unit_test(test_integers_keep_all_64_bits),
        cmocka_unit_test(test_an_empty_key_and_an_empty_string_do_not_keep_the_last_text),
        cmocka_unit_test(test_numbers_beyond_64_bits_are_refused),
        cmocka_unit_test(test_duplicate_keys_are_refused_however_they_are_spelled),
        cmocka_unit_test(test_nul_is_refused_in_keys_and_strings),
        cmocka_unit_test(test_a_raw_nul_byte_ends_nothing),
        cmocka_unit_test(test_broken_strings_are_refused),
        cmocka_unit_test(test_broken_grammar_is_refused_with_its_place),
        cmocka_unit_test(test_every_cut_of_a_text_is_refused),
        cmocka_unit_test(test_depth_is_limited),
        cmocka_unit_test(test_size_and_number_of_values_are_limited),
        cmocka_unit_test(test_a_very_long_number_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

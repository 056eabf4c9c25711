/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: numbers without surprises, UTF-8 without loopholes, lists that stay terminated. */
#include "base/str.h"
#include "tests/test.h"
#include <string.h>

static void test_texts_are_formatted_into_memory_of_their_own(void **state)
{
    cleanup_free char *text = shim_strf("%s/%d", "a", 7), *empty = shim_strf("%s", "");

    (void)state;
    assert_string_equal(text, "a/7");
    assert_string_equal(empty, "");
}

static void test_no_text_becomes_an_empty_one(void **state)
{
    cleanup_free char *from_null = shim_strdup0(NULL), *from_text = shim_strdup0("x");

    (void)state;
    assert_string_equal(from_null, "");
    assert_string_equal(from_text, "x");
    assert_true(shim_str_empty(NULL));
    assert_true(shim_str_empty(""));
    assert_false(shim_str_empty("x"));
}

static void test_prefixes_and_suffixes(void **state)
{
    (void)state;
    assert_true(shim_starts_with("unix:///run", "unix://"));
    assert_true(shim_starts_with("x", ""));
    assert_false(shim_starts_with("uni", "unix"));
    assert_true(shim_ends_with("a.json", ".json"));
    assert_true(shim_ends_with("x", ""));
    assert_false(shim_ends_with("json", ".json"));
    assert_false(shim_ends_with("a.jsonx", ".json"));
}

static void test_null_equals_null_only(void **state)
{
    (void)state;
    assert_true(shim_str_equal(NULL, NULL));
    assert_false(shim_str_equal(NULL, ""));
    assert_false(shim_str_equal("", NULL));
    assert_true(shim_str_equal("a", "a"));
    assert_false(shim_str_equal("a", "b"));
}

static void test_numbers_are_digits_within_the_limit(void **state)
{
    static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x10", "1e3", "12a", "\xB2"};
    uint64_t value = 5;

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(bad); i++)
        assert_false(shim_parse_u64(bad[i], UINT64_MAX, &value));
    assert_false(shim_parse_u64("18446744073709551616", UINT64_MAX, &value));
    assert_false(shim_parse_u64("99999999999999999999", UINT64_MAX, &value));
    assert_false(shim_parse_u64("101", 100, &value));
    assert_int_equal(value, 5); /* untouched so far */
    assert_true(shim_parse_u64("18446744073709551615", UINT64_MAX, &value));
    assert_true(value == UINT64_MAX);
    assert_true(shim_parse_u64("0100", 100, &value));
    assert_int_equal(value, 100);
    assert_true(shim_parse_u64("0", 0, &value));
    assert_int_equal(value, 0);
}

static void test_hexadecimal_digits_have_either_case(void **state)
{
    static const char digits[] = "0123456789abcdefABCDEF";

    (void)state;
    for (int c = -128; c < 128; c++) {
        const char *at = c ? strchr(digits, c) : NULL;
        long n = at ? at - digits : -1;

        assert_int_equal(shim_hex_value((char)c), n > 15 ? n - 6 : n);
    }
}

static const char *const good_utf8[] = {"",
                                        "plain",
                                        "\x7F",
                                        "\xC2\x80",
                                        "\xDF\xBF",
                                        "\xE0\xA0\x80",
                                        "\xED\x9F\xBF",
                                        "\xEE\x80\x80",
                                        "\xEF\xBF\xBF",
                                        "\xF0\x90\x80\x80",
                                        "\xF4\x8F\xBF\xBF"};
static const char *const bad_utf8[] = {
    "\x80", /* a continuation without a start */
    "\xBF",
    "\xC0\x80", /* overlong */
    "\xC1\xBF",
    "\xE0\x80\x80",
    "\xE0\x9F\xBF",
    "\xF0\x80\x80\x80",
    "\xF0\x8F\xBF\xBF",
    "\xED\xA0\x80", /* surrogates */
    "\xED\xBF\xBF",
    "\xF4\x90\x80\x80", /* beyond the last */
    "\xF5\x80\x80\x80",
    "\xF8\x88\x80\x80\x80",
    "\xFE",
    "\xFF",
    "\xC3", /* cut short */
    "\xE2\x82",
    "\xF0\x9F\x90",
    "\xC3(", /* something else where it should go on */
    "\xE2(\xAC",
    "\xE2\x82(",
};

static void test_utf8_is_what_the_standard_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(good_utf8); i++)
        if (!shim_is_utf8(good_utf8[i], strlen(good_utf8[i])))
            fail_msg("good text %zu", i);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(bad_utf8); i++)
        if (shim_is_utf8(bad_utf8[i], strlen(bad_utf8[i])))
            fail_msg("bad text %zu", i);
    assert_true(shim_is_utf8("a\0b", 3));
    assert_true(shim_is_utf8(NULL, 0));
}

static void test_a_character_is_not_looked_for_beyond_the_end(void **state)
{
    (void)state;
    assert_int_equal(shim_utf8_char_bytes("\xE2\x82\xAC", 3), 3);
    assert_int_equal(shim_utf8_char_bytes("\xE2\x82\xAC", 2), 0);
    assert_int_equal(shim_utf8_char_bytes("a", 0), 0);
    assert_int_equal(shim_utf8_char_bytes("a", 1), 1);
}

static void test_repair_replaces_only_what_is_broken(void **state)
{
    char text[64];

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(good_utf8); i++) {
        strcpy(text, good_utf8[i]);
        shim_utf8_repair(text);
        assert_string_equal(text, good_utf8[i]);
    }
    for (size_t i = 0; i < SHIM_ARRAY_LEN(bad_utf8); i++) {
        strcpy(text, bad_utf8[i]);
        shim_utf8_repair(text);
        assert_true(shim_is_utf8(text, strlen(text)));
        assert_int_equal(strlen(text), strlen(bad_utf8[i]));
    }
    strcpy(text, "a\xE2\x82"
                 "b\xC3\xA4\xFF");
    shim_utf8_repair(text);
    assert_string_equal(text, "a??b\xC3\xA4?");
}

static void test_lists_stay_terminated(void **state)
{
    cleanup_strv struct shim_strv l = {0};

    (void)state;
    assert_null(l.v);
    assert_true(shim_strv_add(&l, "one"));
    assert_true(shim_strv_addf(&l, "%s-%d", "two", 2));
    assert_true(shim_strv_add(&l, ""));
    assert_int_equal(l.n, 3);
    assert_string_equal(l.v[0], "one");
    assert_string_equal(l.v[1], "two-2");
    assert_string_equal(l.v[2], "");
    assert_null(l.v[3]);
    shim_strv_done(&l);
    assert_null(l.v);
    assert_int_equal(l.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_are_formatted_into_memory_of_their_own),
        cmocka_unit_test(test_no_text_becomes_an_empty_one),
        cmocka_unit_test(test_prefixes_and_suffixes),
        cmocka_unit_test(test_null_equals_null_only),
        cmocka_unit_test(test_numbers_are_digits_within_the_limit),
        cmocka_unit_test(test_hexadecimal_digits_have_either_case),
        cmocka_unit_test(test_utf8_is_what_the_standard_says),
        cmocka_unit_test(test_a_character_is_not_looked_for_beyond_the_end),
        cmocka_unit_test(test_repair_replaces_only_what_is_broken),
        cmocka_unit_test(test_lists_stay_terminated),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Code points: their digits, their ranges and their UTF-8. */
#include "base/str.h"
#include "oci/unicode.h"
#include "tests/test.h"

static void test_hexadecimal_digits_are_counted_exactly(void **state)
{
    uint32_t value = 1;

    (void)state;
    assert_true(oci_hex_parse("00aFz", 5, 4, &value));
    assert_int_equal(value, 0xaf);
    assert_true(oci_hex_parse("ffffffff", 8, 8, &value));
    assert_int_equal(value, UINT32_MAX);
    assert_false(oci_hex_parse("00aF", 3, 4, &value));
    assert_false(oci_hex_parse("00g0", 4, 4, &value));
    assert_int_equal(value, UINT32_MAX);
}

static void test_nul_surrogates_and_what_is_beyond_are_not_ok(void **state)
{
    (void)state;
    assert_false(oci_code_point_ok(0));
    assert_true(oci_code_point_ok(1));
    assert_true(oci_code_point_ok(0xd7ff));
    assert_false(oci_code_point_ok(0xd800));
    assert_false(oci_code_point_ok(0xdfff));
    assert_true(oci_code_point_ok(0xe000));
    assert_true(oci_code_point_ok(0x10ffff));
    assert_false(oci_code_point_ok(0x110000));
}

static void test_every_length_of_utf8_is_written_at_its_edges(void **state)
{
    static const uint32_t edges[] = {0x1, 0x7f, 0x80, 0x7ff, 0x800, 0xffff, 0x10000, 0x10ffff};
    cleanup_buf struct shim_buf b = {0};

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(edges); i++)
        assert_true(oci_utf8_append(&b, edges[i]));
    assert_string_equal(shim_buf_str(&b), "\x01\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf"
                                          "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf");
    assert_true(shim_is_utf8(b.data, b.len));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hexadecimal_digits_are_counted_exactly),
        cmocka_unit_test(test_nul_surrogates_and_what_is_beyond_are_not_ok),
        cmocka_unit_test(test_every_length_of_utf8_is_written_at_its_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

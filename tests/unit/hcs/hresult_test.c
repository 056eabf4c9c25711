/* SPDX-License-Identifier: Apache-2.0 */
/* Result codes: names, the codes that fit them, and errors that carry them. */
#include "hcs/hresult.h"
#include "tests/test.h"

static void test_names_are_the_services_own(void **state)
{
    (void)state;
    assert_string_equal(hresult_name(0x8037010D), "HCS_E_INVALID_JSON");
    assert_string_equal(hresult_name(0x80070057), "E_INVALIDARG");
    assert_string_equal(hresult_name(0x80070002), "ERROR_FILE_NOT_FOUND");
    assert_string_equal(hresult_name(0x12345678), "");
}

static void test_both_families_mean_the_same(void **state)
{
    (void)state;
    assert_string_equal(hresult_name(0xC037010E), "HCS_E_SYSTEM_NOT_FOUND");
    assert_true(hresult_same(0xC0370110, HRESULT_SYSTEM_ALREADY_STOPPED));
    assert_false(hresult_same(0xC0370110, HRESULT_SYSTEM_NOT_FOUND));
    assert_false(hresult_same(0xC0070002, HRESULT_FILE_NOT_FOUND));
}

static void test_each_code_fits_what_containerd_expects(void **state)
{
    (void)state;
    assert_int_equal(hresult_code(HRESULT_INVALID_JSON), SHIM_E_INVALID);
    assert_int_equal(hresult_code(HRESULT_SYSTEM_ALREADY_EXISTS), SHIM_E_EXISTS);
    assert_int_equal(hresult_code(HRESULT_SYSTEM_NOT_FOUND), SHIM_E_NOT_FOUND);
    assert_int_equal(hresult_code(HRESULT_PROCESS_ALREADY_STOPPED), SHIM_E_NOT_FOUND);
    assert_int_equal(hresult_code(HRESULT_INVALID_STATE), SHIM_E_STATE);
    assert_int_equal(hresult_code(HRESULT_OPERATION_TIMEOUT), SHIM_E_DEADLINE);
    assert_int_equal(hresult_code(HRESULT_UNEXPECTED_EXIT), SHIM_E_UNKNOWN);
    assert_int_equal(hresult_code(0x12345678), SHIM_E_UNKNOWN);
}

static void test_an_error_carries_code_name_and_number(void **state)
{
    struct shim_error err = {0};

    (void)state;
    assert_int_equal(hcs_fail(&err, HRESULT_INVALID_STATE, "start %d", 7), SHIM_E_STATE);
    assert_int_equal(err.os, HRESULT_INVALID_STATE);
    assert_int_equal(err.code, SHIM_E_STATE);
    assert_string_equal(err.msg, "start 7: HCS_E_INVALID_STATE (0x80370105)");
    assert_int_equal(hcs_fail(&err, 0x12345678, "odd"), SHIM_E_UNKNOWN);
    assert_string_equal(err.msg, "odd: 0x12345678");
    assert_int_equal(hcs_fail(NULL, HRESULT_INVALID_JSON, "nobody listens"), SHIM_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_are_the_services_own),
        cmocka_unit_test(test_both_families_mean_the_same),
        cmocka_unit_test(test_each_code_fits_what_containerd_expects),
        cmocka_unit_test(test_an_error_carries_code_name_and_number),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* nng's codes as errors of ours. */
#include "tests/test.h"
#include "ttrpc/nng_error.h"
#include <errno.h>
#include <string.h>

static void expect(int rv, int code)
{
    struct shim_error err = {0};

    assert_int_equal(ttrpc_fail_nng(&err, rv, "open %s", "it"), code);
    assert_int_equal(err.code, code);
    assert_memory_equal(err.msg, "open it: ", 9);
    assert_true(strlen(err.msg) > 9);
}

static void test_codes_are_the_ones_that_fit(void **state)
{
    (void)state;
    expect(NNG_ENOMEM, SHIM_E_EXHAUSTED);
    expect(NNG_ENOFILES, SHIM_E_EXHAUSTED);
    expect(NNG_EADDRINVAL, SHIM_E_INVALID);
    expect(NNG_ENOTSUP, SHIM_E_UNIMPLEMENTED);
    expect(NNG_EADDRINUSE, SHIM_E_EXISTS);
    expect(NNG_ENOENT, SHIM_E_NOT_FOUND);
    expect(NNG_EPERM, SHIM_E_DENIED);
    expect(NNG_ETIMEDOUT, SHIM_E_DEADLINE);
    expect(NNG_ECANCELED, SHIM_E_CANCELED);
    expect(NNG_ECONNREFUSED, SHIM_E_UNAVAILABLE);
    expect(NNG_ECLOSED, SHIM_E_UNAVAILABLE);
}

static void test_codes_of_the_system_are_passed_through(void **state)
{
    struct shim_error err = {0};

    (void)state;
    assert_int_equal(ttrpc_fail_nng(&err, NNG_ESYSERR | EACCES, "open it"), SHIM_E_DENIED);
    assert_int_equal(err.os, EACCES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codes_are_the_ones_that_fit),
        cmocka_unit_test(test_codes_of_the_system_are_passed_through),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

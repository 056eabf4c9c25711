/* SPDX-License-Identifier: Apache-2.0 */
/* Every errno that has a code of ours gets it, and all have a text. */
#include "base/error.h"
#include "tests/test.h"
#include <errno.h>
#include <string.h>

static void test_errnos_become_codes(void **state)
{
    static const struct {
        uint32_t os;
        int code;
    } pairs[] = {
        {ENOENT, SHIM_E_NOT_FOUND},
        {ESRCH, SHIM_E_NOT_FOUND},
        {EEXIST, SHIM_E_EXISTS},
        {EACCES, SHIM_E_DENIED},
        {EPERM, SHIM_E_DENIED},
        {ENOMEM, SHIM_E_EXHAUSTED},
        {EAGAIN, SHIM_E_EXHAUSTED},
        {EMFILE, SHIM_E_EXHAUSTED},
        {ENFILE, SHIM_E_EXHAUSTED},
        {ENOSPC, SHIM_E_EXHAUSTED},
        {ETIMEDOUT, SHIM_E_DEADLINE},
        {ECONNREFUSED, SHIM_E_UNAVAILABLE},
        {ECONNRESET, SHIM_E_UNAVAILABLE},
        {EPIPE, SHIM_E_UNAVAILABLE},
        {ENOSYS, SHIM_E_UNIMPLEMENTED},
        {EOPNOTSUPP, SHIM_E_UNIMPLEMENTED},
        {EIO, SHIM_E_UNKNOWN},
        {EINVAL, SHIM_E_UNKNOWN},
        {999999, SHIM_E_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(pairs); i++)
        assert_int_equal(shim_code_from_os(pairs[i].os), pairs[i].code);
}

static void test_every_errno_has_a_text(void **state)
{
    char text[64];

    (void)state;
    assert_string_equal(shim_os_text(EBUSY, text, sizeof(text)), "Device or resource busy");
    assert_string_equal(shim_os_text(999999, text, sizeof(text)), "Unknown error 999999");
    assert_string_equal(shim_os_text(EBUSY, text, 7), "Device");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errnos_become_codes),
        cmocka_unit_test(test_every_errno_has_a_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka with the includes it wants in front, and what our tests share. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* A test that cannot run here skips; with SHIM_TEST_STRICT set that is a failure. */
#define skip_test(why)                                                                             \
    do {                                                                                           \
        print_message("skipped: %s\n", (why));                                                     \
        if (getenv("SHIM_TEST_STRICT"))                                                            \
            fail_msg("skipped in strict mode: %s", (why));                                         \
        skip();                                                                                    \
    } while (0)

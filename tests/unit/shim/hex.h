/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of captured messages, as tests write them down. */
#pragma once
#include "base/buf.h"
#include "tests/test.h"
#include <stdio.h>

static inline struct shim_buf from_hex(const char *hex)
{
    struct shim_buf b = {0};

    for (; *hex; hex += 2) {
        unsigned value;

        assert_int_equal(sscanf(hex, "%2x", &value), 1);
        assert_true(shim_buf_append(&b, &(uint8_t){(uint8_t)value}, 1));
    }
    return b;
}

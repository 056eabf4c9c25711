/* SPDX-License-Identifier: Apache-2.0 */
/* Code points from hexadecimal digits and to UTF-8; decides nothing about the texts around them. */
#include "oci/unicode.h"
#include "base/str.h"

bool oci_hex_parse(const char *text, size_t bytes, unsigned digits, uint32_t *ret)
{
    uint32_t sum = 0;

    if (bytes < digits)
        return false;
    for (unsigned i = 0; i < digits; i++) {
        int value = shim_hex_value(text[i]);

        if (value < 0)
            return false;
        sum = sum << 4 | (uint32_t)value;
    }
    *ret = sum;
    return true;
}

bool oci_code_point_ok(uint32_t code_point)
{
    return code_point != 0 && code_point <= 0x10ffff &&
           (code_point < 0xd800 || code_point > 0xdfff);
}

bool oci_utf8_append(struct shim_buf *b, uint32_t code_point)
{
    static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};
    unsigned n = code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    uint8_t utf8[4];

    for (unsigned i = n - 1; i > 0; i--) {
        utf8[i] = (uint8_t)(0x80 | (code_point & 0x3f));
        code_point >>= 6;
    }
    utf8[0] = (uint8_t)(lead[n] | code_point);
    return shim_buf_append(b, utf8, n);
}

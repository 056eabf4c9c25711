/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 against the standard's own vectors and at every length around a block's end. */
#include "base/sha256.h"
#include "tests/test.h"
#include <string.h>

static void assert_sum(const void *data, size_t bytes, const char *want)
{
    char hex[SHIM_SHA256_HEX_BYTES];

    assert_string_equal(shim_sha256_hex(data, bytes, hex), want);
}

static void test_the_standards_vectors(void **state)
{
    static const char two_blocks[] = "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq";
    static const char long_text[] = "abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmn"
                                    "hijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu";

    (void)state;
    assert_sum(NULL, 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_sum("abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_sum(two_blocks, strlen(two_blocks),
               "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_sum(long_text, strlen(long_text),
               "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
}

static void test_a_million_letters(void **state)
{
    static char text[1000000];

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_sum(text, sizeof(text),
               "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* The sum over the sums of 0 to 130 letters, as another implementation gives it. */
static void test_every_length_around_the_padding(void **state)
{
    uint8_t sums[131 * SHIM_SHA256_BYTES];
    char text[130];

    (void)state;
    memset(text, 'a', sizeof(text));
    for (size_t n = 0; n <= sizeof(text); n++)
        shim_sha256(text, n, sums + n * SHIM_SHA256_BYTES);
    assert_sum(sums, sizeof(sums),
               "f908a43fc8456c583aacde0fb2627959f8513dc76d0c03979b7f945a7dd78f22");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_standards_vectors),
        cmocka_unit_test(test_a_million_letters),
        cmocka_unit_test(test_every_length_around_the_padding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

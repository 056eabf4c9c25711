/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: parsed from bytes as Go's ttrpc writes them, and written alike. */
#include "tests/test.h"
#include "ttrpc/frame.h"
#include <string.h>

static void test_parse_asks_for_more_at_every_cut(void **state)
{
    static const uint8_t wire[] = {0, 0, 0, 2, 0, 0, 0, 1, 1, 0, 'h', 'i'};
    struct ttrpc_frame f = {.stream_id = 77};

    (void)state;
    for (size_t n = 0; n < sizeof(wire); n++)
        assert_int_equal(ttrpc_frame_parse(wire, n, &f, NULL), 0);
    assert_int_equal(f.stream_id, 77); /* untouched until a whole frame is there */

    assert_int_equal(ttrpc_frame_parse(wire, sizeof(wire), &f, NULL), sizeof(wire));
    assert_int_equal(f.stream_id, 1);
    assert_int_equal(f.type, TTRPC_REQUEST);
    assert_int_equal(f.data_bytes, 2);
    assert_memory_equal(f.data, "hi", 2);
}

static void test_parse_takes_an_empty_frame_with_its_flags(void **state)
{
    static const uint8_t half_close[] = {0, 0, 0, 0, 0, 0, 0, 1, 3, 5};
    struct ttrpc_frame f;

    (void)state;
    assert_int_equal(ttrpc_frame_parse(half_close, sizeof(half_close), &f, NULL), 10);
    assert_int_equal(f.type, TTRPC_DATA);
    assert_int_equal(f.flags, 5);
    assert_int_equal(f.data_bytes, 0);
}

static void test_parse_reads_numbers_big_endian_and_unsigned(void **state)
{
    static const uint8_t wire[] = {0, 0, 0, 0, 0xff, 0xfe, 0xfd, 0xfc, 9, 0};
    struct ttrpc_frame f;

    (void)state;
    assert_int_equal(ttrpc_frame_parse(wire, sizeof(wire), &f, NULL), 10);
    assert_true(f.stream_id == 0xfffefdfc);
    assert_int_equal(f.type, 9); /* unknown types are the caller's business */
}

static void test_parse_names_the_length_that_is_too_much(void **state)
{
    static const uint8_t wire[] = {0x00, 0x40, 0x00, 0x01, 0, 0, 0, 0x1b, 1, 0};
    struct shim_error err = {0};
    struct ttrpc_frame f = {0};

    (void)state;
    assert_int_equal(ttrpc_frame_parse(wire, sizeof(wire), &f, &err), SHIM_E_EXHAUSTED);
    assert_string_equal(err.msg, "message length 4194305 exceed maximum message size of 4194304");
    assert_int_equal(f.stream_id, 27);
    assert_int_equal(f.data_bytes, 4194305);
}

static void test_parse_waits_for_the_longest_legal_frame(void **state)
{
    static const uint8_t wire[] = {0x00, 0x40, 0x00, 0x00, 0, 0, 0, 0x1b, 1, 0};
    struct ttrpc_frame f;

    (void)state;
    assert_int_equal(ttrpc_frame_parse(wire, sizeof(wire), &f, NULL), 0);
}

static void test_put_header_writes_what_get_header_reads(void **state)
{
    static const uint8_t want[] = {0, 0x40, 0, 0, 0x80, 0, 0, 1, 2, 0};
    uint8_t got[TTRPC_HEADER_BYTES];
    struct ttrpc_frame f;

    (void)state;
    ttrpc_frame_put_header(got, TTRPC_DATA_MAX_BYTES, 0x80000001, TTRPC_RESPONSE);
    assert_memory_equal(got, want, sizeof(want));
    ttrpc_frame_get_header(got, &f);
    assert_true(f.stream_id == 0x80000001);
    assert_int_equal(f.data_bytes, TTRPC_DATA_MAX_BYTES);
    assert_int_equal(f.type, TTRPC_RESPONSE);
    assert_ptr_equal(f.data, got + TTRPC_HEADER_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse_asks_for_more_at_every_cut),
        cmocka_unit_test(test_parse_takes_an_empty_frame_with_its_flags),
        cmocka_unit_test(test_parse_reads_numbers_big_endian_and_unsigned),
        cmocka_unit_test(test_parse_names_the_length_that_is_too_much),
        cmocka_unit_test(test_parse_waits_for_the_longest_legal_frame),
        cmocka_unit_test(test_put_header_writes_what_get_header_reads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The buffer grows, stays terminated, and refuses what memory cannot hold. */
#include "base/buf.h"
#include "base/str.h"
#include "tests/test.h"
#include <string.h>

static void test_an_empty_buffer_is_an_empty_text(void **state)
{
    cleanup_buf struct shim_buf b = {0};

    (void)state;
    assert_string_equal(shim_buf_str(&b), "");
    assert_null(shim_buf_take(&b));
    shim_buf_consume(&b, 0);
    assert_int_equal(b.len, 0);
}

static void test_everything_appended_is_there_in_order(void **state)
{
    cleanup_buf struct shim_buf b = {0};

    (void)state;
    assert_true(shim_buf_append(&b, "ab\0c", 4));
    assert_true(shim_buf_append(&b, NULL, 0));
    assert_true(shim_buf_append_str(&b, "de"));
    assert_true(shim_buf_appendf(&b, "%d-%s", 12, "x"));
    assert_int_equal(b.len, 10);
    assert_memory_equal(b.data, "ab\0cde12-x", 11);
}

static void test_a_long_text_grows_it(void **state)
{
    cleanup_buf struct shim_buf b = {0};

    (void)state;
    for (int i = 0; i < 10000; i++) {
        assert_true(shim_buf_appendf(&b, "%05d", i));
        assert_true(b.cap > b.len);
        assert_int_equal(b.data[b.len], 0);
    }
    assert_int_equal(b.len, 50000);
    assert_memory_equal(b.data + 5 * 1234, "01234", 5);
}

static void test_consume_drops_the_front(void **state)
{
    cleanup_buf struct shim_buf b = {0};

    (void)state;
    assert_true(shim_buf_append_str(&b, "hello"));
    shim_buf_consume(&b, 2);
    assert_string_equal(shim_buf_str(&b), "llo");
    shim_buf_consume(&b, 3);
    assert_string_equal(shim_buf_str(&b), "");
    assert_int_equal(b.len, 0);
}

static void test_take_hands_the_bytes_over(void **state)
{
    struct shim_buf b = {0};
    cleanup_free char *text = NULL;

    (void)state;
    assert_true(shim_buf_append_str(&b, "mine"));
    text = shim_buf_take(&b);
    assert_string_equal(text, "mine");
    assert_null(b.data);
    assert_int_equal(b.len + b.cap, 0);
}

static void test_reserved_room_is_not_moved_by_appending(void **state)
{
    cleanup_buf struct shim_buf b = {0};
    uint8_t *data;

    (void)state;
    assert_true(shim_buf_reserve(&b, 1000));
    data = b.data;
    for (int i = 0; i < 1000; i++)
        assert_true(shim_buf_append(&b, "x", 1));
    assert_ptr_equal(b.data, data);
}

static void test_an_absurd_size_is_refused_and_changes_nothing(void **state)
{
    cleanup_buf struct shim_buf b = {0};

    (void)state;
    assert_true(shim_buf_append_str(&b, "kept"));
    assert_false(shim_buf_reserve(&b, SIZE_MAX));
    assert_false(shim_buf_reserve(&b, SIZE_MAX / 2));
    assert_string_equal(shim_buf_str(&b), "kept");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_buffer_is_an_empty_text),
        cmocka_unit_test(test_everything_appended_is_there_in_order),
        cmocka_unit_test(test_a_long_text_grows_it),
        cmocka_unit_test(test_consume_drops_the_front),
        cmocka_unit_test(test_take_hands_the_bytes_over),
        cmocka_unit_test(test_reserved_room_is_not_moved_by_appending),
        cmocka_unit_test(test_an_absurd_size_is_refused_and_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

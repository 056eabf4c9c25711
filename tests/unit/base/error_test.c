/* SPDX-License-Identifier: Apache-2.0 */
/* Error messages keep context and cause, stay UTF-8 and never overflow. */
#include "base/error.h"
#include "base/str.h"
#include "tests/test.h"
#include <errno.h>
#include <string.h>

/* `n` times `unit`, to be freed. */
static char *repeat(const char *unit, size_t n)
{
    size_t bytes = strlen(unit);
    char *text = malloc(n * bytes + 1);

    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        memcpy(text + i * bytes, unit, bytes);
    text[n * bytes] = 0;
    return text;
}

static void test_a_failure_is_code_and_message(void **state)
{
    struct shim_error err = {.os = 7};

    (void)state;
    assert_int_equal(shim_fail(&err, SHIM_E_INVALID, "task %s: no %d", "a", 3), SHIM_E_INVALID);
    assert_int_equal(err.code, SHIM_E_INVALID);
    assert_int_equal(err.os, 0);
    assert_string_equal(err.msg, "task a: no 3");
}

static void test_no_struct_is_needed(void **state)
{
    (void)state;
    assert_int_equal(shim_fail(NULL, SHIM_E_STATE, "x"), SHIM_E_STATE);
    assert_int_equal(shim_fail_os(NULL, ENOENT, "x"), SHIM_E_NOT_FOUND);
    assert_int_equal(shim_wrap(NULL, SHIM_E_STATE, "x"), SHIM_E_STATE);
    assert_int_equal(shim_fail_memory(NULL), SHIM_E_EXHAUSTED);
}

static void test_wrapping_puts_context_in_front_and_keeps_the_os_code(void **state)
{
    struct shim_error err;

    (void)state;
    shim_fail_os(&err, ENOENT, "open %s", "/x");
    assert_int_equal(shim_wrap(&err, SHIM_E_INTERNAL, "task %d", 1), SHIM_E_INTERNAL);
    assert_int_equal(err.code, SHIM_E_INTERNAL);
    assert_int_equal(err.os, ENOENT);
    assert_string_equal(err.msg, "task 1: open /x: No such file or directory");
}

static void test_wrapping_an_empty_message_adds_no_colon(void **state)
{
    struct shim_error err = {0};

    (void)state;
    shim_wrap(&err, SHIM_E_UNKNOWN, "context");
    assert_string_equal(err.msg, "context");
}

static void test_a_message_may_quote_the_one_it_replaces(void **state)
{
    struct shim_error err;

    (void)state;
    shim_fail(&err, SHIM_E_UNKNOWN, "inner");
    shim_fail(&err, SHIM_E_STATE, "[%s]", err.msg);
    assert_string_equal(err.msg, "[inner]");
    shim_wrap(&err, SHIM_E_STATE, "<%s>", err.msg);
    assert_string_equal(err.msg, "<[inner]>: [inner]");
}

static void test_a_long_message_loses_its_middle(void **state)
{
    cleanup_free char *filler = repeat("x", 3000);
    struct shim_error err;

    (void)state;
    shim_fail(&err, SHIM_E_UNKNOWN, "front %s end", filler);
    assert_true(strlen(err.msg) > sizeof(err.msg) - 8);
    assert_true(strlen(err.msg) < sizeof(err.msg));
    assert_true(shim_starts_with(err.msg, "front xxx"));
    assert_non_null(strstr(err.msg, "xxx ... xxx"));
    assert_true(shim_ends_with(err.msg, "xxx end"));
}

static void test_the_longest_that_fits_stays_whole(void **state)
{
    struct shim_error err;
    cleanup_free char *whole = repeat("x", sizeof(err.msg) - 1);
    cleanup_free char *one_more = repeat("x", sizeof(err.msg));

    (void)state;
    shim_fail(&err, SHIM_E_UNKNOWN, "%s", whole);
    assert_string_equal(err.msg, whole);
    shim_fail(&err, SHIM_E_UNKNOWN, "%s", one_more);
    assert_non_null(strstr(err.msg, "x ... x"));
}

static void test_wrapping_a_full_message_keeps_both_ends(void **state)
{
    struct shim_error err;
    cleanup_free char *filler = repeat("y", sizeof(err.msg));

    (void)state;
    shim_fail(&err, SHIM_E_UNKNOWN, "inner %s cause", filler);
    for (int i = 0; i < 50; i++)
        shim_wrap(&err, SHIM_E_UNKNOWN, "level %d", i);
    assert_true(shim_starts_with(err.msg, "level 49: level 48: "));
    assert_true(shim_ends_with(err.msg, "yyy cause"));
    assert_true(strlen(err.msg) < sizeof(err.msg));
}

static void test_a_long_context_leaves_the_os_text(void **state)
{
    cleanup_free char *filler = repeat("z", 20000);
    struct shim_error err;

    (void)state;
    shim_fail_os(&err, EACCES, "open %s", filler);
    assert_true(shim_starts_with(err.msg, "open zzz"));
    assert_true(shim_ends_with(err.msg, ": Permission denied"));
}

/* Every alignment of two-, three- and four-byte characters against the places of the cuts. */
static void test_a_cut_never_splits_a_character(void **state)
{
    static const char *const units[] = {"\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x90\xB3"};

    (void)state;
    for (size_t u = 0; u < SHIM_ARRAY_LEN(units); u++) {
        for (int pad = 0; pad < 8; pad++) {
            cleanup_free char *filler = repeat(units[u], 700 + 700 * (u == 0));
            struct shim_error err;

            shim_fail(&err, SHIM_E_UNKNOWN, "%*s%s%*s", pad, "", filler, (pad * 3) % 8, "");
            assert_true(shim_is_utf8(err.msg, strlen(err.msg)));
            assert_null(strchr(err.msg, '?'));
            assert_non_null(strstr(err.msg, " ... "));
        }
    }
}

static void test_what_is_not_utf8_is_replaced(void **state)
{
    cleanup_free char *filler = repeat("\xE2\x82\xAC", 3000);
    struct shim_error err;

    (void)state;
    shim_fail(&err, SHIM_E_UNKNOWN, "path \xFF\xC3.\xE2\x82 \xC0\xAF ok \xC3\xA4");
    assert_string_equal(err.msg, "path ??.?? ?? ok \xC3\xA4");
    shim_wrap(&err, SHIM_E_UNKNOWN, "\x80");
    assert_string_equal(err.msg, "?: path ??.?? ?? ok \xC3\xA4");
    shim_fail(&err, SHIM_E_UNKNOWN, "x%s", filler); /* loses its end within a character */
    assert_true(shim_is_utf8(err.msg, strlen(err.msg)));
}

static void test_codes_have_containerds_words(void **state)
{
    (void)state;
    assert_string_equal(shim_code_words(SHIM_E_NOT_FOUND), "not found");
    assert_string_equal(shim_code_words(SHIM_E_EXISTS), "already exists");
    assert_string_equal(shim_code_words(SHIM_E_UNIMPLEMENTED), "not implemented");
    assert_string_equal(shim_code_words(SHIM_E_UNAUTHENTICATED), "unauthenticated");
    assert_string_equal(shim_code_words(SHIM_E_UNKNOWN), "");
    assert_string_equal(shim_code_words(0), "");
    assert_string_equal(shim_code_words(5), "");
    assert_string_equal(shim_code_words(-17), "");
    assert_string_equal(shim_code_words(INT32_MIN), "");
}

static void test_out_of_memory_reads_the_same_everywhere(void **state)
{
    struct shim_error err;

    (void)state;
    assert_int_equal(shim_fail_memory(&err), SHIM_E_EXHAUSTED);
    assert_string_equal(err.msg, "out of memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_failure_is_code_and_message),
        cmocka_unit_test(test_no_struct_is_needed),
        cmocka_unit_test(test_wrapping_puts_context_in_front_and_keeps_the_os_code),
        cmocka_unit_test(test_wrapping_an_empty_message_adds_no_colon),
        cmocka_unit_test(test_a_message_may_quote_the_one_it_replaces),
        cmocka_unit_test(test_a_long_message_loses_its_middle),
        cmocka_unit_test(test_the_longest_that_fits_stays_whole),
        cmocka_unit_test(test_wrapping_a_full_message_keeps_both_ends),
        cmocka_unit_test(test_a_long_context_leaves_the_os_text),
        cmocka_unit_test(test_a_cut_never_splits_a_character),
        cmocka_unit_test(test_what_is_not_utf8_is_replaced),
        cmocka_unit_test(test_codes_have_containerds_words),
        cmocka_unit_test(test_out_of_memory_reads_the_same_everywhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

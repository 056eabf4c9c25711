/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines are logrus' text form, one line each whatever is in them. */
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "tests/test.h"
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static void assert_quoted(const char *text, const char *want)
{
    char quoted[64];

    assert_int_equal(shim_log_quote(text, quoted, sizeof(quoted)), strlen(want));
    assert_string_equal(quoted, want);
}

static void test_quotes_are_gos(void **state)
{
    (void)state;
    assert_quoted("", "\"\"");
    assert_quoted("plain text", "\"plain text\"");
    assert_quoted("a \"b\" \\ c", "\"a \\\"b\\\" \\\\ c\"");
    assert_quoted("\n\r\t", "\"\\n\\r\\t\"");
    assert_quoted("\x1b[0m\x7f\x01", "\"\\x1b[0m\\x7f\\x01\"");
    assert_quoted("\xC3\xA4\xF0\x9F\x90\xB3", "\"\xC3\xA4\xF0\x9F\x90\xB3\"");
    assert_quoted("\xFF\xC3(\xED\xA0\x80", "\"\\xff\\xc3(\\xed\\xa0\\x80\"");
}

static void test_what_does_not_fit_is_cut_between_characters(void **state)
{
    static const char text[] = "ab\"\xC3\xA4\n\xE2\x82\xAC\xFFz";
    char whole[64], quoted[64];
    unsigned full = shim_log_quote(text, whole, sizeof(whole));

    (void)state;
    for (unsigned room = 3; room <= full + 1; room++) {
        unsigned n;

        memset(quoted, '#', sizeof(quoted));
        n = shim_log_quote(text, quoted, room);
        assert_true(n < room);
        assert_int_equal(strlen(quoted), n);
        assert_int_equal(quoted[0], '"');
        assert_int_equal(quoted[n - 1], '"');
        assert_memory_equal(quoted, whole, n - 1);
        assert_true(shim_is_utf8(quoted, n));
        assert_int_equal(quoted[room], '#');
    }
    assert_string_equal(quoted, whole);
}

/* What `log` wrote to standard error, to be freed. */
static char *captured(void (*log)(void))
{
    cleanup_buf struct shim_buf b = {0};
    int ends[2], saved = dup(STDERR_FILENO);

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    log();
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    close(ends[1]);
    assert_int_equal(shim_handle_read(ends[0], 1 << 20, &b, NULL), 0);
    close(ends[0]);
    return shim_buf_append_str(&b, "") ? shim_buf_take(&b) : NULL;
}

static void log_every_level(void)
{
    shim_log(SHIM_DEBUG, "first %d", 1);
    shim_log(SHIM_INFO, "second \"%s\"", "x");
    shim_log(SHIM_WARN, "third\nline");
    shim_log(SHIM_ERROR, "fourth");
}

static void test_lines_are_logrus_text(void **state)
{
    cleanup_free char *text = NULL;
    const char *at;

    (void)state;
    shim_log_set_level(SHIM_DEBUG);
    text = captured(log_every_level);
    shim_log_set_level(SHIM_INFO);
    assert_true(shim_starts_with(text, "time=\"20"));
    at = strchr(text, 'Z');
    assert_non_null(at);
    assert_true(shim_starts_with(at, "Z\" level=debug msg=\"first 1\"\ntime=\"20"));
    assert_non_null(strstr(text, "Z\" level=info msg=\"second \\\"x\\\"\"\n"));
    assert_non_null(strstr(text, "Z\" level=warning msg=\"third\\nline\"\n"));
    assert_true(shim_ends_with(text, "Z\" level=error msg=\"fourth\"\n"));
}

static void test_lines_below_the_level_are_not_written(void **state)
{
    cleanup_free char *info = captured(log_every_level), *error = NULL;

    (void)state;
    assert_int_equal(shim_log_level(), SHIM_INFO);
    assert_null(strstr(info, "level=debug"));
    assert_non_null(strstr(info, "level=info"));
    shim_log_set_level(SHIM_ERROR);
    error = captured(log_every_level);
    shim_log_set_level(SHIM_INFO);
    assert_null(strstr(error, "level=warning"));
    assert_non_null(strstr(error, "level=error"));
}

static void log_a_huge_line(void)
{
    static char text[100000];

    memset(text, '\n', sizeof(text) - 1);
    shim_log(SHIM_INFO, "%s", text);
    memset(text, 'x', sizeof(text) - 1);
    shim_log(SHIM_INFO, "%s", text);
}

static void test_a_huge_line_is_cut_but_whole(void **state)
{
    cleanup_free char *text = captured(log_a_huge_line);
    char *second = strchr(text, '\n') + 1;

    (void)state;
    assert_true(strlen(second) > 3000 && strlen(second) <= 4096); /* one write stays one line */
    assert_true(shim_ends_with(second, "xxx\"\n"));
    *second = 0;
    assert_true(strlen(text) > 3000 && strlen(text) <= 4096);
    assert_true(shim_ends_with(text, "\\n\\n\"\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_quotes_are_gos),
        cmocka_unit_test(test_what_does_not_fit_is_cut_between_characters),
        cmocka_unit_test(test_lines_are_logrus_text),
        cmocka_unit_test(test_lines_below_the_level_are_not_written),
        cmocka_unit_test(test_a_huge_line_is_cut_but_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

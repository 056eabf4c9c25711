/* SPDX-License-Identifier: Apache-2.0 */
/* The TOML reader: the whole grammar, what is handed out of it, and every refusal with its line. */
#include "base/buf.h"
#include "base/str.h"
#include "oci/toml.h"
#include "tests/test.h"
#include <stdio.h>
#include <string.h>

static int record(const char *key, const struct oci_toml_value *v, unsigned line, void *user,
                  struct shim_error *err)
{
    struct shim_buf *log = user;

    (void)err;
    assert_true(shim_buf_appendf(log, "%u %s=", line, key));
    switch (v->type) {
    case OCI_TOML_STRING:
        assert_true(shim_buf_appendf(log, "'%s'", v->string));
        break;
    case OCI_TOML_BOOL:
        assert_true(shim_buf_append_str(log, v->boolean ? "true" : "false"));
        break;
    case OCI_TOML_INTEGER:
        assert_true(shim_buf_appendf(log, "%lld", (long long)v->integer));
        break;
    case OCI_TOML_OTHER:
        assert_true(shim_buf_append_str(log, "other"));
        break;
    }
    assert_true(shim_buf_append_str(log, "|"));
    return 0;
}

static void assert_reads(const char *text, const char *entries)
{
    cleanup_buf struct shim_buf log = {0};
    struct shim_error err = {0};

    if (oci_toml_parse(text, strlen(text), record, &log, &err) != 0)
        fail_msg("%s: %s", text, err.msg);
    assert_string_equal(shim_buf_str(&log), entries);
}

static void assert_refused_bytes(const char *text, size_t bytes, const char *message)
{
    cleanup_buf struct shim_buf log = {0};
    struct shim_error err = {0};

    if (oci_toml_parse(text, bytes, record, &log, &err) != SHIM_E_INVALID)
        fail_msg("accepted: %s", text);
    assert_string_equal(err.msg, message);
}

static void assert_refused(const char *text, const char *message)
{
    assert_refused_bytes(text, strlen(text), message);
}

static void test_empty_texts_and_comments_hold_nothing(void **state)
{
    (void)state;
    assert_reads("", "");
    assert_reads("\n\r\n \t# a comment \xc3\xa9\n#", "");
}

static void test_keys_may_be_bare_or_quoted(void **state)
{
    (void)state;
    assert_reads("a_B-1=true\n\"a b\" = true\n'c\\' =true #x\n\"\"=true\n 12 = true",
                 "1 a_B-1=true|2 a b=true|3 c\\=true|4 =true|5 12=true|");
}

static void test_strings_of_all_four_kinds_are_read(void **state)
{
    (void)state;
    assert_reads("a=\"x\\t\\\"\\\\\\u00e9\\U0001F600\"\nb='x\\t\"'\nc=\"\"",
                 "1 a='x\t\"\\\xc3\xa9\xf0\x9f\x98\x80'|2 b='x\\t\"'|3 c=''|");
    assert_reads("a=\"\"\"\nx\"\"y\r\nz\\  \n \n  w\"\"\"\"\"\nb='''x\\\ny''''\nc=\"\"\"\"\"\"",
                 "1 a='x\"\"y\nzw\"\"'|6 b='x\\\ny''|8 c=''|");
}

static void test_integers_are_read_in_every_base(void **state)
{
    (void)state;
    assert_reads("a=0\nb=-1_000\nc=+7\nd=0xfF_f\ne=0o17\nf=0b1_01\ng=9223372036854775807\n"
                 "h=-9223372036854775808\ni=-0",
                 "1 a=0|2 b=-1000|3 c=7|4 d=4095|5 e=15|6 f=5|7 g=9223372036854775807|"
                 "8 h=-9223372036854775808|9 i=0|");
}

static void test_what_is_not_handed_out_is_read_all_the_same(void **state)
{
    (void)state;
    assert_reads("a=1.5e-3\nb=-inf\nc=nan\nd=1979-05-27 07:32:00.5-07:00\ne=1979-05-27T07:32:00Z\n"
                 "f=07:32:00\ng=1979-05-27 # day\nh.i . \"j\"=1",
                 "1 a=other|2 b=other|3 c=other|4 d=other|5 e=other|6 f=other|7 g=other|"
                 "8 h=other|");
    assert_reads("a=[]\nb=[1,'x' ,[true,],# c\n\n{}, ]\nc={ d = 1, e.f=[\n2] , \"g\"={}}\nz=1",
                 "1 a=other|2 b=other|5 c=other|7 z=1|");
}

static void test_what_is_in_a_table_is_not_told(void **state)
{
    (void)state;
    assert_reads("a=1\n[t]\nb=2\n [[ l . m ]] # c\nc='''\n\n'''\n[u]",
                 "1 a=1|2 t=other|4 l=other|8 u=other|");
}

static void test_broken_lines_are_refused(void **state)
{
    (void)state;
    assert_refused("\n=1", "line 2: expected a key");
    assert_refused("a.=1", "line 1: expected a key");
    assert_refused("a", "line 1: expected = after the key");
    assert_refused("a b=1", "line 1: expected = after the key");
    assert_refused("a=", "line 1: not a TOML value");
    assert_refused("a=yes", "line 1: not a TOML value");
    assert_refused("a=True", "line 1: not a TOML value");
    assert_refused("a=1 b=2", "line 1: something follows the value");
    assert_refused("a=1\rb=2", "line 1: something follows the value");
    assert_refused("'''a'''=1", "line 1: a key cannot be a multi-line string");
    assert_refused("[a", "line 1: table header without its end");
    assert_refused("[[a]", "line 1: table header without its end");
    assert_refused("[]", "line 1: expected a key");
    assert_refused("[a] b=1", "line 1: something follows the value");
    assert_refused("[t]\na=", "line 2: not a TOML value");
    assert_refused("#\a", "line 1: control character in a comment");
}

static void test_broken_strings_are_refused(void **state)
{
    (void)state;
    assert_refused("a=\"x", "line 1: string without end");
    assert_refused("a='x\n'", "line 1: string without end");
    assert_refused("a=\"\"\"\nx\"\"", "line 2: string without end");
    assert_refused("a=\"\\", "line 1: unknown escape in a string");
    assert_refused("a=\"\\x\"", "line 1: unknown escape in a string");
    assert_refused("a=\"\"\"\\ x\"\"\"", "line 1: unknown escape in a string");
    assert_refused("a=\"\\u12\"", "line 1: \\u or \\U without its hexadecimal digits");
    assert_refused("a=\"\\ud800\"", "line 1: escape is no character, or NUL");
    assert_refused("a=\"\\U00110000\"", "line 1: escape is no character, or NUL");
    assert_refused("a=\"\\u0000\"", "line 1: escape is no character, or NUL");
    assert_refused("a='\x7f'", "line 1: control character in a string");
    assert_refused("a='''\r'''", "line 1: control character in a string");
    assert_refused("a='''''''''", "line 1: too many quotes at a string's end");
    assert_refused("a=1\nb='\xff'", "line 2: not UTF-8");
    assert_refused_bytes("a='\0'", 5, "line 1: control character in a string");
    assert_refused_bytes("a=\"\\\0\"", 6, "line 1: unknown escape in a string");
    assert_refused_bytes("a=1\0", 4, "line 1: something follows the value");
}

static void test_broken_numbers_are_refused(void **state)
{
    (void)state;
    assert_refused("a=01", "line 1: integer with a leading zero");
    assert_refused("a=-00", "line 1: integer with a leading zero");
    assert_refused("a=9223372036854775808", "line 1: integer is beyond 64 bits");
    assert_refused("a=-9223372036854775809", "line 1: integer is beyond 64 bits");
    assert_refused("a=0xffffffffffffffff", "line 1: integer is beyond 64 bits");
    assert_refused("a=0x", "line 1: not a TOML value");
    assert_refused("a=0xg", "line 1: not a TOML value");
    assert_refused("a=0o8", "line 1: not a TOML value");
    assert_refused("a=+-1", "line 1: not a TOML value");
    assert_refused("a=infinity", "line 1: not a TOML value");
}

static void test_a_very_long_value_is_refused(void **state)
{
    char text[300] = "a=";

    (void)state;
    memset(text + 2, '1', sizeof(text) - 3);
    assert_refused(text, "line 1: value is too long");
}

static void test_broken_nests_are_refused(void **state)
{
    char deep[2 + OCI_TOML_MAX_DEPTH + 2] = "a=";

    (void)state;
    assert_refused("a=[1 2]", "line 1: expected , or ] in an array");
    assert_refused("a=[1,\n", "line 2: not a TOML value");
    assert_refused("a=[,]", "line 1: not a TOML value");
    assert_refused("a={b=1", "line 1: expected , or } in an inline table");
    assert_refused("a={b=1,}", "line 1: expected a key");
    assert_refused("a={b=1\n}", "line 1: expected , or } in an inline table");
    memset(deep + 2, '[', OCI_TOML_MAX_DEPTH + 1);
    assert_refused(deep, "line 1: nested too deeply");
}

static int refuse_second(const char *key, const struct oci_toml_value *v, unsigned line, void *user,
                         struct shim_error *err)
{
    int *calls = user;

    (void)v;
    return ++*calls == 2 ? shim_fail(err, SHIM_E_STATE, "%s %u", key, line) : 0;
}

static void test_an_error_of_the_entry_function_ends_the_reading(void **state)
{
    static const char text[] = "a=1\nb=2\nc=3\n";
    struct shim_error err = {0};
    int calls = 0;

    (void)state;
    assert_int_equal(oci_toml_parse(text, sizeof(text) - 1, refuse_second, &calls, &err),
                     SHIM_E_STATE);
    assert_string_equal(err.msg, "b 2");
    assert_int_equal(calls, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_texts_and_comments_hold_nothing),
        cmocka_unit_test(test_keys_may_be_bare_or_quoted),
        cmocka_unit_test(test_strings_of_all_four_kinds_are_read),
        cmocka_unit_test(test_integers_are_read_in_every_base),
        cmocka_unit_test(test_what_is_not_handed_out_is_read_all_the_same),
        cmocka_unit_test(test_what_is_in_a_table_is_not_told),
        cmocka_unit_test(test_broken_lines_are_refused),
        cmocka_unit_test(test_broken_strings_are_refused),
        cmocka_unit_test(test_broken_numbers_are_refused),
        cmocka_unit_test(test_a_very_long_value_is_refused),
        cmocka_unit_test(test_broken_nests_are_refused),
        cmocka_unit_test(test_an_error_of_the_entry_function_ends_the_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

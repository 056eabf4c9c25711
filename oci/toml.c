/* SPDX-License-Identifier: Apache-2.0 */
/* The TOML reader: one pass, line numbers in every error, no I/O. */
#include "oci/toml.h"
#include "base/buf.h"
#include "base/str.h"
#include "oci/unicode.h"
#include <ctype.h>
#include <errno.h>
#include <string.h>

#define TOKEN_MAX_BYTES 127

struct toml {
    const char *at, *end;
    unsigned line, depth;
    bool in_table;
    struct shim_buf key, string; /* the last ones read */
    struct shim_error *err;
};

static int bad(struct toml *t, const char *why)
{
    return shim_fail(t->err, SHIM_E_INVALID, "line %u: %s", t->line, why);
}

static size_t left(const struct toml *t)
{
    return (size_t)(t->end - t->at);
}

static bool sees(const struct toml *t, const char *text)
{
    return left(t) >= strlen(text) && memcmp(t->at, text, strlen(text)) == 0;
}

static bool take(struct toml *t, const char *text)
{
    if (!sees(t, text))
        return false;
    t->at += strlen(text);
    return true;
}

static bool take_newline(struct toml *t)
{
    if (!take(t, "\n") && !take(t, "\r\n"))
        return false;
    t->line++;
    return true;
}

static bool at_newline(const struct toml *t)
{
    return sees(t, "\n") || sees(t, "\r\n");
}

static void skip_blanks(struct toml *t)
{
    while (take(t, " ") || take(t, "\t"))
        ;
}

static bool is_control(char c)
{
    return ((uint8_t)c < 0x20 && c != '\t') || c == 0x7f;
}

static int skip_comment(struct toml *t)
{
    if (!take(t, "#"))
        return 0;
    for (; t->at < t->end && !at_newline(t); t->at++)
        if (is_control(*t->at))
            return bad(t, "control character in a comment");
    return 0;
}

static int read_line_end(struct toml *t)
{
    int r;

    skip_blanks(t);
    r = skip_comment(t);
    if (r < 0)
        return r;
    return t->at == t->end || take_newline(t) ? 0 : bad(t, "something follows the value");
}

/* Blanks, comments and line ends, as between the items of an array. */
static int skip_between(struct toml *t)
{
    int r;

    do {
        skip_blanks(t);
        r = skip_comment(t);
    } while (r == 0 && take_newline(t));
    return r;
}

static int append(struct toml *t, struct shim_buf *b, const char *text, size_t bytes)
{
    return shim_buf_append(b, text, bytes) ? 0 : shim_fail_memory(t->err);
}

static int read_unicode_escape(struct toml *t, unsigned digits, struct shim_buf *b)
{
    uint32_t code_point;

    if (!oci_hex_parse(t->at, left(t), digits, &code_point))
        return bad(t, "\\u or \\U without its hexadecimal digits");
    if (!oci_code_point_ok(code_point))
        return bad(t, "escape is no character, or NUL");
    t->at += digits;
    return oci_utf8_append(b, code_point) ? 0 : shim_fail_memory(t->err);
}

/* A backslash at a line's end swallows all white space that follows. */
static bool skip_folded_line(struct toml *t)
{
    const char *start = t->at;

    skip_blanks(t);
    if (!take_newline(t)) {
        t->at = start;
        return false;
    }
    do {
        skip_blanks(t);
    } while (take_newline(t));
    return true;
}

static int read_escape(struct toml *t, bool multi, struct shim_buf *b)
{
    static const char names[] = "btnfr\"\\", values[] = "\b\t\n\f\r\"\\";
    const char *name;

    if (multi && skip_folded_line(t))
        return 0;
    if (take(t, "u"))
        return read_unicode_escape(t, 4, b);
    if (take(t, "U"))
        return read_unicode_escape(t, 8, b);
    if (t->at == t->end || !*t->at || !(name = strchr(names, *t->at)))
        return bad(t, "unknown escape in a string");
    t->at++;
    return append(t, b, &values[name - names], 1);
}

/* At a quote: 1 when it ends the string, 0 when it is part of it. Two quotes may touch the closing
 * three of a multi-line string. */
static int read_quotes(struct toml *t, char quote, bool multi, struct shim_buf *b)
{
    const char *start = t->at;
    size_t run;

    while (t->at < t->end && *t->at == quote && (multi || t->at == start))
        t->at++;
    run = (size_t)(t->at - start);
    if (!multi)
        return 1;
    if (run > 5)
        return bad(t, "too many quotes at a string's end");
    if (append(t, b, start, run < 3 ? run : run - 3) < 0)
        return SHIM_E_EXHAUSTED;
    return run >= 3;
}

/* One step inside a string: 1 at its end. */
static int read_string_part(struct toml *t, char quote, bool multi, struct shim_buf *b)
{
    if (t->at == t->end || (!multi && at_newline(t)))
        return bad(t, "string without end");
    if (*t->at == quote)
        return read_quotes(t, quote, multi, b);
    if (quote == '"' && take(t, "\\"))
        return read_escape(t, multi, b);
    if (take_newline(t))
        return append(t, b, "\n", 1);
    if (is_control(*t->at))
        return bad(t, "control character in a string");
    return append(t, b, t->at++, 1);
}

/* At a quote. */
static int read_string(struct toml *t, bool multi_allowed, struct shim_buf *ret)
{
    const char quote = *t->at;
    bool multi = take(t, quote == '"' ? "\"\"\"" : "'''");
    int r = 0;

    if (multi && !multi_allowed)
        return bad(t, "a key cannot be a multi-line string");
    if (multi)
        take_newline(t);
    else
        t->at++;
    shim_buf_consume(ret, ret->len);
    while (r == 0)
        r = read_string_part(t, quote, multi, ret);
    return r < 0 ? r : 0;
}

static bool is_bare(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

static int read_key_part(struct toml *t, struct shim_buf *ret)
{
    const char *start = t->at;

    if (sees(t, "\"") || sees(t, "'"))
        return read_string(t, false, ret);
    while (t->at < t->end && is_bare(*t->at))
        t->at++;
    if (t->at == start)
        return bad(t, "expected a key");
    shim_buf_consume(ret, ret->len);
    return append(t, ret, start, (size_t)(t->at - start));
}

/* The first part goes to `ret`; 1 when more parts followed it, each after a dot. */
static int read_key(struct toml *t, struct shim_buf *ret)
{
    int r = read_key_part(t, ret), dotted = 0;

    for (skip_blanks(t); r == 0 && take(t, "."); skip_blanks(t)) {
        skip_blanks(t);
        r = read_key_part(t, &t->string);
        dotted = 1;
    }
    return r < 0 ? r : dotted;
}

static int read_value(struct toml *t, struct oci_toml_value *ret);

/* Key, equals sign, value. The first part of the key goes to `key`; 1 when it is dotted. */
static int read_pair(struct toml *t, struct shim_buf *key, struct oci_toml_value *ret)
{
    int r, dotted = read_key(t, key);

    if (dotted < 0)
        return dotted;
    if (!take(t, "="))
        return bad(t, "expected = after the key");
    skip_blanks(t);
    r = read_value(t, ret);
    return r < 0 ? r : dotted;
}

static int read_array(struct toml *t)
{
    struct oci_toml_value item;
    int r;

    for (;;) {
        r = skip_between(t);
        if (r < 0 || take(t, "]"))
            return r;
        r = read_value(t, &item);
        if (r == 0)
            r = skip_between(t);
        if (r < 0 || take(t, "]"))
            return r;
        if (!take(t, ","))
            return bad(t, "expected , or ] in an array");
    }
}

static int read_inline_table(struct toml *t)
{
    struct oci_toml_value value;
    int r;

    skip_blanks(t);
    if (take(t, "}"))
        return 0;
    for (;;) {
        skip_blanks(t);
        r = read_pair(t, &t->string, &value);
        if (r < 0)
            return r;
        skip_blanks(t);
        if (take(t, "}"))
            return 0;
        if (!take(t, ","))
            return bad(t, "expected , or } in an inline table");
    }
}

static int read_nested(struct toml *t, struct oci_toml_value *ret)
{
    int r;

    if (t->depth == OCI_TOML_MAX_DEPTH)
        return bad(t, "nested too deeply");
    t->depth++;
    ret->type = OCI_TOML_OTHER;
    r = *t->at++ == '[' ? read_array(t) : read_inline_table(t);
    t->depth--;
    return r;
}

/* Copies the digits without the underscores, each of which must stand between two digits. False
 * when it is no integer at all. */
static bool strip_underscores(const char *text, int base, char *ret)
{
    const char *digits = base == 16  ? "0123456789abcdefABCDEF"
                         : base == 8 ? "01234567"
                         : base == 2 ? "01"
                                     : "0123456789";
    bool after_digit = false;

    for (; *text; text++) {
        if (*text == '_' ? !after_digit : !strchr(digits, *text))
            return false;
        after_digit = *text != '_';
        if (after_digit)
            *ret++ = *text;
    }
    *ret = 0;
    return after_digit;
}

/* 1 when the token is an integer, 0 when it is something else. */
static int parse_integer(struct toml *t, const char *token, int64_t *ret)
{
    char text[TOKEN_MAX_BYTES + 2] = "", *digits = text;
    int base = 10;

    if (token[0] == '0' && token[1])
        base = token[1] == 'x' ? 16 : token[1] == 'o' ? 8 : token[1] == 'b' ? 2 : 10;
    if (base != 10)
        token += 2;
    else if (*token == '-')
        *digits++ = *token++;
    else if (*token == '+')
        token++;
    if (!strip_underscores(token, base, digits))
        return 0;
    if (base == 10 && digits[0] == '0' && digits[1])
        return bad(t, "integer with a leading zero");
    errno = 0;
    *ret = strtoll(text, NULL, base);
    return errno ? bad(t, "integer is beyond 64 bits") : 1;
}

/* Floats, inf, nan, dates and times: characters only. */
static bool is_number_or_date(const char *token)
{
    const char *unsigned_part = token + (*token == '+' || *token == '-');

    if (strcmp(unsigned_part, "inf") == 0 || strcmp(unsigned_part, "nan") == 0)
        return true;
    return isdigit((unsigned char)*unsigned_part) &&
           strspn(token, "0123456789+-._:eETZtz") == strlen(token);
}

/* Also the one blank that a date and a time may have between them. */
static bool at_token(const struct toml *t, const char *start)
{
    if (t->at == t->end)
        return false;
    if (t->at - start == 10 && start[4] == '-' && left(t) >= 2 && *t->at == ' ')
        return isdigit((unsigned char)t->at[1]);
    return is_bare(*t->at) || *t->at == '+' || *t->at == '.' || *t->at == ':';
}

static int read_token(struct toml *t, char ret[TOKEN_MAX_BYTES + 1])
{
    const char *start = t->at;
    size_t bytes = 0;

    for (; at_token(t, start); t->at++) {
        if (bytes == TOKEN_MAX_BYTES)
            return bad(t, "value is too long");
        if (*t->at != ' ')
            ret[bytes++] = *t->at;
    }
    ret[bytes] = 0;
    return 0;
}

static int read_scalar(struct toml *t, struct oci_toml_value *ret)
{
    char token[TOKEN_MAX_BYTES + 1];
    int r = read_token(t, token);

    if (r < 0)
        return r;
    if (strcmp(token, "true") == 0 || strcmp(token, "false") == 0) {
        ret->type = OCI_TOML_BOOL;
        ret->boolean = *token == 't';
        return 0;
    }
    r = parse_integer(t, token, &ret->integer);
    if (r < 0)
        return r;
    ret->type = r > 0 ? OCI_TOML_INTEGER : OCI_TOML_OTHER;
    return r > 0 || is_number_or_date(token) ? 0 : bad(t, "not a TOML value");
}

static int read_value(struct toml *t, struct oci_toml_value *ret)
{
    int r;

    if (sees(t, "\"") || sees(t, "'")) {
        r = read_string(t, true, &t->string);
        ret->type = OCI_TOML_STRING;
        ret->string = shim_buf_str(&t->string);
        return r;
    }
    if (sees(t, "[") || sees(t, "{"))
        return read_nested(t, ret);
    return read_scalar(t, ret);
}

/* "[name]" or "[[name]]", after the first bracket. */
static int read_header(struct toml *t)
{
    bool list = take(t, "[");
    int r;

    skip_blanks(t);
    r = read_key(t, &t->key);
    if (r < 0)
        return r;
    t->in_table = true;
    return take(t, list ? "]]" : "]") ? 0 : bad(t, "table header without its end");
}

/* 1 when `ret` and t->key hold an entry to tell of. */
static int read_line(struct toml *t, struct oci_toml_value *ret)
{
    int r = 0, told = 0;

    skip_blanks(t);
    if (take(t, "[")) {
        r = read_header(t);
        ret->type = OCI_TOML_OTHER;
        told = 1;
    } else if (t->at < t->end && !at_newline(t) && !sees(t, "#")) {
        r = read_pair(t, &t->key, ret);
        if (r > 0)
            ret->type = OCI_TOML_OTHER;
        told = !t->in_table;
    }
    if (r >= 0)
        r = read_line_end(t);
    return r < 0 ? r : told;
}

static int check_utf8(const char *text, size_t bytes, struct shim_error *err)
{
    const char *end = text + bytes, *newline;

    for (unsigned line = 1; text < end; line++, text = newline + 1) {
        newline = memchr(text, '\n', (size_t)(end - text));
        if (!newline)
            newline = end;
        if (!shim_is_utf8(text, (size_t)(newline - text)))
            return shim_fail(err, SHIM_E_INVALID, "line %u: not UTF-8", line);
    }
    return 0;
}

int oci_toml_parse(const char *text, size_t bytes, oci_toml_entry *entry, void *user,
                   struct shim_error *err)
{
    struct toml t = {.at = text, .end = text + bytes, .line = 1, .err = err};
    int r = bytes > 0 ? check_utf8(text, bytes, err) : 0;

    while (r == 0 && t.at < t.end) {
        struct oci_toml_value value = {.type = OCI_TOML_OTHER};
        unsigned line = t.line;

        r = read_line(&t, &value);
        if (r > 0)
            r = entry(shim_buf_str(&t.key), &value, line, user, err);
    }
    shim_buf_done(&t.key);
    shim_buf_done(&t.string);
    return r;
}

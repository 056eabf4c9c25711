/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict JSON reader (RFC 8259) that builds json-c's tree. The grammar is ours because json-c's
 * own clamps big integers, merges duplicate keys, cuts keys at a NUL, and is more or less lenient
 * from one release to the next. Does no I/O.
 */
#include "base/buf.h"
#include "base/str.h"
#include "oci/spec.h"
#include "oci/unicode.h"
#include <errno.h>
#include <json-c/json.h>
#include <math.h>
#include <string.h>

#define NUMBER_MAX_BYTES 255

struct reader {
    const char *what;
    const char *text;
    size_t bytes, at;
    unsigned depth;
    size_t values;
    struct shim_buf string; /* the last string read, decoded */
    struct shim_error *err;
};

void oci_json_putp(struct json_object **j)
{
    json_object_put(*j);
}

static int bad_at(struct reader *r, size_t at, const char *why)
{
    return shim_fail(r->err, SHIM_E_INVALID, "%s: byte %zu: %s", r->what, at, why);
}

static int bad(struct reader *r, const char *why)
{
    return bad_at(r, r->at, r->at < r->bytes ? why : "the text ends too early");
}

static int over_limit(struct reader *r, const char *why, size_t limit)
{
    return shim_fail(r->err, SHIM_E_EXHAUSTED, "%s: byte %zu: %s %zu", r->what, r->at, why, limit);
}

static bool take(struct reader *r, char c)
{
    if (r->at == r->bytes || r->text[r->at] != c)
        return false;
    r->at++;
    return true;
}

static void skip_space(struct reader *r)
{
    while (r->at < r->bytes && r->text[r->at] && strchr(" \t\r\n", r->text[r->at]))
        r->at++;
}

static int read_unicode_escape(struct reader *r)
{
    const size_t start = r->at;
    uint32_t high, low;

    if (!oci_hex_parse(r->text + r->at, r->bytes - r->at, 4, &high))
        return bad(r, "\\u without four hexadecimal digits");
    r->at += 4;
    if (high >= 0xd800 && high <= 0xdbff && r->bytes - r->at >= 6 && r->text[r->at] == '\\' &&
        r->text[r->at + 1] == 'u' && oci_hex_parse(r->text + r->at + 2, 4, 4, &low) &&
        low >= 0xdc00 && low <= 0xdfff) {
        r->at += 6;
        high = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
    }
    if (!oci_code_point_ok(high))
        return bad_at(r, start, high ? "half a surrogate pair" : "NUL in a string");
    return oci_utf8_append(&r->string, high) ? 0 : shim_fail_memory(r->err);
}

static int read_escape(struct reader *r)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    const char *name;

    if (take(r, 'u'))
        return read_unicode_escape(r);
    if (r->at == r->bytes || !r->text[r->at] || !(name = strchr(names, r->text[r->at])))
        return bad(r, "unknown escape in a string");
    r->at++;
    return shim_buf_append(&r->string, &values[name - names], 1) ? 0 : shim_fail_memory(r->err);
}

/* Appends what needs no decoding. */
static int read_plain(struct reader *r)
{
    const size_t start = r->at;

    while (r->at < r->bytes && (uint8_t)r->text[r->at] >= 0x20 && r->text[r->at] != '"' &&
           r->text[r->at] != '\\')
        r->at++;
    if (r->at == start)
        return bad(r, "control character in a string");
    if (!shim_is_utf8(r->text + start, r->at - start))
        return bad_at(r, start, "string is not UTF-8");
    if (!shim_buf_append(&r->string, r->text + start, r->at - start))
        return shim_fail_memory(r->err);
    return 0;
}

/* Leaves the decoded text in r->string. */
static int read_string(struct reader *r)
{
    int ret = 0;

    if (!take(r, '"'))
        return bad(r, "expected a string");
    shim_buf_consume(&r->string, r->string.len);
    while (ret == 0 && !take(r, '"'))
        ret = take(r, '\\') ? read_escape(r) : read_plain(r);
    return ret;
}

static int make(struct reader *r, struct json_object *made, struct json_object **ret)
{
    *ret = made;
    return made ? 0 : shim_fail_memory(r->err);
}

static int make_number(struct reader *r, size_t start, bool whole, struct json_object **ret)
{
    char text[NUMBER_MAX_BYTES + 1] = "";
    uint64_t u64;
    int64_t i64;
    double real;

    if (r->at - start > NUMBER_MAX_BYTES)
        return over_limit(r, "number is longer than", NUMBER_MAX_BYTES);
    memcpy(text, r->text + start, r->at - start);
    errno = 0;
    if (!whole) {
        real = strtod(text, NULL);
        if (!isfinite(real))
            return bad_at(r, start, "number is beyond what a double holds");
        return make(r, json_object_new_double_s(real, text), ret);
    }
    if (text[0] == '-') {
        i64 = strtoll(text, NULL, 10);
        if (errno)
            return bad_at(r, start, "integer is beyond 64 bits");
        return make(r, json_object_new_int64(i64), ret);
    }
    u64 = strtoull(text, NULL, 10);
    if (errno)
        return bad_at(r, start, "integer is beyond 64 bits");
    return make(r,
                u64 > INT64_MAX ? json_object_new_uint64(u64) : json_object_new_int64((int64_t)u64),
                ret);
}

static bool take_digits(struct reader *r)
{
    const size_t start = r->at;

    while (r->at < r->bytes && r->text[r->at] >= '0' && r->text[r->at] <= '9')
        r->at++;
    return r->at > start;
}

static int read_number(struct reader *r, struct json_object **ret)
{
    const size_t start = r->at;
    bool whole = true;

    take(r, '-');
    if (!take(r, '0') && !take_digits(r))
        return bad(r, "expected a digit");
    if (take(r, '.')) {
        whole = false;
        if (!take_digits(r))
            return bad(r, "expected a digit");
    }
    if (take(r, 'e') || take(r, 'E')) {
        whole = false;
        if (!take(r, '+'))
            take(r, '-');
        if (!take_digits(r))
            return bad(r, "expected a digit");
    }
    return make_number(r, start, whole, ret);
}

static int take_word(struct reader *r, const char *word)
{
    if (r->bytes - r->at < strlen(word) || memcmp(r->text + r->at, word, strlen(word)) != 0)
        return bad(r, "not a JSON value");
    r->at += strlen(word);
    return 0;
}

static int read_bool(struct reader *r, bool value, struct json_object **ret)
{
    int code = take_word(r, value ? "true" : "false");

    return code < 0 ? code : make(r, json_object_new_boolean(value), ret);
}

static int read_value(struct reader *r, struct json_object **ret);

/* Value, then a comma (1) or the closing bracket (0). */
static int read_item(struct reader *r, char close, struct json_object **ret)
{
    int code = read_value(r, ret);

    if (code < 0)
        return code;
    skip_space(r);
    if (take(r, ','))
        return 1;
    return take(r, close) ? 0 : bad(r, "expected a comma or the closing bracket");
}

static int read_array(struct reader *r, struct json_object **ret)
{
    cleanup_json struct json_object *array = json_object_new_array_ext(1);
    int more = 1;

    if (!array)
        return shim_fail_memory(r->err);
    r->at++;
    skip_space(r);
    if (take(r, ']'))
        more = 0;
    while (more > 0) {
        cleanup_json struct json_object *value = NULL;

        more = read_item(r, ']', &value);
        if (more < 0)
            return more;
        if (json_object_array_add(array, value) != 0)
            return shim_fail_memory(r->err);
        value = NULL; /* the array's now */
    }
    *ret = shim_take(array);
    return 0;
}

static int read_member(struct reader *r, struct json_object *object)
{
    cleanup_json struct json_object *value = NULL;
    cleanup_free char *key = NULL;
    size_t start;
    int more;

    skip_space(r);
    start = r->at;
    more = read_string(r);
    if (more < 0)
        return more;
    key = strdup(shim_buf_str(&r->string));
    if (!key)
        return shim_fail_memory(r->err);
    if (json_object_object_get_ex(object, key, NULL))
        return bad_at(r, start, "key occurs twice in its object");
    skip_space(r);
    if (!take(r, ':'))
        return bad(r, "expected a colon");

    more = read_item(r, '}', &value);
    if (more < 0)
        return more;
    if (json_object_object_add_ex(object, key, value, JSON_C_OBJECT_ADD_KEY_IS_NEW) != 0)
        return shim_fail_memory(r->err);
    value = NULL; /* the object's now */
    return more;
}

static int read_object(struct reader *r, struct json_object **ret)
{
    cleanup_json struct json_object *object = json_object_new_object();
    int more = 1;

    if (!object)
        return shim_fail_memory(r->err);
    r->at++;
    skip_space(r);
    if (take(r, '}'))
        more = 0;
    while (more > 0)
        more = read_member(r, object);
    if (more < 0)
        return more;
    *ret = shim_take(object);
    return 0;
}

static int read_nested(struct reader *r, struct json_object **ret)
{
    int code;

    if (r->depth == OCI_SPEC_MAX_DEPTH)
        return over_limit(r, "nested deeper than", OCI_SPEC_MAX_DEPTH);
    r->depth++;
    code = r->text[r->at] == '{' ? read_object(r, ret) : read_array(r, ret);
    r->depth--;
    return code;
}

/* *ret stays NULL for null, which is how json-c has it. */
static int read_value(struct reader *r, struct json_object **ret)
{
    int code;

    skip_space(r);
    if (r->at == r->bytes)
        return bad(r, "");
    if (++r->values > OCI_SPEC_MAX_VALUES)
        return over_limit(r, "more values than", OCI_SPEC_MAX_VALUES);
    switch (r->text[r->at]) {
    case '{':
    case '[':
        return read_nested(r, ret);
    case '"':
        code = read_string(r);
        if (code < 0)
            return code;
        return make(r, json_object_new_string_len(shim_buf_str(&r->string), (int)r->string.len),
                    ret);
    case 't':
        return read_bool(r, true, ret);
    case 'f':
        return read_bool(r, false, ret);
    case 'n':
        return take_word(r, "null");
    default:
        if (r->text[r->at] != '-' && (r->text[r->at] < '0' || r->text[r->at] > '9'))
            return bad(r, "not a JSON value");
        return read_number(r, ret);
    }
}

int oci_json_parse(const char *what, const char *text, size_t bytes, struct json_object **ret,
                   struct shim_error *err)
{
    struct reader r = {.what = what, .text = text, .bytes = bytes, .err = err};
    cleanup_json struct json_object *value = NULL;
    int code;

    if (bytes > OCI_SPEC_MAX_BYTES)
        return shim_fail(err, SHIM_E_EXHAUSTED, "%s: %zu bytes are over the limit of %zu", what,
                         bytes, OCI_SPEC_MAX_BYTES);
    code = read_value(&r, &value);
    shim_buf_done(&r.string);
    if (code < 0)
        return code;
    skip_space(&r);
    if (r.at < bytes)
        return bad(&r, "something follows the value");
    *ret = shim_take(value);
    return 0;
}

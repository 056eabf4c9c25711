/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the stdout field of a request apart: scheme, path, query. Opens nothing. */
#include "shim/stdio_uri.h"
#include <string.h>
#include <strings.h>

#define FIFO_SCHEME "fifo://"

/* The length of the scheme in front of "://"; 0 when the text is a plain path. */
static size_t scheme_length(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");

    return strncmp(text + n, "://", 3) == 0 ? n : 0;
}

/* Decodes in place. A NUL would cut the text short for the OS, so it counts as a bad escape. */
static bool decode(char *text, bool plus_is_space)
{
    char *to = text;

    for (const char *at = text; *at; at++) {
        int high, low;

        if (*at != '%') {
            *to++ = (char)(plus_is_space && *at == '+' ? ' ' : *at);
            continue;
        }
        high = shim_hex_value(at[1]);
        low = high < 0 ? -1 : shim_hex_value(at[2]);
        if (low < 0 || (high == 0 && low == 0))
            return false;
        *to++ = (char)(high * 16 + low);
        at += 2;
    }
    *to = '\0';
    return true;
}

/* Keys stand at even places of the list. */
static bool has_key(const struct shim_strv *args, const char *key)
{
    for (size_t i = 0; i < args->n; i += 2)
        if (strcmp(args->v[i], key) == 0)
            return true;
    return false;
}

/* One key=value of the query, cut out and writable. Only the first value of a key counts. */
static int add_pair(char *pair, struct shim_strv *ret, const char *text, struct shim_error *err)
{
    char *value = strchr(pair, '=');

    if (value)
        *value++ = '\0';
    else
        value = pair + strlen(pair);
    if (!decode(pair, true) || !decode(value, true))
        return shim_fail(err, SHIM_E_INVALID, "%s: bad percent escape in the query", text);
    if (has_key(ret, pair))
        return 0;
    if (!shim_strv_add(ret, pair) || !shim_strv_add(ret, value))
        return shim_fail_memory(err);
    return 0;
}

static int parse_query(char *query, struct shim_strv *ret, const char *text, struct shim_error *err)
{
    while (*query) {
        char *pair = query;
        int r;

        query += strcspn(query, "&");
        if (*query)
            *query++ = '\0';
        r = *pair ? add_pair(pair, ret, text, err) : 0;
        if (r < 0)
            return r;
    }
    return 0;
}

/* What follows "://": an empty host, the path, the query. `text` is the whole for messages. */
static int parse_rest(const char *rest, struct shim_stdio_uri *ret, const char *text,
                      struct shim_error *err)
{
    char *query;

    if (*rest != '/')
        return shim_fail(err, SHIM_E_INVALID,
                         "%s: needs an absolute path after \"://\" and no host", text);
    ret->path = strdup(rest);
    if (!ret->path)
        return shim_fail_memory(err);
    ret->path[strcspn(ret->path, "#")] = '\0';
    query = ret->path + strcspn(ret->path, "?");
    if (*query)
        *query++ = '\0';
    if (ret->kind != SHIM_STDIO_FILE) {
        int r = parse_query(query, &ret->args, text, err);

        if (r < 0)
            return r;
    }
    if (!decode(ret->path, false))
        return shim_fail(err, SHIM_E_INVALID, "%s: bad percent escape in the path", text);
    return 0;
}

static bool is_scheme(const char *text, size_t length, const char *name)
{
    return strlen(name) == length && strncasecmp(text, name, length) == 0;
}

static bool is_streaming(const char *text, size_t length)
{
    return strncasecmp(text, "ttrpc+", 6) == 0 || strncasecmp(text, "grpc+", 5) == 0 ||
           is_scheme(text, length, "streaming");
}

int shim_stdio_uri_parse(const char *text, struct shim_stdio_uri *ret, struct shim_error *err)
{
    size_t n;

    *ret = (struct shim_stdio_uri){.kind = SHIM_STDIO_PATHS};
    if (shim_str_empty(text))
        return 0;
    n = scheme_length(text);
    if (n == 0 || is_scheme(text, n, "fifo"))
        return 0;
    if (is_streaming(text, n))
        return shim_fail(err, SHIM_E_UNIMPLEMENTED, "streaming stdio (%s) is not supported", text);

    if (is_scheme(text, n, "file"))
        ret->kind = SHIM_STDIO_FILE;
    else if (is_scheme(text, n, "binary"))
        ret->kind = SHIM_STDIO_BINARY;
    else if (is_scheme(text, n, "binary-v2"))
        ret->kind = SHIM_STDIO_BINARY_V2;
    else
        return shim_fail(err, SHIM_E_INVALID, "unknown STDIO scheme %.*s in %s", (int)n, text,
                         text);
    return parse_rest(text + n + strlen("://"), ret, text, err);
}

void shim_stdio_uri_done(struct shim_stdio_uri *uri)
{
    free(uri->path);
    uri->path = NULL;
    shim_strv_done(&uri->args);
}

const char *shim_stdio_path(const char *text)
{
    if (!text)
        return "";
    if (strncasecmp(text, FIFO_SCHEME, strlen(FIFO_SCHEME)) == 0)
        return text + strlen(FIFO_SCHEME);
    return text;
}

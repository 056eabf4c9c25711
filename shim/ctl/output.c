/* SPDX-License-Identifier: Apache-2.0 */
/* Formats tables, fields and JSON lines and writes them. Knows no command. */
#include "shim/ctl/output.h"
#include "base/str.h"
#include "shim/ctl/json.h"
#include "shim/ctl/terminal.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define JSON_STYLE (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

static const char *value_text(struct json_object *value)
{
    if (!value)
        return "";
    if (json_object_is_type(value, json_type_string))
        return json_object_get_string(value);
    return json_object_to_json_string_ext(value, JSON_STYLE);
}

static size_t text_width(const char *s)
{
    size_t width = 0;

    for (; *s; s++)
        if (((unsigned char)*s & 0xc0) != 0x80) /* a continuation byte of UTF-8 takes no place */
            width++;
    return width;
}

static bool append_cell(struct shim_buf *b, const char *text, size_t width)
{
    size_t pad = text_width(text) < width ? width - text_width(text) : 0;

    for (const char *at = text; *at; at++) {
        bool shown = (unsigned char)*at >= 0x20 && *at != 0x7f;

        if (!shim_buf_append(b, shown ? at : "?", 1))
            return false;
    }
    return shim_buf_appendf(b, "%*s", (int)pad, "");
}

static const char *cell_text(const struct ctl_column *column, struct json_object *row)
{
    struct json_object *value = NULL;

    if (!row)
        return column->title;
    json_object_object_get_ex(row, column->key, &value);
    return value_text(value);
}

static size_t column_width(const struct ctl_column *column, struct json_object *rows)
{
    size_t width = text_width(column->title);

    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        size_t cell = text_width(cell_text(column, json_object_array_get_idx(rows, i)));

        width = cell > width ? cell : width;
    }
    return width;
}

/* NULL for `row`: the titles. */
static bool append_row(struct shim_buf *b, const struct ctl_column *columns, size_t n_columns,
                       struct json_object *rows, struct json_object *row)
{
    for (size_t i = 0; i < n_columns; i++) {
        bool last = i + 1 == n_columns;
        size_t width = last ? 0 : column_width(&columns[i], rows) + 2;

        if (!append_cell(b, cell_text(&columns[i], row), width))
            return false;
    }
    return shim_buf_append_str(b, "\n");
}

bool ctl_format_table(struct shim_buf *b, const struct ctl_column *columns, size_t n_columns,
                      struct json_object *rows)
{
    if (!append_row(b, columns, n_columns, rows, NULL))
        return false;
    for (size_t i = 0; i < json_object_array_length(rows); i++)
        if (!append_row(b, columns, n_columns, rows, json_object_array_get_idx(rows, i)))
            return false;
    return true;
}

static bool append_field(struct shim_buf *b, const char *name, struct json_object *value,
                         size_t width)
{
    return append_cell(b, name, width) && shim_buf_append_str(b, "  ") &&
           append_cell(b, value_text(value), 0) && shim_buf_append_str(b, "\n");
}

/* Visits every member that is no object under its path. Without a buffer only *width grows. */
static bool visit_fields(struct shim_buf *b, const char *prefix, struct json_object *object,
                         size_t *width)
{
    json_object_object_foreach(object, key, value)
    {
        cleanup_free char *name = shim_strf("%s%s%s", prefix, *prefix ? "." : "", key);

        if (!name)
            return false;
        if (json_object_is_type(value, json_type_object)) {
            if (!visit_fields(b, name, value, width))
                return false;
        } else if (b) {
            if (!append_field(b, name, value, *width))
                return false;
        } else if (text_width(name) > *width) {
            *width = text_width(name);
        }
    }
    return true;
}

bool ctl_format_fields(struct shim_buf *b, struct json_object *object)
{
    size_t width = 0;

    return visit_fields(NULL, "", object, &width) && visit_fields(b, "", object, &width);
}

static int write_out(const char *text, struct shim_error *err)
{
    if (fputs(text, stdout) < 0 || fflush(stdout) != 0)
        return shim_fail_os(err, (uint32_t)errno, "write to standard output");
    return 0;
}

int ctl_print_line(const char *text, struct shim_error *err)
{
    cleanup_free char *line = shim_strf("%s\n", text);

    return line ? write_out(line, err) : shim_fail_memory(err);
}

int ctl_print_json(struct json_object *object, struct shim_error *err)
{
    const char *text = json_object_to_json_string_ext(object, JSON_STYLE);

    return text ? ctl_print_line(text, err) : shim_fail_memory(err);
}

int ctl_print_table(bool json, const struct ctl_column *columns, size_t n_columns,
                    struct json_object *rows, struct shim_error *err)
{
    cleanup_buf struct shim_buf b = {0};

    for (size_t i = 0; json && i < json_object_array_length(rows); i++) {
        int r = ctl_print_json(json_object_array_get_idx(rows, i), err);

        if (r < 0)
            return r;
    }
    if (json)
        return 0;
    if (!ctl_format_table(&b, columns, n_columns, rows))
        return shim_fail_memory(err);
    return write_out(shim_buf_str(&b), err);
}

int ctl_print_fields(bool json, struct json_object *object, struct shim_error *err)
{
    cleanup_buf struct shim_buf b = {0};

    if (json)
        return ctl_print_json(object, err);
    if (!ctl_format_fields(&b, object))
        return shim_fail_memory(err);
    return write_out(shim_buf_str(&b), err);
}

void ctl_say_line(const char *text)
{
    /* A terminal in raw mode does not go back to the left by itself. */
    fprintf(stderr, "%s%s\n", text, ctl_terminal_is_raw() ? "\r" : "");
}

void ctl_say(const char *fmt, ...)
{
    cleanup_buf struct shim_buf b = {0};
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (shim_buf_appendf(&b, "shimctl: %s", text))
        ctl_say_line(shim_buf_str(&b));
}

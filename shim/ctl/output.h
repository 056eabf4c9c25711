/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people and programs read: tables or, with --json, one object per line on standard output;
 * notes on standard error. Threads: any; each call writes whole lines.
 */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include <stdbool.h>

struct json_object;

struct ctl_column {
    const char *title;
    const char *key; /* of the rows' members */
};

/* Appends a table: a title line, then one line for each element of the array `rows`, columns as
 * wide as needed. Control characters of the values are shown as '?'. Pure. False when out of
 * memory. */
SHIM_MUST_USE bool ctl_format_table(struct shim_buf *b, const struct ctl_column *columns,
                                    size_t n_columns, struct json_object *rows);

/* Appends one line for each member, "NAME  value", members of members as "outer.inner". */
SHIM_MUST_USE bool ctl_format_fields(struct shim_buf *b, struct json_object *object);

/* Print the same, or with `json` each row (the object) as one line of JSON. */
SHIM_MUST_USE int ctl_print_table(bool json, const struct ctl_column *columns, size_t n_columns,
                                  struct json_object *rows, struct shim_error *err);
SHIM_MUST_USE int ctl_print_fields(bool json, struct json_object *object, struct shim_error *err);
/* One line on standard output. */
SHIM_MUST_USE int ctl_print_line(const char *text, struct shim_error *err);
SHIM_MUST_USE int ctl_print_json(struct json_object *object, struct shim_error *err);

/* One line "shimctl: …" on standard error. */
void ctl_say(const char *fmt, ...) SHIM_PRINTF(1, 2);
/* One line as it is on standard error. */
void ctl_say_line(const char *text);

/* Says `what` on standard error when more than a second passes before the end. A thread of its own;
 * where none can be had nothing is said. */
struct ctl_progress; /* opaque */
struct ctl_progress *ctl_progress_begin(const char *fmt, ...) SHIM_PRINTF(1, 2);
void ctl_progress_end(struct ctl_progress *p); /* NULL is a no-op */

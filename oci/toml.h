/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small strict reader for the TOML of runtime options: everything of TOML 1.0 is read, but only
 * strings, booleans and integers of the top level are handed out. Pure. Threads: any.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OCI_TOML_MAX_DEPTH 32

enum oci_toml_type {
    OCI_TOML_STRING,
    OCI_TOML_BOOL,
    OCI_TOML_INTEGER,
    OCI_TOML_OTHER, /* float, date, array, inline table, table header, dotted key */
};

struct oci_toml_value {
    enum oci_toml_type type;
    const char *string; /* lent for the call */
    bool boolean;
    int64_t integer;
};

/**
 * Told of each key of the top level, of a dotted key or of a table's name the first part; what is
 * inside a table is read, not told.
 *
 * @param key  lent for the call.
 * @return     0 or an error, which ends the reading.
 */
typedef int oci_toml_entry(const char *key, const struct oci_toml_value *value, unsigned line,
                           void *user, struct shim_error *err);

/* SHIM_E_INVALID "line N: why" for text that is no TOML (of floats and dates only the characters
 * are checked; of keys that occur twice the entry function may take care), or what `entry`
 * returned. */
SHIM_MUST_USE int oci_toml_parse(const char *text, size_t bytes, oci_toml_entry *entry, void *user,
                                 struct shim_error *err);

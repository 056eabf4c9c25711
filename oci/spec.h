/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a bundle's config.json, hostile input included, without ever rewriting it. Pure but for
 * oci_spec_load. Threads: one at a time for each spec.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object; /* json-c's */

#define OCI_SPEC_MAX_BYTES  ((size_t)16 * 1024 * 1024) /* containerd's own are some 10 KiB */
#define OCI_SPEC_MAX_DEPTH  64
#define OCI_SPEC_MAX_VALUES ((size_t)256 * 1024) /* containerd's own have some 1,000 */

/**
 * Parses JSON text: UTF-8, one value, nothing after it, no duplicate keys, no number beyond 64
 * bits, no NUL in a string (json-c alone would clamp, merge and cut silently).
 *
 * @param what  names the text in errors, e.g. "config.json".
 * @return      0 and *ret, put with json_object_put (NULL for a lone null); SHIM_E_INVALID says
 * what and at which byte offset; SHIM_E_EXHAUSTED over a limit above or out of memory.
 */
SHIM_MUST_USE int oci_json_parse(const char *what, const char *text, size_t bytes,
                                 struct json_object **ret, struct shim_error *err);

/* Reads <bundle>/config.json; the root must be an object. SHIM_E_NOT_FOUND when there is none. */
SHIM_MUST_USE int oci_spec_load(const char *bundle, struct json_object **ret,
                                struct shim_error *err);

void oci_json_putp(struct json_object **j);
#define cleanup_json SHIM_CLEANUP(oci_json_putp)

/* Look-ups along a path of keys, e.g. {"process", "cwd", NULL}. All return 1 and lend *ret (valid
 * until the spec is put), 0 when a step is absent or null, SHIM_E_INVALID when one has the wrong
 * JSON type or an integer is beyond int64_t (the message names the whole path, not the file). */
int oci_find(struct json_object *spec, const char *const path[], int json_type,
             struct json_object **ret, struct shim_error *err);
int oci_find_string(struct json_object *spec, const char *const path[], const char **ret,
                    struct shim_error *err);
int oci_find_bool(struct json_object *spec, const char *const path[], bool *ret,
                  struct shim_error *err);
int oci_find_int(struct json_object *spec, const char *const path[], int64_t *ret,
                 struct shim_error *err);
int oci_find_array(struct json_object *spec, const char *const path[], struct json_object **ret,
                   struct shim_error *err);
int oci_find_object(struct json_object *spec, const char *const path[], struct json_object **ret,
                    struct shim_error *err);

/* An annotation's value, lent, NULL when there is none (or it is no string). */
const char *oci_annotation(struct json_object *spec, const char *key);

/* The group id of containerd's shim contract: the value of the first present of annotations
 * io.containerd.runc.v2.group and io.kubernetes.cri.sandbox-id, NULL when there is none. Lent. */
const char *oci_group(struct json_object *spec);

/* Whether the container has a pid namespace of its own (linux.namespaces has a `pid` entry without
 * a path). False for anything unreadable: the caller then kills what is left when init exits. */
bool oci_private_pid_namespace(struct json_object *spec);

/* Whether the spec is for Windows (has a `windows` object). */
bool oci_is_windows(struct json_object *spec);

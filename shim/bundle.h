/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of ours in a bundle: `address`, read by containerd 1.x when it comes back, and
 * `hcs.json`, the record of how the container is run, read by `delete` (possibly of a newer
 * version of this program). config.json is containerd's and is never written.
 */
#pragma once
#include "base/error.h"

struct json_object;

SHIM_MUST_USE int shim_bundle_write_address(const char *bundle, const char *address,
                                            struct shim_error *err);
/* malloc'ed; SHIM_E_NOT_FOUND when there is none. */
SHIM_MUST_USE int shim_bundle_read_address(const char *bundle, char **ret, struct shim_error *err);

/* Record: { "Version": 1, "Provider": "linux", "Id": "…", "Document": {…} }. */
SHIM_MUST_USE int shim_bundle_write_record(const char *bundle, const char *provider, const char *id,
                                           struct json_object *document, struct shim_error *err);
struct shim_record {
    char *provider, *id;          /* owned */
    struct json_object *document; /* owned */
};
/* SHIM_E_NOT_FOUND when the container was never created. */
SHIM_MUST_USE int shim_bundle_read_record(const char *bundle, struct shim_record *ret,
                                          struct shim_error *err);
void shim_record_done(struct shim_record *r);
#define cleanup_record SHIM_CLEANUP(shim_record_done)

/* BUNDLE/NAME, malloc'ed. */
char *shim_bundle_path(const char *bundle, const char *name);

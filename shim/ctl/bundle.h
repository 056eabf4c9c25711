/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bundles: <state>/<namespace>/<id>, with config.json, the log channel, an empty rootfs folder, and
 * what containerd keeps there: shim-binary-path and bootstrap.json. Threads: any. May block.
 */
#pragma once
#include "base/error.h"
#include "base/str.h"
#include "shim/ctl/start_output.h"

struct ctl;
struct json_object;

/* The path, whether it exists or not; malloc'ed in *ret. SHIM_E_INVALID for a wrong id. */
SHIM_MUST_USE int ctl_bundle_path(const struct ctl *c, const char *id, char **ret,
                                  struct shim_error *err);
/* Makes it. SHIM_E_EXISTS when there is one of that id: *ret is then untouched. */
SHIM_MUST_USE int ctl_bundle_make(const struct ctl *c, const char *id, struct json_object *spec,
                                  char **ret, struct shim_error *err);
/* Removes it; absent is fine. SHIM_E_STATE while something is mounted in it. */
SHIM_MUST_USE int ctl_bundle_remove(const char *bundle, struct shim_error *err);
/* Ids of all bundles of the namespace. */
SHIM_MUST_USE int ctl_bundle_list(const struct ctl *c, struct shim_strv *ret,
                                  struct shim_error *err);

/* Notes which shim was started and where it answers. */
SHIM_MUST_USE int ctl_bundle_note_shim(const char *bundle, const char *shim,
                                       const struct ctl_endpoint *endpoint, struct shim_error *err);
/* The noted shim, malloc'ed; NULL when there is no note. */
char *ctl_bundle_shim(const char *bundle);
/* From bootstrap.json, else from the shim's own file `address`. SHIM_E_NOT_FOUND. */
SHIM_MUST_USE int ctl_bundle_endpoint(const char *bundle, struct ctl_endpoint *ret,
                                      struct shim_error *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the OCI documents that containerd's clients make: a container's config.json, an exec's
 * process, an update's resources. Pure. Threads: any.
 */
#pragma once
#include "base/error.h"
#include "base/str.h"
#include "shim/ctl/flags.h"
#include <stdbool.h>
#include <stdint.h>

struct json_object;

/* What a user asks for on the command line; all lent, NULL or empty: leave what is there. */
struct ctl_process_wishes {
    const char *const *args;     /* NULL-terminated; none: leave */
    const struct shim_strv *env; /* K=V each; replaces what has the same K */
    const char *cwd;
    bool terminal; /* always set */
};

struct ctl_spec_wishes {
    const char *rootfs; /* absolute */
    struct ctl_process_wishes process;
};

/* Who runs the container. */
struct ctl_spec_owner {
    const char *ns, *id;
    uint32_t uid, gid; /* of shimctl; uid other than 0: a user namespace maps them to root */
};

/* The spec of a container of its own: namespaces, Docker's default capabilities, masked paths. The
 * caller puts *ret. */
SHIM_MUST_USE int ctl_spec_default(const struct ctl_spec_owner *owner, struct json_object **ret,
                                   struct shim_error *err);

/* Changes `spec` as wished. SHIM_E_INVALID when there are no args afterwards, no root.path, or an
 * env word has no '='. */
SHIM_MUST_USE int ctl_spec_apply(struct json_object *spec, const struct ctl_spec_wishes *wishes,
                                 struct shim_error *err);

/* The process of an exec: what the container's spec says (NULL: a plain default), as wished. */
SHIM_MUST_USE int ctl_spec_exec(struct json_object *spec, const struct ctl_process_wishes *wishes,
                                struct json_object **ret, struct shim_error *err);

/* LinuxResources of those that are set; `cpus` like "1.5", NULL for none. SHIM_E_INVALID. */
SHIM_MUST_USE int ctl_spec_resources(const struct ctl_u64 *memory_bytes, const char *cpus,
                                     const struct ctl_u64 *pids, struct json_object **ret,
                                     struct shim_error *err);

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns a spec, options and facts into the HCS documents of a Linux container. Pure. Threads: any.
 *
 * The Linux document never copies the spec: it carries the bundle's path and the provider's
 * settings. All members but those marked (optional) are always there:
 *
 *   { "Owner": "containerd-shim-hcs-v1",
 *     "SchemaVersion": { "Major": 2, "Minor": 1 },
 *     "ShouldTerminateOnLastHandleClosed": false,
 *     "Linux": {
 *       "Bundle": "/run/…",              absolute
 *       "Rootfs": "/run/…/rootfs",       absolute: the spec's root.path, joined to the bundle
 *       "Terminal": false,
 *       "Runtime": { "Path": "/usr/sbin/runc", "Root": "/run/containerd/runc/<namespace>",
 *                    "SystemdCgroup": false, "NoPivotRoot": false, "NoNewKeyring": false },
 *       "Criu": { "Path": …, "ImagePath": …, "WorkPath": … },   (optional, each optional)
 *       "IoUid": 0, "IoGid": 0 } }
 *
 * "Runtime" is absent for the emulated provider, which finds the process in <Bundle>/config.json.
 *
 * Process parameters of an exec:
 *
 *   { "Terminal": true, "IoUid": 0, "IoGid": 0,
 *     "OciProcess": { … the OCI process object, its `terminal` overwritten … } }
 */
#pragma once
#include "base/error.h"
#include "oci/options.h"
#include <stdbool.h>

struct json_object;

#define OCI_OWNER "containerd-shim-hcs-v1"

struct oci_linux_input {
    const char *bundle;       /* absolute */
    const char *ns;           /* containerd's namespace, appended to the runtime's root */
    const char *runtime;      /* absolute path from the provider's facts; NULL: emulated */
    const char *default_root; /* where options name no root, e.g. /run/containerd/runc */
    bool terminal;            /* of the Create request; it, not the spec, decides */
    const struct oci_options *options;
};

/* *ret is put with json_object_put. SHIM_E_INVALID names what is wrong in the spec (no
 * process.args, no root.path, relative bundle, …). A spec without linux section is fine (runtimes
 * take it). */
SHIM_MUST_USE int oci_linux_document(struct json_object *spec, const struct oci_linux_input *in,
                                     struct json_object **ret, struct shim_error *err);

/* From the JSON text of an OCI process object. */
SHIM_MUST_USE int oci_process_parameters(const char *process_json, size_t bytes, bool terminal,
                                         const struct oci_options *options,
                                         struct json_object **ret, struct shim_error *err);

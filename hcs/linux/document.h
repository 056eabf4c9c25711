/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Linux provider's documents (their shape stands in oci/document.h), read strictly: an unknown
 * member, a wrong type or a missing part is SHIM_E_INVALID and names the JSON path. Pure.
 * Threads: any.
 */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

struct json_object;

struct linux_document {
    char *owner;
    char *bundle, *rootfs;               /* absolute */
    char *runtime, *root;                /* absolute: the program, its folder of states */
    char *criu, *criu_image, *criu_work; /* NULL where not given */
    bool terminal;                       /* the init process has a console */
    bool systemd_cgroup, no_pivot_root, no_new_keyring;
    uint32_t io_uid, io_gid; /* who owns the pipes of init; 0: leave it */
};
SHIM_MUST_USE int linux_document_read(struct json_object *document, struct linux_document *ret,
                                      struct shim_error *err);
void linux_document_done(struct linux_document *d); /* also of a half-read or zeroed one */
#define cleanup_linux_document SHIM_CLEANUP(linux_document_done)

struct linux_parameters {
    char *process_json; /* the OCI process object */
    bool terminal;
    uint32_t io_uid, io_gid;
};
SHIM_MUST_USE int linux_parameters_read(struct json_object *parameters,
                                        struct linux_parameters *ret, struct shim_error *err);
void linux_parameters_done(struct linux_parameters *p);
#define cleanup_linux_parameters SHIM_CLEANUP(linux_parameters_done)

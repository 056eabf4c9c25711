/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the emulated provider reads: the compute system's document, process parameters, resources,
 * and the process of a bundle's config.json. Documents are checked strictly (schema.h);
 * config.json is not a document of the service, so only what is used of it is checked. Pure.
 * Threads: any.
 */
#pragma once
#include "base/error.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

#define EMU_CONFIG_MAX_BYTES ((size_t)16 * 1024 * 1024)

struct emu_document { /* strings owned */
    char *bundle, *rootfs;
};
SHIM_MUST_USE int emu_document_read(struct json_object *document, struct emu_document *ret,
                                    struct shim_error *err);
void emu_document_done(struct emu_document *d);

/* A process to be; ret of the readers below must be zeroed, and done whatever they return. */
struct emu_plan {
    struct shim_strv args, env;
    char *cwd;
    uint16_t width, height; /* of the console, 0: not said */
};
void emu_plan_done(struct emu_plan *p);
#define cleanup_emu_plan SHIM_CLEANUP(emu_plan_done)

SHIM_MUST_USE int emu_parameters_read(struct json_object *parameters, struct emu_plan *ret,
                                      struct shim_error *err);

struct emu_limits {
    uint64_t memory_bytes, pids; /* HCS_STATS_MAX: none */
};
#define EMU_NO_LIMITS                                                                              \
    {                                                                                              \
        .memory_bytes = UINT64_MAX, .pids = UINT64_MAX                                             \
    }

/* The text of a config.json. */
SHIM_MUST_USE int emu_config_read(const char *text, size_t bytes, struct emu_plan *ret,
                                  struct emu_limits *ret_limits, struct shim_error *err);

/* The text of a LinuxResources object; limits that it does not name stay. *ret_text is the same
 * JSON on one line, malloc'ed. */
SHIM_MUST_USE int emu_resources_read(const char *text, size_t bytes, struct emu_limits *limits,
                                     char **ret_text, struct shim_error *err);

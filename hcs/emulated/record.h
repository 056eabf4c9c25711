/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is kept of an emulated system so that another process can find it by its id: one JSON file
 * a system in a folder that only this user may enter. The folder is
 * $CONTAINERD_SHIM_HCS_EMULATED_STATE, or containerd-shim-hcs-emulated in $XDG_RUNTIME_DIR, or
 * containerd-shim-hcs-emulated-<uid> in /run or else in /tmp.
 *
 *   { "Id": …, "Boot": …, "Owner": {"Pid": …, "StartTime": …}, "State": "Running",
 *     "Document": {…}, "Resources": {…}, "Processes": [ {"Pid": …, "StartTime": …}, … ] }
 *
 * Files are replaced as a whole. Everything here blocks for file calls. Threads: any.
 */
#pragma once
#include "base/buf.h"
#include "base/error.h"
#include "hcs/emulated/proc.h"
#include <stdbool.h>

/* The folder, made when it is missing; malloc'ed. SHIM_E_DENIED when others could write there. */
SHIM_MUST_USE int emu_state_folder(char **ret, struct shim_error *err);

/* The file of a system, malloc'ed. SHIM_E_INVALID (E_INVALIDARG) for an id that is no file name. */
SHIM_MUST_USE int emu_record_path(const char *id, char **ret, struct shim_error *err);

/* This process, as records name it. */
struct emu_owner {
    char *boot; /* owned; of the machine */
    struct emu_root self;
};
SHIM_MUST_USE int emu_owner_read(struct emu_owner *ret, struct shim_error *err);
void emu_owner_done(struct emu_owner *o);

/* What goes into a record; all borrowed, the two last texts are JSON. */
struct emu_record_data {
    const struct emu_owner *owner;
    const char *id, *state, *document, *resources;
    const struct emu_roots *roots;
};
/* The text of a record. Pure. */
SHIM_MUST_USE int emu_record_format(const struct emu_record_data *data, struct shim_buf *ret,
                                    struct shim_error *err);

/* Writes the record of a new system. SHIM_E_EXISTS (HCS_E_SYSTEM_ALREADY_EXISTS) while the id is
 * in use; a record that neither an owner nor a process is left of is replaced. */
SHIM_MUST_USE int emu_record_claim(const char *path, const struct shim_buf *text,
                                   struct shim_error *err);

/**
 * Reads the record of a system.
 *
 * @param ret_roots  zeroed; gets its processes, none when the machine was booted since.
 * @param ret_owned  whether the process that created it still runs; may be NULL.
 * @return           0; SHIM_E_NOT_FOUND (HCS_E_SYSTEM_NOT_FOUND); SHIM_E_DATA_LOSS when the file
 *                   cannot be understood.
 */
SHIM_MUST_USE int emu_record_load(const char *path, struct emu_roots *ret_roots, bool *ret_owned,
                                  struct shim_error *err);

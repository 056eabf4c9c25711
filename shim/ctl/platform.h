/* SPDX-License-Identifier: Apache-2.0 */
/* Files, folders and users as shimctl needs them. Paths are UTF-8. Threads: any. May block. */
#pragma once
#include "base/error.h"
#include "base/str.h"
#include <stdint.h>

/* Where bundles are kept when nobody says: $XDG_RUNTIME_DIR/shimctl, /run/shimctl for root, else a
 * folder of the user's in /tmp. malloc'ed; NULL when out of memory. */
char *ctl_default_state_dir(void);

/* Makes the folder, mode 0700, its parents too. SHIM_E_DENIED when it belongs to somebody else or
 * others may write to it. */
SHIM_MUST_USE int ctl_dir_private(const char *path, struct shim_error *err);

/* A new private folder inside `parent`, malloc'ed in *ret. */
SHIM_MUST_USE int ctl_dir_temporary(const char *parent, char **ret, struct shim_error *err);

/* Makes one folder for a container's root file system (others may pass through). */
SHIM_MUST_USE int ctl_dir_new(const char *path, unsigned mode, struct shim_error *err);

/* Names in a folder, sorted, without those that begin with '.'; an absent folder has none. */
SHIM_MUST_USE int ctl_dir_list(const char *path, struct shim_strv *ret, struct shim_error *err);

/* Removes a folder and all in it. Never crosses into another file system: SHIM_E_STATE when
 * something is mounted there. Absent is fine. */
SHIM_MUST_USE int ctl_tree_remove(const char *path, struct shim_error *err);

/* The path seen from the working folder; need not exist. malloc'ed in *ret. */
SHIM_MUST_USE int ctl_path_absolute(const char *path, char **ret, struct shim_error *err);

/* The absolute path without links; malloc'ed in *ret. */
SHIM_MUST_USE int ctl_path_real(const char *path, char **ret, struct shim_error *err);

/* This program's own file. malloc'ed in *ret. */
SHIM_MUST_USE int ctl_self_path(char **ret, struct shim_error *err);

/* The effective user and group; 0 on systems without. */
void ctl_user(uint32_t *ret_uid, uint32_t *ret_gid);

/* Ends the process at once, with the terminal as the user had it. Threads: any. */
_Noreturn void ctl_leave(int status);

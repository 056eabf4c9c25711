/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a process without isolation finds its program and its working folder: in the rootfs first,
 * then on the host. Symbolic links of the rootfs are followed as the container would see them.
 * Short file system calls only. Threads: any.
 */
#pragma once
#include "base/error.h"

/* The path on the host of `path` as seen from `root` ("" is the host itself), all links followed,
 * never leaving the root; malloc'ed. NULL when it is not there. */
char *emu_resolve(const char *root, const char *path);

/**
 * @param cwd   of the process, inside the rootfs; for names like ./a.
 * @param env   of the process, NULL-terminated; its PATH is searched for a name without slash.
 * @param ret   the program's file on the host, all links followed; malloc'ed.
 * @return      0; SHIM_E_NOT_FOUND; SHIM_E_DENIED where what was found cannot be run. err->os is
 *              the HRESULT.
 */
SHIM_MUST_USE int emu_find_program(const char *rootfs, const char *cwd, const char *name,
                                   const char *const *env, char **ret, struct shim_error *err);

/* The cwd in the rootfs, or on the host, or the rootfs itself; malloc'ed. SHIM_E_NOT_FOUND when
 * there is no rootfs. */
SHIM_MUST_USE int emu_find_cwd(const char *rootfs, const char *cwd, char **ret,
                               struct shim_error *err);

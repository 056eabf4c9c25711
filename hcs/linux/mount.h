/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One mount of a root file system: its options read, its special cases carried out. Threads: any;
 * all but the parsing blocks.
 */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include <stdbool.h>
#include <stddef.h>

struct hcs_mount;

struct linux_mount_options {
    unsigned long flags; /* MS_* */
    bool loop, direct_io;
    char *uidmap, *gidmap; /* "C:H:S[,C:H:S…]"; NULL: none */
    struct shim_strv data; /* what is the file system's own, in order */
};

/* --- mount_options.c: pure ------------------------------------------------------------------ */

/* SHIM_E_INVALID names the option: one meant for containerd, a malformed map, one map of two. */
SHIM_MUST_USE int linux_mount_options_parse(const char *const *options,
                                            struct linux_mount_options *ret,
                                            struct shim_error *err);
void linux_mount_options_done(struct linux_mount_options *o);
#define cleanup_mount_options SHIM_CLEANUP(linux_mount_options_done)
/* The data joined by commas; malloc'ed, NULL when out of memory. */
char *linux_mount_data(const struct linux_mount_options *o);
/* The value of the data option "NAME=value", NULL: none. Lent. */
const char *linux_mount_value(const struct linux_mount_options *o, const char *name);
/* Puts "NAME=value" in its place. */
SHIM_MUST_USE int linux_mount_set_value(struct linux_mount_options *o, const char *name,
                                        const char *value, struct shim_error *err);
/* Splits overlay's lowerdir at its colons (an escaped one is part of a name). */
SHIM_MUST_USE int linux_lowerdirs_split(const char *lowerdir, struct shim_strv *ret,
                                        struct shim_error *err);
/* The deepest folder that holds all of them, malloc'ed; NULL where that is no better than "/". */
char *linux_lowerdirs_parent(const struct shim_strv *dirs);
/* Joins them again, each with `parent` in front replaced by `instead`. */
SHIM_MUST_USE int linux_lowerdirs_join(const struct shim_strv *dirs, const char *parent,
                                       const char *instead, char **ret, struct shim_error *err);

/* --- loopdev.c ------------------------------------------------------------------------------ */

/* Attaches a file to a free loop device that goes when its last user does: keep *ret_device open
 * until it is mounted. `ret_path` is the device's. */
SHIM_MUST_USE int linux_loop_attach(const char *file, bool read_only, bool direct_io,
                                    char ret_path[32], intptr_t *ret_device,
                                    struct shim_error *err);

/* --- idmap.c -------------------------------------------------------------------------------- */

/* A user namespace with these maps; the caller owns *ret. SHIM_E_UNIMPLEMENTED where `unshare` is
 * missing. Runs a program. */
SHIM_MUST_USE int linux_userns_open(const char *uidmap, const char *gidmap, intptr_t *ret,
                                    struct shim_error *err);
/* Mounts a bind of `source`, its owners mapped, onto `target` (may be the same).
 * SHIM_E_UNIMPLEMENTED: the kernel or the file system cannot. */
SHIM_MUST_USE int linux_idmap_bind(const char *source, const char *target, bool recursive,
                                   bool read_only, intptr_t userns, struct shim_error *err);

/* --- mount.c -------------------------------------------------------------------------------- */

/**
 * Mounts `m` onto the folder `target`, which can be /proc/self/fd/N.
 *
 * @param ret_layers  how many mounts are on top of each other there now; 0 on failure.
 */
SHIM_MUST_USE int linux_mount_one(const struct hcs_mount *m, const char *target,
                                  unsigned *ret_layers, struct shim_error *err);

/* --- unmount.c ------------------------------------------------------------------------------ */

/* Takes one mount off `target`; waits while it is busy, 2.5 s at most. Not a mount is success. */
SHIM_MUST_USE int linux_unmount_one(const char *target, struct shim_error *err);

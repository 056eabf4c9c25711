/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runtime options, whichever way they came: containerd.runc.v1.Options, or the flat TOML with the
 * same keys that CRI sends for a runtime type like ours. Pure. Threads: any.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All strings owned, NULL where not given. */
struct oci_options {
    char *binary_name; /* OCI runtime: a name for PATH or a path */
    char *root;        /* its state root; the namespace is appended */
    char *shim_cgroup;
    char *criu_path, *criu_image_path, *criu_work_path;
    char *provider; /* "emulated": asked for by the TOML key Provider */
    bool systemd_cgroup, no_pivot_root, no_new_keyring;
    uint32_t io_uid, io_gid;
};
void oci_options_done(struct oci_options *o);
#define cleanup_oci_options SHIM_CLEANUP(oci_options_done)

/* Told of each key that nobody knows, so that the caller can log a warning. */
typedef void oci_unknown_key(const char *key, unsigned line, void *user);

#define OCI_OPTIONS_MAX_BYTES ((size_t)1024 * 1024)

/**
 * Parses flat TOML: comments, bare and quoted keys, basic, literal and multi-line strings,
 * booleans, integers. Keys as containerd's Options struct has them: BinaryName, Root,
 * SystemdCgroup, NoPivotRoot, NoNewKeyring, ShimCgroup, CriuPath, CriuImagePath, CriuWorkPath,
 * IoUid, IoGid, and our Provider; compared without regard to case, underscores ignored. Tables and
 * arrays under unknown keys are skipped with the key reported.
 *
 * @return 0; SHIM_E_INVALID "line N: …" for broken TOML or a known key that is set twice or has the
 * wrong type or range; SHIM_E_EXHAUSTED over the limit. Options that the text does not name stay
 * (call it on zeroed or on already filled ones); an empty string sets the default, NULL.
 */
SHIM_MUST_USE int oci_options_from_toml(const char *text, size_t bytes, struct oci_options *o,
                                        oci_unknown_key *unknown, void *user,
                                        struct shim_error *err);

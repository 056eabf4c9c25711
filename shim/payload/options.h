/* SPDX-License-Identifier: Apache-2.0 */
/* Runtime options as containerd sends them, in the Create request and on the stdin of `start`.
 * Threads: any. */
#pragma once
#include "base/error.h"
#include "oci/options.h"
#include "shim/proto/well_known.pb-c.h"
#include <stdbool.h>
#include <stddef.h>

/**
 * Reads the options in an Any of containerd.runc.v1.Options, or of runtimeoptions.v1.Options, whose
 * TOML is in its body or else in the file it names (at most OCI_OPTIONS_MAX_BYTES).
 *
 * @param type_url  bare or after a prefix with '/'; empty or NULL: there are no options.
 * @param ret       zeroed by the caller, who owns it: oci_options_done(). Untouched on failure, and
 *                  where there are no options.
 * @param unknown   told of TOML keys that nobody knows; may be NULL.
 * @return          0; 1 when the type is unknown, which is worth a warning and no failure;
 *                  SHIM_E_INVALID for broken options; SHIM_E_NOT_FOUND and others when the named
 *                  file cannot be read; SHIM_E_EXHAUSTED.
 * Blocks only to read that file.
 */
SHIM_MUST_USE int shim_options_from_any(const char *type_url, const void *value, size_t bytes,
                                        struct oci_options *ret, oci_unknown_key *unknown,
                                        void *user, struct shim_error *err);

/* What `start` is told on stdin. Strings are owned, NULL where not given. */
struct shim_bootstrap {
    bool is_bootstrap; /* the new form: it is answered with a BootstrapResult */
    bool debug;        /* containerd logs at debug or finer; the old form says it by a flag */
    char *ttrpc_address, *grpc_address, *containerd_binary;
    char *socket_dir;
    Pb__Any *options; /* owned; NULL where none are given */
};
void shim_bootstrap_done(struct shim_bootstrap *b);
#define cleanup_shim_bootstrap SHIM_CLEANUP(shim_bootstrap_done)

/**
 * Reads all of stdin's bytes. The new form, BootstrapParams, is one only if it names this id and
 * namespace: the old form, an Any with the options, decodes as one too. No bytes at all are the old
 * form without options.
 *
 * @param ret  Untouched on failure; else the caller's: shim_bootstrap_done().
 * @return     0; SHIM_E_INVALID when it is neither form; SHIM_E_EXHAUSTED out of memory. Pure.
 */
SHIM_MUST_USE int shim_options_from_stdin(const void *data, size_t bytes, const char *id,
                                          const char *ns, struct shim_bootstrap *ret,
                                          struct shim_error *err);

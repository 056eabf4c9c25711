/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the shim's own commands, `start` and `delete`, the way containerd does. Blocks. */
#pragma once
#include "base/child.h"
#include "base/error.h"
#include "shim/ctl/start_output.h"
#include <stdbool.h>

struct ctl;

/* Any: a type URL and bytes; owned. */
struct ctl_any {
    char *type_url; /* NULL: none */
    struct shim_buf value;
};
void ctl_any_done(struct ctl_any *a);
#define cleanup_any SHIM_CLEANUP(ctl_any_done)

/* runtimeoptions.v1.Options that name the TOML file, as ctr --runtime-config-path makes them. */
SHIM_MUST_USE int ctl_runtime_options(const char *toml_path, struct ctl_any *ret,
                                      struct shim_error *err);

struct ctl_launch {
    const struct ctl *ctl;
    const char *shim; /* a path, or a name for PATH */
    const char *id, *bundle;
    const char *events;            /* TTRPC_ADDRESS: the socket that events are to go to */
    const struct ctl_any *options; /* on standard input of `start`; NULL: none */
    bool bootstrap; /* containerd 2.3's BootstrapParams on standard input, not the bare options */
    struct shim_stopper *stopper; /* NULL: cannot be cut short */
};

/* What process ended and how. */
struct ctl_exit {
    uint32_t pid, status;
    int64_t at_ns; /* realtime; 0: not known */
};

/* The shim to use: --shim, else containerd-shim-hcs-v1 beside this program, else in PATH.
 * malloc'ed in *ret. */
SHIM_MUST_USE int ctl_shim_path(const struct ctl *c, char **ret, struct shim_error *err);

/* SHIM_E_UNKNOWN with what the shim printed when it failed. */
SHIM_MUST_USE int ctl_launch_start(const struct ctl_launch *l, struct ctl_endpoint *ret,
                                   struct shim_error *err);
SHIM_MUST_USE int ctl_launch_delete(const struct ctl_launch *l, struct ctl_exit *ret,
                                    struct shim_error *err);

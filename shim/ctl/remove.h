/* SPDX-License-Identifier: Apache-2.0 */
/* Takes containers away in containerd's order. Blocks. */
#pragma once
#include "base/error.h"
#include "shim/ctl/client.h"

struct ctl;

/* A container and where it lives; all lent. */
struct ctl_container {
    const struct ctl *ctl;
    const char *id, *bundle;
    struct ctl_client *client; /* NULL: its shim does not answer */
    bool takes_events;         /* we serve its events: wait for the last ones */
};

/* A container that has ended: Delete, Shutdown, the shim's delete command, the bundle. Fails, with
 * everything left as it is, when the shim refuses the Delete. */
SHIM_MUST_USE int ctl_remove(const struct ctl_container *container, struct ctl_exit *ret,
                             struct shim_error *err);

/* A container in any state: tries Delete and Shutdown, then as above. *ret is what the shim's
 * delete command says. */
SHIM_MUST_USE int ctl_clean_up(const struct ctl_container *container, struct ctl_exit *ret,
                               struct shim_error *err);

/* Prints how it ended. */
SHIM_MUST_USE int ctl_print_exit(const struct ctl *c, const char *id, const struct ctl_exit *exit,
                                 struct shim_error *err);

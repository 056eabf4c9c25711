/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line that containerd (and `start` itself) gives us, in Go's flag syntax: -x v, --x v,
 * -x=v; boolean flags take no separate word; flags end at the first other word. Pure.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>

enum shim_action { SHIM_ACTION_NONE, SHIM_ACTION_START, SHIM_ACTION_SERVE, SHIM_ACTION_DELETE };

/* All strings lent from argv, "" where not given. */
struct shim_cli {
    const char *ns, *id, *address, *publish_binary, *bundle, *socket;
    bool debug, version, info, help;
    enum shim_action action;
    char *action_word; /* the action where argv has it; NULL: none */
};

/* SHIM_E_INVALID for an unknown flag, a missing value, an unknown action or words after it. */
SHIM_MUST_USE int shim_cli_parse(int argc, char **argv, struct shim_cli *ret,
                                 struct shim_error *err);

/* What -help prints. */
extern const char shim_cli_usage[];

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What server and client share: sizes, addresses. The library stands on nng streams and protobuf-c
 * and uses nothing but base/; it never learns what a container is.
 */
#pragma once
#include "base/error.h"
#include <stddef.h>
#include <stdint.h>

#define TTRPC_HEADER_BYTES   ((size_t)10)
#define TTRPC_DATA_MAX_BYTES ((uint32_t)4 << 20) /* ttrpc's limit, header excluded */

struct ttrpc_metadata { /* lent */
    const char *key, *value;
};

/* Has nng start as few threads as it can: six, where it otherwise starts several for each core. Of
 * effect from nng 1.7 on. Once, before any other call of this library. */
void ttrpc_limit_threads(void);

/**
 * nng's URL for an address as containerd writes it: "unix:///path" or a bare absolute path, on
 * Windows "\\.\pipe\name", on Linux also the bare name of an abstract socket (whatever has no
 * "://"). malloc'ed in *ret. SHIM_E_INVALID for other schemes and for names that are too long.
 */
SHIM_MUST_USE int ttrpc_address_to_url(const char *address, char **ret, struct shim_error *err);

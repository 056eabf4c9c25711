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

/**
 * nng's URL for an address as containerd writes it: "unix:///path", a bare absolute path, or on
 * Windows "\\.\pipe\name". malloc'ed in *ret. SHIM_E_INVALID for anything else.
 */
SHIM_MUST_USE int ttrpc_address_to_url(const char *address, char **ret, struct shim_error *err);

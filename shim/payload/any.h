/* SPDX-License-Identifier: Apache-2.0 */
/* Any: a message together with its full name, which containerd uses bare as the type URL. Pure.
 * Threads: any. */
#pragma once
#include "base/error.h"
#include "shim/proto/well_known.pb-c.h"
#include <stdbool.h>

/* Packs a message under its own name. *ret is the caller's: pb__any__free_unpacked(any, NULL). */
SHIM_MUST_USE int shim_any_pack(const ProtobufCMessage *message, Pb__Any **ret,
                                struct shim_error *err);

/* Whether a type URL, bare or with a prefix that ends in '/', names this kind of message. NULL
 * names none. */
bool shim_any_names(const char *type_url, const ProtobufCMessageDescriptor *kind);

void shim_any_freep(Pb__Any **any);
#define cleanup_any SHIM_CLEANUP(shim_any_freep)

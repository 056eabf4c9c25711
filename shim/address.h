/* SPDX-License-Identifier: Apache-2.0 */
/* Where a shim listens. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

/**
 * The name containerd's tests compute too: 64 hex digits of the SHA-256 of the cleaned path
 * ADDRESS/NS/GROUP (doubled slashes and dot components collapsed). Pure.
 */
#define SHIM_SOCKET_NAME_BYTES 65
SHIM_MUST_USE int shim_socket_name(const char *grpc_address, const char *ns, const char *group,
                                   char ret[SHIM_SOCKET_NAME_BYTES], struct shim_error *err);

/* Cleans a path as Go's filepath.Join does: malloc'ed, NULL when out of memory. Pure. */
char *shim_path_clean(const char *path);

/* --- platform (shim/posix/socket.c) --------------------------------------------------------- */

/**
 * The address of the shim for `group`: in socket_dir when the daemon named one, else in the first
 * usable of /run/containerd/s, $XDG_RUNTIME_DIR/containerd/s, /run/UID/containerd/s and
 * /tmp/containerd-s-UID. Makes the folder (0700, ours). malloc'ed. Blocks for file operations.
 */
SHIM_MUST_USE int shim_socket_address(const char *socket_dir, const char *grpc_address,
                                      const char *ns, const char *group, char **ret,
                                      struct shim_error *err);

/* Whether somebody serves the address now (a connection within 100 ms). */
bool shim_socket_is_served(const char *address);

/* Removes the socket unless somebody serves it. Absent is fine. */
void shim_socket_remove_stale(const char *address);

/* Serialises starts: of one container by its bundle, of a pod's containers by the folder of their
 * sockets. Held until closed or exit; waits for whoever holds it. */
SHIM_MUST_USE int shim_folder_lock(const char *folder, intptr_t *ret, struct shim_error *err);
SHIM_MUST_USE int shim_socket_lock(const char *address, intptr_t *ret, struct shim_error *err);

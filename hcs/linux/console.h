/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket through which a runtime hands over the master of a new terminal: in a private folder
 * below $XDG_RUNTIME_DIR or /tmp, both gone after linux_console_close(). Threads: one at a time.
 */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include "base/file.h"
#include "hcs/linux/calls.h"
#include <stdint.h>
#include <sys/un.h>

struct linux_console { /* embedded; LINUX_CONSOLE_INIT */
    intptr_t listener;
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
    char path[sizeof(((struct sockaddr_un *)0)->sun_path)]; /* for --console-socket */
};
#define LINUX_CONSOLE_INIT                                                                         \
    {                                                                                              \
        .listener = SHIM_NO_HANDLE                                                                 \
    }

SHIM_MUST_USE int linux_console_open(struct linux_console *c, struct shim_error *err);
void linux_console_close(struct linux_console *c); /* never opened is fine */
#define cleanup_console SHIM_CLEANUP(linux_console_close)

/* What a runtime is given to hand a terminal over: a sane one is done long before. */
#define LINUX_CONSOLE_TIMEOUT_MS 30000

/**
 * Takes the terminal's master, non-blocking; the caller owns it. Call when the runtime has ended:
 * what it sent waits in the socket.
 *
 * @param call  may be NULL. SHIM_E_CANCELED when it is cancelled.
 * @return      SHIM_E_DEADLINE nobody sent one; SHIM_E_INVALID what came is not one terminal.
 */
SHIM_MUST_USE int linux_console_receive(struct linux_console *c, int64_t timeout_ms,
                                        struct linux_call *call, intptr_t *ret_master,
                                        struct shim_error *err);

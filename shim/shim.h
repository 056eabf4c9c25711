/* SPDX-License-Identifier: Apache-2.0 */
/* What one daemon is made of. Everything here is set before the server listens. */
#pragma once
#include "base/loop.h"
#include "base/workers.h"
#include "shim/cli.h"
#include "shim/events.h"
#include "shim/task.h"

struct ttrpc_server;
struct shim_sandbox;

struct shim {
    const char *ns;       /* containerd's namespace; lent from the command line */
    const char *provider; /* "linux" or "emulated" where options name none */
    const struct hcs_provider *(*find_provider)(const char *name); /* hcs_provider_find */
    char *default_root; /* the OCI runtime's state root where options name none */
    struct shim_workers *workers;
    struct shim_loop *loop;
    struct shim_events *events;
    struct ttrpc_server *server;
    struct shim_tasks tasks;
    struct shim_sandbox *sandbox;
    struct shim_timer linger;  /* on the loop; after the last Delete */
    struct shim_timer starved; /* on the loop; where no thread could be started */
};

/* Ends the daemon once nothing is left that a client waits for. Threads: any. Does not block. */
void shim_end(struct shim *shim);

/* --- actions; each returns the process' exit code ------------------------------------------- */

int shim_start_main(const struct shim_cli *cli);
int shim_serve_main(const struct shim_cli *cli);
int shim_delete_main(const struct shim_cli *cli);
int shim_info_main(void);

/* --- services ------------------------------------------------------------------------------- */

/* The task service (static); serve it under its v2 and v3 names. */
ProtobufCService *shim_task_service(struct shim *shim);
/* The sandbox service. */
SHIM_MUST_USE int shim_sandbox_new(struct shim *shim, struct shim_sandbox **ret,
                                   struct shim_error *err);
ProtobufCService *shim_sandbox_service(struct shim_sandbox *sandbox);
/* Whether there is one that has not been stopped: the shim stays for it. */
bool shim_sandbox_is_live(struct shim_sandbox *sandbox);
/* Once its server is closed. NULL is a no-op. */
void shim_sandbox_free(struct shim_sandbox *sandbox);

/* Before a Shutdown is answered: the shim ends after the reply has left if there are no tasks and
 * no live sandbox, else with the last one. */
void shim_end_wanted(struct shim *shim, struct ttrpc_call *call);
/* Before a Delete or a failed Create is answered: if a Shutdown came before and no task is left,
 * the shim ends soon after this call's reply has left. */
void shim_end_if_idle(struct shim *shim, struct ttrpc_call *call);

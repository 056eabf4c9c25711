/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `delete`: ends and cleans up what a container left when its shim is gone (or is just going).
 * Idempotent, within five seconds, success when there is nothing to do; writes only the
 * DeleteResponse to standard output, and leaves the files of the bundle alone.
 */
#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "shim/address.h"
#include "shim/bundle.h"
#include "shim/daemon.h"
#include "shim/payload/timestamp.h"
#include "shim/proto/task.pb-c.h"
#include "shim/shim.h"
#include <stdio.h>
#include <string.h>

#define KILLED_STATUS (128 + 9)

static void warn(const char *what, const struct shim_error *err)
{
    fprintf(stderr, "containerd-shim-hcs-v1: delete: %s: %s\n", what, err->msg);
}

/* containerd names the bundle, or runs us in it; other containers' folders are its siblings. */
static char *find_bundle(const struct shim_cli *cli)
{
    cleanup_free char *here = NULL;
    char *name;

    if (*cli->bundle)
        return strdup(cli->bundle);
    here = shim_current_dir();
    name = here ? strrchr(here, '/') : NULL;
    if (!name || strcmp(name + 1, cli->id) == 0)
        return shim_take(here);
    return shim_strf("%.*s/%s", (int)(name - here), here, cli->id);
}

/* Ends the compute system that the record names and gives back its pid. Going on after an error
 * frees what can be freed. */
static uint32_t end_system(const char *bundle)
{
    cleanup_record struct shim_record record = {0};
    cleanup_hcs_system struct hcs_system *system = NULL;
    const struct hcs_provider *provider;
    struct shim_error err;
    int r = shim_bundle_read_record(bundle, &record, &err);

    if (r == SHIM_E_NOT_FOUND)
        return 0; /* never created */
    provider = r == 0 ? hcs_provider_find(record.provider) : NULL;
    if (r == 0 && !provider)
        r = shim_fail(&err, SHIM_E_INVALID, "provider %s is unknown", record.provider);
    if (r == 0)
        r = hcs_system_new(provider, record.id, record.document, NULL, NULL, NULL, &system, &err);
    if (r < 0) {
        warn("record", &err);
        return 0;
    }
    r = hcs_system_attach(system, &err);
    if (r == SHIM_E_NOT_FOUND)
        return 0; /* already deleted */
    if (r == 0)
        r = hcs_system_terminate(system, &err);
    if (r < 0)
        warn("terminate", &err);
    else if (hcs_system_delete(system, &err) < 0) /* who terminates in time also deletes in time */
        warn("delete", &err);
    return hcs_process_pid(hcs_system_init(system));
}

static void unmount_rootfs(const char *bundle)
{
    cleanup_free char *rootfs = shim_bundle_path(bundle, "rootfs");
    const struct hcs_provider *provider = hcs_provider_find("linux");
    struct shim_error err;

    if (rootfs && provider && hcs_storage_unmount(provider, rootfs, &err) < 0)
        warn("unmount rootfs", &err);
}

static void remove_socket(const char *bundle)
{
    cleanup_free char *address = NULL;

    if (shim_bundle_read_address(bundle, &address, NULL) == 0)
        shim_socket_remove_stale(address);
}

static int print_response(uint32_t pid, struct shim_error *err)
{
    Task__DeleteResponse response = TASK__DELETE_RESPONSE__INIT;
    Pb__Timestamp now = shim_timestamp(shim_realtime_ns());
    uint8_t packed[64];

    response.pid = pid;
    response.exit_status = KILLED_STATUS;
    response.exited_at = &now;
    return shim_handle_write(shim_stdout(), packed, task__delete_response__pack(&response, packed),
                             err);
}

static int check_cli(const struct shim_cli *cli, struct shim_error *err)
{
    if (!*cli->ns)
        return shim_fail(err, SHIM_E_INVALID, "shim namespace cannot be empty");
    if (!*cli->id || strchr(cli->id, '/'))
        return shim_fail(err, SHIM_E_INVALID, "shim id \"%s\" is no container id", cli->id);
    return 0;
}

int shim_delete_main(const struct shim_cli *cli)
{
    cleanup_free char *bundle = NULL;
    struct shim_error err;
    uint32_t pid = 0;
    int r = check_cli(cli, &err);

    if (r == 0)
        r = shim_child_init(false, &err);
    if (r == 0)
        r = shim_child_start_reaper(&err);
    if (r == 0) {
        bundle = find_bundle(cli);
        if (bundle) {
            pid = end_system(bundle);
            unmount_rootfs(bundle);
            remove_socket(bundle);
        }
        r = print_response(pid, &err);
    }
    if (r < 0)
        warn(cli->id, &err);
    return r < 0 ? 1 : 0;
}

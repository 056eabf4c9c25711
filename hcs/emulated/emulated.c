/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The emulated Host Compute System: which function carries out which operation. It checks documents
 * as strictly as the real service, keeps systems that another process can find, and runs their
 * processes as plain children: there is no isolation whatsoever, and no privilege is needed.
 */
#include "hcs/emulated/system.h"

/* Mounts are the machine's: without privileges there are none to make. */
static int storage_mount(const struct hcs_mount *mounts, size_t n_mounts, const char *rootfs,
                         struct shim_error *err)
{
    if (n_mounts == 0)
        return 0;
    return hcs_storage_mount(&hcs_linux_provider, mounts, n_mounts, rootfs, err);
}

static int storage_unmount(const char *rootfs, struct shim_error *err)
{
    return hcs_storage_unmount(&hcs_linux_provider, rootfs, err);
}

static const struct hcs_ops ops = {
    .system_bytes = sizeof(struct emu_system),
    .system_new = emu_system_new,
    .system_free = emu_system_free,
    .system_create = emu_system_create,
    .system_attach = emu_system_attach,
    .system_start = emu_system_start,
    .system_pause = emu_system_pause,
    .system_resume = emu_system_resume,
    .system_signal_all = emu_system_signal_all,
    .system_terminate = emu_system_terminate,
    .system_delete = emu_system_delete,
    .system_update = emu_system_update,
    .system_pids = emu_system_pids,
    .system_stats = emu_system_stats,
    .system_init = emu_system_init,
    .process_new = emu_process_new,
    .process_start = emu_process_start,
    .process_pid = emu_process_pid,
    .process_signal = emu_process_signal,
    .process_resize = emu_process_resize,
    .process_free = emu_process_free,
    .storage_mount = storage_mount,
    .storage_unmount = storage_unmount,
};

const struct hcs_provider hcs_emulated_provider = {.name = "emulated", .ops = &ops};

/* SPDX-License-Identifier: Apache-2.0 */
/* The provider for Linux containers: which function carries out which operation. */
#include "hcs/linux/system.h"

static const struct hcs_ops ops = {
    .system_bytes = sizeof(struct linux_system),
    .facts = linux_facts,
    .features = linux_features,
    .system_new = linux_system_new,
    .system_free = linux_system_free,
    .system_create = linux_system_create,
    .system_attach = linux_system_attach,
    .system_start = linux_system_start,
    .system_pause = linux_system_pause,
    .system_resume = linux_system_resume,
    .system_signal_all = linux_system_signal_all,
    .system_terminate = linux_system_terminate,
    .system_delete = linux_system_delete,
    .system_cancel = linux_system_cancel,
    .system_update = linux_system_update,
    .system_checkpoint = linux_system_checkpoint,
    .system_pids = linux_system_pids,
    .system_stats = linux_system_stats,
    .system_init = linux_system_init,
    .process_new = linux_process_new,
    .process_start = linux_process_start,
    .process_pid = linux_process_pid,
    .process_signal = linux_process_signal,
    .process_resize = linux_process_resize,
    .process_free = linux_process_free,
    .storage_mount = linux_storage_mount,
    .storage_unmount = linux_storage_unmount,
};

const struct hcs_provider hcs_linux_provider = {.name = "linux", .ops = &ops};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a provider implements. hcs.c checks for NULL (Unimplemented) and calls through; a provider
 * embeds the structs below as first members of its own.
 */
#pragma once
#include "hcs/hcs.h"

struct hcs_ops;

struct hcs_provider {
    const char *name;
    const struct hcs_ops *ops;
};

struct hcs_system {
    const struct hcs_provider *provider;
    char *id; /* owned; hcs.c sets it before ops->system_new and frees it after ops->system_free */
    const struct hcs_callbacks *cb; /* may be NULL */
    void *user, *init_user;
};

struct hcs_process {
    struct hcs_system *system;
    void *user;
};

/*
 * NULL is Unimplemented for every operation but these: facts and features (there are none to tell),
 * system_cancel (nothing can hang), and the ones each provider must have: system_new, system_free,
 * system_init and, with process_new, process_start, process_pid and process_free.
 */
struct hcs_ops {
    size_t system_bytes; /* sizeof the provider's system struct; hcs.c allocates it zeroed */
    int (*facts)(const char *wanted, struct hcs_facts *ret, struct shim_error *err);
    int (*features)(const char *runtime, char **ret_json, struct shim_error *err);
    /* Fills in a zeroed system from its document; on failure system_free is called as well. */
    int (*system_new)(struct hcs_system *s, struct json_object *document, struct shim_error *err);
    void (*system_free)(struct hcs_system *s);
    int (*system_create)(struct hcs_system *s, const struct hcs_restore *restore,
                         struct hcs_stdio *io, struct shim_error *err);
    int (*system_attach)(struct hcs_system *s, struct shim_error *err);
    int (*system_start)(struct hcs_system *s, struct shim_error *err);
    int (*system_pause)(struct hcs_system *s, struct shim_error *err);
    int (*system_resume)(struct hcs_system *s, struct shim_error *err);
    int (*system_signal_all)(struct hcs_system *s, uint32_t signal, struct shim_error *err);
    int (*system_terminate)(struct hcs_system *s, struct shim_error *err);
    int (*system_delete)(struct hcs_system *s, struct shim_error *err);
    void (*system_cancel)(struct hcs_system *s);
    int (*system_update)(struct hcs_system *s, const char *resources_json, struct shim_error *err);
    int (*system_checkpoint)(struct hcs_system *s, const struct hcs_checkpoint *c,
                             struct shim_error *err);
    int (*system_pids)(struct hcs_system *s, struct hcs_pids *ret, struct shim_error *err);
    int (*system_stats)(struct hcs_system *s, struct hcs_stats *ret, struct shim_error *err);
    struct hcs_process *(*system_init)(struct hcs_system *s);

    /* The provider allocates the process and sets its `system` and `user`. */
    int (*process_new)(struct hcs_system *s, const char *exec_id, struct json_object *parameters,
                       void *process_user, struct hcs_process **ret, struct shim_error *err);
    int (*process_start)(struct hcs_process *p, struct hcs_stdio *io, struct shim_error *err);
    uint32_t (*process_pid)(struct hcs_process *p);
    int (*process_signal)(struct hcs_process *p, uint32_t signal, struct shim_error *err);
    int (*process_resize)(struct hcs_process *p, uint16_t width, uint16_t height,
                          struct shim_error *err);
    void (*process_free)(struct hcs_process *p);

    int (*storage_mount)(const struct hcs_mount *mounts, size_t n_mounts, const char *rootfs,
                         struct shim_error *err);
    int (*storage_unmount)(const char *rootfs, struct shim_error *err);
};

extern const struct hcs_provider hcs_linux_provider;
extern const struct hcs_provider hcs_emulated_provider;
/* What this build has, NULL-terminated; defined in the platform's folder. */
extern const struct hcs_provider *const hcs_providers[];

/* The loop lent with hcs_use_loop, or NULL. */
struct shim_loop *hcs_loop(void);

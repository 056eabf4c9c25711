/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One interface to a Host Compute System: compute systems, their processes, their storage. It knows
 * documents, identifiers and handles, and never learns what a task is. The providers behind it are
 * `linux` (an OCI runtime), `emulated` (plain child processes, no isolation) and, on Windows, the
 * real service.
 *
 * The life of a system: hcs_system_new (nothing happens yet), hcs_system_create (its init process
 * is an object from then on), hcs_system_start, …, exit callback, hcs_system_delete,
 * hcs_system_free. Where a process's pid is known only after start (Windows) it is 0 until then.
 *
 * Threads: any, at the same time, unless a line says otherwise. Calls marked "blocks" may take as
 * long as the runtime or the service does; hcs_system_cancel() cuts them short. No lock is held
 * across a callback or a blocking call. What a provider cannot do is SHIM_E_UNIMPLEMENTED with a
 * message that names the provider (or its runtime) and the operation.
 */
#pragma once
#include "base/error.h"
#include "base/file.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object; /* json-c's */
struct hcs_provider;
struct hcs_system;  /* opaque: one compute system */
struct hcs_process; /* opaque: one process in it */

/* --- providers ------------------------------------------------------------------------------ */

/* "linux", "emulated". NULL when this build has no such provider. Static storage. */
const struct hcs_provider *hcs_provider_find(const char *name);
const char *hcs_provider_name(const struct hcs_provider *p);

/* What only the machine can tell and a document needs. */
struct hcs_facts {
    char *runtime; /* linux: absolute path of the OCI runtime; NULL elsewhere */
};
/**
 * @param wanted  linux: the runtime asked for (a name for PATH, or a path); NULL or "": runc, else
 *                crun. SHIM_E_NOT_FOUND names what was looked for, e.g. exec: "no-runc":
 *                executable file not found in $PATH.
 */
SHIM_MUST_USE int hcs_provider_facts(const struct hcs_provider *p, const char *wanted,
                                     struct hcs_facts *ret, struct shim_error *err);
void hcs_facts_done(struct hcs_facts *f);
#define cleanup_hcs_facts SHIM_CLEANUP(hcs_facts_done)

/* The runtime's own description of its features (OCI features JSON), malloc'ed in *ret_json; NULL
 * when the runtime has none. Blocks. */
SHIM_MUST_USE int hcs_provider_features(const struct hcs_provider *p, const char *runtime,
                                        char **ret_json, struct shim_error *err);

/* --- standard streams ----------------------------------------------------------------------- */

enum hcs_stream_kind {
    HCS_STREAM_NONE,   /* the process gets the null device */
    HCS_STREAM_PIPE,   /* the provider makes a pipe and hands out its other end in `handle` */
    HCS_STREAM_HANDLE, /* the process gets `handle` itself: in, borrowed for the call */
};
struct hcs_stream {
    enum hcs_stream_kind kind;
    intptr_t handle; /* SHIM_NO_HANDLE until set; PIPE: the caller owns it after success */
};
/*
 * With `console`, out is handed out (and in, when asked for as PIPE) as streams of the console,
 * each a handle of its own; err must be NONE. End of the console reads as end of file or EIO.
 */
struct hcs_stdio {
    bool console;
    uint16_t width, height; /* of the console, 0: the provider's default */
    struct hcs_stream in, out, err;
};
#define HCS_STDIO_INIT                                                                             \
    {                                                                                              \
        .in.handle = SHIM_NO_HANDLE, .out.handle = SHIM_NO_HANDLE, .err.handle = SHIM_NO_HANDLE    \
    }
/* Closes what hcs handed out (PIPE handles); for errors after a success. */
void hcs_stdio_close(struct hcs_stdio *io);

/* --- callbacks ------------------------------------------------------------------------------ */

struct hcs_exit {
    uint32_t status; /* 0 to 255, or 128 + signal; Windows: the full code */
    int64_t at_ns;   /* realtime */
};

/*
 * Called on a thread of the provider's, with no lock held; must not block. `exited` comes exactly
 * once for each process that was created (init) or started (others), at once where it is already
 * over, and may come before the call that starts the process has returned. `oom` may come any
 * number of times until hcs_system_delete returns, and for init's OOM before its `exited`.
 */
struct hcs_callbacks {
    void (*exited)(struct hcs_process *process, const struct hcs_exit *exit, void *process_user);
    void (*oom)(struct hcs_system *system, void *system_user);
};

/* --- systems -------------------------------------------------------------------------------- */

/**
 * A system that does not exist yet, or exists already (hcs_system_attach tells). Runs nothing.
 *
 * @param id        borrowed; what the runtime or service knows it by.
 * @param document  borrowed for the call. Checked strictly: SHIM_E_INVALID names the field.
 * @param cb        borrowed, must outlive the system; NULL for `delete`.
 * @param init_user the process_user of the init process's exit.
 */
SHIM_MUST_USE int hcs_system_new(const struct hcs_provider *p, const char *id,
                                 struct json_object *document, const struct hcs_callbacks *cb,
                                 void *system_user, void *init_user, struct hcs_system **ret,
                                 struct shim_error *err);
/* The system must be deleted or never created; no call on it may be under way. NULL is a no-op. */
void hcs_system_free(struct hcs_system *s);
static inline void hcs_system_freep(struct hcs_system **s)
{
    hcs_system_free(*s);
}
#define cleanup_hcs_system SHIM_CLEANUP(hcs_system_freep)

/* For a restore: where the image lies. All borrowed; NULL where not used. */
struct hcs_restore {
    const char *image_path, *parent_path;
};

/**
 * Creates the system with its init process, which does not run yet; with `restore` it comes back
 * from an image and runs at once (hcs_system_start is then not called). On failure nothing of it is
 * left. Blocks.
 */
SHIM_MUST_USE int hcs_system_create(struct hcs_system *s, const struct hcs_restore *restore,
                                    struct hcs_stdio *io, struct shim_error *err);
/* Finds the system another process created by its id and document, for `delete`. SHIM_E_NOT_FOUND:
 * there is none (any more). No callbacks come. Blocks. */
SHIM_MUST_USE int hcs_system_attach(struct hcs_system *s, struct shim_error *err);
SHIM_MUST_USE int hcs_system_start(struct hcs_system *s, struct shim_error *err);  /* blocks */
SHIM_MUST_USE int hcs_system_pause(struct hcs_system *s, struct shim_error *err);  /* blocks */
SHIM_MUST_USE int hcs_system_resume(struct hcs_system *s, struct shim_error *err); /* blocks */
/* Sends a signal to every process of the system. SHIM_E_NOT_FOUND: none is left. Blocks. */
SHIM_MUST_USE int hcs_system_signal_all(struct hcs_system *s, uint32_t signal,
                                        struct shim_error *err);
/* Kills every process and ends the system, whatever its state, and cancels a hung operation first.
 * Being already gone is success. Blocks, at most 5 s. */
SHIM_MUST_USE int hcs_system_terminate(struct hcs_system *s, struct shim_error *err);
/* Removes the stopped (or never started) system; kills what is left of it. Being already gone is
 * success. Blocks. */
SHIM_MUST_USE int hcs_system_delete(struct hcs_system *s, struct shim_error *err);
/* Ends what blocking calls are under way on this system: they fail with SHIM_E_CANCELED. Does not
 * block. Later calls work again. */
void hcs_system_cancel(struct hcs_system *s);

/* Changes resources: JSON of the OCI LinuxResources (or WindowsResources). Blocks. */
SHIM_MUST_USE int hcs_system_update(struct hcs_system *s, const char *resources_json,
                                    struct shim_error *err);

struct hcs_checkpoint {
    const char *image_path, *work_path, *parent_path; /* work_path NULL: the provider's default */
    bool exit, open_tcp, external_unix_sockets, terminal, file_locks;
    const char *const *empty_namespaces; /* NULL-terminated or NULL */
    const char *cgroups_mode;            /* NULL or "" : the runtime's default */
};
SHIM_MUST_USE int hcs_system_checkpoint(struct hcs_system *s, const struct hcs_checkpoint *c,
                                        struct shim_error *err); /* blocks */

/* Host pids of all processes, malloc'ed. Short file reads only. */
struct hcs_pids {
    uint32_t *pid;
    size_t n;
};
SHIM_MUST_USE int hcs_system_pids(struct hcs_system *s, struct hcs_pids *ret,
                                  struct shim_error *err);
void hcs_pids_done(struct hcs_pids *p);
#define cleanup_hcs_pids SHIM_CLEANUP(hcs_pids_done)

struct hcs_stats; /* hcs/stats.h */
/* SHIM_E_NOT_FOUND when nothing is known; after exit the last figures that could be read. Does not
 * wait for the runtime. */
SHIM_MUST_USE int hcs_system_stats(struct hcs_system *s, struct hcs_stats *ret,
                                   struct shim_error *err);

/* Lent; valid from hcs_system_create's success until hcs_system_free. */
struct hcs_process *hcs_system_init(struct hcs_system *s);

/* --- processes ------------------------------------------------------------------------------ */

/**
 * A further process (exec) of a created or running system; nothing runs yet.
 *
 * @param exec_id     borrowed; names files in the bundle.
 * @param parameters  borrowed for the call; the process parameters document. SHIM_E_INVALID names
 *                    the field.
 */
SHIM_MUST_USE int hcs_process_new(struct hcs_system *s, const char *exec_id,
                                  struct json_object *parameters, void *process_user,
                                  struct hcs_process **ret, struct shim_error *err);
/* Starts it. On failure nothing runs, no exit comes, and it can be tried again. Blocks. */
SHIM_MUST_USE int hcs_process_start(struct hcs_process *p, struct hcs_stdio *io,
                                    struct shim_error *err);
/* Host pid; 0 until known. Stays after exit. */
uint32_t hcs_process_pid(struct hcs_process *p);
/* SHIM_E_NOT_FOUND: it has ended ("process already finished"). Init: may block; others do not. */
SHIM_MUST_USE int hcs_process_signal(struct hcs_process *p, uint32_t signal,
                                     struct shim_error *err);
/* Success without effect where there is no console. Does not block. */
SHIM_MUST_USE int hcs_process_resize(struct hcs_process *p, uint16_t width, uint16_t height,
                                     struct shim_error *err);
/* Its exit must have come, or it never started. NULL is a no-op. Not for the init process, which
 * goes with its system. */
void hcs_process_free(struct hcs_process *p);

/* --- storage -------------------------------------------------------------------------------- */

/* One mount of containerd's list: Linux mounts as they are, on Windows a `windows-layer`. */
struct hcs_mount {
    const char *type, *source, *target; /* target: below the rootfs, "" the rootfs itself */
    const char *const *options;         /* NULL-terminated or NULL */
};
/* Mounts all of them in order onto `rootfs` (made if missing), or none. Blocks. */
SHIM_MUST_USE int hcs_storage_mount(const struct hcs_provider *p, const struct hcs_mount *mounts,
                                    size_t n_mounts, const char *rootfs, struct shim_error *err);
/* Unmounts everything at and below `rootfs`; nothing mounted is success. Blocks, at most
 * seconds. */
SHIM_MUST_USE int hcs_storage_unmount(const struct hcs_provider *p, const char *rootfs,
                                      struct shim_error *err);

/* --- the provider's threads ----------------------------------------------------------------- */

struct shim_loop; /* base/loop.h; the shim's one event loop, lent to providers */
/* Call once, before any system is created; NULL in `delete`, which needs no notices. */
void hcs_use_loop(struct shim_loop *loop);

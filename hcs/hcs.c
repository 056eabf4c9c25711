/* SPDX-License-Identifier: Apache-2.0 */
/* The way from hcs.h to a provider: allocation, "cannot do that", and nothing a provider knows. */
#include "hcs/hcs.h"
#include "base/str.h"
#include "hcs/provider.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static _Atomic(struct shim_loop *) the_loop;

static int cannot(const struct hcs_provider *p, const char *operation, struct shim_error *err)
{
    return shim_fail(err, SHIM_E_UNIMPLEMENTED, "provider %s cannot %s", p->name, operation);
}

/* --- providers ------------------------------------------------------------------------------ */

const struct hcs_provider *hcs_provider_find(const char *name)
{
    for (const struct hcs_provider *const *p = hcs_providers; name && *p; p++)
        if (!strcmp((*p)->name, name))
            return *p;
    return NULL;
}

const char *hcs_provider_name(const struct hcs_provider *p)
{
    return p->name;
}

int hcs_provider_facts(const struct hcs_provider *p, const char *wanted, struct hcs_facts *ret,
                       struct shim_error *err)
{
    *ret = (struct hcs_facts){0};
    return p->ops->facts ? p->ops->facts(wanted, ret, err) : 0;
}

void hcs_facts_done(struct hcs_facts *f)
{
    free(shim_take(f->runtime));
}

int hcs_provider_features(const struct hcs_provider *p, const char *runtime, char **ret_json,
                          struct shim_error *err)
{
    *ret_json = NULL;
    return p->ops->features ? p->ops->features(runtime, ret_json, err) : 0;
}

void hcs_stdio_close(struct hcs_stdio *io)
{
    struct hcs_stream *streams[] = {&io->in, &io->out, &io->err};

    for (size_t i = 0; i < SHIM_ARRAY_LEN(streams); i++)
        if (streams[i]->kind == HCS_STREAM_PIPE)
            shim_handle_close(&streams[i]->handle);
}

void hcs_use_loop(struct shim_loop *loop)
{
    atomic_store(&the_loop, loop);
}

struct shim_loop *hcs_loop(void)
{
    return atomic_load(&the_loop);
}

/* --- systems -------------------------------------------------------------------------------- */

int hcs_system_new(const struct hcs_provider *p, const char *id, struct json_object *document,
                   const struct hcs_callbacks *cb, void *system_user, void *init_user,
                   struct hcs_system **ret, struct shim_error *err)
{
    cleanup_hcs_system struct hcs_system *s = calloc(1, p->ops->system_bytes);
    int r;

    if (!s)
        return shim_fail_memory(err);
    s->provider = p;
    s->cb = cb;
    s->user = system_user;
    s->init_user = init_user;
    s->id = strdup(id);
    if (!s->id)
        return shim_fail_memory(err);

    r = p->ops->system_new(s, document, err);
    if (r < 0)
        return shim_wrap(err, r, "system %s", id);
    *ret = shim_take(s);
    return 0;
}

void hcs_system_free(struct hcs_system *s)
{
    if (!s)
        return;
    s->provider->ops->system_free(s);
    free(s->id);
    free(s);
}

int hcs_system_create(struct hcs_system *s, const struct hcs_restore *restore, struct hcs_stdio *io,
                      struct shim_error *err)
{
    if (!s->provider->ops->system_create)
        return cannot(s->provider, restore ? "restore a system" : "create a system", err);
    return s->provider->ops->system_create(s, restore, io, err);
}

int hcs_system_attach(struct hcs_system *s, struct shim_error *err)
{
    if (!s->provider->ops->system_attach)
        return cannot(s->provider, "find a system again", err);
    return s->provider->ops->system_attach(s, err);
}

int hcs_system_start(struct hcs_system *s, struct shim_error *err)
{
    if (!s->provider->ops->system_start)
        return cannot(s->provider, "start a system", err);
    return s->provider->ops->system_start(s, err);
}

int hcs_system_pause(struct hcs_system *s, struct shim_error *err)
{
    if (!s->provider->ops->system_pause)
        return cannot(s->provider, "pause a system", err);
    return s->provider->ops->system_pause(s, err);
}

int hcs_system_resume(struct hcs_system *s, struct shim_error *err)
{
    if (!s->provider->ops->system_resume)
        return cannot(s->provider, "resume a system", err);
    return s->provider->ops->system_resume(s, err);
}

int hcs_system_signal_all(struct hcs_system *s, uint32_t signal, struct shim_error *err)
{
    if (!s->provider->ops->system_signal_all)
        return cannot(s->provider, "signal all processes of a system", err);
    return s->provider->ops->system_signal_all(s, signal, err);
}

int hcs_system_terminate(struct hcs_system *s, struct shim_error *err)
{
    if (!s->provider->ops->system_terminate)
        return cannot(s->provider, "terminate a system", err);
    return s->provider->ops->system_terminate(s, err);
}

int hcs_system_delete(struct hcs_system *s, struct shim_error *err)
{
    if (!s->provider->ops->system_delete)
        return cannot(s->provider, "delete a system", err);
    return s->provider->ops->system_delete(s, err);
}

void hcs_system_cancel(struct hcs_system *s)
{
    if (s->provider->ops->system_cancel)
        s->provider->ops->system_cancel(s);
}

int hcs_system_update(struct hcs_system *s, const char *resources_json, struct shim_error *err)
{
    if (!s->provider->ops->system_update)
        return cannot(s->provider, "update a system", err);
    return s->provider->ops->system_update(s, resources_json, err);
}

int hcs_system_checkpoint(struct hcs_system *s, const struct hcs_checkpoint *c,
                          struct shim_error *err)
{
    if (!s->provider->ops->system_checkpoint)
        return cannot(s->provider, "checkpoint a system", err);
    return s->provider->ops->system_checkpoint(s, c, err);
}

int hcs_system_pids(struct hcs_system *s, struct hcs_pids *ret, struct shim_error *err)
{
    *ret = (struct hcs_pids){0};
    if (!s->provider->ops->system_pids)
        return cannot(s->provider, "list the processes of a system", err);
    return s->provider->ops->system_pids(s, ret, err);
}

void hcs_pids_done(struct hcs_pids *p)
{
    free(shim_take(p->pid));
    p->n = 0;
}

int hcs_system_stats(struct hcs_system *s, struct hcs_stats *ret, struct shim_error *err)
{
    if (!s->provider->ops->system_stats)
        return cannot(s->provider, "tell a system's statistics", err);
    return s->provider->ops->system_stats(s, ret, err);
}

struct hcs_process *hcs_system_init(struct hcs_system *s)
{
    return s->provider->ops->system_init(s);
}

/* --- processes ------------------------------------------------------------------------------ */

int hcs_process_new(struct hcs_system *s, const char *exec_id, struct json_object *parameters,
                    void *process_user, struct hcs_process **ret, struct shim_error *err)
{
    if (!s->provider->ops->process_new)
        return cannot(s->provider, "run a further process", err);
    return s->provider->ops->process_new(s, exec_id, parameters, process_user, ret, err);
}

int hcs_process_start(struct hcs_process *p, struct hcs_stdio *io, struct shim_error *err)
{
    return p->system->provider->ops->process_start(p, io, err);
}

uint32_t hcs_process_pid(struct hcs_process *p)
{
    return p->system->provider->ops->process_pid(p);
}

int hcs_process_signal(struct hcs_process *p, uint32_t signal, struct shim_error *err)
{
    if (!p->system->provider->ops->process_signal)
        return cannot(p->system->provider, "signal a process", err);
    return p->system->provider->ops->process_signal(p, signal, err);
}

int hcs_process_resize(struct hcs_process *p, uint16_t width, uint16_t height,
                       struct shim_error *err)
{
    if (!p->system->provider->ops->process_resize)
        return cannot(p->system->provider, "resize a console", err);
    return p->system->provider->ops->process_resize(p, width, height, err);
}

void hcs_process_free(struct hcs_process *p)
{
    if (p)
        p->system->provider->ops->process_free(p);
}

/* --- storage -------------------------------------------------------------------------------- */

int hcs_storage_mount(const struct hcs_provider *p, const struct hcs_mount *mounts, size_t n_mounts,
                      const char *rootfs, struct shim_error *err)
{
    if (!p->ops->storage_mount)
        return cannot(p, "mount storage", err);
    return p->ops->storage_mount(mounts, n_mounts, rootfs, err);
}

int hcs_storage_unmount(const struct hcs_provider *p, const char *rootfs, struct shim_error *err)
{
    if (!p->ops->storage_unmount)
        return cannot(p, "unmount storage", err);
    return p->ops->storage_unmount(rootfs, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The life of an emulated system: create, start, end, delete, and its record. */
#include "hcs/emulated/system.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "hcs/emulated/record.h"
#include "hcs/hresult.h"
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_names[] = {
    [EMU_NEW] = "New",       [EMU_CREATED] = "Created", [EMU_RUNNING] = "Running",
    [EMU_PAUSED] = "Paused", [EMU_STOPPED] = "Stopped", [EMU_DELETED] = "Deleted",
};

int emu_wrong_state(struct emu_system *s, const char *verb, struct shim_error *err)
{
    if (s->state == EMU_NEW || s->state == EMU_DELETED)
        return hcs_fail(err, HRESULT_SYSTEM_NOT_FOUND, "%s: there is no such system", verb);
    if (s->state == EMU_STOPPED || s->init.state == EMU_PROCESS_OVER)
        return hcs_fail(err, HRESULT_SYSTEM_ALREADY_STOPPED, "%s: process already finished", verb);
    return hcs_fail(err, HRESULT_INVALID_STATE, "%s: the system is %s", verb,
                    state_names[s->state]);
}

/* --- new and free --------------------------------------------------------------------------- */

int emu_system_new(struct hcs_system *base, struct json_object *document, struct shim_error *err)
{
    struct emu_system *s = emu_system_of(base);
    int r;

    shim_mutex_init(&s->lock);
    shim_cond_init(&s->changed);
    s->init.base = (struct hcs_process){.system = base, .user = base->init_user};
    s->init.streams = (struct emu_streams)EMU_STREAMS_INIT;
    s->limits = (struct emu_limits)EMU_NO_LIMITS;
    s->prune_at = 32;

    r = emu_document_read(document, &s->document, err);
    if (r < 0)
        return r;
    s->document_text = strdup(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN));
    s->resources_text = strdup("{}");
    return s->document_text && s->resources_text ? 0 : shim_fail_memory(err);
}

void emu_system_free(struct hcs_system *base)
{
    struct emu_system *s = emu_system_of(base);

    emu_streams_close(&s->init.streams);
    emu_plan_done(&s->init.plan);
    emu_document_done(&s->document);
    emu_roots_done(&s->roots);
    emu_owner_done(&s->owner);
    free(s->document_text);
    free(s->resources_text);
    free(s->record_path);
    shim_cond_done(&s->changed);
    shim_mutex_done(&s->lock);
}

/* --- the record ----------------------------------------------------------------------------- */

static int format_locked(struct emu_system *s, struct shim_buf *ret, struct shim_error *err)
    SHIM_REQUIRES(s->lock)
{
    struct emu_record_data data = {.owner = &s->owner,
                                   .id = s->base.id,
                                   .state = state_names[s->state],
                                   .document = s->document_text,
                                   .resources = s->resources_text,
                                   .roots = &s->roots};

    return emu_record_format(&data, ret, err);
}

/* Writes what is there now. One that was removed by another process stays removed. */
static int write_unlocked(struct emu_system *s, const struct shim_buf *text, struct shim_error *err)
{
    if (!shim_file_exists(s->record_path))
        return 0;
    return shim_file_write(s->record_path, text->data, text->len, err);
}

/* Many processes may start at once: whoever comes while a write is under way is served by the next
 * one, together with all others. */
int emu_system_save(struct emu_system *s, struct shim_error *err)
{
    cleanup_buf struct shim_buf text = {0};
    uint64_t wanted, covers;
    int r = 0;

    shim_lock(&s->lock);
    wanted = ++s->changes;
    while (s->saving && s->saved < wanted)
        shim_cond_wait(&s->changed, &s->lock);
    if (s->saved >= wanted || s->state == EMU_DELETED || s->attached) {
        shim_unlock(&s->lock);
        return 0;
    }
    s->saving = true;
    covers = s->changes;
    r = format_locked(s, &text, err);
    shim_unlock(&s->lock);

    if (r == 0)
        r = write_unlocked(s, &text, err);

    shim_lock(&s->lock);
    s->saving = false;
    if (r == 0)
        s->saved = covers;
    shim_cond_broadcast(&s->changed);
    shim_unlock(&s->lock);
    return r;
}

/* --- the janitor ---------------------------------------------------------------------------- */

static void report_init(struct emu_system *s)
{
    const struct hcs_callbacks *cb = s->base.cb;

    if (cb && cb->exited)
        cb->exited(&s->init.base, &s->init.exit, s->init.base.user);
    shim_lock(&s->lock);
    s->reported = true;
    shim_cond_broadcast(&s->changed);
    shim_unlock(&s->lock);
}

static void janitor_main(void *arg)
{
    struct emu_system *s = arg;
    struct shim_error err;

    shim_lock(&s->lock);
    while (s->init.state != EMU_PROCESS_OVER)
        shim_cond_wait(&s->changed, &s->lock);
    shim_unlock(&s->lock);

    if (emu_members_kill(s, shim_monotonic_ns() + EMU_KILL_TIMEOUT_NS, &err) < 0)
        shim_log(SHIM_DEBUG, "system=%s: after the end of init: %s", s->base.id, err.msg);
    shim_lock(&s->lock);
    s->state = EMU_STOPPED;
    shim_unlock(&s->lock);
    if (emu_system_save(s, &err) < 0)
        shim_log(SHIM_DEBUG, "system=%s: record not updated: %s", s->base.id, err.msg);
    report_init(s);
}

/* --- create and attach ---------------------------------------------------------------------- */

static int read_bundle(struct emu_system *s, struct shim_error *err)
{
    cleanup_free char *path = shim_strf("%s/config.json", s->document.bundle);
    cleanup_buf struct shim_buf text = {0};
    int r;

    if (!path)
        return shim_fail_memory(err);
    r = shim_file_read(path, EMU_CONFIG_MAX_BYTES, &text, err);
    if (r == SHIM_E_NOT_FOUND)
        return hcs_fail(err, HRESULT_FILE_NOT_FOUND, "bundle: %s: no such file", path);
    if (r < 0)
        return shim_wrap(err, r, "bundle");
    return emu_config_read(shim_buf_str(&text), text.len, &s->init.plan, &s->limits, err);
}

/* From here on the id is taken. */
static int claim_id(struct emu_system *s, struct shim_error *err)
{
    cleanup_buf struct shim_buf text = {0};
    int r = emu_record_path(s->base.id, &s->record_path, err);

    if (r == 0)
        r = emu_owner_read(&s->owner, err);
    if (r < 0)
        return r;
    shim_lock(&s->lock);
    s->state = EMU_CREATED;
    r = format_locked(s, &text, err);
    shim_unlock(&s->lock);
    return r < 0 ? r : emu_record_claim(s->record_path, &text, err);
}

static int create_parts(struct emu_system *s, struct hcs_stdio *io, struct shim_error *err)
{
    int r = read_bundle(s, err);

    if (r == 0)
        r = emu_process_check(&s->init, err);
    if (r == 0)
        r = emu_streams_open(&s->init.streams, io, s->init.plan.width, s->init.plan.height, err);
    if (r < 0)
        return r;
    r = claim_id(s, err);
    if (r == 0) {
        s->has_janitor = true;
        r = shim_thread_start("hcs-janitor", 0, janitor_main, s, &s->janitor, err);
        if (r < 0 && shim_file_remove(s->record_path, NULL) < 0)
            shim_log(SHIM_DEBUG, "system=%s: record left behind", s->base.id);
    }
    if (r < 0)
        hcs_stdio_close(io);
    return r;
}

int emu_system_create(struct hcs_system *base, const struct hcs_restore *restore,
                      struct hcs_stdio *io, struct shim_error *err)
{
    struct emu_system *s = emu_system_of(base);
    int r = 0;

    if (restore)
        return hcs_fail(err, HRESULT_NOT_IMPLEMENTED, "provider emulated cannot restore a system");
    shim_lock(&s->lock);
    if (s->state != EMU_NEW || s->attached)
        r = hcs_fail(err, HRESULT_INVALID_STATE, "create: the system is %s", state_names[s->state]);
    shim_unlock(&s->lock);
    if (r < 0)
        return r;
    r = create_parts(s, io, err);
    if (r == 0)
        return 0;
    emu_streams_close(&s->init.streams);
    emu_plan_done(&s->init.plan);
    emu_owner_done(&s->owner);
    free(shim_take(s->record_path));
    shim_lock(&s->lock);
    s->state = EMU_NEW;
    s->has_janitor = false;
    shim_unlock(&s->lock);
    return r;
}

int emu_system_attach(struct hcs_system *base, struct shim_error *err)
{
    struct emu_system *s = emu_system_of(base);
    cleanup_emu_roots struct emu_roots roots = {0};
    cleanup_free char *path = NULL;
    int r = emu_record_path(base->id, &path, err);

    if (r == 0)
        r = emu_record_load(path, &roots, NULL, err);
    if (r < 0)
        return r;
    shim_lock(&s->lock);
    if (s->state == EMU_NEW) {
        s->record_path = shim_take(path);
        s->roots = roots;
        roots = (struct emu_roots){0};
        s->attached = true;
        s->state = EMU_RUNNING;
    } else {
        r = hcs_fail(err, HRESULT_INVALID_STATE, "attach: the system is %s", state_names[s->state]);
    }
    shim_unlock(&s->lock);
    return r;
}

/* --- start and end -------------------------------------------------------------------------- */

int emu_system_start(struct hcs_system *base, struct shim_error *err)
{
    struct emu_system *s = emu_system_of(base);
    int r = 0;

    shim_lock(&s->lock);
    if (s->state != EMU_CREATED || s->init.state != EMU_PROCESS_NEW)
        r = emu_wrong_state(s, "start", err);
    if (r == 0) {
        s->init.state = EMU_PROCESS_STARTING;
        s->running++; /* until its start is on record: the janitor has to know what to kill */
    }
    shim_unlock(&s->lock);
    if (r < 0)
        return r;

    r = emu_process_spawn(&s->init, err);
    shim_lock(&s->lock);
    s->running--;
    if (r < 0)
        s->init.state = EMU_PROCESS_NEW;
    else
        s->state = EMU_RUNNING;
    shim_cond_broadcast(&s->changed);
    shim_unlock(&s->lock);
    if (r == 0 && emu_system_save(s, err) < 0) /* the next change writes all of it again */
        shim_log(SHIM_DEBUG, "system=%s: record not updated", base->id);
    return r;
}

/* Lets an init that has not run end as if killed; the janitor does the rest. */
static void end_unstarted(struct emu_system *s)
{
    shim_lock(&s->lock);
    while (s->init.state == EMU_PROCESS_STARTING)
        shim_cond_wait(&s->changed, &s->lock);
    if (s->init.state == EMU_PROCESS_NEW)
        emu_end_unstarted(s, 128 + 9);
    shim_unlock(&s->lock);
}

/* Until every exit was reported, so that no callback comes any more. */
static int await_reports(struct emu_system *s, int64_t deadline_ns, struct shim_error *err)
{
    bool all = true;

    shim_lock(&s->lock);
    while (all && (!s->reported || s->running > 0))
        all = shim_cond_wait_until(&s->changed, &s->lock, deadline_ns) ||
              (s->reported && s->running == 0);
    shim_unlock(&s->lock);
    return all ? 0 : hcs_fail(err, HRESULT_OPERATION_TIMEOUT, "processes do not end");
}

static bool exists(struct emu_system *s)
{
    bool yes;

    shim_lock(&s->lock);
    yes = s->state != EMU_NEW && s->state != EMU_DELETED;
    shim_unlock(&s->lock);
    return yes;
}

int emu_system_terminate(struct hcs_system *base, struct shim_error *err)
{
    struct emu_system *s = emu_system_of(base);
    int64_t deadline_ns = shim_monotonic_ns() + EMU_KILL_TIMEOUT_NS;
    int r;

    if (!exists(s))
        return 0;
    if (!s->attached)
        end_unstarted(s);
    r = emu_members_kill(s, deadline_ns, err);
    if (r == 0 && !s->attached)
        r = await_reports(s, deadline_ns, err);
    return r < 0 ? shim_wrap(err, r, "terminate") : 0;
}

/* Nobody writes the record after this. */
static int remove_record(struct emu_system *s, struct shim_error *err)
{
    int r;

    shim_lock(&s->lock);
    s->state = EMU_DELETED;
    while (s->saving)
        shim_cond_wait(&s->changed, &s->lock);
    shim_unlock(&s->lock);
    r = shim_file_remove(s->record_path, err);
    if (r == 0)
        return 0;
    shim_lock(&s->lock);
    s->state = EMU_STOPPED; /* to be tried again */
    shim_unlock(&s->lock);
    return r;
}

int emu_system_delete(struct hcs_system *base, struct shim_error *err)
{
    struct emu_system *s = emu_system_of(base);
    bool join;
    int r = emu_system_terminate(base, err);

    if (r < 0 || !exists(s))
        return r;
    shim_lock(&s->lock);
    join = s->has_janitor;
    s->has_janitor = false;
    shim_unlock(&s->lock);
    if (join)
        shim_thread_join(&s->janitor);
    emu_streams_close(&s->init.streams);
    return remove_record(s, err);
}

struct hcs_process *emu_system_init(struct hcs_system *base)
{
    return &emu_system_of(base)->init.base;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The provider that runs nothing. Its one lock is never held when the shim is called back. */
#include "tests/fakes/hcs_fake.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/thread.h"
#include "hcs/provider.h"
#include "hcs/stats.h"
#include "tests/test.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SIGNAL_KILL 9
#define SIGNAL_TERM 15

struct fake_process {
    struct hcs_process base;
    struct fake_process *next;
    char id[32]; /* exec id, "" for init */
    uint32_t pid;
    bool running; /* its exit has not been told */
    int in, out, err;
};

struct fake_system {
    struct hcs_system base;
    struct fake_system *next;
    struct fake_process init;
    struct fake_process *execs;
    unsigned cancels;
};

struct order {
    int fail;
    bool hang, ends;
    uint32_t end_status;
    unsigned calls, hanging;
    char last[256];
};

static const char *const names[FAKE_OPS] = {
    "new",           "create", "start",  "pause",      "resume", "signal all", "terminate",
    "delete",        "cancel", "update", "checkpoint", "pids",   "stats",      "process new",
    "process start", "signal", "resize", "mount",      "unmount"};

static struct {
    struct shim_mutex lock;
    struct shim_cond changed;
    struct order orders[FAKE_OPS];
    struct fake_system *systems;
    uint32_t last_pid;
    unsigned left;
    bool deaf, withhold_pipes, hold_pipes;
    char input[256];
} fake = {.lock = SHIM_MUTEX_INIT};

/* --- orders and notes ----------------------------------------------------------------------- */

static void set_bool(bool *field, bool value)
{
    shim_lock(&fake.lock);
    *field = value;
    shim_cond_broadcast(&fake.changed);
    shim_unlock(&fake.lock);
}

void hcs_fake_reset(void)
{
    static bool initialised;

    if (!initialised)
        shim_cond_init(&fake.changed);
    initialised = true;
    shim_lock(&fake.lock);
    assert_int_equal(fake.left, 0);
    memset(fake.orders, 0, sizeof(fake.orders));
    fake.last_pid = 1000;
    fake.deaf = fake.withhold_pipes = fake.hold_pipes = false;
    shim_unlock(&fake.lock);
}

unsigned hcs_fake_left(void)
{
    unsigned left;

    shim_lock(&fake.lock);
    left = fake.left;
    shim_unlock(&fake.lock);
    return left;
}

void hcs_fake_fail(enum hcs_fake_op op, int code)
{
    shim_lock(&fake.lock);
    fake.orders[op].fail = code;
    shim_unlock(&fake.lock);
}

void hcs_fake_hang(enum hcs_fake_op op, bool on)
{
    set_bool(&fake.orders[op].hang, on);
}

void hcs_fake_end_during(enum hcs_fake_op op, uint32_t status)
{
    shim_lock(&fake.lock);
    fake.orders[op].ends = true;
    fake.orders[op].end_status = status;
    shim_unlock(&fake.lock);
}

void hcs_fake_deafen(bool on)
{
    set_bool(&fake.deaf, on);
}

void hcs_fake_withhold_pipes(bool on)
{
    set_bool(&fake.withhold_pipes, on);
}

void hcs_fake_hold_pipes(bool on)
{
    set_bool(&fake.hold_pipes, on);
}

unsigned hcs_fake_calls(enum hcs_fake_op op)
{
    unsigned calls;

    shim_lock(&fake.lock);
    calls = fake.orders[op].calls;
    shim_unlock(&fake.lock);
    return calls;
}

const char *hcs_fake_last(enum hcs_fake_op op)
{
    static char copy[sizeof(fake.orders[op].last)]; /* for the test's own thread */

    shim_lock(&fake.lock);
    memcpy(copy, fake.orders[op].last, sizeof(copy));
    shim_unlock(&fake.lock);
    return copy;
}

static bool await(const unsigned *count, unsigned at_least)
{
    int64_t deadline = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;
    bool reached;

    shim_lock(&fake.lock);
    while (*count < at_least && shim_cond_wait_until(&fake.changed, &fake.lock, deadline))
        continue;
    reached = *count >= at_least;
    shim_unlock(&fake.lock);
    return reached;
}

bool hcs_fake_await_hanging(enum hcs_fake_op op, unsigned at_least)
{
    return await(&fake.orders[op].hanging, at_least);
}

bool hcs_fake_await_calls(enum hcs_fake_op op, unsigned at_least)
{
    return await(&fake.orders[op].calls, at_least);
}

/* What every call begins with: notes it, hangs, fails. `s` NULL: cannot be cancelled. */
static int enter(enum hcs_fake_op op, struct fake_system *s, struct shim_error *err,
                 const char *fmt, ...) SHIM_PRINTF(4, 5);

static int enter(enum hcs_fake_op op, struct fake_system *s, struct shim_error *err,
                 const char *fmt, ...)
{
    struct order *o = &fake.orders[op];
    unsigned cancels;
    bool cancelled;
    va_list args;
    int fail;

    shim_lock(&fake.lock);
    va_start(args, fmt);
    vsnprintf(o->last, sizeof(o->last), fmt, args);
    va_end(args);
    o->calls++;
    o->hanging++;
    shim_cond_broadcast(&fake.changed);
    cancels = s ? s->cancels : 0;
    while (o->hang && !(s && s->cancels != cancels))
        shim_cond_wait(&fake.changed, &fake.lock);
    cancelled = s && s->cancels != cancels;
    o->hanging--;
    fail = o->fail;
    shim_unlock(&fake.lock);
    if (cancelled)
        return shim_fail(err, SHIM_E_CANCELED, "%s was cancelled", names[op]);
    return fail < 0 ? shim_fail(err, fail, "%s fails", names[op]) : 0;
}

/* --- processes ------------------------------------------------------------------------------ */

static struct fake_system *system_of(struct hcs_system *s)
{
    return (struct fake_system *)s;
}

static struct fake_process *process_of(struct hcs_process *p)
{
    return (struct fake_process *)p;
}

static void close_pipes(int in, int out, int err)
{
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    if (err >= 0)
        close(err);
}

/* Tells the shim, unless that was done. */
static void end_process(struct fake_process *p, uint32_t status)
{
    const struct hcs_exit exit = {.status = status, .at_ns = shim_realtime_ns()};
    const struct hcs_callbacks *cb = p->base.system->cb;
    void *user = p->base.user;
    int in = -1, out = -1, err = -1;
    bool ends;

    shim_lock(&fake.lock);
    ends = p->running;
    p->running = false;
    if (ends && !fake.hold_pipes) {
        in = p->in;
        out = p->out;
        err = p->err;
        p->in = p->out = p->err = -1;
    }
    shim_unlock(&fake.lock);
    close_pipes(in, out, err);
    if (ends)
        cb->exited(&p->base, &exit, user);
}

static struct fake_process *find_locked(const char *id, const char *exec_id)
{
    for (struct fake_system *s = fake.systems; s; s = s->next) {
        if (strcmp(s->base.id, id) != 0)
            continue;
        if (!*exec_id)
            return &s->init;
        for (struct fake_process *p = s->execs; p; p = p->next)
            if (strcmp(p->id, exec_id) == 0)
                return p;
    }
    fail_msg("there is no process %s in %s", exec_id, id);
    return NULL;
}

static struct fake_process *find(const char *id, const char *exec_id)
{
    struct fake_process *p;

    shim_lock(&fake.lock);
    p = find_locked(id, exec_id);
    shim_unlock(&fake.lock);
    return p;
}

void hcs_fake_exit(const char *id, const char *exec_id, uint32_t status)
{
    end_process(find(id, exec_id), status);
}

void hcs_fake_oom(const char *id)
{
    struct hcs_system *s = find(id, "")->base.system;

    s->cb->oom(s, s->user);
}

void hcs_fake_write(const char *id, const char *exec_id, const char *text)
{
    assert_int_equal(write(find(id, exec_id)->out, text, strlen(text)), strlen(text));
}

const char *hcs_fake_read_all(const char *id, const char *exec_id)
{
    int fd = find(id, exec_id)->in;
    size_t used = 0;
    ssize_t n;

    while ((n = read(fd, fake.input + used, sizeof(fake.input) - 1 - used)) > 0)
        used += (size_t)n;
    assert_int_equal(n, 0);
    fake.input[used] = 0;
    return fake.input;
}

/* Ours is the process' end. */
static int make_pipe(struct hcs_stream *stream, bool input)
{
    int ends[2];

    if (stream->kind != HCS_STREAM_PIPE || fake.withhold_pipes)
        return -1;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    stream->handle = ends[input ? 1 : 0];
    return ends[input ? 0 : 1];
}

static void run_process(struct fake_process *p, struct hcs_stdio *io)
{
    shim_lock(&fake.lock);
    p->pid = ++fake.last_pid;
    p->running = true;
    p->in = make_pipe(&io->in, true);
    p->out = make_pipe(&io->out, false);
    p->err = make_pipe(&io->err, false);
    shim_unlock(&fake.lock);
}

static void end_as_ordered(enum hcs_fake_op op, struct fake_process *p)
{
    uint32_t status;
    bool ends;

    shim_lock(&fake.lock);
    ends = fake.orders[op].ends;
    status = fake.orders[op].end_status;
    shim_unlock(&fake.lock);
    if (ends)
        end_process(p, status);
}

static int process_new(struct hcs_system *base, const char *exec_id, struct json_object *parameters,
                       void *process_user, struct hcs_process **ret, struct shim_error *err)
{
    struct fake_system *s = system_of(base);
    int r = enter(FAKE_PROCESS_NEW, s, err, "%s %s", base->id, exec_id);
    struct fake_process *p;

    assert_non_null(parameters);
    if (r < 0)
        return r;
    p = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->base.system = base;
    p->base.user = process_user;
    p->in = p->out = p->err = -1;
    snprintf(p->id, sizeof(p->id), "%s", exec_id);
    shim_lock(&fake.lock);
    p->next = s->execs;
    s->execs = p;
    fake.left++;
    shim_unlock(&fake.lock);
    *ret = &p->base;
    return 0;
}

static int process_start(struct hcs_process *base, struct hcs_stdio *io, struct shim_error *err)
{
    struct fake_process *p = process_of(base);
    int r = enter(FAKE_PROCESS_START, system_of(base->system), err, "%s %s %ux%u", base->system->id,
                  p->id, io->width, io->height);

    if (r < 0)
        return r;
    run_process(p, io);
    end_as_ordered(FAKE_PROCESS_START, p);
    return 0;
}

static uint32_t process_pid(struct hcs_process *p)
{
    return process_of(p)->pid;
}

static int process_signal(struct hcs_process *base, uint32_t signal, struct shim_error *err)
{
    struct fake_process *p = process_of(base);
    int r = enter(FAKE_SIGNAL, NULL, err, "%s %s %u", base->system->id, p->id, signal);
    bool running, deaf;

    if (r < 0)
        return r;
    shim_lock(&fake.lock);
    running = p->running;
    deaf = fake.deaf;
    shim_unlock(&fake.lock);
    if (!running)
        return shim_fail(err, SHIM_E_NOT_FOUND, "process already finished");
    if (!deaf && (signal == SIGNAL_KILL || signal == SIGNAL_TERM))
        end_process(p, 128 + signal);
    return 0;
}

static int process_resize(struct hcs_process *base, uint16_t width, uint16_t height,
                          struct shim_error *err)
{
    return enter(FAKE_RESIZE, NULL, err, "%s %s %ux%u", base->system->id, process_of(base)->id,
                 width, height);
}

static void process_free(struct hcs_process *base)
{
    struct fake_process *p = process_of(base);
    struct fake_process **at = &system_of(base->system)->execs;

    shim_lock(&fake.lock);
    assert_false(p->running);
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    fake.left--;
    shim_unlock(&fake.lock);
    close_pipes(p->in, p->out, p->err);
    free(p);
}

/* --- systems -------------------------------------------------------------------------------- */

static int system_new(struct hcs_system *base, struct json_object *document, struct shim_error *err)
{
    struct fake_system *s = system_of(base);

    assert_non_null(document);
    s->init.base.system = base;
    s->init.base.user = base->init_user;
    s->init.in = s->init.out = s->init.err = -1;
    shim_lock(&fake.lock);
    s->next = fake.systems;
    fake.systems = s;
    fake.left++;
    shim_unlock(&fake.lock);
    return enter(FAKE_NEW, s, err, "%s", base->id);
}

static void system_free(struct hcs_system *base)
{
    struct fake_system *s = system_of(base), **at = &fake.systems;

    shim_lock(&fake.lock);
    assert_false(s->init.running);
    assert_null(s->execs);
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    fake.left--;
    shim_unlock(&fake.lock);
    close_pipes(s->init.in, s->init.out, s->init.err);
}

static int system_create(struct hcs_system *base, const struct hcs_restore *restore,
                         struct hcs_stdio *io, struct shim_error *err)
{
    struct fake_system *s = system_of(base);
    int r = enter(FAKE_CREATE, s, err, "%s%s%s", base->id, restore ? " from " : "",
                  restore ? restore->image_path : "");

    if (r < 0)
        return r;
    run_process(&s->init, io);
    end_as_ordered(FAKE_CREATE, &s->init);
    return 0;
}

/* A start that hangs or fails can still see init die. */
static int system_start(struct hcs_system *base, struct shim_error *err)
{
    int r = enter(FAKE_START, system_of(base), err, "%s", base->id);

    end_as_ordered(FAKE_START, &system_of(base)->init);
    return r;
}

static int system_pause(struct hcs_system *base, struct shim_error *err)
{
    return enter(FAKE_PAUSE, system_of(base), err, "%s", base->id);
}

static int system_resume(struct hcs_system *base, struct shim_error *err)
{
    return enter(FAKE_RESUME, system_of(base), err, "%s", base->id);
}

/* The one that runs now; NULL when none is left. */
static struct fake_process *next_running(struct fake_system *s)
{
    struct fake_process *p;

    shim_lock(&fake.lock);
    for (p = s->execs; p && !p->running; p = p->next)
        continue;
    if (!p && s->init.running)
        p = &s->init;
    shim_unlock(&fake.lock);
    return p;
}

static int system_signal_all(struct hcs_system *base, uint32_t signal, struct shim_error *err)
{
    struct fake_system *s = system_of(base);
    int r = enter(FAKE_SIGNAL_ALL, NULL, err, "%s %u", base->id, signal);
    struct fake_process *p;

    if (r < 0)
        return r;
    if (!next_running(s))
        return shim_fail(err, SHIM_E_NOT_FOUND, "process already finished");
    while (signal == SIGNAL_KILL && (p = next_running(s)))
        end_process(p, 128 + signal);
    return 0;
}

static void kill_everything(struct fake_system *s)
{
    struct fake_process *p;

    while ((p = next_running(s)))
        end_process(p, 128 + SIGNAL_KILL);
}

static int system_terminate(struct hcs_system *base, struct shim_error *err)
{
    int r = enter(FAKE_TERMINATE, NULL, err, "%s", base->id);

    if (r == 0)
        kill_everything(system_of(base));
    return r;
}

static int system_delete(struct hcs_system *base, struct shim_error *err)
{
    int r = enter(FAKE_DELETE, system_of(base), err, "%s", base->id);

    if (r == 0)
        kill_everything(system_of(base));
    return r;
}

static void system_cancel(struct hcs_system *base)
{
    struct order *o = &fake.orders[FAKE_CANCEL];

    shim_lock(&fake.lock);
    system_of(base)->cancels++;
    o->calls++;
    shim_cond_broadcast(&fake.changed);
    shim_unlock(&fake.lock);
}

static int system_update(struct hcs_system *base, const char *json, struct shim_error *err)
{
    return enter(FAKE_UPDATE, system_of(base), err, "%s", json);
}

static int system_checkpoint(struct hcs_system *base, const struct hcs_checkpoint *c,
                             struct shim_error *err)
{
    const char *const *namespaces = c->empty_namespaces;

    return enter(
        FAKE_CHECKPOINT, system_of(base), err, "%s image=%s work=%s parent=%s%s%s%s%s%s%s%s%s%s",
        base->id, c->image_path, c->work_path ? c->work_path : "-",
        c->parent_path ? c->parent_path : "-", c->exit ? " exit" : "", c->open_tcp ? " tcp" : "",
        c->external_unix_sockets ? " unix" : "", c->terminal ? " terminal" : "",
        c->file_locks ? " locks" : "", namespaces && *namespaces ? " empty=" : "",
        namespaces && *namespaces ? *namespaces : "",
        shim_str_empty(c->cgroups_mode) ? "" : " cgroups=", c->cgroups_mode ? c->cgroups_mode : "");
}

static int system_pids(struct hcs_system *base, struct hcs_pids *ret, struct shim_error *err)
{
    struct fake_system *s = system_of(base);
    int r = enter(FAKE_PIDS, s, err, "%s", base->id);

    if (r < 0)
        return r;
    ret->pid = calloc(64, sizeof(*ret->pid));
    assert_non_null(ret->pid);
    shim_lock(&fake.lock);
    if (s->init.running)
        ret->pid[ret->n++] = s->init.pid;
    for (struct fake_process *p = s->execs; p && ret->n < 64; p = p->next)
        if (p->running)
            ret->pid[ret->n++] = p->pid;
    shim_unlock(&fake.lock);
    return 0;
}

static int system_stats(struct hcs_system *base, struct hcs_stats *ret, struct shim_error *err)
{
    ret->kind = HCS_STATS_CGROUP2;
    return enter(FAKE_STATS, NULL, err, "%s", base->id);
}

static struct hcs_process *system_init(struct hcs_system *s)
{
    return &system_of(s)->init.base;
}

/* --- storage -------------------------------------------------------------------------------- */

static int storage_mount(const struct hcs_mount *mounts, size_t n_mounts, const char *rootfs,
                         struct shim_error *err)
{
    const struct hcs_mount *last = &mounts[n_mounts - 1];

    return enter(FAKE_MOUNT, NULL, err, "%zu %s %s %s on %s", n_mounts, last->type, last->source,
                 last->options[0] ? last->options[0] : "-", strrchr(rootfs, '/'));
}

static int storage_unmount(const char *rootfs, struct shim_error *err)
{
    return enter(FAKE_UNMOUNT, NULL, err, "%s", strrchr(rootfs, '/'));
}

static const struct hcs_ops ops = {
    .system_bytes = sizeof(struct fake_system),
    .system_new = system_new,
    .system_free = system_free,
    .system_create = system_create,
    .system_start = system_start,
    .system_pause = system_pause,
    .system_resume = system_resume,
    .system_signal_all = system_signal_all,
    .system_terminate = system_terminate,
    .system_delete = system_delete,
    .system_cancel = system_cancel,
    .system_update = system_update,
    .system_checkpoint = system_checkpoint,
    .system_pids = system_pids,
    .system_stats = system_stats,
    .system_init = system_init,
    .process_new = process_new,
    .process_start = process_start,
    .process_pid = process_pid,
    .process_signal = process_signal,
    .process_resize = process_resize,
    .process_free = process_free,
    .storage_mount = storage_mount,
    .storage_unmount = storage_unmount,
};

const struct hcs_provider *hcs_fake_find(const char *name)
{
    static const struct hcs_provider provider = {.name = "fake", .ops = &ops};

    return strcmp(name, "none") == 0 ? NULL : &provider;
}

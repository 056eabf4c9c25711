/* SPDX-License-Identifier: Apache-2.0 */
/* One process of an emulated system: a plain child in a session of its own. */
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "hcs/emulated/lookup.h"
#include "hcs/emulated/system.h"
#include "hcs/hresult.h"
#include <stdlib.h>
#include <string.h>

static struct emu_system *system_of(struct emu_process *p)
{
    return emu_system_of(p->base.system);
}

/* --- spawning ------------------------------------------------------------------------------- */

/* On the reaper's thread. */
static void process_exited(int64_t pid, const struct shim_exit *exit, void *user)
{
    struct emu_process *p = user;
    struct emu_system *s = system_of(p);
    const struct hcs_callbacks *cb = s->base.cb;
    struct hcs_exit told = {.status = exit->status, .at_ns = exit->at_ns};

    shim_lock(&s->lock);
    p->pid = pid;
    p->exit = told;
    p->state = EMU_PROCESS_OVER;
    emu_streams_close(&p->streams);
    shim_cond_broadcast(&s->changed);
    shim_unlock(&s->lock);
    if (p == &s->init)
        return; /* the janitor's */

    if (cb && cb->exited)
        cb->exited(&p->base, &told, p->base.user); /* p may be freed now */
    shim_lock(&s->lock);
    s->running--;
    shim_cond_broadcast(&s->changed);
    shim_unlock(&s->lock);
}

struct image { /* what is run, and where; owned */
    char *program, *cwd;
};

static void image_done(struct image *i)
{
    free(i->program);
    free(i->cwd);
}
#define cleanup_image SHIM_CLEANUP(image_done)

static int find_image(struct emu_process *p, struct image *ret, struct shim_error *err)
{
    const char *rootfs = system_of(p)->document.rootfs;
    int r = emu_find_cwd(rootfs, p->plan.cwd, &ret->cwd, err);

    if (r < 0)
        return r;
    return emu_find_program(rootfs, p->plan.cwd, p->plan.args.v[0],
                            (const char *const *)p->plan.env.v, &ret->program, err);
}

int emu_process_check(struct emu_process *p, struct shim_error *err)
{
    cleanup_image struct image image = {0};

    return find_image(p, &image, err);
}

/* The exec failed: there it says errno, here the service's code. */
static int fail_spawn(int code, struct shim_error *err)
{
    struct shim_error cause;

    if (!err || (code != SHIM_E_NOT_FOUND && code != SHIM_E_DENIED))
        return code;
    cause = *err;
    return hcs_fail(err, code == SHIM_E_DENIED ? HRESULT_ACCESS_DENIED : HRESULT_FILE_NOT_FOUND,
                    "%s", cause.msg);
}

static int spawn_image(struct emu_process *p, const struct image *image, int64_t *ret_pid,
                       struct shim_error *err)
{
    static const char *const no_env[] = {NULL};
    struct shim_child_fd fds[3];
    struct shim_spawn spawn = {
        .program = image->program,
        .argv = (const char *const *)p->plan.args.v,
        .env = p->plan.env.n ? (const char *const *)p->plan.env.v : no_env,
        .cwd = image->cwd,
        .fds = fds,
        .new_session = true,
        .controlling_tty = p->streams.master != SHIM_NO_HANDLE,
    };
    int r;

    for (int i = 0; i < 3; i++)
        if (p->streams.child[i] != SHIM_NO_HANDLE)
            fds[spawn.n_fds++] = (struct shim_child_fd){.from = p->streams.child[i], .to = i};
    r = shim_child_spawn(&spawn, process_exited, p, ret_pid, err);
    return r < 0 ? fail_spawn(r, err) : 0;
}

/* Puts a process that was just spawned on the list of roots. Nobody would find it that cannot be
 * told from others or for which there is no memory: it is not left running. */
static void add_root(struct emu_process *p, int64_t pid)
{
    struct emu_system *s = system_of(p);
    struct emu_proc now;
    int r = emu_proc_read(pid, &now, NULL);
    bool alive = r == 0 && now.session == pid, paused;
    bool lost = r < 0 && r != SHIM_E_NOT_FOUND;
    struct emu_root root = {.pid = pid, .start = alive ? now.start : 0};

    shim_lock(&s->lock);
    lost = !emu_roots_add(&s->roots, &root) || lost;
    s->births++;
    p->pid = pid;
    if (p->state == EMU_PROCESS_STARTING)
        p->state = EMU_PROCESS_RUNNING;
    emu_streams_close_child(&p->streams);
    paused = s->state == EMU_PAUSED;
    shim_cond_broadcast(&s->changed);
    shim_unlock(&s->lock);
    if (lost && shim_child_kill(pid, SHIM_SIGNAL_KILL, NULL) == 0)
        shim_log(SHIM_DEBUG, "system=%s: process %lld cannot be followed, killed", s->base.id,
                 (long long)pid);
    else if (paused && alive)
        emu_proc_stop(&now);
}

int emu_process_spawn(struct emu_process *p, struct shim_error *err)
{
    cleanup_image struct image image = {0};
    int64_t pid = 0;
    int r = find_image(p, &image, err);

    if (r == 0)
        r = spawn_image(p, &image, &pid, err);
    if (r == 0)
        add_root(p, pid);
    return r;
}

/* --- further processes ---------------------------------------------------------------------- */

int emu_process_new(struct hcs_system *base, const char *exec_id, struct json_object *parameters,
                    void *user, struct hcs_process **ret, struct shim_error *err)
{
    struct emu_process *p = calloc(1, sizeof(*p));
    int r;

    if (!p)
        return shim_fail_memory(err);
    p->base = (struct hcs_process){.system = base, .user = user};
    p->streams = (struct emu_streams)EMU_STREAMS_INIT;
    r = emu_parameters_read(parameters, &p->plan, err);
    if (r < 0) {
        emu_process_free(&p->base);
        return shim_wrap(err, r, "exec %s", exec_id);
    }
    *ret = &p->base;
    return 0;
}

/* Counts the process twice: once until its start is on record, once until its exit is reported. */
static int begin_start(struct emu_process *p, struct shim_error *err)
{
    struct emu_system *s = system_of(p);
    int r = 0;

    shim_lock(&s->lock);
    if ((s->state != EMU_CREATED && s->state != EMU_RUNNING) || s->attached ||
        s->init.state == EMU_PROCESS_OVER)
        r = emu_wrong_state(s, "start a process", err);
    else if (p->state != EMU_PROCESS_NEW)
        r = hcs_fail(err, HRESULT_INVALID_STATE, "the process was started already");
    if (r == 0) {
        p->state = EMU_PROCESS_STARTING;
        s->running += 2;
    }
    shim_unlock(&s->lock);
    return r;
}

static void end_start(struct emu_process *p, bool started)
{
    struct emu_system *s = system_of(p);

    shim_lock(&s->lock);
    if (!started) {
        p->state = EMU_PROCESS_NEW;
        s->running--;
    }
    s->running--;
    shim_cond_broadcast(&s->changed);
    shim_unlock(&s->lock);
}

int emu_process_start(struct hcs_process *base, struct hcs_stdio *io, struct shim_error *err)
{
    struct emu_process *p = emu_process_of(base);
    struct emu_system *s = system_of(p);
    int r = begin_start(p, err);

    if (r < 0)
        return r;
    emu_members_prune(s);
    r = emu_streams_open(&p->streams, io, p->plan.width, p->plan.height, err);
    if (r == 0) {
        r = emu_process_spawn(p, err);
        if (r < 0) {
            emu_streams_close(&p->streams);
            hcs_stdio_close(io);
        }
    }
    end_start(p, r == 0);
    if (r == 0 && emu_system_save(s, NULL) < 0) /* the next change writes all of it again */
        shim_log(SHIM_DEBUG, "system=%s: record not updated", s->base.id);
    return r;
}

void emu_process_free(struct hcs_process *base)
{
    struct emu_process *p = emu_process_of(base);

    emu_streams_close(&p->streams);
    emu_plan_done(&p->plan);
    free(p);
}

/* --- all processes -------------------------------------------------------------------------- */

void emu_end_unstarted(struct emu_system *s, uint32_t status)
{
    s->init.exit = (struct hcs_exit){.status = status, .at_ns = shim_realtime_ns()};
    s->init.state = EMU_PROCESS_OVER;
    emu_streams_close(&s->init.streams);
    shim_cond_broadcast(&s->changed);
}

uint32_t emu_process_pid(struct hcs_process *base)
{
    struct emu_process *p = emu_process_of(base);
    struct emu_system *s = system_of(p);
    uint32_t pid;

    shim_lock(&s->lock);
    pid = (uint32_t)p->pid;
    shim_unlock(&s->lock);
    return pid;
}

static int signal_unstarted_locked(struct emu_system *s, struct emu_process *p, uint32_t signal,
                                   struct shim_error *err) SHIM_REQUIRES(s->lock)
{
    if (p != &s->init || s->state != EMU_CREATED)
        return hcs_fail(err, HRESULT_INVALID_STATE, "the process was not started");
    if (emu_signal_ends(signal))
        emu_end_unstarted(s, 128 + signal);
    return 0;
}

int emu_process_signal(struct hcs_process *base, uint32_t signal, struct shim_error *err)
{
    struct emu_process *p = emu_process_of(base);
    struct emu_system *s = system_of(p);
    enum emu_process_state state;
    int64_t pid;
    int r = 0;

    if (signal == 0 || signal > EMU_SIGNAL_MAX)
        return hcs_fail(err, HRESULT_INVALID_ARGUMENT, "%u is not a signal", signal);
    shim_lock(&s->lock);
    while (p->state == EMU_PROCESS_STARTING)
        shim_cond_wait(&s->changed, &s->lock);
    state = p->state;
    pid = p->pid;
    if (state == EMU_PROCESS_NEW)
        r = signal_unstarted_locked(s, p, signal, err);
    shim_unlock(&s->lock);
    if (state == EMU_PROCESS_RUNNING)
        r = shim_child_kill(pid, (int)signal, err);
    if (state == EMU_PROCESS_OVER || r == SHIM_E_NOT_FOUND)
        r = hcs_fail(err, HRESULT_PROCESS_ALREADY_STOPPED, "process already finished");
    return r;
}

int emu_process_resize(struct hcs_process *base, uint16_t width, uint16_t height,
                       struct shim_error *err)
{
    struct emu_process *p = emu_process_of(base);
    struct emu_system *s = system_of(p);
    int r;

    shim_lock(&s->lock);
    r = emu_streams_resize(&p->streams, width, height, err);
    shim_unlock(&s->lock);
    return r;
}

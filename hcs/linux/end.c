/* SPDX-License-Identifier: Apache-2.0 */
/* The end of a container: init's exit on its way to the callback, terminate, delete. */
#include "base/clock.h"
#include "base/str.h"
#include "hcs/linux/figures.h"
#include "hcs/linux/runtime.h"
#include "hcs/linux/system.h"
#include <dirent.h>
#include <signal.h>
#include <unistd.h>

/* Terminate has 5 s in all. */
#define TERMINATE_KILL_MS   1500
#define TERMINATE_DELETE_MS 2500
#define TERMINATE_EXIT_MS   900
#define UNDO_DELETE_MS      5000
#define DELETE_EXIT_MS      10000
#define EMPTY_TIMEOUT_MS    2000

/* --- init's exit ---------------------------------------------------------------------------- */

void linux_keep_figures(struct linux_system *s, struct hcs_stats *figures, bool final)
{
    cleanup_hcs_stats struct hcs_stats unwanted = *figures;

    *figures = (struct hcs_stats){0};
    shim_lock(&s->lock);
    if (final || !s->last_is_final) {
        struct hcs_stats before = s->last;

        s->last = unwanted;
        s->has_last = true;
        s->last_is_final = final;
        unwanted = before;
    }
    shim_unlock(&s->lock);
}

/* The group may be gone any moment now, or is already: systemd removes those without processes. */
static void keep_final_figures(struct linux_system *s)
{
    const struct linux_cgroup *cg = linux_system_cgroup(s);
    struct hcs_stats figures = {0};

    if (cg && linux_figures_read(cg, &figures, NULL) == 0)
        linux_keep_figures(s, &figures, true);
}

static void deliver(struct linux_system *s)
{
    const struct hcs_callbacks *cb = s->base.cb;

    if (cb && cb->exited)
        cb->exited(&s->init.base, &(struct hcs_exit){s->exit.status, s->exit.at_ns},
                   s->base.init_user);
    shim_lock(&s->lock);
    s->delivered = true;
    shim_cond_broadcast(&s->changed);
    shim_unlock(&s->lock);
}

static void deliver_on_loop(void *user)
{
    struct linux_system *s = user;

    linux_oom_check(s->oom);
    deliver(s);
}

/* Notices of memory come on the loop's thread. So does the exit then, and hence after them. */
void linux_init_exited(int64_t pid, const struct shim_exit *exit, void *user)
{
    struct linux_system *s = user;

    (void)pid;
    s->exit = *exit;
    keep_final_figures(s);
    linux_process_ended(&s->init);
    if (!s->oom || !linux_oom_post(s->oom, deliver_on_loop, s))
        deliver(s);
}

bool linux_await_exit(struct linux_system *s, int64_t timeout_ms)
{
    int64_t deadline_ns = shim_monotonic_ns() + timeout_ms * SHIM_NS_PER_MS;
    bool in_time = true;

    shim_lock(&s->lock);
    while (s->awaited && !s->delivered && in_time)
        in_time = shim_cond_wait_until(&s->changed, &s->lock, deadline_ns);
    in_time = !s->awaited || s->delivered;
    shim_unlock(&s->lock);
    return in_time;
}

/* --- removal -------------------------------------------------------------------------------- */

/* gVisor's runsc keeps files "ID_sandbox:SANDBOX.…" where others keep a folder "ID". */
static bool has_sandbox_file(const char *root, const char *id)
{
    cleanup_free char *beginning = shim_strf("%s_sandbox:", id);
    DIR *d = opendir(root);
    bool found = false;

    for (struct dirent *e; beginning && d && !found && (e = readdir(d));)
        found = shim_starts_with(e->d_name, beginning);
    if (d)
        closedir(d);
    return found;
}

bool linux_state_exists(const struct linux_system *s)
{
    cleanup_free char *path = shim_strf("%s/%s", s->doc.root, s->base.id);

    return path && (shim_file_exists(path) || has_sandbox_file(s->doc.root, s->base.id));
}

/* Deletes the runtime's records; that there are none (any more) is success. */
static int delete_state(struct linux_system *s, bool force, int64_t timeout_ms,
                        struct shim_error *err)
{
    int r =
        linux_system_run(s, "delete", "delete", force ? "--force" : NULL, NULL, timeout_ms, err);

    return r < 0 && !linux_state_exists(s) ? 0 : r;
}

static void kill_processes(struct linux_system *s, int64_t timeout_ms)
{
    const struct linux_cgroup *cg = linux_system_cgroup(s);

    if (cg)
        (void)linux_cgroup_kill(cg, timeout_ms); /* the runtime will tell who is left */
}

static bool is_awaited(struct linux_system *s)
{
    bool awaited;

    shim_lock(&s->lock);
    awaited = s->awaited && !s->delivered;
    shim_unlock(&s->lock);
    return awaited;
}

static int fail_exit_wait(struct linux_system *s, struct shim_error *err)
{
    return shim_fail(err, SHIM_E_DEADLINE, "init process %u of container %s does not end",
                     linux_process_pid(&s->init.base), s->base.id);
}

int linux_system_terminate(struct hcs_system *base, struct shim_error *err)
{
    struct linux_system *s = linux_system_of(base);
    int r;

    linux_calls_cancel(&s->calls);
    if (!linux_system_is_created(s))
        return 0;
    kill_processes(s, TERMINATE_KILL_MS);
    r = is_awaited(s) ? shim_child_kill(linux_process_pid(&s->init.base), SIGKILL, err) : 0;
    if (r < 0 && r != SHIM_E_NOT_FOUND)
        return r;
    r = delete_state(s, true, TERMINATE_DELETE_MS, err);
    if (r == 0 && !linux_await_exit(s, TERMINATE_EXIT_MS))
        r = fail_exit_wait(s, err);
    if (r < 0)
        return r;
    shim_lock(&s->lock);
    s->created = false; /* nothing is left for a delete */
    shim_unlock(&s->lock);
    return 0;
}

int linux_system_delete(struct hcs_system *base, struct shim_error *err)
{
    struct linux_system *s = linux_system_of(base);
    bool force = !linux_process_has_ended(&s->init);
    int r;

    if (!linux_system_is_created(s))
        return 0; /* what the runtime may know by this id is somebody else's */
    if (!force)
        kill_processes(s, EMPTY_TIMEOUT_MS);
    r = delete_state(s, force, 0, err);
    if (r < 0 && r != SHIM_E_CANCELED && !force)
        r = delete_state(s, true, 0, err);
    if (r == 0 && !linux_await_exit(s, DELETE_EXIT_MS))
        r = fail_exit_wait(s, err);
    if (r < 0)
        return r;
    linux_oom_free(shim_take(s->oom));
    return 0;
}

/* Not a call that can be cancelled: cancelling is what may have led here. */
static int undo_state(struct linux_system *s, struct shim_error *err)
{
    cleanup_strv struct shim_strv args = {0};
    struct linux_command command = {
        .verb = "delete", .args = &args, .capture = true, .timeout_ms = UNDO_DELETE_MS};
    int r = linux_args_simple("delete", "--force", s->base.id, NULL, &args, err);

    if (r == 0)
        r = linux_runtime_run(&s->doc, &command, err);
    return r < 0 && !linux_state_exists(s) ? 0 : r;
}

void linux_system_undo(struct linux_system *s, struct shim_error *why)
{
    struct shim_error err = {0};

    if (undo_state(s, &err) < 0 && why)
        shim_wrap(why, why->code, "%s, after a failed create", err.msg);
    unlink(s->init.pid_path); /* not there is fine */
}

/* SPDX-License-Identifier: Apache-2.0 */
/* From a document to a container: new, create, restore, attach, free. */
#include "hcs/linux/system.h"
#include "base/clock.h"
#include "base/str.h"
#include "hcs/linux/launch.h"
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FREE_WAIT_MS 200 /* between two attempts to end an init that was not ended properly */

/* It names a folder below the runtime's root. */
static int check_id(const char *id, struct shim_error *err)
{
    if (!*id || strchr(id, '/') || id[0] == '.' || id[0] == '-' || strlen(id) > NAME_MAX)
        return shim_fail(err, SHIM_E_INVALID, "id \"%s\" cannot name a container", id);
    return 0;
}

int linux_system_new(struct hcs_system *base, struct json_object *document, struct shim_error *err)
{
    struct linux_system *s = linux_system_of(base);
    int r;

    linux_calls_init(&s->calls);
    shim_mutex_init(&s->lock);
    shim_cond_init(&s->changed);
    linux_process_setup(&s->init, base, base->init_user);
    r = check_id(base->id, err);
    if (r == 0)
        r = linux_document_read(document, &s->doc, err);
    if (r < 0)
        return r;
    s->init.pid_path = shim_strf("%s/init.pid", s->doc.bundle);
    return s->init.pid_path ? 0 : shim_fail_memory(err);
}

/* A caller that frees a living container gives it up; its exit must not find the system gone. */
static void end_init(struct linux_system *s)
{
    int r = 0;

    while (!linux_await_exit(s, FREE_WAIT_MS))
        r = shim_child_kill(linux_process_pid(&s->init.base), SIGKILL, NULL);
    (void)r; /* not found: it has ended, and its exit is on its way */
}

void linux_system_free(struct hcs_system *base)
{
    struct linux_system *s = linux_system_of(base);

    end_init(s);
    linux_oom_free(s->oom);
    if (s->has_last)
        hcs_stats_done(&s->last);
    linux_cgroup_done(&s->cgroup);
    linux_process_done(&s->init);
    linux_document_done(&s->doc);
    linux_calls_done(&s->calls);
    shim_cond_done(&s->changed);
    shim_mutex_done(&s->lock);
}

struct hcs_process *linux_system_init(struct hcs_system *s)
{
    return &linux_system_of(s)->init.base;
}

/* --- create and restore --------------------------------------------------------------------- */

static void oom_noticed(void *user)
{
    struct linux_system *s = user;

    if (s->base.cb && s->base.cb->oom)
        s->base.cb->oom(&s->base, s->base.user);
}

/* A container without a group of its own (rootless, without delegation) has no figures and no
 * notices; it runs all the same. */
static void find_cgroup(struct linux_system *s, int64_t pid)
{
    if (linux_cgroup_find(pid, &s->cgroup, NULL) < 0)
        return;
    shim_lock(&s->lock);
    s->has_cgroup = true;
    shim_unlock(&s->lock);
    if (s->base.cb && hcs_loop() &&
        linux_oom_new(hcs_loop(), &s->cgroup, oom_noticed, s, &s->oom, NULL) < 0)
        s->oom = NULL;
}

static void forget_cgroup(struct linux_system *s)
{
    shim_lock(&s->lock);
    s->has_cgroup = false;
    shim_unlock(&s->lock);
    linux_oom_free(shim_take(s->oom));
    linux_cgroup_done(&s->cgroup);
}

static int make_args(struct linux_system *s, const struct hcs_restore *restore,
                     const struct linux_launch *l, struct shim_strv *ret, struct shim_error *err)
{
    cleanup_free char *image = NULL, *work = NULL;
    int r;

    if (!restore)
        return linux_args_create(&s->doc, s->base.id, linux_launch_console(l), ret, err);
    r = linux_restore_paths(s, restore, &image, &work, err);
    if (r < 0)
        return r;
    return linux_args_restore(&s->doc, s->base.id, image, work, linux_launch_console(l), ret, err);
}

/* The new container becomes ours; from here on its exit will be delivered. */
static int take_over(struct linux_system *s, struct linux_launch *l, struct shim_error *err)
{
    int r = linux_launch_give(l, err);

    if (r < 0)
        return r;
    find_cgroup(s, l->pid);
    linux_process_began(&s->init, l->pid, &l->master);
    shim_lock(&s->lock);
    s->created = s->awaited = true;
    shim_unlock(&s->lock);
    r = linux_launch_watch(l, linux_init_exited, s, err);
    if (r == 0)
        return 0;
    shim_lock(&s->lock);
    s->created = s->awaited = false;
    shim_unlock(&s->lock);
    linux_process_failed(&s->init);
    forget_cgroup(s);
    return r;
}

static int check_create(struct linux_system *s, const struct hcs_stdio *io, struct shim_error *err)
{
    if (linux_system_is_created(s))
        return shim_fail(err, SHIM_E_STATE, "container %s has been created already", s->base.id);
    if (io->console != s->doc.terminal)
        return shim_fail(err, SHIM_E_INVALID,
                         "Linux.Terminal: %s in the document, not so for the streams",
                         s->doc.terminal ? "true" : "false");
    /* Cleaning up after a failure must never hit a container that was there before. */
    if (linux_state_exists(s))
        return shim_fail(err, SHIM_E_EXISTS, "container %s exists already in %s", s->base.id,
                         s->doc.root);
    return 0;
}

static int launch_init(struct linux_system *s, const struct hcs_restore *restore,
                       struct hcs_stdio *io, struct linux_call *call, struct shim_error *err)
{
    cleanup_launch struct linux_launch l = LINUX_LAUNCH_INIT;
    cleanup_strv struct shim_strv args = {0};
    int r = linux_launch_open(&l, io, s->doc.io_uid, s->doc.io_gid, err);

    if (r == 0)
        r = make_args(s, restore, &l, &args, err);
    if (r < 0)
        return r;
    r = linux_launch_run(&l, &s->doc, restore ? "restore" : "create", &args, s->init.pid_path, call,
                         err);
    if (r == 0)
        r = take_over(s, &l, err);
    if (r < 0) {
        linux_launch_kill(&l);
        linux_system_undo(s, err);
    }
    return r;
}

int linux_system_create(struct hcs_system *base, const struct hcs_restore *restore,
                        struct hcs_stdio *io, struct shim_error *err)
{
    struct linux_system *s = linux_system_of(base);
    struct linux_call call;
    int r = check_create(s, io, err);

    if (r < 0)
        return r;
    linux_call_begin(&s->calls, &call);
    r = launch_init(s, restore, io, &call, err);
    linux_call_end(&s->calls, &call);
    if (r == SHIM_E_UNKNOWN && restore && !linux_runtime_knows(&s->doc, "restore"))
        return shim_fail(err, SHIM_E_UNIMPLEMENTED, "runtime %s cannot restore containers",
                         s->doc.runtime);
    return r;
}

/* --- attach --------------------------------------------------------------------------------- */

/* When a process started, as realtime; false when there is none. */
static bool started_at(int64_t pid, int64_t *ret_ns)
{
    cleanup_free char *path = shim_strf("/proc/%lld/stat", (long long)pid);
    cleanup_buf struct shim_buf text = {0};
    struct timespec since_boot;
    unsigned long long ticks;
    const char *rest;

    if (!path || shim_file_read(path, 4096, &text, NULL) < 0)
        return false;
    rest = strrchr(shim_buf_str(&text), ')'); /* the 2nd field; the 22nd is what we want */
    if (!rest || sscanf(rest + 1,
                        " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
                        "%*d %llu",
                        &ticks) != 1)
        return false;
    clock_gettime(CLOCK_BOOTTIME, &since_boot);
    *ret_ns = shim_realtime_ns() - since_boot.tv_sec * SHIM_NS_PER_S - since_boot.tv_nsec +
              (int64_t)ticks * (SHIM_NS_PER_S / sysconf(_SC_CLK_TCK));
    return true;
}

/* Whether the process was there when the file with its number was written: numbers come again. */
static bool is_older_than(int64_t pid, const char *path)
{
    struct stat file;
    int64_t started_ns;

    return started_at(pid, &started_ns) && stat(path, &file) == 0 &&
           started_ns / SHIM_NS_PER_S <= file.st_mtim.tv_sec + 1;
}

int linux_system_attach(struct hcs_system *base, struct shim_error *err)
{
    struct linux_system *s = linux_system_of(base);
    intptr_t no_console = SHIM_NO_HANDLE;
    int64_t pid;

    if (!linux_state_exists(s))
        return shim_fail(err, SHIM_E_NOT_FOUND, "container %s does not exist in %s", base->id,
                         s->doc.root);
    if (linux_pid_read(s->init.pid_path, &pid, NULL) == 0 && is_older_than(pid, s->init.pid_path)) {
        linux_process_began(&s->init, pid, &no_console);
        if (linux_cgroup_find(pid, &s->cgroup, NULL) == 0) {
            shim_lock(&s->lock);
            s->has_cgroup = true;
            shim_unlock(&s->lock);
        }
    }
    shim_lock(&s->lock);
    s->created = true;
    shim_unlock(&s->lock);
    return 0;
}

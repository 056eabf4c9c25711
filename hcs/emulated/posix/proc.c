/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over /proc, and signals through pidfds. */
#include "hcs/emulated/proc.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOK_AGAIN_MS 2

/* --- lists ---------------------------------------------------------------------------------- */

/* Room for one more; lists grow in steps of a power of two, so their length tells their
 * capacity. */
static void *grow(void *v, size_t n, size_t item_bytes)
{
    if (n & (n - 1))
        return v;
    return reallocarray(v, n ? n * 2 : 1, item_bytes);
}

bool emu_roots_add(struct emu_roots *l, const struct emu_root *root)
{
    struct emu_root *v = grow(l->v, l->n, sizeof(*v));

    if (!v)
        return false;
    l->v = v;
    l->v[l->n++] = *root;
    return true;
}

bool emu_roots_copy(const struct emu_roots *l, struct emu_roots *ret)
{
    for (size_t i = 0; i < l->n; i++)
        if (!emu_roots_add(ret, &l->v[i]))
            return false;
    return true;
}

void emu_roots_done(struct emu_roots *l)
{
    free(shim_take(l->v));
    l->n = 0;
}

static bool procs_add(struct emu_procs *l, const struct emu_proc *p)
{
    struct emu_proc *v = grow(l->v, l->n, sizeof(*v));

    if (!v)
        return false;
    l->v = v;
    l->v[l->n++] = *p;
    return true;
}

void emu_procs_done(struct emu_procs *l)
{
    free(shim_take(l->v));
    l->n = 0;
}

/* --- /proc ---------------------------------------------------------------------------------- */

int emu_proc_read(int64_t pid, struct emu_proc *ret, struct shim_error *err)
{
    cleanup_buf struct shim_buf text = {0};
    const uint64_t us_per_tick = 1000000 / (uint64_t)sysconf(_SC_CLK_TCK);
    uint64_t times[4], pages;
    char path[64];
    const char *after;
    int r;

    snprintf(path, sizeof(path), "/proc/%" PRId64 "/stat", pid);
    r = shim_file_read(path, 4096, &text, err);
    if (r < 0) /* ESRCH: it went while being read */
        return r;
    after = strrchr(shim_buf_str(&text), ')'); /* the name before it may hold anything */
    *ret = (struct emu_proc){.pid = pid};
    if (!after ||
        sscanf(after + 1,
               " %c %" SCNd64 " %*d %" SCNd64 " %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
               " %" SCNu64 " %" SCNu64 " %*d %*d %*d %*d %" SCNu64 " %*u %" SCNu64,
               &ret->state, &ret->parent, &ret->session, &times[0], &times[1], &times[2], &times[3],
               &ret->start, &pages) != 9)
        return shim_fail(err, SHIM_E_INTERNAL, "%s: cannot be understood", path);
    ret->user_us = (times[0] + times[2]) * us_per_tick;
    ret->system_us = (times[1] + times[3]) * us_per_tick;
    ret->rss_bytes = pages * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}

int emu_proc_self(struct emu_proc *ret, struct shim_error *err)
{
    return emu_proc_read(getpid(), ret, err);
}

static void closedirp(DIR **dir)
{
    if (*dir)
        closedir(*dir);
}

static int read_all(struct emu_procs *ret, struct shim_error *err)
{
    SHIM_CLEANUP(closedirp) DIR *dir = opendir("/proc");
    const struct dirent *entry;

    if (!dir)
        return shim_fail_os(err, (uint32_t)errno, "open /proc");
    while ((entry = readdir(dir))) {
        struct emu_proc p;
        uint64_t pid;

        if (!shim_parse_u64(entry->d_name, INT32_MAX, &pid) ||
            emu_proc_read((int64_t)pid, &p, NULL) < 0)
            continue; /* not a process, or gone meanwhile */
        if (!procs_add(ret, &p))
            return shim_fail_memory(err);
    }
    return 0;
}

static const struct emu_proc *find_proc(const struct emu_procs *l, int64_t pid)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].pid == pid)
            return &l->v[i];
    return NULL;
}

static bool by_root(const struct emu_proc *p, const struct emu_root *root,
                    const struct emu_procs *all)
{
    const struct emu_proc *leader;

    if (p->pid == root->pid)
        return p->start == root->start;
    if (p->session != root->pid)
        return false;
    /* A session outlives its leader; its number is not given to another process before that. */
    leader = find_proc(all, root->pid);
    return !leader || leader->start == root->start;
}

static bool is_member(const struct emu_proc *p, const struct emu_roots *roots,
                      const struct emu_procs *all, const struct emu_procs *members)
{
    for (size_t i = 0; i < roots->n; i++)
        if (by_root(p, &roots->v[i], all))
            return true;
    return find_proc(members, p->parent);
}

/* Takes members out of `all` until a pass finds no further child of one. */
static int collect(const struct emu_roots *roots, const struct emu_procs *all,
                   struct emu_procs *members, struct shim_error *err)
{
    size_t before;

    do {
        before = members->n;
        for (size_t i = 0; i < all->n; i++) {
            const struct emu_proc *p = &all->v[i];

            if (find_proc(members, p->pid) || !is_member(p, roots, all, members))
                continue;
            if (!procs_add(members, p))
                return shim_fail_memory(err);
        }
    } while (members->n != before);
    return 0;
}

int emu_procs_of(const struct emu_roots *roots, struct emu_procs *ret, struct shim_error *err)
{
    cleanup_emu_procs struct emu_procs all = {0}, members = {0};
    int r = roots->n ? read_all(&all, err) : 0;

    if (r == 0)
        r = collect(roots, &all, &members, err);
    for (size_t i = 0; r == 0 && i < members.n; i++)
        if (members.v[i].state != 'Z' && members.v[i].state != 'X' &&
            !procs_add(ret, &members.v[i]))
            r = shim_fail_memory(err);
    return r;
}

static bool is_used(const struct emu_root *root, const struct emu_procs *members)
{
    for (size_t i = 0; i < members->n; i++)
        if (members->v[i].session == root->pid)
            return true;
    return false;
}

static bool is_listed(const struct emu_root *root, const struct emu_roots *l)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->v[i].pid == root->pid && l->v[i].start == root->start)
            return true;
    return false;
}

void emu_roots_prune(struct emu_roots *roots, const struct emu_roots *scanned,
                     const struct emu_procs *members)
{
    cleanup_emu_roots struct emu_roots kept = {0};

    for (size_t i = 0; i < roots->n; i++) {
        const struct emu_root *root = &roots->v[i];

        if (is_listed(root, scanned) && !is_used(root, members))
            continue;
        if (!emu_roots_add(&kept, root))
            return; /* out of memory: a long list is better than a wrong one */
    }
    emu_roots_done(roots);
    *roots = kept;
    kept = (struct emu_roots){0};
}

/* --- signals -------------------------------------------------------------------------------- */

static bool is_same(const struct emu_proc *p)
{
    struct emu_proc now;

    return emu_proc_read(p->pid, &now, NULL) == 0 && now.start == p->start;
}

static intptr_t open_pidfd(const struct emu_proc *p)
{
    return syscall(SYS_pidfd_open, (pid_t)p->pid, 0);
}

bool emu_proc_signal(const struct emu_proc *p, int signal)
{
    cleanup_handle intptr_t fd = open_pidfd(p);

    if (fd < 0) /* sandboxes and old kernels have no pidfds */
        return errno == ENOSYS && is_same(p) && kill((pid_t)p->pid, signal) == 0;
    return is_same(p) && syscall(SYS_pidfd_send_signal, (int)fd, signal, NULL, 0) == 0;
}

bool emu_proc_kill(const struct emu_proc *p)
{
    return emu_proc_signal(p, SIGKILL);
}

bool emu_proc_stop(const struct emu_proc *p)
{
    return emu_proc_signal(p, SIGSTOP);
}

bool emu_proc_continue(const struct emu_proc *p)
{
    return emu_proc_signal(p, SIGCONT);
}

bool emu_signal_ends(uint32_t signal)
{
    switch (signal) {
    case SIGCHLD:
    case SIGCONT:
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
    case SIGURG:
    case SIGWINCH:
        return false;
    default:
        return true;
    }
}

/* Without pidfds there is no notice: look again now and then. */
static bool watch_end(const struct emu_proc *p, int64_t deadline_ns)
{
    struct emu_proc now;

    while (emu_proc_read(p->pid, &now, NULL) == 0 && now.start == p->start && now.state != 'Z') {
        if (shim_monotonic_ns() >= deadline_ns)
            return false;
        shim_sleep_ms(LOOK_AGAIN_MS);
    }
    return true;
}

bool emu_proc_wait(const struct emu_proc *p, int64_t deadline_ns)
{
    cleanup_handle intptr_t fd = open_pidfd(p);
    int64_t left_ns = deadline_ns - shim_monotonic_ns();

    if (fd < 0 && errno != ESRCH)
        return watch_end(p, deadline_ns);
    if (fd < 0 || !is_same(p))
        return true;
    return left_ns > 0 && poll(&(struct pollfd){.fd = (int)fd, .events = POLLIN}, 1,
                               (int)(left_ns / SHIM_NS_PER_MS) + 1) > 0;
}

int emu_boot_id(char **ret, struct shim_error *err)
{
    cleanup_buf struct shim_buf text = {0};
    int r = shim_file_read("/proc/sys/kernel/random/boot_id", 128, &text, err);

    if (r < 0)
        return r;
    text.len = strcspn(shim_buf_str(&text), "\n");
    *ret = strndup(shim_buf_str(&text), text.len);
    return *ret ? 0 : shim_fail_memory(err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who waits for which process: the known children, the exits kept for claims, and the only wait
 * calls that take an exit. Promises to deliver each exit once and to call nobody under its lock.
 */
#include "base/child.h"
#include "base/clock.h"
#include "base/posix/registry.h"
#include "base/str.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

struct child {
    struct child *next;
    int64_t pid;
    shim_child_exited *exited; /* NULL: nobody is told */
    void *user;
    struct shim_exit exit;
    uint64_t kept_after; /* the newest claim there was when this exit was kept */
};

struct shim_claim {
    struct shim_claim *next;
    uint64_t number; /* in order of opening */
};

struct shim_birth {
    struct shim_claim claim;
    struct child *child; /* allocated before there is a process that must not be lost */
};

static struct shim_mutex lock = SHIM_MUTEX_INIT;
static struct child *known;       /* not reaped yet */
static struct child *kept;        /* reaped, nobody asked yet; newest first */
static struct child *due;         /* reaped, to be delivered by the reaper; oldest first */
static struct shim_claim *claims; /* open; oldest first */
static uint64_t claims_opened;

static struct child **find(struct child **at, int64_t pid)
{
    while (*at && (*at)->pid != pid)
        at = &(*at)->next;
    return at;
}

/* Out of its list; NULL when there is none. */
static struct child *take(struct child **at)
{
    struct child *child = *at;

    if (child)
        *at = child->next;
    return child;
}

static void append(struct child **at, struct child *child)
{
    while (*at)
        at = &(*at)->next;
    child->next = NULL;
    *at = child;
}

static void claim_open_locked(struct shim_claim *claim) SHIM_REQUIRES(lock)
{
    struct shim_claim **at = &claims;

    while (*at)
        at = &(*at)->next;
    *claim = (struct shim_claim){.number = ++claims_opened};
    *at = claim;
}

/* Drops what was kept before the oldest claim that is left. */
static void claim_close_locked(struct shim_claim *claim) SHIM_REQUIRES(lock)
{
    struct shim_claim **at = &claims;
    struct child **old = &kept;

    while (*at != claim)
        at = &(*at)->next;
    *at = claim->next;
    while (*old && claims && (*old)->kept_after >= claims->number)
        old = &(*old)->next;
    while (*old)
        free(take(old));
}

int shim_claim_open(struct shim_claim **ret, struct shim_error *err)
{
    struct shim_claim *claim = malloc(sizeof(*claim));

    if (!claim)
        return shim_fail_memory(err);
    shim_lock(&lock);
    claim_open_locked(claim);
    shim_unlock(&lock);
    *ret = claim;
    return 0;
}

void shim_claim_close(struct shim_claim *claim)
{
    if (!claim)
        return;
    shim_lock(&lock);
    claim_close_locked(claim);
    shim_unlock(&lock);
    free(claim);
}

/* Whether the number belongs to a child of ours now, running or not reaped yet. */
static bool is_our_child(int64_t pid)
{
    siginfo_t info;

    return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* Moves the kept exit of child->pid into it and makes it due; false when none was kept. */
static bool deliver_kept_locked(struct child *child) SHIM_REQUIRES(lock)
{
    cleanup_free struct child *old = take(find(&kept, child->pid));

    if (!old || is_our_child(child->pid))
        return false; /* none, or one of an earlier process with this number */
    child->exit = old->exit;
    append(&due, child);
    shim_child_wake_reaper();
    return true;
}

int shim_birth_begin(struct shim_birth **ret, struct shim_error *err)
{
    cleanup_free struct shim_birth *birth = calloc(1, sizeof(*birth));

    if (!birth)
        return shim_fail_memory(err);
    birth->child = calloc(1, sizeof(*birth->child));
    if (!birth->child)
        return shim_fail_memory(err);
    shim_lock(&lock);
    claim_open_locked(&birth->claim);
    shim_unlock(&lock);
    *ret = shim_take(birth);
    return 0;
}

void shim_birth_end(struct shim_birth *birth, int64_t pid, shim_child_exited *exited, void *user)
{
    struct child *child = pid > 0 ? shim_take(birth->child) : NULL;

    shim_lock(&lock);
    if (child) {
        free(take(find(&known, pid))); /* watched, but its own parent reaped it */
        child->pid = pid;
        child->exited = exited;
        child->user = user;
        if (!deliver_kept_locked(child))
            append(&known, child);
    }
    claim_close_locked(&birth->claim);
    shim_unlock(&lock);
    free(birth->child);
    free(birth);
}

static int watch_locked(struct child *child, struct shim_error *err) SHIM_REQUIRES(lock)
{
    if (*find(&known, child->pid))
        return shim_fail(err, SHIM_E_EXISTS, "process %lld is watched already",
                         (long long)child->pid);
    if (deliver_kept_locked(child))
        return 0;
    if (kill((pid_t)child->pid, 0) != 0 && errno == ESRCH)
        return shim_fail(err, SHIM_E_NOT_FOUND, "watch process %lld: there is none",
                         (long long)child->pid);
    append(&known, child);
    return 0;
}

int shim_child_watch(int64_t pid, shim_child_exited *exited, void *user, struct shim_error *err)
{
    cleanup_free struct child *child = NULL;
    int r;

    if (pid <= 0 || pid > INT32_MAX)
        return shim_fail(err, SHIM_E_INVALID, "watch process %lld: not a process id",
                         (long long)pid);
    child = calloc(1, sizeof(*child));
    if (!child)
        return shim_fail_memory(err);
    child->pid = pid;
    child->exited = exited;
    child->user = user;
    shim_lock(&lock);
    r = watch_locked(child, err);
    if (r == 0)
        child = NULL; /* the lists own it */
    shim_unlock(&lock);
    return r;
}

/* `target` is the known pid, or its negative for the group. */
static int kill_known(int64_t pid, int64_t target, int signal, struct shim_error *err)
{
    int os = ESRCH;

    shim_lock(&lock);
    if (*find(&known, pid))
        os = kill((pid_t)target, signal) == 0 ? 0 : errno;
    shim_unlock(&lock);
    if (os == 0)
        return 0;
    return shim_fail_os(err, (uint32_t)os, "send signal %d to process %s%lld", signal,
                        target < 0 ? "group " : "", (long long)pid);
}

int shim_child_kill(int64_t pid, int signal, struct shim_error *err)
{
    return kill_known(pid, pid, signal, err);
}

int shim_child_kill_group(int64_t pid, int signal, struct shim_error *err)
{
    return kill_known(pid, -pid, signal, err);
}

static struct shim_exit exit_from_status(int status)
{
    return (struct shim_exit){
        .status = (uint32_t)(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status)),
        .at_ns = shim_realtime_ns(),
    };
}

/* Takes one exit: leaves in *child what is to be delivered or thrown away, NULL where it was kept.
 * False when there is none now. */
static bool reap_one_locked(struct child **child) SHIM_REQUIRES(lock)
{
    struct child *owner = take(&due);
    int status;
    pid_t pid;

    if (!owner) {
        pid = waitpid(-1, &status, WNOHANG);
        if (pid <= 0)
            return false;
        owner = take(find(&known, pid));
        (owner ? owner : *child)->pid = pid;
        (owner ? owner : *child)->exit = exit_from_status(status);
    }
    if (owner) {
        free(*child);
        *child = owner;
    } else if (claims) {
        (*child)->kept_after = claims_opened;
        (*child)->next = kept;
        kept = shim_take(*child);
    }
    return true;
}

void shim_child_reap(void)
{
    bool more = true;

    while (more) {
        cleanup_free struct child *child = calloc(1, sizeof(*child));

        if (!child)
            return; /* nothing is lost: they wait as zombies for the next signal */
        shim_lock(&lock);
        more = reap_one_locked(&child);
        shim_unlock(&lock);
        if (child && child->exited)
            child->exited(child->pid, &child->exit, child->user);
    }
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a program. The parent prepares everything that may allocate or fail with a text; the
 * child, which borrows the parent's memory until exec, makes system calls only.
 */
#include "base/child.h"
#include "base/posix/registry.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum step { STEP_FOLDER, STEP_DESCRIPTORS, STEP_TERMINAL, STEP_EXEC };

/* What the child says over a close-on-exec pipe when a step fails. */
struct failure {
    enum step step;
    int os;
};

/* All that the child needs. */
struct plan {
    const struct shim_spawn *spawn;
    char *path;                /* owned */
    const char **env;          /* owned array of borrowed texts */
    struct shim_child_fd *fds; /* owned; sorted by `to`, each once, 0 to 2 among them */
    size_t n_fds;
    intptr_t null_device;               /* owned */
    intptr_t report_read, report_write; /* owned; the latter is above all `to` */
    pid_t parent;
};

static void plan_done(struct plan *plan)
{
    free(plan->path);
    free(plan->env);
    free(plan->fds);
    shim_handle_close(&plan->null_device);
    shim_handle_close(&plan->report_read);
    shim_handle_close(&plan->report_write);
}
#define cleanup_plan SHIM_CLEANUP(plan_done)

static bool is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* Our PATH, as Go does it. Relative folders in it are skipped: the current one is a bundle, which
 * must not provide the runtime. */
static int search_path(const char *name, char **ret, struct shim_error *err)
{
    const char *at = getenv("PATH");

    while (*name && at && *at) {
        size_t bytes = strcspn(at, ":");
        cleanup_free char *path = shim_strf("%.*s/%s", (int)bytes, at, name);

        if (!path)
            return shim_fail_memory(err);
        if (*at == '/' && is_program(path)) {
            *ret = shim_take(path);
            return 0;
        }
        at += bytes + (at[bytes] == ':');
    }
    return shim_fail(err, SHIM_E_NOT_FOUND, "exec: \"%s\": executable file not found in $PATH",
                     name);
}

static int plan_path(struct plan *plan, struct shim_error *err)
{
    const char *name = plan->spawn->argv[0], *file = plan->spawn->program;

    if (!file && !strchr(name, '/'))
        return search_path(name, &plan->path, err);
    plan->path = strdup(file ? file : name);
    return plan->path ? 0 : shim_fail_memory(err);
}

static int plan_env(struct plan *plan, struct shim_error *err)
{
    const char *const *from = plan->spawn->env;
    size_t n = 0;

    if (!from)
        from = (const char *const *)environ;
    while (from[n])
        n++;
    plan->env = malloc((n + 1) * sizeof(*plan->env));
    if (!plan->env)
        return shim_fail_memory(err);
    n = 0;
    for (; *from; from++)
        if (!shim_starts_with(*from, "NOTIFY_SOCKET="))
            plan->env[n++] = *from;
    plan->env[n] = NULL;
    return 0;
}

/* Keeps the list sorted; a later entry for the same number wins. */
static void plan_fd(struct plan *plan, struct shim_child_fd fd)
{
    size_t at = 0;

    while (at < plan->n_fds && plan->fds[at].to < fd.to)
        at++;
    if (at == plan->n_fds || plan->fds[at].to != fd.to) {
        memmove(plan->fds + at + 1, plan->fds + at, (plan->n_fds - at) * sizeof(fd));
        plan->n_fds++;
    }
    plan->fds[at] = fd;
}

static int plan_fds(struct plan *plan, struct shim_error *err)
{
    const struct shim_spawn *spawn = plan->spawn;

    plan->fds = calloc(spawn->n_fds + 3, sizeof(*plan->fds));
    if (!plan->fds)
        return shim_fail_memory(err);
    plan->null_device = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (plan->null_device < 0)
        return shim_fail_os(err, (uint32_t)errno, "open /dev/null");
    for (int to = 0; to <= STDERR_FILENO; to++)
        plan_fd(plan, (struct shim_child_fd){.from = plan->null_device, .to = to});
    for (size_t i = 0; i < spawn->n_fds; i++)
        plan_fd(plan, spawn->fds[i]);
    return 0;
}

static int highest_fd(const struct plan *plan)
{
    return plan->fds[plan->n_fds - 1].to;
}

static int plan_report(struct plan *plan, struct shim_error *err)
{
    int ends[2], os;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return shim_fail_os(err, (uint32_t)errno, "make a pipe");
    plan->report_read = ends[0];
    plan->report_write = fcntl(ends[1], F_DUPFD_CLOEXEC, highest_fd(plan) + 1);
    os = errno;
    close(ends[1]);
    if (plan->report_write < 0)
        return shim_fail_os(err, (uint32_t)os, "duplicate a pipe");
    return 0;
}

static int plan_init(const struct shim_spawn *spawn, struct plan *plan, struct shim_error *err)
{
    int r;

    plan->spawn = spawn;
    plan->parent = getpid();
    r = plan_path(plan, err);
    if (r == 0)
        r = plan_env(plan, err);
    if (r == 0)
        r = plan_fds(plan, err);
    if (r == 0)
        r = plan_report(plan, err);
    return r;
}

/* ---- from here to run_child: in the child, where only async-signal-safe calls are allowed ---- */

static _Noreturn void child_fail(const struct plan *plan, enum step step)
{
    struct failure failure = {.step = step, .os = errno};
    ssize_t n = write((int)plan->report_write, &failure, sizeof(failure));

    (void)n;
    _exit(127);
}

/* exec resets what is caught, not what is ignored; and a caught signal must not run the parent's
 * handler between the unblocking and exec. */
static void child_reset_signals(void)
{
    struct sigaction to_default = {.sa_handler = SIG_DFL};

    for (int signal = 1; signal < NSIG; signal++)
        sigaction(signal, &to_default, NULL);
}

static void child_join_groups(const struct plan *plan)
{
    const struct shim_spawn *spawn = plan->spawn;

    if (spawn->die_with_thread) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        if (getppid() != plan->parent)
            _exit(127); /* too late for the signal */
    }
    if (spawn->new_session)
        setsid();
    else if (spawn->new_group)
        setpgid(0, 0);
}

/* For kernels before 5.9. The folder lists its entries by number, so closing some does not disturb
 * the rest. */
static int close_span_by_proc(unsigned first, unsigned last)
{
    char entries[1024];
    int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long bytes;

    if (dir < 0)
        return -1;
    while ((bytes = syscall(SYS_getdents64, dir, entries, sizeof(entries))) > 0) {
        for (long at = 0; at < bytes;) {
            const char *entry = entries + at;
            unsigned short entry_bytes;
            unsigned fd = 0;

            memcpy(&entry_bytes, entry + 16, sizeof(entry_bytes));
            for (const char *digit = entry + 19; *digit >= '0' && *digit <= '9'; digit++)
                fd = fd * 10 + (unsigned)(*digit - '0');
            if (fd >= first && fd <= last && fd != (unsigned)dir)
                close((int)fd);
            at += entry_bytes;
        }
    }
    close(dir);
    return bytes < 0 ? -1 : 0;
}

static int close_span(unsigned first, unsigned last)
{
    if (first > last)
        return 0;
    if (syscall(SYS_close_range, first, last, 0) == 0)
        return 0;
    return close_span_by_proc(first, last);
}

/* All but the listed descriptors and the report. */
static int child_close_rest(const struct plan *plan)
{
    unsigned next = 0, report = (unsigned)plan->report_write;

    for (size_t i = 0; i < plan->n_fds; i++) {
        unsigned to = (unsigned)plan->fds[i].to;

        if (to > next && close_span(next, to - 1) != 0)
            return -1;
        next = to + 1;
    }
    if (report > next && close_span(next, report - 1) != 0)
        return -1;
    return close_span(report + 1, UINT_MAX);
}

/* First everything that a later dup3 could overwrite is moved above all numbers wanted. */
static void child_place_fds(const struct plan *plan)
{
    for (size_t i = 0; i < plan->n_fds; i++) {
        struct shim_child_fd *fd = &plan->fds[i];

        if (fd->from <= highest_fd(plan))
            fd->from = fcntl((int)fd->from, F_DUPFD_CLOEXEC, highest_fd(plan) + 1);
        if (fd->from < 0)
            child_fail(plan, STEP_DESCRIPTORS);
    }
    for (size_t i = 0; i < plan->n_fds; i++)
        if (dup3((int)plan->fds[i].from, plan->fds[i].to, 0) < 0)
            child_fail(plan, STEP_DESCRIPTORS);
    if (child_close_rest(plan) != 0)
        child_fail(plan, STEP_DESCRIPTORS);
}

static _Noreturn void run_child(const struct plan *plan)
{
    const struct shim_spawn *spawn = plan->spawn;
    sigset_t none;

    child_reset_signals();
    child_join_groups(plan);
    child_place_fds(plan);
    if (spawn->controlling_tty && ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0)
        child_fail(plan, STEP_TERMINAL);
    if (spawn->cwd && chdir(spawn->cwd) != 0)
        child_fail(plan, STEP_FOLDER);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(plan->path, (char *const *)spawn->argv, (char *const *)plan->env);
    child_fail(plan, STEP_EXEC);
}

/* ---- in the parent again ---- */

/* With every signal blocked, so that no handler runs in the child on memory that is ours. */
static pid_t start_child(const struct plan *plan)
{
    sigset_t all, before;
    pid_t pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    /* posix_spawn can do most of it, but not PR_SET_PDEATHSIG and the terminal. */
    /* NOLINTBEGIN(clang-analyzer-security.insecureAPI.vfork, clang-analyzer-unix.Vfork) */
    pid = vfork();
    if (pid == 0)
        run_child(plan);
    /* NOLINTEND(clang-analyzer-security.insecureAPI.vfork, clang-analyzer-unix.Vfork) */
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

static int fail_from_child(const struct plan *plan, const struct failure *failure,
                           struct shim_error *err)
{
    const char *program = plan->spawn->argv[0];

    switch (failure->step) {
    case STEP_FOLDER:
        return shim_fail_os(err, (uint32_t)failure->os, "start %s: change to folder %s", program,
                            plan->spawn->cwd);
    case STEP_DESCRIPTORS:
        return shim_fail_os(err, (uint32_t)failure->os, "start %s: pass descriptors", program);
    case STEP_TERMINAL:
        return shim_fail_os(err, (uint32_t)failure->os, "start %s: take its terminal", program);
    default:
        return shim_fail_os(err, (uint32_t)failure->os, "exec %s", plan->path);
    }
}

/* Waits until the child has left our memory and says what it reported. */
static int await_exec(struct plan *plan, struct shim_error *err)
{
    struct failure failure;
    ssize_t n;

    shim_handle_close(&plan->report_write);
    do
        n = read((int)plan->report_read, &failure, sizeof(failure));
    while (n < 0 && errno == EINTR);
    return n == (ssize_t)sizeof(failure) ? fail_from_child(plan, &failure, err) : 0;
}

int shim_child_spawn(const struct shim_spawn *spawn, shim_child_exited *exited, void *user,
                     int64_t *ret_pid, struct shim_error *err)
{
    cleanup_plan struct plan plan = {.null_device = SHIM_NO_HANDLE,
                                     .report_read = SHIM_NO_HANDLE,
                                     .report_write = SHIM_NO_HANDLE};
    struct shim_birth *birth = NULL;
    pid_t pid;
    int r;

    r = plan_init(spawn, &plan, err);
    if (r == 0)
        r = shim_birth_begin(&birth, err);
    if (r < 0)
        return r;
    pid = start_child(&plan);
    if (pid < 0)
        r = shim_fail_os(err, (uint32_t)errno, "start %s", spawn->argv[0]);
    else
        r = await_exec(&plan, err);
    shim_birth_end(birth, pid, r == 0 ? exited : NULL, user);
    if (r == 0)
        *ret_pid = pid;
    return r;
}

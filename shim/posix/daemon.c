/* SPDX-License-Identifier: Apache-2.0 */
/* Becoming and starting the daemon on Linux. */
#include "shim/daemon.h"
#include "base/child.h"
#include "base/file.h"
#include "base/str.h"
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define READY_FD 3 /* the daemon's number of the pipe on which it says that it is ready */

/* --- in the start helper -------------------------------------------------------------------- */

/* linux/prctl.h: a new core scheduling cookie for the process group of this thread. */
static void make_core_scheduling_group(void)
{
    enum { SCHED_CORE_OPTION = 62, SCHED_CORE_CREATE_COOKIE = 1, SCOPE_PROCESS_GROUP = 2 };

    if (getenv("SCHED_CORE"))
        prctl(SCHED_CORE_OPTION, SCHED_CORE_CREATE_COOKIE, 0, SCOPE_PROCESS_GROUP, 0);
}

static void raise_oom_score(int64_t pid)
{
    cleanup_buf struct shim_buf parent = {0};
    char path[64], text[24];
    long score;
    int fd;

    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)getppid());
    if (shim_file_read(path, 64, &parent, NULL) < 0)
        return;
    score = strtol(shim_buf_str(&parent), NULL, 10) + 1;
    snprintf(text, sizeof(text), "%ld", score > 1000 ? 1000 : score);
    snprintf(path, sizeof(path), "/proc/%d/oom_score_adj", (int)pid);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    if (shim_handle_write(fd, text, strlen(text), NULL) < 0) {
        /* Lowering it needs a capability that rootless daemons lack: the inherited one stays. */
    }
    close(fd);
}

/* The pipe first: where standard streams were missing it may lie on their numbers. */
static int place_fds(int ready, struct shim_error *err)
{
    int kept = fcntl(ready, F_DUPFD_CLOEXEC, READY_FD + 1), null = open("/dev/null", O_RDWR);

    if (kept < 0 || null < 0)
        return shim_fail_os(err, (uint32_t)errno, "find descriptors");
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (dup2(null, fd) < 0)
            return shim_fail_os(err, (uint32_t)errno, "open /dev/null");
    if (dup2(kept, READY_FD) < 0)
        return shim_fail_os(err, (uint32_t)errno, "keep the pipe");
    closefrom(READY_FD + 1);
    return 0;
}

static void reset_signals(void)
{
    struct sigaction to_default = {.sa_handler = SIG_DFL};
    sigset_t none;

    for (int signal = 1; signal < NSIG; signal++)
        sigaction(signal, &to_default, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What tools see is still the helper's command line: its last word is to be the daemon's. */
static void rename_action(const struct shim_cli *cli)
{
    if (cli->action_word)
        snprintf(cli->action_word, strlen(cli->action_word) + 1, "serve");
}

/* The rest of the daemon's life. */
static _Noreturn void be_daemon(const struct shim_daemon_spawn *spawn, int ready)
{
    struct shim_error err;
    int r;

    reset_signals();
    setpgid(0, 0);
    rename_action(spawn->cli);
    unsetenv("NOTIFY_SOCKET");
    for (const char *const *variable = spawn->env; variable && *variable; variable++)
        putenv((char *)*variable);
    r = place_fds(ready, &err);
    if (r == 0 && chdir(spawn->cwd) != 0)
        r = shim_fail_os(&err, (uint32_t)errno, "enter %s", spawn->cwd);
    if (r == 0)
        exit(spawn->serve(spawn->cli));
    shim_daemon_say_ready(err.msg);
    exit(1);
}

/* A copy goes on as the daemon. To run this program again would take a quarter of `start`'s time,
 * most of it the dynamic linker's, and would lead to the same place. */
int shim_daemon_start(const struct shim_daemon_spawn *spawn, int64_t *ret_pid, intptr_t *ret_ready,
                      struct shim_error *err)
{
    int ends[2];
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return shim_fail_os(err, (uint32_t)errno, "make a pipe");
    make_core_scheduling_group();
    pid = fork();
    if (pid == 0)
        be_daemon(spawn, ends[1]);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        return shim_fail_os(err, (uint32_t)errno, "start the shim's daemon");
    }
    raise_oom_score(pid);
    *ret_pid = pid;
    *ret_ready = ends[0];
    return 0;
}

int shim_daemon_wait_ready(intptr_t ready, unsigned timeout_ms, struct shim_error *err)
{
    struct pollfd poll_ready = {.fd = (int)ready, .events = POLLIN};
    cleanup_buf struct shim_buf said = {0};
    int r;

    do
        r = poll(&poll_ready, 1, (int)timeout_ms);
    while (r < 0 && errno == EINTR);
    if (r == 0)
        return shim_fail(err, SHIM_E_DEADLINE, "the shim's daemon was not ready after %u ms",
                         timeout_ms);
    r = shim_handle_read(ready, sizeof(err->msg), &said, err);
    if (r < 0)
        return shim_wrap(err, r, "hear from the shim's daemon");
    if (said.len == 0)
        return shim_fail(err, SHIM_E_UNKNOWN, "the shim's daemon ended before it was ready");
    if (said.data[0] != 0)
        return shim_fail(err, SHIM_E_UNKNOWN, "%s", shim_buf_str(&said));
    return 0;
}

void shim_daemon_kill(int64_t pid)
{
    kill((pid_t)pid, SIGKILL);
}

/* --- in the daemon -------------------------------------------------------------------------- */

static const int stop_signals[] = {SIGTERM, SIGINT, 0};
static const int dump_signals[] = {SIGUSR1, 0};
static void (*dump)(void);

static void on_signal(int signal)
{
    (void)signal;
    dump();
}

/* The log FIFO takes the place of standard error, so that what a library writes there is seen too.
 * Non-blocking: its reader can be away, and lines are then dropped. */
static void open_log(void)
{
    int fd = open("log", O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return; /* a bundle without a log: standard error stays what it is */
    dup2(fd, STDERR_FILENO);
    close(fd);
}

/* Many threads that come and go must not each leave an arena behind. */
static void tune_allocator(void)
{
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 64 * 1024);
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

int shim_daemon_init(struct shim_error *err)
{
    int blocked[] = {SIGTERM, SIGINT, SIGUSR1, 0};
    int r;

    fcntl(READY_FD, F_SETFD, FD_CLOEXEC);
    tune_allocator();
    umask(0022);
    open_log();
    shim_child_block_signals(blocked);
    r = shim_child_init(true, err);
    if (r < 0)
        return r;
    if (chdir("/") != 0)
        return shim_fail_os(err, (uint32_t)errno, "leave the bundle");
    return 0;
}

void shim_daemon_say_ready(const char *error)
{
    struct stat st;

    if (fstat(READY_FD, &st) != 0 || !S_ISFIFO(st.st_mode))
        return; /* started by hand */
    if (shim_handle_write(READY_FD, error ? error : "", error ? strlen(error) : 1, NULL) < 0) {
        /* The helper is gone: nobody left to tell. */
    }
    close(READY_FD);
}

void shim_daemon_main(void (*on_dump)(void))
{
    dump = on_dump;
    shim_child_main(stop_signals, dump_signals, on_signal);
}

void shim_daemon_stop(void)
{
    shim_child_stop();
}

uint32_t shim_daemon_pid(void)
{
    return (uint32_t)getpid();
}

char *shim_runtime_dir(void)
{
    const char *xdg = getenv("XDG_RUNTIME_DIR");

    if ((mkdir("/run/containerd", 0711) == 0 || errno == EEXIST) &&
        access("/run/containerd", W_OK | X_OK) == 0)
        return strdup("/run/containerd");
    if (!shim_str_empty(xdg))
        return shim_strf("%s/containerd", xdg);
    return shim_strf("/tmp/containerd-%u", geteuid());
}

char *shim_current_dir(void)
{
    return getcwd(NULL, 0);
}

const char *shim_os_name(void)
{
    return "linux";
}

const char *shim_architecture_name(void)
{
    static const struct {
        const char *machine, *name;
    } names[] = {{"x86_64", "amd64"},   {"aarch64", "arm64"},   {"armv7l", "arm"},
                 {"i686", "386"},       {"ppc64le", "ppc64le"}, {"s390x", "s390x"},
                 {"riscv64", "riscv64"}};
    struct utsname host;

    if (uname(&host) == 0)
        for (size_t i = 0; i < SHIM_ARRAY_LEN(names); i++)
            if (strcmp(host.machine, names[i].machine) == 0)
                return names[i].name;
    return "unknown";
}

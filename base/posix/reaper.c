/* SPDX-License-Identifier: Apache-2.0 */
/* The reaper's signals and its loop. Promises that no signal handler of ours ever runs. */
#include "base/child.h"
#include "base/posix/registry.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <unistd.h>

static struct shim_mutex start_lock = SHIM_MUTEX_INIT;
static bool started; /* under start_lock */
static atomic_bool stop_asked;

static void add_signals(sigset_t *set, const int *signals)
{
    for (; signals && *signals; signals++)
        sigaddset(set, *signals);
}

static bool has_signal(const int *signals, int signal)
{
    for (; signals && *signals; signals++)
        if (*signals == signal)
            return true;
    return false;
}

int shim_child_init(bool subreaper, struct shim_error *err)
{
    /* An inherited "ignore" of SIGCHLD would make the kernel throw exits away. */
    struct sigaction to_default = {.sa_handler = SIG_DFL}, ignore = {.sa_handler = SIG_IGN};

    shim_child_block_signals((const int[]){SIGCHLD, 0});
    sigaction(SIGCHLD, &to_default, NULL);
    sigaction(SIGPIPE, &ignore, NULL);
    if (subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0)
        return shim_fail_os(err, (uint32_t)errno, "become a subreaper");
    return 0;
}

void shim_child_block_signals(const int *signals)
{
    sigset_t set;

    sigemptyset(&set);
    add_signals(&set, signals);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void shim_child_wake_reaper(void)
{
    kill(getpid(), SIGCHLD);
}

static void run_reaper(void *unused)
{
    (void)unused;
    for (;;) {
        sigset_t set;

        shim_child_reap();
        sigemptyset(&set);
        sigaddset(&set, SIGCHLD);
        sigwaitinfo(&set, NULL);
    }
}

int shim_child_start_reaper(struct shim_error *err)
{
    struct shim_thread thread;
    int r = 0;

    shim_lock(&start_lock);
    if (!started)
        r = shim_thread_start("reaper", 0, run_reaper, NULL, &thread, err);
    if (!started && r == 0) {
        shim_thread_detach(&thread);
        started = true;
    }
    shim_unlock(&start_lock);
    return r;
}

int shim_child_main(const int *stop, const int *also, void (*on_signal)(int signal))
{
    sigset_t set;
    int signal;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    add_signals(&set, stop);
    add_signals(&set, also);
    for (;;) {
        shim_child_reap();
        if (atomic_exchange(&stop_asked, false))
            return 0;
        signal = sigwaitinfo(&set, NULL);
        if (has_signal(stop, signal))
            return signal;
        if (has_signal(also, signal))
            on_signal(signal);
    }
}

void shim_child_stop(void)
{
    atomic_store(&stop_asked, true);
    shim_child_wake_reaper();
}

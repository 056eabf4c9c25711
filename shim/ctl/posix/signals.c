/* SPDX-License-Identifier: Apache-2.0 */
/* A signalfd and a thread that reads it. */
#include "shim/ctl/signals.h"
#include "base/file.h"
#include "base/thread.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct ctl_signals {
    void (*told)(int signal, void *user);
    void *user;
    intptr_t signals, stop; /* a signalfd and an eventfd */
    struct shim_thread thread;
};

static void watched_set(sigset_t *set)
{
    static const int watched[] = {SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGTERM, SIGWINCH};

    sigemptyset(set);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(watched); i++)
        sigaddset(set, watched[i]);
}

void ctl_signals_block(void)
{
    sigset_t set;

    watched_set(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void watch(void *arg)
{
    struct ctl_signals *s = arg;
    struct pollfd fds[2] = {{.fd = (int)s->signals, .events = POLLIN},
                            {.fd = (int)s->stop, .events = POLLIN}};
    struct signalfd_siginfo info;

    for (;;) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return;
        if (fds[1].revents)
            return;
        if (read((int)s->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
            continue;
        s->told(info.ssi_signo == SIGWINCH ? CTL_SIGNAL_RESIZE : (int)info.ssi_signo, s->user);
    }
}

static void signals_close(struct ctl_signals *s)
{
    shim_handle_close(&s->signals);
    shim_handle_close(&s->stop);
    free(s);
}

int ctl_signals_watch(void (*told)(int signal, void *user), void *user, struct ctl_signals **ret,
                      struct shim_error *err)
{
    struct ctl_signals *s = calloc(1, sizeof(*s));
    sigset_t set;
    int r = 0;

    if (!s)
        return shim_fail_memory(err);
    watched_set(&set);
    s->told = told;
    s->user = user;
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    s->stop = eventfd(0, EFD_CLOEXEC);
    if (s->signals < 0 || s->stop < 0)
        r = shim_fail_os(err, (uint32_t)errno, "watch signals");
    if (r >= 0)
        r = shim_thread_start("signals", 0, watch, s, &s->thread, err);
    if (r < 0) {
        signals_close(s);
        return r;
    }
    *ret = s;
    return 0;
}

void ctl_signals_free(struct ctl_signals *s)
{
    if (!s)
        return;
    eventfd_write((int)s->stop, 1);
    shim_thread_join(&s->thread);
    signals_close(s);
}

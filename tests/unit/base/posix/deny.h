/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System calls that fail: a seccomp filter on a thread of its own, inherited by what it starts, so
 * that tests see the errors which healthy machines do not show.
 */
#pragma once
#include "base/thread.h"
#include "tests/descriptors.h"
#include "tests/test.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct denied {
    const int *calls; /* ended by -1 */
    int os;           /* what they fail with from now on */
    void (*fn)(void *arg);
    void *arg;
};

#define DENY_THREADS                                                                               \
    (const int[])                                                                                  \
    {                                                                                              \
        SYS_clone, SYS_clone3, SYS_vfork, -1                                                       \
    }

static inline void run_denied(void *arg)
{
    const struct denied *d = arg;
    struct sock_filter code[16] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    struct sock_fprog program = {.filter = code, .len = 1};

    for (const int *call = d->calls; *call >= 0; call++) {
        code[program.len++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)*call, 0, 1);
        code[program.len++] =
            (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)d->os);
    }
    code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    assert_int_equal(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program), 0);
    d->fn(d->arg);
}

/* Runs fn(arg) to its end where these calls fail. */
static inline void with_denied(const int *calls, int os, void (*fn)(void *arg), void *arg)
{
    struct denied denied = {.calls = calls, .os = os, .fn = fn, .arg = arg};
    struct shim_thread thread;

    assert_int_equal(shim_thread_start("denied", 1 << 20, run_denied, &denied, &thread, NULL), 0);
    shim_thread_join(&thread);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Tells the user what is being waited for, once it takes longer than a second. */
#include "base/clock.h"
#include "base/thread.h"
#include "shim/ctl/output.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_NS (1 * SHIM_NS_PER_S)

struct ctl_progress {
    struct shim_mutex lock;
    struct shim_cond ended_cond;
    bool ended;
    struct shim_thread thread;
    char what[256];
};

static void watch(void *arg)
{
    struct ctl_progress *p = arg;
    int64_t deadline_ns = shim_monotonic_ns() + PATIENCE_NS;
    bool in_time = true;
    bool ended;

    shim_lock(&p->lock);
    while (!p->ended && in_time)
        in_time = shim_cond_wait_until(&p->ended_cond, &p->lock, deadline_ns);
    ended = p->ended;
    shim_unlock(&p->lock);
    if (!ended)
        ctl_say("%s …", p->what);
}

static void progress_free(struct ctl_progress *p)
{
    shim_cond_done(&p->ended_cond);
    shim_mutex_done(&p->lock);
    free(p);
}

struct ctl_progress *ctl_progress_begin(const char *fmt, ...)
{
    struct ctl_progress *p = calloc(1, sizeof(*p));
    va_list ap;

    if (!p)
        return NULL;
    va_start(ap, fmt);
    vsnprintf(p->what, sizeof(p->what), fmt, ap);
    va_end(ap);
    shim_mutex_init(&p->lock);
    shim_cond_init(&p->ended_cond);
    if (shim_thread_start("progress", 0, watch, p, &p->thread, NULL) < 0) {
        progress_free(p);
        return NULL;
    }
    return p;
}

void ctl_progress_end(struct ctl_progress *p)
{
    if (!p)
        return;
    shim_lock(&p->lock);
    p->ended = true;
    shim_cond_signal(&p->ended_cond);
    shim_unlock(&p->lock);
    shim_thread_join(&p->thread);
    progress_free(p);
}

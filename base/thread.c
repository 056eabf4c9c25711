/* SPDX-License-Identifier: Apache-2.0 */
/* Threads, locks and conditions over pthreads. */
#include "base/thread.h"
#include "base/clock.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void shim_mutex_init(struct shim_mutex *mutex)
{
    pthread_mutex_init(&mutex->m, NULL);
}

void shim_mutex_done(struct shim_mutex *mutex)
{
    pthread_mutex_destroy(&mutex->m);
}

void shim_lock(struct shim_mutex *mutex) SHIM_UNCHECKED_LOCKING
{
    pthread_mutex_lock(&mutex->m);
}

void shim_unlock(struct shim_mutex *mutex) SHIM_UNCHECKED_LOCKING
{
    pthread_mutex_unlock(&mutex->m);
}

void shim_cond_init(struct shim_cond *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&cond->c, &attr);
    pthread_condattr_destroy(&attr);
}

void shim_cond_done(struct shim_cond *cond)
{
    pthread_cond_destroy(&cond->c);
}

void shim_cond_wait(struct shim_cond *cond, struct shim_mutex *mutex)
{
    pthread_cond_wait(&cond->c, &mutex->m);
}

bool shim_cond_wait_until(struct shim_cond *cond, struct shim_mutex *mutex, int64_t deadline_ns)
{
    struct timespec ts = {.tv_sec = (time_t)(deadline_ns / SHIM_NS_PER_S),
                          .tv_nsec = (long)(deadline_ns % SHIM_NS_PER_S)};

    return pthread_cond_timedwait(&cond->c, &mutex->m, &ts) == 0;
}

void shim_cond_signal(struct shim_cond *cond)
{
    pthread_cond_signal(&cond->c);
}

void shim_cond_broadcast(struct shim_cond *cond)
{
    pthread_cond_broadcast(&cond->c);
}

struct start {
    void (*fn)(void *arg);
    void *arg;
    char name[16]; /* as much as the kernel takes */
};

static void *run(void *arg)
{
    struct start start = *(struct start *)arg;

    free(arg);
    pthread_setname_np(pthread_self(), start.name);
    start.fn(start.arg);
    return NULL;
}

int shim_thread_start(const char *name, size_t stack_bytes, void (*fn)(void *arg), void *arg,
                      struct shim_thread *ret, struct shim_error *err)
{
    struct start *start = calloc(1, sizeof(*start));
    pthread_attr_t attr;
    pthread_t thread;
    int os;

    if (!start)
        return shim_fail_memory(err);
    start->fn = fn;
    start->arg = arg;
    snprintf(start->name, sizeof(start->name), "%s", name);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, stack_bytes ? stack_bytes : SHIM_STACK_BYTES);
    os = pthread_create(&thread, &attr, run, start);
    pthread_attr_destroy(&attr);
    if (os != 0) {
        free(start);
        return shim_fail_os(err, (uint32_t)os, "start thread %s", name);
    }
    ret->t = thread;
    return 0;
}

void shim_thread_join(struct shim_thread *thread)
{
    pthread_join(thread->t, NULL);
}

void shim_thread_detach(struct shim_thread *thread)
{
    pthread_detach(thread->t);
}

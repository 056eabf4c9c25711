/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads, locks and conditions over pthreads (glibc's, and winpthreads on Windows), annotated for
 * clang's thread safety analysis. Which lock comes before which is written in docs/architecture.md.
 */
#pragma once
#include "base/compiler.h"
#include "base/error.h"
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct SHIM_CAPABILITY("mutex") shim_mutex {
    pthread_mutex_t m;
};
#define SHIM_MUTEX_INIT                                                                            \
    {                                                                                              \
        PTHREAD_MUTEX_INITIALIZER                                                                  \
    }

void shim_mutex_init(struct shim_mutex *mutex);
void shim_mutex_done(struct shim_mutex *mutex);
void shim_lock(struct shim_mutex *mutex) SHIM_ACQUIRES(*mutex);
void shim_unlock(struct shim_mutex *mutex) SHIM_RELEASES(*mutex);

struct shim_cond {
    pthread_cond_t c; /* on the monotonic clock */
};
void shim_cond_init(struct shim_cond *cond);
void shim_cond_done(struct shim_cond *cond);
void shim_cond_wait(struct shim_cond *cond, struct shim_mutex *mutex) SHIM_REQUIRES(*mutex);
/* False once shim_monotonic_ns() has passed deadline_ns. */
bool shim_cond_wait_until(struct shim_cond *cond, struct shim_mutex *mutex, int64_t deadline_ns)
    SHIM_REQUIRES(*mutex);
void shim_cond_signal(struct shim_cond *cond);
void shim_cond_broadcast(struct shim_cond *cond);

/* Enough for every thread of ours on Linux: 4 KiB of error structs a frame, no recursion. Pages are
 * taken when touched. */
#define SHIM_STACK_BYTES ((size_t)256 * 1024)

struct shim_thread {
    pthread_t t;
};
/**
 * @param name         copied; its first 15 bytes are shown by ps and gdb.
 * @param stack_bytes  0 for SHIM_STACK_BYTES.
 * @param ret          must be joined or detached; untouched on failure.
 */
SHIM_MUST_USE int shim_thread_start(const char *name, size_t stack_bytes, void (*fn)(void *arg),
                                    void *arg, struct shim_thread *ret, struct shim_error *err);
void shim_thread_join(struct shim_thread *thread);
void shim_thread_detach(struct shim_thread *thread);

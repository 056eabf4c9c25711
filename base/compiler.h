/* SPDX-License-Identifier: Apache-2.0 */
/* The only header that may ask which compiler this is. */
#pragma once

#define SHIM_CLEANUP(fn) __attribute__((cleanup(fn)))
#define SHIM_MUST_USE    __attribute__((warn_unused_result))

#if defined(__MINGW32__) && !defined(__clang__)
#define SHIM_PRINTF(f, a) __attribute__((format(gnu_printf, f, a))) /* or %zu is "unknown" */
#else
#define SHIM_PRINTF(f, a) __attribute__((format(printf, f, a)))
#endif

/* clang's thread safety analysis: -Wthread-safety checks these, gcc ignores them. */
#ifdef __clang__
#define SHIM_CAPABILITY(name)  __attribute__((capability(name)))
#define SHIM_REQUIRES(lock)    __attribute__((requires_capability(lock)))
#define SHIM_ACQUIRES(lock)    __attribute__((acquire_capability(lock)))
#define SHIM_RELEASES(lock)    __attribute__((release_capability(lock)))
#define SHIM_UNCHECKED_LOCKING __attribute__((no_thread_safety_analysis))
#else
#define SHIM_CAPABILITY(name)
#define SHIM_REQUIRES(lock)
#define SHIM_ACQUIRES(lock)
#define SHIM_RELEASES(lock)
#define SHIM_UNCHECKED_LOCKING
#endif

/* Moves a pointer out of a cleanup local: yields the value, leaves NULL behind. */
#define shim_take(p)                                                                               \
    __extension__({                                                                                \
        __typeof__(p) take_ = (p);                                                                 \
        (p) = NULL;                                                                                \
        take_;                                                                                     \
    })

/* The struct that `ptr`, a pointer to its field `member`, is embedded in. */
#define shim_container_of(ptr, type, member)                                                       \
    ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define SHIM_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices that the kernel killed something in a control group for want of memory. v1: an eventfd;
 * v2: inotify on memory.events. Where neither can be had (the machine's limit of inotify instances
 * is low), linux_oom_check() still tells at the end.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>

struct linux_cgroup;
struct linux_oom; /* opaque */
struct shim_loop;

/* Called on the loop's thread. */
typedef void linux_oom_notify(void *user);

/* Watches from now on. `cg` is borrowed for the call. SHIM_E_NOT_FOUND: the group has no memory
 * controller. Threads: any but the loop's. */
SHIM_MUST_USE int linux_oom_new(struct shim_loop *loop, const struct linux_cgroup *cg,
                                linux_oom_notify *notify, void *user, struct linux_oom **ret,
                                struct shim_error *err);
/* Runs fn(user) on the notices' loop, after those that are under way. False when out of memory. */
SHIM_MUST_USE bool linux_oom_post(struct linux_oom *oom, void (*fn)(void *user), void *user);
/* Looks once more and notifies if there is something new. On the loop's thread. */
void linux_oom_check(struct linux_oom *oom);
/* No notice comes any more once it has returned. Waits for the loop's current step; not on the
 * loop's thread. NULL is a no-op. */
void linux_oom_free(struct linux_oom *oom);
static inline void linux_oom_freep(struct linux_oom **oom)
{
    linux_oom_free(*oom);
}
#define cleanup_oom SHIM_CLEANUP(linux_oom_freep)

/* SPDX-License-Identifier: Apache-2.0 */
/* Counts the users of the disk loop, so that its thread exists only while a file is written. */
#include "shim/posix/relay_disk.h"
#include "base/posix/loop.h"
#include "base/thread.h"
#include <stddef.h>

static struct {
    struct shim_mutex lock; /* leaf; held while a thread starts, so that only one does */
    struct shim_loop *loop;
    unsigned users;
} disk = {.lock = SHIM_MUTEX_INIT};

int relay_disk_get(struct shim_loop **ret, struct shim_error *err)
{
    int r = 0;

    shim_lock(&disk.lock);
    if (!disk.loop)
        r = shim_loop_new("shim-disk", &disk.loop, err);
    if (r >= 0) {
        disk.users++;
        *ret = disk.loop;
    }
    shim_unlock(&disk.lock);
    return r < 0 ? shim_wrap(err, r, "start the thread for log files") : 0;
}

void relay_disk_put(void)
{
    struct shim_loop *last = NULL;

    shim_lock(&disk.lock);
    if (--disk.users == 0)
        last = shim_take(disk.loop);
    shim_unlock(&disk.lock);
    shim_loop_free(last);
}

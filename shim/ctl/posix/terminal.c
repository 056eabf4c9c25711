/* SPDX-License-Identifier: Apache-2.0 */
/* termios. */
#include "shim/ctl/terminal.h"
#include "base/thread.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct shim_mutex lock = SHIM_MUTEX_INIT;
static struct termios saved; /* as the user had it; under `lock` */
static atomic_bool raw;

bool ctl_terminal_size(uint16_t *ret_width, uint16_t *ret_height)
{
    struct winsize size;

    if (ioctl(STDIN_FILENO, TIOCGWINSZ, &size) != 0)
        return false;
    *ret_width = size.ws_col;
    *ret_height = size.ws_row;
    return true;
}

static int set_raw(struct shim_error *err) SHIM_REQUIRES(lock)
{
    static bool at_exit;
    struct termios t;

    if (tcgetattr(STDIN_FILENO, &saved) != 0)
        return shim_fail_os(err, (uint32_t)errno, "read the terminal's settings");
    t = saved;
    cfmakeraw(&t);
    if (!at_exit && atexit(ctl_terminal_restore) != 0)
        return shim_fail_memory(err);
    at_exit = true;
    if (tcsetattr(STDIN_FILENO, TCSANOW, &t) != 0)
        return shim_fail_os(err, (uint32_t)errno, "put the terminal into raw mode");
    raw = true;
    return 0;
}

int ctl_terminal_raw(struct shim_error *err)
{
    int r = 0;

    if (!isatty(STDIN_FILENO))
        return 0;
    shim_lock(&lock);
    if (!raw)
        r = set_raw(err);
    shim_unlock(&lock);
    return r;
}

void ctl_terminal_restore(void)
{
    shim_lock(&lock);
    if (raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &saved);
    raw = false;
    shim_unlock(&lock);
}

bool ctl_terminal_is_raw(void)
{
    return raw;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Signals that a foreground command is told of. */
#include "base/thread.h"
#include "shim/ctl/signals.h"
#include "tests/test.h"
#include <signal.h>
#include <unistd.h>

static struct shim_mutex lock = SHIM_MUTEX_INIT;
static struct shim_cond told;
static int last = -1;

static void on_signal(int signal, void *user)
{
    assert_ptr_equal(user, &last);
    shim_lock(&lock);
    last = signal;
    shim_cond_signal(&told);
    shim_unlock(&lock);
}

static void send_and_wait(int signal, int want)
{
    shim_lock(&lock);
    last = -1;
    assert_int_equal(kill(getpid(), signal), 0);
    while (last == -1)
        shim_cond_wait(&told, &lock);
    assert_int_equal(last, want);
    shim_unlock(&lock);
}

static void test_signals_are_told_by_number(void **state)
{
    struct ctl_signals *s;

    (void)state;
    assert_int_equal(ctl_signals_watch(on_signal, &last, &s, NULL), 0);
    send_and_wait(SIGINT, SIGINT);
    send_and_wait(SIGHUP, SIGHUP);
    send_and_wait(SIGWINCH, CTL_SIGNAL_RESIZE);
    ctl_signals_free(s);
    ctl_signals_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals_are_told_by_number),
    };

    ctl_signals_block();
    shim_cond_init(&told);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

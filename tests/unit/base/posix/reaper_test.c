/* SPDX-License-Identifier: Apache-2.0 */
/* The reaper on the calling thread: which signals end it, which are passed on, and exits
 * meanwhile. */
#include "tests/unit/base/posix/deny.h"
#include "tests/unit/base/posix/ending.h"
#include <errno.h>
#include <signal.h>

static const int stop_signals[] = {SIGTERM, SIGINT, 0};
static const int other_signals[] = {SIGUSR1, 0};

static unsigned told;
static int last_told;

static void tell(int signal)
{
    told++;
    last_told = signal;
}

static void stop_at_exit(int64_t pid, const struct shim_exit *exit, void *user)
{
    ending_note(pid, exit, user);
    shim_child_stop();
}

static void test_init_blocks_ignores_and_adopts(void **state)
{
    struct sigaction action;
    sigset_t blocked;
    int subreaper = 0;

    (void)state;
    pthread_sigmask(SIG_BLOCK, NULL, &blocked);
    assert_true(sigismember(&blocked, SIGCHLD));
    sigaction(SIGPIPE, NULL, &action);
    assert_ptr_equal(action.sa_handler, SIG_IGN);
    sigaction(SIGCHLD, NULL, &action);
    assert_ptr_equal(action.sa_handler, SIG_DFL); /* main() had it ignored */
    assert_int_equal(prctl(PR_GET_CHILD_SUBREAPER, &subreaper), 0);
    assert_int_equal(subreaper, 1);
}

static void test_a_stop_signal_ends_it_after_the_others(void **state)
{
    (void)state;
    kill(getpid(), SIGUSR1); /* the lower number comes first */
    kill(getpid(), SIGTERM);
    assert_int_equal(shim_child_main(stop_signals, other_signals, tell), SIGTERM);
    assert_int_equal(told, 1);
    assert_int_equal(last_told, SIGUSR1);
    kill(getpid(), SIGINT);
    assert_int_equal(shim_child_main(stop_signals, NULL, NULL), SIGINT);
}

static void test_exits_are_delivered_until_it_is_stopped(void **state)
{
    struct shim_spawn spawn = {.argv = (const char *[]){"sh", "-c", "exit 9", NULL}};
    struct ending ended;
    int64_t pid;

    (void)state;
    ending_init(&ended);
    assert_int_equal(shim_child_spawn(&spawn, stop_at_exit, &ended, &pid, NULL), 0);
    assert_int_equal(shim_child_main(stop_signals, other_signals, tell), 0);
    assert_int_equal(ended.times, 1);
    assert_int_equal(ended.pid, pid);
    assert_int_equal(ended.exit.status, 9);
    ending_done(&ended);
}

static void test_a_stop_before_the_start_counts_once(void **state)
{
    (void)state;
    shim_child_stop();
    assert_int_equal(shim_child_main(stop_signals, NULL, NULL), 0);
    kill(getpid(), SIGTERM);
    assert_int_equal(shim_child_main(stop_signals, NULL, NULL), SIGTERM);
}

static void fail_to_adopt(void *unused)
{
    struct shim_error err;

    (void)unused;
    assert_int_equal(shim_child_init(true, &err), SHIM_E_DENIED);
    assert_string_equal(err.msg, "become a subreaper: Operation not permitted");
    assert_int_equal(shim_child_init(false, &err), 0);
}

static void test_not_being_allowed_to_adopt_is_an_error(void **state)
{
    (void)state;
    with_denied((const int[]){SYS_prctl, -1}, EPERM, fail_to_adopt, NULL);
}

static void fail_to_start(void *unused)
{
    struct shim_error err;

    (void)unused;
    assert_int_equal(shim_child_start_reaper(&err), SHIM_E_EXHAUSTED);
    assert_string_equal(err.msg, "start thread reaper: Resource temporarily unavailable");
}

static void test_a_reaper_that_could_not_start_can_be_started_later(void **state)
{
    (void)state;
    with_denied(DENY_THREADS, ENOMEM, fail_to_start, NULL);
}

/* Last, because its thread stays. */
static void test_the_reapers_thread_is_started_once(void **state)
{
    struct shim_spawn spawn = {.argv = (const char *[]){"true", NULL}};
    struct ending ended;
    int64_t pid;

    (void)state;
    ending_init(&ended);
    assert_int_equal(shim_child_start_reaper(NULL), 0);
    assert_int_equal(shim_child_start_reaper(NULL), 0);
    assert_int_equal(shim_child_spawn(&spawn, ending_note, &ended, &pid, NULL), 0);
    assert_true(ending_wait(&ended));
    ending_done(&ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init_blocks_ignores_and_adopts),
        cmocka_unit_test(test_a_stop_signal_ends_it_after_the_others),
        cmocka_unit_test(test_exits_are_delivered_until_it_is_stopped),
        cmocka_unit_test(test_a_stop_before_the_start_counts_once),
        cmocka_unit_test(test_not_being_allowed_to_adopt_is_an_error),
        cmocka_unit_test(test_a_reaper_that_could_not_start_can_be_started_later),
        cmocka_unit_test(test_the_reapers_thread_is_started_once),
    };

    signal(SIGCHLD, SIG_IGN);
    if (shim_child_init(true, NULL) < 0)
        return 1;
    shim_child_block_signals(stop_signals);
    shim_child_block_signals(other_signals);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

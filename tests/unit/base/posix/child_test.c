/* SPDX-License-Identifier: Apache-2.0 */
/* Every exit reaches its owner once: early, late, many at once, and of processes started by
 * others. */
#include "base/str.h"
#include "tests/unit/base/posix/ending.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

static const char *const exit_7[] = {"sh", "-c", "exit 7", NULL};
static const char *const echo_input[] = {"cat", NULL};

/* A `cat` that lives until *ret_hold is closed. */
static int64_t spawn_cat(struct ending *ended, intptr_t *ret_hold)
{
    struct shim_child_fd fd = {.to = 0};
    struct shim_spawn spawn = {.argv = echo_input, .fds = &fd, .n_fds = 1};
    int64_t pid = 0;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fd.from = ends[0];
    assert_int_equal(shim_child_spawn(&spawn, ending_note, ended, &pid, NULL), 0);
    close(ends[0]);
    *ret_hold = ends[1];
    return pid;
}

/* Starts a shell that leaves an orphan behind, which ends with 7 when *ret_hold is closed; returns
 * the orphan's pid once the shell has ended. */
static int64_t leave_orphan(intptr_t *ret_hold)
{
    int ends[2];
    struct shim_child_fd fd = {.to = 3};
    struct shim_spawn spawn = {
        .argv =
            (const char *[]){"sh", "-c", "sh -c 'read x; exit 7' <&3 >/dev/null & echo $!", NULL},
        .fds = &fd,
        .n_fds = 1};
    cleanup_free char *text = NULL;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fd.from = ends[0];
    text = output_of(spawn, 1, 0);
    close(ends[0]);
    *ret_hold = ends[1];
    return atoll(text);
}

static bool gone_within_ten_seconds(int64_t pid)
{
    int64_t deadline = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;

    while (kill((pid_t)pid, 0) == 0 && shim_monotonic_ns() < deadline)
        sched_yield();
    return kill((pid_t)pid, 0) != 0 && errno == ESRCH;
}

static void test_an_exit_comes_with_status_and_time(void **state)
{
    struct shim_spawn spawn = {.argv = exit_7};
    int64_t before = shim_realtime_ns(), pid;
    struct ending ended;

    (void)state;
    ending_init(&ended);
    assert_int_equal(shim_child_spawn(&spawn, ending_note, &ended, &pid, NULL), 0);
    assert_true(ending_wait(&ended));
    assert_int_equal(ended.pid, pid);
    assert_int_equal(ended.exit.status, 7);
    assert_true(ended.exit.at_ns >= before && ended.exit.at_ns <= shim_realtime_ns());
    ending_done(&ended);
}

static void test_a_signal_counts_from_128(void **state)
{
    struct ending ended;
    intptr_t hold;
    int64_t pid;

    (void)state;
    ending_init(&ended);
    pid = spawn_cat(&ended, &hold);
    assert_int_equal(shim_child_kill(pid, SIGTERM, NULL), 0);
    assert_true(ending_wait(&ended));
    assert_int_equal(ended.exit.status, 128 + SIGTERM);
    shim_handle_close(&hold);
    ending_done(&ended);
}

static void test_kill_knows_only_living_children(void **state)
{
    struct shim_error err;
    struct ending ended;
    intptr_t hold;
    int64_t pid;

    (void)state;
    ending_init(&ended);
    pid = spawn_cat(&ended, &hold);
    shim_handle_close(&hold);
    assert_true(ending_wait(&ended));
    assert_int_equal(shim_child_kill(pid, SIGTERM, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(shim_child_kill(getpid(), 0, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(shim_child_kill(0, 0, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(shim_child_kill(-1, 0, &err), SHIM_E_NOT_FOUND);
    ending_done(&ended);
}

static void test_an_invalid_signal_is_an_error(void **state)
{
    struct shim_error err;
    struct ending ended;
    intptr_t hold;
    int64_t pid;

    (void)state;
    ending_init(&ended);
    pid = spawn_cat(&ended, &hold);
    assert_int_not_equal(shim_child_kill(pid, 1000, &err), 0);
    assert_int_equal(err.os, EINVAL);
    shim_handle_close(&hold);
    assert_true(ending_wait(&ended));
    ending_done(&ended);
}

static void test_a_failed_spawn_has_no_exit(void **state)
{
    struct shim_spawn bad = {.argv = exit_7, .cwd = "/nowhere"}, good = {.argv = exit_7};
    struct ending never, ended;
    int64_t pid;

    (void)state;
    ending_init(&never);
    ending_init(&ended);
    assert_int_equal(shim_child_spawn(&bad, ending_note, &never, &pid, NULL), SHIM_E_NOT_FOUND);
    assert_int_equal(shim_child_spawn(&good, ending_note, &ended, &pid, NULL), 0);
    assert_true(ending_wait(&ended));
    assert_int_equal(never.times, 0);
    ending_done(&never);
    ending_done(&ended);
}

static void test_nobody_needs_to_be_told(void **state)
{
    struct shim_spawn spawn = {.argv = exit_7};
    int64_t pid;

    (void)state;
    assert_int_equal(shim_child_spawn(&spawn, NULL, NULL, &pid, NULL), 0);
    assert_true(gone_within_ten_seconds(pid));
}

/* ---- many at once ---- */

#define STORM_THREADS 16
#define STORM_SPAWNS  200

struct storm {
    struct ending ended[STORM_SPAWNS];
    int64_t pid[STORM_SPAWNS];
    unsigned first; /* and then every STORM_THREADS-th */
};
struct storm_part {
    struct storm *storm;
    unsigned first;
};

static void spawn_part(void *arg)
{
    struct storm_part *part = arg;
    struct shim_error err;

    for (unsigned i = part->first; i < STORM_SPAWNS; i += STORM_THREADS) {
        cleanup_free char *script = shim_strf("exit %u", i);
        struct shim_spawn spawn = {.argv = (const char *[]){"sh", "-c", script, NULL}};

        if (shim_child_spawn(&spawn, ending_note, &part->storm->ended[i], &part->storm->pid[i],
                             &err) != 0)
            fail_msg("%s", err.msg);
    }
}

static void test_200_spawns_from_16_threads_all_end_once(void **state)
{
    static struct storm storm;
    struct storm_part parts[STORM_THREADS];
    struct shim_thread threads[STORM_THREADS];

    (void)state;
    for (unsigned i = 0; i < STORM_SPAWNS; i++)
        ending_init(&storm.ended[i]);
    for (unsigned i = 0; i < STORM_THREADS; i++) {
        parts[i] = (struct storm_part){.storm = &storm, .first = i};
        assert_int_equal(shim_thread_start("storm", 0, spawn_part, &parts[i], &threads[i], NULL),
                         0);
    }
    for (unsigned i = 0; i < STORM_THREADS; i++)
        shim_thread_join(&threads[i]);
    for (unsigned i = 0; i < STORM_SPAWNS; i++)
        assert_true(ending_wait(&storm.ended[i]));
    for (unsigned i = 0; i < STORM_SPAWNS; i++) {
        assert_int_equal(storm.ended[i].times, 1);
        assert_int_equal(storm.ended[i].pid, storm.pid[i]);
        assert_int_equal(storm.ended[i].exit.status, i);
        ending_done(&storm.ended[i]);
    }
}

/* ---- claims ---- */

static void test_an_orphan_can_be_watched_until_it_ends(void **state)
{
    cleanup_claim struct shim_claim *claim = NULL;
    struct ending ended;
    intptr_t hold;
    int64_t pid;

    (void)state;
    ending_init(&ended);
    assert_int_equal(shim_claim_open(&claim, NULL), 0);
    pid = leave_orphan(&hold);
    assert_int_equal(shim_child_watch(pid, ending_note, &ended, NULL), 0);
    shim_claim_close(shim_take(claim));
    shim_handle_close(&hold);
    assert_true(ending_wait(&ended));
    assert_int_equal(ended.pid, pid);
    assert_int_equal(ended.exit.status, 7);
    ending_done(&ended);
}

static void test_an_exit_before_the_watch_is_kept_for_the_claim(void **state)
{
    cleanup_claim struct shim_claim *claim = NULL, *later = NULL;
    struct ending ended;
    intptr_t hold;
    int64_t pid;

    (void)state;
    ending_init(&ended);
    assert_int_equal(shim_claim_open(&claim, NULL), 0);
    pid = leave_orphan(&hold);
    shim_handle_close(&hold);
    assert_true(gone_within_ten_seconds(pid));
    assert_int_equal(shim_claim_open(&later, NULL), 0);
    shim_claim_close(shim_take(later)); /* takes nothing away from the older one */
    assert_int_equal(shim_child_watch(pid, ending_note, &ended, NULL), 0);
    assert_true(ending_wait(&ended));
    assert_int_equal(ended.pid, pid);
    assert_int_equal(ended.exit.status, 7);
    assert_int_equal(shim_child_watch(pid, ending_note, &ended, NULL), SHIM_E_NOT_FOUND);
    ending_done(&ended);
}

static void test_what_an_older_claim_kept_goes_with_it(void **state)
{
    cleanup_claim struct shim_claim *claim = NULL, *later = NULL;
    struct shim_error err;
    intptr_t hold;
    int64_t pid;

    (void)state;
    assert_int_equal(shim_claim_open(&claim, NULL), 0);
    pid = leave_orphan(&hold);
    shim_handle_close(&hold);
    assert_true(gone_within_ten_seconds(pid));
    assert_int_equal(shim_claim_open(&later, NULL), 0);
    shim_claim_close(shim_take(claim));
    assert_int_equal(shim_child_watch(pid, ending_note, NULL, &err), SHIM_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, "there is none"));
}

static void test_without_a_claim_unknown_exits_are_forgotten(void **state)
{
    cleanup_claim struct shim_claim *claim = NULL;
    intptr_t hold;
    int64_t pid;

    (void)state;
    pid = leave_orphan(&hold);
    shim_handle_close(&hold);
    assert_true(gone_within_ten_seconds(pid));
    assert_int_equal(shim_claim_open(&claim, NULL), 0);
    assert_int_equal(shim_child_watch(pid, ending_note, NULL, NULL), SHIM_E_NOT_FOUND);
}

static void test_a_process_of_another_parent_can_be_watched_already(void **state)
{
    cleanup_claim struct shim_claim *claim = NULL;
    int ends[2], shell_ends[2];
    struct shim_child_fd fds[3] = {{.to = 1}, {.to = 3}, {.to = 0}};
    struct shim_spawn spawn = {
        .argv = (const char *[]){"sh", "-c",
                                 "sh -c 'read x; exit 7' <&3 >/dev/null & echo $!; read x", NULL},
        .fds = fds,
        .n_fds = 3};
    struct ending shell, orphan;
    char text[32] = "";
    int64_t pid, shell_pid;
    int out[2];

    (void)state;
    ending_init(&shell);
    ending_init(&orphan);
    assert_int_equal(pipe2(ends, O_CLOEXEC) | pipe2(shell_ends, O_CLOEXEC) | pipe2(out, O_CLOEXEC),
                     0);
    fds[0].from = out[1];
    fds[1].from = ends[0];
    fds[2].from = shell_ends[0];
    assert_int_equal(shim_claim_open(&claim, NULL), 0);
    assert_int_equal(shim_child_spawn(&spawn, ending_note, &shell, &shell_pid, NULL), 0);
    assert_true(read(out[0], text, sizeof(text) - 1) > 0);
    pid = atoll(text);
    assert_int_equal(shim_child_watch(pid, ending_note, &orphan, NULL), 0);
    assert_int_equal(shim_child_watch(pid, ending_note, &orphan, NULL), SHIM_E_EXISTS);
    close(shell_ends[1]);
    assert_true(ending_wait(&shell));
    close(ends[1]);
    assert_true(ending_wait(&orphan));
    assert_int_equal(orphan.exit.status, 7);
    close(ends[0]);
    close(shell_ends[0]);
    close(out[0]);
    close(out[1]);
    ending_done(&shell);
    ending_done(&orphan);
}

static void test_a_watch_needs_a_process_id(void **state)
{
    (void)state;
    assert_int_equal(shim_child_watch(0, ending_note, NULL, NULL), SHIM_E_INVALID);
    assert_int_equal(shim_child_watch(-1, ending_note, NULL, NULL), SHIM_E_INVALID);
    assert_int_equal(shim_child_watch(INT64_C(1) << 32, ending_note, NULL, NULL), SHIM_E_INVALID);
}

static void test_closing_no_claim_is_fine(void **state)
{
    (void)state;
    shim_claim_close(NULL);
}

static int set_up(void **state)
{
    (void)state;
    return shim_child_init(true, NULL) == 0 && shim_child_start_reaper(NULL) == 0 ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_exit_comes_with_status_and_time),
        cmocka_unit_test(test_a_signal_counts_from_128),
        cmocka_unit_test(test_kill_knows_only_living_children),
        cmocka_unit_test(test_an_invalid_signal_is_an_error),
        cmocka_unit_test(test_a_failed_spawn_has_no_exit),
        cmocka_unit_test(test_nobody_needs_to_be_told),
        cmocka_unit_test(test_200_spawns_from_16_threads_all_end_once),
        cmocka_unit_test(test_an_orphan_can_be_watched_until_it_ends),
        cmocka_unit_test(test_an_exit_before_the_watch_is_kept_for_the_claim),
        cmocka_unit_test(test_what_an_older_claim_kept_goes_with_it),
        cmocka_unit_test(test_without_a_claim_unknown_exits_are_forgotten),
        cmocka_unit_test(test_a_process_of_another_parent_can_be_watched_already),
        cmocka_unit_test(test_a_watch_needs_a_process_id),
        cmocka_unit_test(test_closing_no_claim_is_fine),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}

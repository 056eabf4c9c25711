/* SPDX-License-Identifier: Apache-2.0 */
/* The loop: posts in order, watches that fall silent, timers that come in time and in order. */
#include "base/clock.h"
#include "base/posix/loop.h"
#include "base/thread.h"
#include "tests/test.h"
#include "tests/unit/base/posix/deny.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

/* A loop and what its callbacks note; fields of the second half are the loop's thread's. */
struct bench {
    struct shim_loop *loop;
    struct shim_mutex lock;
    struct shim_cond cond;
    bool done;

    char noted[64]; /* one letter for each callback */
    int pipe[2], other_pipe[2];
    struct shim_watch watch, other;
    struct shim_timer timers[4];
    int64_t fired_ns;
    int r;
    struct shim_error err;
};

static void note(struct bench *b, char letter)
{
    b->noted[strlen(b->noted)] = letter;
}

static void finish(struct bench *b)
{
    shim_lock(&b->lock);
    b->done = true;
    shim_cond_broadcast(&b->cond);
    shim_unlock(&b->lock);
}

static void finish_post(void *user)
{
    finish(user);
}

/* Runs fn on the loop's thread and waits until somebody calls finish(). */
static void run_on_loop(struct bench *b, void (*fn)(void *user))
{
    int64_t deadline = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;

    b->done = false;
    assert_true(shim_loop_post(b->loop, fn, b));
    shim_lock(&b->lock);
    while (!b->done)
        if (!shim_cond_wait_until(&b->cond, &b->lock, deadline))
            break;
    shim_unlock(&b->lock);
    assert_true(b->done);
}

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));

    if (!b || shim_loop_new("test-loop", &b->loop, NULL) < 0)
        return -1;
    shim_mutex_init(&b->lock);
    shim_cond_init(&b->cond);
    if (pipe2(b->pipe, O_CLOEXEC | O_NONBLOCK) + pipe2(b->other_pipe, O_CLOEXEC | O_NONBLOCK) != 0)
        return -1;
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;

    shim_loop_free(b->loop);
    for (int i = 0; i < 2; i++) {
        if (b->pipe[i] >= 0)
            close(b->pipe[i]);
        if (b->other_pipe[i] >= 0)
            close(b->other_pipe[i]);
    }
    shim_cond_done(&b->cond);
    shim_mutex_done(&b->lock);
    free(b);
    return 0;
}

/* ---- posts ---- */

static void note_a(void *user)
{
    note(user, 'a');
}

static void note_b(void *user)
{
    note(user, 'b');
}

static void post_from_the_loop(void *user)
{
    struct bench *b = user;

    assert_true(shim_loop_post(b->loop, note_a, b));
    assert_true(shim_loop_post(b->loop, note_b, b));
    assert_true(shim_loop_post(b->loop, finish_post, b));
}

static void test_posts_run_in_order(void **state)
{
    struct bench *b = *state;

    assert_true(shim_loop_post(b->loop, note_b, b));
    assert_true(shim_loop_post(b->loop, note_a, b));
    run_on_loop(b, post_from_the_loop);
    assert_string_equal(b->noted, "baab");
}

static void post_more(void *user)
{
    struct bench *b = user;

    note(b, 'c');
    assert_true(shim_loop_post(b->loop, note_a, b));
}

static void test_free_runs_what_was_posted_before(void **state)
{
    struct bench *b = *state;

    assert_true(shim_loop_post(b->loop, note_b, b));
    assert_true(shim_loop_post(b->loop, post_more, b));
    shim_loop_free(b->loop);
    b->loop = NULL; /* which tear_down frees: a no-op */
    assert_string_equal(b->noted, "bca");
}

#define POSTERS 8
#define POSTS   500

static void count_one(void *user)
{
    (*(unsigned *)user)++;
}

struct poster {
    struct bench *b;
    unsigned *count;
};

static void post_many(void *arg)
{
    struct poster *p = arg;

    for (unsigned i = 0; i < POSTS; i++)
        assert_true(shim_loop_post(p->b->loop, count_one, p->count));
}

static void test_posts_of_many_threads_all_run(void **state)
{
    struct bench *b = *state;
    unsigned count = 0;
    struct poster poster = {.b = b, .count = &count};
    struct shim_thread threads[POSTERS];

    for (unsigned i = 0; i < POSTERS; i++)
        assert_int_equal(shim_thread_start("poster", 0, post_many, &poster, &threads[i], NULL), 0);
    for (unsigned i = 0; i < POSTERS; i++)
        shim_thread_join(&threads[i]);
    run_on_loop(b, finish_post);
    assert_int_equal(count, POSTERS * POSTS);
}

/* ---- watches ---- */

static void read_one_and_finish(struct shim_watch *w, uint32_t events)
{
    struct bench *b = shim_container_of(w, struct bench, watch);
    char letter = '?';

    assert_true(events & EPOLLIN);
    assert_int_equal(read(w->fd, &letter, 1), 1);
    note(b, letter);
    if (letter != '.')
        return;
    shim_watch_remove(w);
    shim_watch_remove(w);
    finish(b);
}

static void watch_pipe(void *user)
{
    struct bench *b = user;

    b->r = shim_watch_add(b->loop, &b->watch, b->pipe[0], EPOLLIN, read_one_and_finish, NULL);
    assert_int_equal(write(b->pipe[1], "xyz.", 4), 4);
}

static void test_a_watch_is_called_while_there_is_something(void **state)
{
    struct bench *b = *state;

    run_on_loop(b, watch_pipe);
    assert_int_equal(b->r, 0);
    assert_int_equal(b->watch.fd, -1);
    assert_string_equal(b->noted, "xyz.");
}

static void watch_regular_file(void *user)
{
    struct bench *b = user;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

    b->r = shim_watch_add(b->loop, &b->watch, fd, EPOLLIN, read_one_and_finish, &b->err);
    shim_watch_remove(&b->watch);
    close(fd);
    finish(b);
}

static void test_what_cannot_be_watched_is_an_error(void **state)
{
    struct bench *b = *state;

    run_on_loop(b, watch_regular_file);
    assert_int_equal(b->r, SHIM_E_DENIED);
    assert_int_equal(b->err.os, EPERM);
    assert_non_null(strstr(b->err.msg, "watch descriptor "));
    assert_int_equal(b->watch.fd, -1);
}

/* Each removes both: whichever comes first in the batch, only one is called. */
static void second_removes_first(struct shim_watch *w, uint32_t events)
{
    struct bench *b = shim_container_of(w, struct bench, other);

    (void)events;
    note(b, '1');
    shim_watch_remove(&b->watch);
    shim_watch_remove(&b->other);
    assert_true(shim_loop_post(b->loop, finish_post, b));
}

static void first_removes_second(struct shim_watch *w, uint32_t events)
{
    struct bench *b = shim_container_of(w, struct bench, watch);

    (void)events;
    note(b, '1');
    shim_watch_remove(&b->watch);
    shim_watch_remove(&b->other);
    assert_true(shim_loop_post(b->loop, finish_post, b));
}

static void watch_two_ready_ones(void *user)
{
    struct bench *b = user;

    assert_int_equal(write(b->pipe[1], "x", 1) + write(b->other_pipe[1], "x", 1), 2);
    b->r =
        shim_watch_add(b->loop, &b->watch, b->pipe[0], EPOLLIN, first_removes_second, NULL) |
        shim_watch_add(b->loop, &b->other, b->other_pipe[0], EPOLLIN, second_removes_first, NULL);
}

static void test_a_removed_watch_is_not_called_from_the_same_batch(void **state)
{
    struct bench *b = *state;

    run_on_loop(b, watch_two_ready_ones);
    assert_int_equal(b->r, 0);
    assert_string_equal(b->noted, "1");
}

static void silence_the_other(struct shim_watch *w, uint32_t events)
{
    struct bench *b = shim_container_of(w, struct bench, watch);

    (void)events;
    note(b, 's');
    shim_watch_set(&b->watch, 0);
    shim_watch_set(&b->other, 0);
    assert_true(shim_loop_post(b->loop, finish_post, b));
}

static void never_called(struct shim_watch *w, uint32_t events)
{
    (void)events;
    note(shim_container_of(w, struct bench, other), '!');
}

static void watch_and_silence(void *user)
{
    struct bench *b = user;

    assert_int_equal(write(b->pipe[1], "x", 1) + write(b->other_pipe[1], "x", 1), 2);
    b->r = shim_watch_add(b->loop, &b->other, b->other_pipe[0], 0, never_called, NULL) |
           shim_watch_add(b->loop, &b->watch, b->pipe[0], EPOLLIN, silence_the_other, NULL);
}

static void hang_up_both(void *user)
{
    struct bench *b = user;

    close(b->pipe[1]);
    close(b->other_pipe[1]);
    b->pipe[1] = b->other_pipe[1] = -1;
    assert_true(shim_loop_post(b->loop, finish_post, b));
}

static void hear_again(struct shim_watch *w, uint32_t events)
{
    struct bench *b = shim_container_of(w, struct bench, other);

    note(b, events & EPOLLHUP ? 'h' : '?');
    shim_watch_remove(&b->watch);
    shim_watch_remove(&b->other);
    finish(b);
}

static void listen_again(void *user)
{
    struct bench *b = user;

    b->other.ready = hear_again;
    shim_watch_set(&b->other, EPOLLIN);
}

static void test_a_silent_watch_keeps_silent_about_hang_ups(void **state)
{
    struct bench *b = *state;

    run_on_loop(b, watch_and_silence);
    run_on_loop(b, hang_up_both);
    run_on_loop(b, finish_post);
    assert_string_equal(b->noted, "s");
    run_on_loop(b, listen_again);
    assert_string_equal(b->noted, "sh");
}

static void finish_on_writable(struct shim_watch *w, uint32_t events)
{
    struct bench *b = shim_container_of(w, struct bench, watch);

    note(b, events == EPOLLOUT ? 'w' : '?');
    shim_watch_remove(w);
    finish(b);
}

static void watch_both_ways(void *user)
{
    struct bench *b = user;

    b->r = shim_watch_add(b->loop, &b->watch, b->pipe[1], EPOLLIN, finish_on_writable, NULL);
    shim_watch_set(&b->watch, EPOLLOUT);
}

static void test_what_is_waited_for_can_change(void **state)
{
    struct bench *b = *state;

    run_on_loop(b, watch_both_ways);
    assert_int_equal(b->r, 0);
    assert_string_equal(b->noted, "w");
}

/* ---- timers ---- */

static void fire_note(struct shim_timer *t)
{
    struct bench *b = shim_container_of(t, struct bench, timers[0]);

    note(b, 'A');
}

static void fire_1(struct shim_timer *t)
{
    note(shim_container_of(t, struct bench, timers[1]), 'B');
}

static void fire_2_and_finish(struct shim_timer *t)
{
    struct bench *b = shim_container_of(t, struct bench, timers[2]);

    b->fired_ns = shim_monotonic_ns();
    note(b, 'C');
    finish(b);
}

static void set_timers(void *user)
{
    struct bench *b = user;

    b->fired_ns = 0;
    shim_timer_set(b->loop, &b->timers[2], 30, fire_2_and_finish);
    shim_timer_set(b->loop, &b->timers[0], 20, fire_note);
    shim_timer_set(b->loop, &b->timers[1], 10, fire_1);
    shim_timer_set(b->loop, &b->timers[3], 5, fire_note);
    shim_timer_clear(&b->timers[3]);
    shim_timer_clear(&b->timers[3]);
}

static void test_timers_fire_in_order_and_not_too_early(void **state)
{
    struct bench *b = *state;
    int64_t before = shim_monotonic_ns();

    run_on_loop(b, set_timers);
    assert_string_equal(b->noted, "BAC");
    assert_true(b->fired_ns - before >= 30 * SHIM_NS_PER_MS);
}

static void set_timer_twice(void *user)
{
    struct bench *b = user;

    shim_timer_set(b->loop, &b->timers[1], 0, fire_1);
    shim_timer_set(b->loop, &b->timers[2], 60000, fire_2_and_finish);
    shim_timer_set(b->loop, &b->timers[2], 1, fire_2_and_finish);
}

static void test_a_timer_set_again_fires_once_at_its_new_time(void **state)
{
    struct bench *b = *state;

    run_on_loop(b, set_timer_twice);
    assert_string_equal(b->noted, "BC");
    assert_int_equal(b->timers[2].at_ns, 0);
}

static void fire_again(struct shim_timer *t)
{
    struct bench *b = shim_container_of(t, struct bench, timers[0]);

    note(b, 'r');
    if (strlen(b->noted) < 5)
        shim_timer_set(b->loop, t, 1, fire_again);
    else
        finish(b);
}

static void set_repeating(void *user)
{
    struct bench *b = user;

    shim_timer_set(b->loop, &b->timers[0], 1, fire_again);
}

static void test_a_timer_can_set_itself_again(void **state)
{
    struct bench *b = *state;

    run_on_loop(b, set_repeating);
    assert_string_equal(b->noted, "rrrrr");
}

/* ---- the loop itself ---- */

static void test_a_loop_holds_no_pipe(void **state)
{
    char path[300], target[64];
    DIR *dir = opendir("/proc/self/fd");
    struct shim_loop *loop;
    unsigned pipes[2] = {0, 0};

    (void)state;
    for (int after = 0; after < 2; after++) {
        struct dirent *entry;

        while ((entry = readdir(dir))) {
            ssize_t n;

            snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
            n = readlink(path, target, sizeof(target) - 1);
            pipes[after] += n > 5 && memcmp(target, "pipe:", 5) == 0;
        }
        rewinddir(dir);
        if (!after)
            assert_int_equal(shim_loop_new("second", &loop, NULL), 0);
    }
    closedir(dir);
    shim_loop_free(loop);
    assert_int_equal(pipes[0], pipes[1]);
}

static void fail_to_make(void *message)
{
    struct shim_loop *loop = NULL;
    struct shim_error err;

    assert_int_equal(shim_loop_new("never", &loop, &err), SHIM_E_EXHAUSTED);
    assert_string_equal(err.msg, (const char *)message);
    assert_null(loop);
}

static void test_what_runs_out_is_named_and_nothing_leaks(void **state)
{
    unsigned before = count_descriptors();

    (void)state;
    with_denied((const int[]){SYS_epoll_create1, -1}, EMFILE, fail_to_make,
                "make an epoll descriptor: Too many open files");
    with_denied((const int[]){SYS_eventfd2, -1}, EMFILE, fail_to_make,
                "make an eventfd: Too many open files");
    with_denied((const int[]){SYS_epoll_ctl, -1}, ENOSPC, fail_to_make,
                "watch an eventfd: No space left on device");
    with_denied(DENY_THREADS, ENOMEM, fail_to_make,
                "start thread never: Resource temporarily unavailable");
    assert_int_equal(count_descriptors(), before);
}

static void test_freeing_no_loop_is_fine(void **state)
{
    (void)state;
    shim_loop_free(NULL);
}

#define loop_test(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        loop_test(test_posts_run_in_order),
        loop_test(test_free_runs_what_was_posted_before),
        loop_test(test_posts_of_many_threads_all_run),
        loop_test(test_a_watch_is_called_while_there_is_something),
        loop_test(test_what_cannot_be_watched_is_an_error),
        loop_test(test_a_removed_watch_is_not_called_from_the_same_batch),
        loop_test(test_a_silent_watch_keeps_silent_about_hang_ups),
        loop_test(test_what_is_waited_for_can_change),
        loop_test(test_timers_fire_in_order_and_not_too_early),
        loop_test(test_a_timer_set_again_fires_once_at_its_new_time),
        loop_test(test_a_timer_can_set_itself_again),
        cmocka_unit_test(test_a_loop_holds_no_pipe),
        cmocka_unit_test(test_what_runs_out_is_named_and_nothing_leaks),
        cmocka_unit_test(test_freeing_no_loop_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

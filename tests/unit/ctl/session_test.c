/* SPDX-License-Identifier: Apache-2.0 */
/* A process in the foreground: signals, its input, its end. */
#include "base/child.h"
#include "capture.h"
#include "fake_shim.h"
#include "shim/ctl/session.h"
#include "shim/ctl/signals.h"
#include <sched.h>
#include <signal.h>

#define V2 "containerd.task.v2.Task"

struct scene {
    char *folder;
    struct fake_shim shim;
    struct ctl ctl;
    struct ctl_client *client;
    struct ctl_session *session;
};

static void scene_begin(struct scene *s, bool interactive)
{
    struct ctl_session_config config = {.id = "c1", .exec_id = "", .interactive = interactive};

    s->folder = folder_new();
    fake_shim_begin(&s->shim, s->folder, V2);
    s->ctl = (struct ctl){.ns = "ns1", .state_dir = s->folder, .address = s->shim.address};
    assert_int_equal(ctl_client_open(&s->ctl, "c1", &s->client, NULL), 0);
    config.dir = s->folder;
    assert_int_equal(ctl_session_new(&config, &s->session, NULL), 0);
}

static void scene_end(struct scene *s)
{
    ctl_session_free(s->session);
    ctl_client_free(s->client);
    fake_shim_end(&s->shim);
    folder_done(&s->folder);
}

/* The shim's part: opens the outputs and closes them again, as at a process's end. */
static void open_and_close(const char *path)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    close(fd);
}

/* Plays the shim's part beside a session that stays in the foreground. */
struct part {
    struct scene *scene;
    void (*play)(struct scene *s, int stdin_fd);
    struct shim_thread thread;
};

static void play(void *arg)
{
    struct part *p = arg;
    const struct ctl_stdio *stdio = ctl_session_stdio(p->scene->session);
    /* Opens once the session's own end is open: from then on the process counts as running. */
    int fd = open(ctl_stdio_in_path(stdio), O_RDONLY | O_CLOEXEC);

    p->play(p->scene, fd);
    close(fd);
    open_and_close(ctl_stdio_out_path(stdio));
    open_and_close(ctl_stdio_err_path(stdio));
}

/* Stays until the end, with an open standard input unless `play` closes it. */
static int stay(struct scene *s, void (*fn)(struct scene *s, int stdin_fd), struct ctl_exit *ret)
{
    struct part part = {.scene = s, .play = fn};
    int r;

    assert_int_equal(ctl_session_attach(s->session, s->client, NULL), 0);
    assert_int_equal(shim_thread_start("part", 0, play, &part, &part.thread, NULL), 0);
    r = ctl_session_finish(s->session, ret, NULL);
    ctl_session_drain(s->session);
    shim_thread_join(&part.thread);
    return r;
}

static struct capture our_stdin;

static void send_usr2(struct scene *s, int stdin_fd)
{
    (void)s;
    (void)stdin_fd;
    kill(getpid(), SIGUSR2);
}

static void test_a_signal_reaches_the_process_and_its_end_comes_back(void **state)
{
    struct ctl_exit exit;
    struct scene s;

    (void)state;
    capture_begin(&our_stdin, STDIN_FILENO);
    scene_begin(&s, true);
    assert_int_equal(stay(&s, send_usr2, &exit), 0);
    assert_int_equal(exit.status, 143);
    assert_int_equal(s.shim.killed_with, SIGUSR2);
    scene_end(&s);
    capture_restore(&our_stdin);
    close(our_stdin.other);
}

static void close_our_input(struct scene *s, int stdin_fd)
{
    char text[8] = "";

    assert_int_equal(write(our_stdin.other, "last", 4), 4);
    close(our_stdin.other);
    assert_int_equal(read(stdin_fd, text, sizeof(text)), 4);
    shim_lock(&s->shim.lock);
    while (s->shim.closed_stdin == 0)
        shim_cond_wait(&s->shim.heard, &s->shim.lock);
    shim_unlock(&s->shim.lock);
    assert_int_equal(read(stdin_fd, text, sizeof(text)), 0);
    fake_end(&s->shim);
}

static void test_the_end_of_our_input_is_the_end_of_its_input(void **state)
{
    struct ctl_exit exit;
    struct scene s;

    (void)state;
    capture_begin(&our_stdin, STDIN_FILENO);
    scene_begin(&s, true);
    assert_int_equal(stay(&s, close_our_input, &exit), 0);
    assert_int_equal(s.shim.closed_stdin, 1);
    scene_end(&s);
    capture_restore(&our_stdin);
}

static void hang_up(struct scene *s, int stdin_fd)
{
    (void)stdin_fd;
    fake_shim_hang_up(&s->shim);
}

static void test_a_shim_that_goes_away_is_an_error(void **state)
{
    struct ctl_exit exit;
    struct scene s;

    (void)state;
    capture_begin(&our_stdin, STDIN_FILENO);
    scene_begin(&s, true);
    assert_int_equal(stay(&s, hang_up, &exit), SHIM_E_UNAVAILABLE);
    scene_end(&s);
    capture_restore(&our_stdin);
    close(our_stdin.other);
}

static void test_a_signal_before_the_start_is_an_interruption(void **state)
{
    struct shim_error err;
    struct scene s;

    (void)state;
    scene_begin(&s, false);
    assert_int_equal(ctl_session_check(s.session, NULL), 0);
    kill(getpid(), SIGINT);
    while (ctl_session_check(s.session, &err) == 0)
        sched_yield();
    assert_int_equal(err.code, SHIM_E_CANCELED);
    assert_int_equal(s.shim.killed_with, 0);
    scene_end(&s);
}

static void nothing(struct scene *s, int stdin_fd)
{
    (void)s;
    (void)stdin_fd;
}

static void test_a_signal_that_came_too_late_to_prevent_the_start_is_passed_on(void **state)
{
    struct ctl_exit exit;
    struct scene s;

    (void)state;
    capture_begin(&our_stdin, STDIN_FILENO);
    scene_begin(&s, true);
    kill(getpid(), SIGTERM);
    while (ctl_session_check(s.session, NULL) == 0)
        sched_yield();
    assert_int_equal(stay(&s, nothing, &exit), 0);
    assert_int_equal(s.shim.killed_with, SIGTERM);
    scene_end(&s);
    capture_restore(&our_stdin);
    close(our_stdin.other);
}

static void test_an_attached_session_can_be_given_up(void **state)
{
    struct scene s;

    (void)state;
    scene_begin(&s, false);
    assert_int_equal(ctl_session_attach(s.session, s.client, NULL), 0);
    scene_end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signal_reaches_the_process_and_its_end_comes_back),
        cmocka_unit_test(test_the_end_of_our_input_is_the_end_of_its_input),
        cmocka_unit_test(test_a_shim_that_goes_away_is_an_error),
        cmocka_unit_test(test_a_signal_before_the_start_is_an_interruption),
        cmocka_unit_test(test_a_signal_that_came_too_late_to_prevent_the_start_is_passed_on),
        cmocka_unit_test(test_an_attached_session_can_be_given_up),
    };

    ctl_signals_block();
    if (shim_child_init(false, NULL) < 0) /* ignores SIGPIPE */
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a spawned program finds: descriptors, signals, groups, environment; and why it may not. */
#include "base/str.h"
#include "tests/unit/base/posix/deny.h"
#include "tests/unit/base/posix/ending.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static const char self[] = "/proc/self/exe";

/* ---- this program as the child ---- */

static int show_fds(void)
{
    char link[256], name[64];

    for (int fd = 0; fd < 1024; fd++) {
        ssize_t n;

        snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
        n = readlink(name, link, sizeof(link) - 1);
        if (n > 0)
            printf("%d=%.*s%s\n", fd, (int)n, link,
                   fcntl(fd, F_GETFD) & FD_CLOEXEC ? " cloexec" : "");
    }
    return 0;
}

static int show_groups(void)
{
    printf("group=%d session=%d\n", getpgrp() == getpid(), getsid(0) == getpid());
    return 0;
}

static int show_tty(void)
{
    int tty = open("/dev/tty", O_RDWR | O_CLOEXEC);

    return tty >= 0 && write(tty, "mine", 4) == 4 ? 0 : 1;
}

static int be_child(const char *mode)
{
    if (strcmp(mode, "fds") == 0)
        return show_fds();
    if (strcmp(mode, "groups") == 0)
        return show_groups();
    return show_tty();
}

/* ---- helpers ---- */

static struct shim_spawn spawn_of(const char *const *argv)
{
    return (struct shim_spawn){.argv = argv};
}

static int try_spawn(const struct shim_spawn *spawn, struct shim_error *err)
{
    struct ending ended;
    int64_t pid = 0;
    int r;

    ending_init(&ended);
    r = shim_child_spawn(spawn, ending_note, &ended, &pid, err);
    if (r == 0)
        assert_true(ending_wait(&ended));
    ending_done(&ended);
    return r;
}

static char *temp_folder(void)
{
    static char path[] = "/tmp/shim-spawn-test-XXXXXX";

    strcpy(path, "/tmp/shim-spawn-test-XXXXXX");
    assert_non_null(mkdtemp(path));
    return path;
}

static void write_program(const char *path, const char *text, mode_t mode)
{
    struct shim_error err;

    assert_int_equal(shim_file_write(path, text, strlen(text), &err), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static void count_lines(const char *text, const char *line, unsigned want)
{
    unsigned n = 0;

    for (const char *at = text; (at = strstr(at, line)); at++)
        n++;
    if (n != want)
        fail_msg("%u times \"%s\", not %u, in:\n%s", n, line, want, text);
}

/* ---- descriptors ---- */

static void test_only_listed_descriptors_are_inherited(void **state)
{
    int low = open("/dev/zero", O_RDONLY), high = fcntl(low, F_DUPFD, 700);
    struct shim_child_fd fds[] = {{.from = low, .to = 9}, {.from = low, .to = 5}};
    struct shim_spawn spawn = spawn_of((const char *[]){self, "fds", NULL});
    cleanup_free char *text = NULL;

    (void)state;
    spawn.fds = fds;
    spawn.n_fds = SHIM_ARRAY_LEN(fds);
    text = output_of(spawn, 1, 0);
    close(low);
    close(high);
    count_lines(text, "\n", 5);
    count_lines(text, "0=/dev/null\n", 1);
    count_lines(text, "1=pipe:", 1);
    count_lines(text, "2=/dev/null\n", 1);
    count_lines(text, "5=/dev/zero\n", 1);
    count_lines(text, "9=/dev/zero\n", 1);
}

static void test_descriptors_may_trade_places(void **state)
{
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    int full = open("/dev/full", O_RDONLY | O_CLOEXEC);
    struct shim_child_fd fds[] = {{.from = zero, .to = full}, {.from = full, .to = zero}};
    struct shim_spawn spawn = spawn_of((const char *[]){self, "fds", NULL});
    cleanup_free char *text = NULL;
    char want[64];

    (void)state;
    spawn.fds = fds;
    spawn.n_fds = SHIM_ARRAY_LEN(fds);
    text = output_of(spawn, 1, 0);
    close(zero);
    close(full);
    count_lines(text, "\n", 5);
    snprintf(want, sizeof(want), "%d=/dev/full\n", zero);
    count_lines(text, want, 1);
    snprintf(want, sizeof(want), "%d=/dev/zero\n", full);
    count_lines(text, want, 1);
}

static void test_a_descriptor_may_keep_its_number(void **state)
{
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    struct shim_child_fd fds[] = {{.from = zero, .to = zero}};
    struct shim_spawn spawn = spawn_of((const char *[]){self, "fds", NULL});
    cleanup_free char *text = NULL;
    char want[64];

    (void)state;
    spawn.fds = fds;
    spawn.n_fds = SHIM_ARRAY_LEN(fds);
    text = output_of(spawn, 1, 0);
    close(zero);
    snprintf(want, sizeof(want), "%d=/dev/zero\n", zero);
    count_lines(text, want, 1);
    count_lines(text, "\n", 4);
}

static void test_the_later_entry_for_a_number_wins(void **state)
{
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    int full = open("/dev/full", O_RDONLY | O_CLOEXEC);
    struct shim_child_fd fds[] = {{.from = zero, .to = 2}, {.from = full, .to = 2}};
    struct shim_spawn spawn = spawn_of((const char *[]){self, "fds", NULL});
    cleanup_free char *text = NULL;

    (void)state;
    spawn.fds = fds;
    spawn.n_fds = SHIM_ARRAY_LEN(fds);
    text = output_of(spawn, 1, 0);
    close(zero);
    close(full);
    count_lines(text, "2=/dev/full\n", 1);
    count_lines(text, "/dev/zero", 0);
}

static void test_a_closed_descriptor_is_an_error(void **state)
{
    struct shim_child_fd fds[] = {{.from = 900, .to = 5}};
    struct shim_spawn spawn = spawn_of((const char *[]){"true", NULL});
    struct shim_error err;

    (void)state;
    spawn.fds = fds;
    spawn.n_fds = 1;
    assert_int_not_equal(try_spawn(&spawn, &err), 0);
    assert_int_equal(err.os, EBADF);
    assert_string_equal(err.msg, "start true: pass descriptors: Bad file descriptor");
}

static void show_fds_of_child(void *ret)
{
    struct shim_spawn spawn = spawn_of((const char *[]){self, "fds", NULL});

    *(char **)ret = output_of(spawn, 1, 0);
}

static void test_kernels_without_close_range_inherit_nothing_either(void **state)
{
    cleanup_free char *text = NULL;
    int fds[60];

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(fds); i++)
        fds[i] = open("/dev/zero", O_RDONLY);
    with_denied((const int[]){SYS_close_range, -1}, ENOSYS, show_fds_of_child, &text);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(fds); i++)
        close(fds[i]);
    count_lines(text, "\n", 3);
}

struct failing {
    int call;
    const char *message;
};

static void spawn_and_fail(void *arg)
{
    const struct failing *f = arg;
    struct shim_spawn spawn = spawn_of((const char *[]){"true", NULL});
    struct shim_error err;

    assert_int_equal(try_spawn(&spawn, &err), SHIM_E_EXHAUSTED);
    assert_string_equal(err.msg, f->message);
}

static void test_what_runs_out_is_named_and_nothing_leaks(void **state)
{
    static struct failing all[] = {
        {SYS_openat, "open /dev/null: Too many open files"},
        {SYS_pipe2, "make a pipe: Too many open files"},
        {SYS_fcntl, "duplicate a pipe: Too many open files"},
        {SYS_dup3, "start true: pass descriptors: Too many open files"},
    };
    unsigned before = count_descriptors();

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(all); i++)
        with_denied((const int[]){all[i].call, -1}, EMFILE, spawn_and_fail, &all[i]);
    with_denied(DENY_THREADS, ENOMEM, spawn_and_fail,
                &(struct failing){.message = "start true: Cannot allocate memory"});
    assert_int_equal(count_descriptors(), before);
}

static void spawn_without_proc(void *unused)
{
    struct shim_spawn spawn = spawn_of((const char *[]){"true", NULL});
    struct shim_error err;

    (void)unused;
    assert_int_not_equal(try_spawn(&spawn, &err), 0);
    assert_string_equal(err.msg, "start true: pass descriptors: Function not implemented");
}

static void test_what_cannot_be_closed_is_not_passed_on(void **state)
{
    (void)state;
    with_denied((const int[]){SYS_close_range, SYS_getdents64, -1}, ENOSYS, spawn_without_proc,
                NULL);
}

/* ---- signals, groups, terminal ---- */

static void test_signals_are_as_a_program_expects_them(void **state)
{
    struct shim_spawn spawn = spawn_of((const char *[]){"cat", "/proc/self/status", NULL});
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    cleanup_free char *text = NULL;
    sigset_t blocked;

    (void)state;
    shim_child_block_signals((const int[]){SIGUSR1, SIGTERM, 0});
    sigaction(SIGUSR2, &ignore, &before);
    text = output_of(spawn, 1, 0);
    sigaction(SIGUSR2, &before, NULL);
    pthread_sigmask(SIG_BLOCK, NULL, &blocked); /* ours are as they were */
    assert_int_equal(sigismember(&blocked, SIGUSR1) + sigismember(&blocked, SIGTERM), 2);
    assert_int_equal(sigismember(&blocked, SIGHUP) + sigismember(&blocked, SIGINT), 0);
    count_lines(text, "\nSigBlk:\t0000000000000000\n", 1);
    count_lines(text, "\nSigIgn:\t0000000000000000\n", 1);
    count_lines(text, "\nSigCgt:\t0000000000000000\n", 1);
}

static void test_groups_and_sessions_are_new_when_asked_for(void **state)
{
    struct shim_spawn spawn = spawn_of((const char *[]){self, "groups", NULL});
    cleanup_free char *neither = output_of(spawn, 1, 0), *group = NULL, *session = NULL;

    (void)state;
    spawn.new_group = true;
    group = output_of(spawn, 1, 0);
    spawn.new_session = true;
    session = output_of(spawn, 1, 0);
    assert_string_equal(neither, "group=0 session=0\n");
    assert_string_equal(group, "group=1 session=0\n");
    assert_string_equal(session, "group=1 session=1\n");
}

static void test_descriptor_0_becomes_the_terminal(void **state)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;
    struct shim_spawn spawn = spawn_of((const char *[]){self, "tty", NULL});
    struct shim_child_fd fds[1];
    char text[4];

    (void)state;
    assert_int_equal(grantpt(master) | unlockpt(master), 0);
    slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
    fds[0] = (struct shim_child_fd){.from = slave, .to = 0};
    spawn.fds = fds;
    spawn.n_fds = 1;
    spawn.new_session = spawn.controlling_tty = true;
    free(output_of(spawn, 1, 0));
    assert_int_equal(read(master, text, sizeof(text)), sizeof(text));
    assert_memory_equal(text, "mine", 4);
    close(slave);
    close(master);
}

static void test_no_terminal_is_an_error(void **state)
{
    struct shim_spawn spawn = spawn_of((const char *[]){"true", NULL});
    struct shim_error err;

    (void)state;
    spawn.new_session = spawn.controlling_tty = true;
    assert_int_not_equal(try_spawn(&spawn, &err), 0);
    assert_int_equal(err.os, ENOTTY);
    assert_non_null(strstr(err.msg, "start true: take its terminal: "));
}

static void spawn_cat_that_dies_with_us(void *ended)
{
    struct shim_spawn spawn = spawn_of((const char *[]){"cat", NULL});
    struct shim_child_fd fd;
    int ends[2];
    int64_t pid;

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fd = (struct shim_child_fd){.from = ends[0], .to = 0};
    spawn.fds = &fd;
    spawn.n_fds = 1;
    spawn.die_with_thread = true;
    assert_int_equal(shim_child_spawn(&spawn, ending_note, ended, &pid, NULL), 0);
    close(ends[0]); /* the other end stays open: only a signal ends it */
}

static void test_a_child_can_die_with_its_thread(void **state)
{
    struct shim_thread thread;
    struct ending ended;

    (void)state;
    ending_init(&ended);
    assert_int_equal(
        shim_thread_start("parent", 1 << 20, spawn_cat_that_dies_with_us, &ended, &thread, NULL),
        0);
    shim_thread_join(&thread);
    assert_true(ending_wait(&ended));
    assert_int_equal(ended.exit.status, 128 + SIGKILL);
    ending_done(&ended);
}

/* ---- environment, folder, look-up ---- */

static void test_notify_socket_is_left_out(void **state)
{
    struct shim_spawn spawn = spawn_of((const char *[]){"env", NULL});
    cleanup_free char *ours = NULL, *given = NULL;

    (void)state;
    setenv("NOTIFY_SOCKET", "/run/notify", 1);
    setenv("NOTIFY_SOCKETS", "kept", 1);
    ours = output_of(spawn, 1, 0);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("NOTIFY_SOCKETS");
    count_lines(ours, "NOTIFY_SOCKET=", 0);
    count_lines(ours, "NOTIFY_SOCKETS=kept\n", 1);

    spawn.env = (const char *[]){"A=1", "NOTIFY_SOCKET=x", "B=2", NULL};
    given = output_of(spawn, 1, 0);
    assert_string_equal(given, "A=1\nB=2\n");
}

static void test_the_folder_is_the_one_asked_for(void **state)
{
    struct shim_spawn spawn = spawn_of((const char *[]){"pwd", NULL});
    cleanup_free char *text = NULL;

    (void)state;
    spawn.cwd = "/proc/1";
    text = output_of(spawn, 1, 0);
    assert_string_equal(text, "/proc/1\n");
}

static void test_a_missing_folder_is_named(void **state)
{
    struct shim_spawn spawn = spawn_of((const char *[]){"true", NULL});
    struct shim_error err;

    (void)state;
    spawn.cwd = "/nowhere/at all";
    assert_int_equal(try_spawn(&spawn, &err), SHIM_E_NOT_FOUND);
    assert_string_equal(err.msg,
                        "start true: change to folder /nowhere/at all: No such file or directory");
}

static void test_a_missing_program_is_named(void **state)
{
    struct shim_spawn by_name = spawn_of((const char *[]){"no-such-runtime", NULL});
    struct shim_spawn by_path = spawn_of((const char *[]){"/no/such/runtime", NULL});
    struct shim_spawn no_name = spawn_of((const char *[]){"", NULL});
    struct shim_error err;

    (void)state;
    assert_int_equal(try_spawn(&by_name, &err), SHIM_E_NOT_FOUND);
    assert_string_equal(err.msg, "exec: \"no-such-runtime\": executable file not found in $PATH");
    assert_int_equal(try_spawn(&by_path, &err), SHIM_E_NOT_FOUND);
    assert_string_equal(err.msg, "exec /no/such/runtime: No such file or directory");
    assert_int_equal(try_spawn(&no_name, &err), SHIM_E_NOT_FOUND);
}

static void test_what_is_not_a_program_is_an_error(void **state)
{
    const char *folder = temp_folder();
    cleanup_free char *path = shim_strf("%s/text", folder);
    struct shim_spawn spawn = spawn_of((const char *[]){path, NULL});
    struct shim_error err;

    (void)state;
    write_program(path, "just text\n", 0600);
    assert_int_equal(try_spawn(&spawn, &err), SHIM_E_DENIED);
    assert_int_equal(chmod(path, 0700), 0);
    assert_int_not_equal(try_spawn(&spawn, &err), 0);
    assert_int_equal(err.os, ENOEXEC);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
}

static void test_path_finds_the_first_that_can_run(void **state)
{
    const char *folder = temp_folder();
    cleanup_free char *bin = shim_strf("%s/bin", folder), *sub = shim_strf("%s/sub", folder);
    cleanup_free char *good = shim_strf("%s/tool", sub), *not_yet = shim_strf("%s/tool", bin);
    cleanup_free char *path = shim_strf("::relative:%s:%s:%s:/bin", folder, bin, sub);
    cleanup_free char *as_folder = shim_strf("%s/tool", folder), *before = strdup(getenv("PATH"));
    struct shim_spawn spawn = spawn_of((const char *[]){"tool", NULL});
    cleanup_free char *text = NULL;

    (void)state;
    assert_int_equal(mkdir(bin, 0700) | mkdir(sub, 0700) | mkdir(as_folder, 0700), 0);
    write_program(not_yet, "#!/bin/sh\necho wrong\n", 0600);
    write_program(good, "#!/bin/sh\necho right\n", 0700);
    setenv("PATH", path, 1);
    text = output_of(spawn, 1, 0);
    setenv("PATH", before, 1);
    assert_string_equal(text, "right\n");
    unlink(good);
    unlink(not_yet);
    assert_int_equal(rmdir(as_folder) | rmdir(sub) | rmdir(bin) | rmdir(folder), 0);
}

static void test_a_given_program_runs_under_another_name(void **state)
{
    struct shim_spawn spawn = spawn_of((const char *[]){"no-such", "-c", "printf %s \"$0\"", NULL});
    cleanup_free char *text = NULL;

    (void)state;
    spawn.program = "/bin/sh";
    text = output_of(spawn, 1, 0);
    assert_string_equal(text, "no-such");
}

static void test_a_given_program_that_is_missing_is_named(void **state)
{
    struct shim_spawn spawn = spawn_of((const char *[]){"sh", NULL});
    struct shim_error err;

    (void)state;
    spawn.program = "/no/such/sh";
    assert_int_equal(try_spawn(&spawn, &err), SHIM_E_NOT_FOUND);
    assert_string_equal(err.msg, "exec /no/such/sh: No such file or directory");
}

static void test_the_current_folder_provides_no_program(void **state)
{
    const char *folder = temp_folder();
    cleanup_free char *tool = shim_strf("%s/tool", folder), *before = strdup(getenv("PATH"));
    struct shim_spawn spawn = spawn_of((const char *[]){"tool", NULL});
    char old[512];

    (void)state;
    write_program(tool, "#!/bin/sh\n", 0700);
    assert_non_null(getcwd(old, sizeof(old)));
    assert_int_equal(chdir(folder), 0);
    setenv("PATH", ":.:", 1);
    assert_int_equal(try_spawn(&spawn, NULL), SHIM_E_NOT_FOUND);
    unsetenv("PATH");
    assert_int_equal(try_spawn(&spawn, NULL), SHIM_E_NOT_FOUND);
    setenv("PATH", before, 1);
    assert_int_equal(chdir(old), 0);
    unlink(tool);
    rmdir(folder);
}

static int set_up(void **state)
{
    (void)state;
    return shim_child_init(true, NULL) == 0 && shim_child_start_reaper(NULL) == 0 ? 0 : -1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_listed_descriptors_are_inherited),
        cmocka_unit_test(test_descriptors_may_trade_places),
        cmocka_unit_test(test_a_descriptor_may_keep_its_number),
        cmocka_unit_test(test_the_later_entry_for_a_number_wins),
        cmocka_unit_test(test_a_closed_descriptor_is_an_error),
        cmocka_unit_test(test_kernels_without_close_range_inherit_nothing_either),
        cmocka_unit_test(test_what_runs_out_is_named_and_nothing_leaks),
        cmocka_unit_test(test_what_cannot_be_closed_is_not_passed_on),
        cmocka_unit_test(test_signals_are_as_a_program_expects_them),
        cmocka_unit_test(test_groups_and_sessions_are_new_when_asked_for),
        cmocka_unit_test(test_descriptor_0_becomes_the_terminal),
        cmocka_unit_test(test_no_terminal_is_an_error),
        cmocka_unit_test(test_a_child_can_die_with_its_thread),
        cmocka_unit_test(test_notify_socket_is_left_out),
        cmocka_unit_test(test_the_folder_is_the_one_asked_for),
        cmocka_unit_test(test_a_missing_folder_is_named),
        cmocka_unit_test(test_a_missing_program_is_named),
        cmocka_unit_test(test_what_is_not_a_program_is_an_error),
        cmocka_unit_test(test_path_finds_the_first_that_can_run),
        cmocka_unit_test(test_a_given_program_runs_under_another_name),
        cmocka_unit_test(test_a_given_program_that_is_missing_is_named),
        cmocka_unit_test(test_the_current_folder_provides_no_program),
    };

    if (argc > 1)
        return be_child(argv[1]);
    return cmocka_run_group_tests(tests, set_up, NULL);
}

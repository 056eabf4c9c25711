/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting a daemon and hearing from it. The daemon here looks around and says what the id on its
 * command line tells it to say.
 */
#include "base/child.h"
#include "shim/daemon.h"
#include "tests/folder.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the daemon ----------------------------------------------------------------------------- */

/* What it finds, one thing a line; in the file `seen` of its folder. */
static void describe_surroundings(const struct shim_cli *cli)
{
    FILE *f = fopen("seen", "we");
    DIR *fds = opendir("/proc/self/fd");
    char target[256];
    struct dirent *e;
    ssize_t n;

    fprintf(f, "TTRPC_ADDRESS=%s\n", getenv("TTRPC_ADDRESS"));
    fprintf(f, "own group: %d\n", getpgrp() == getpid());
    fprintf(f, "shown action: %s\n", cli->action_word);
    while ((e = readdir(fds))) {
        int fd = atoi(e->d_name);

        if (e->d_name[0] == '.' || fd == dirfd(fds) || fd == fileno(f))
            continue;
        n = readlinkat(dirfd(fds), e->d_name, target, sizeof(target) - 1);
        target[n > 0 ? n : 0] = 0;
        fprintf(f, "fd %d: %.4s\n", fd, target);
    }
    closedir(fds);
    fclose(f);
}

static int be_daemon(const struct shim_cli *cli)
{
    if (strcmp(cli->id, "silent") == 0)
        return 0;
    if (strcmp(cli->id, "hang") == 0)
        return pause();
    if (strcmp(cli->id, "fail") == 0) {
        shim_daemon_say_ready("no room at the inn");
        return 1;
    }
    describe_surroundings(cli);
    shim_daemon_say_ready(NULL);
    return 0;
}

/* --- the start helper ----------------------------------------------------------------------- */

static int start(const char *what, const char *cwd, int64_t *ret_pid, unsigned timeout_ms,
                 struct shim_error *err)
{
    const char *env[] = {"TTRPC_ADDRESS=/new", NULL};
    char shown[] = "start";
    struct shim_cli cli = {.id = what, .action_word = shown};
    struct shim_daemon_spawn spawn = {.serve = be_daemon, .cli = &cli, .env = env, .cwd = cwd};
    intptr_t ready = SHIM_NO_HANDLE;
    int r = shim_daemon_start(&spawn, ret_pid, &ready, err);

    if (r < 0)
        return r;
    r = shim_daemon_wait_ready(ready, timeout_ms, err);
    shim_handle_close(&ready);
    return r;
}

static int start_simply(const char *what, struct shim_error *err)
{
    int64_t pid;

    return start(what, "/", &pid, 10000, err);
}

static void test_a_daemon_gets_its_folder_its_variables_and_no_descriptors(void **state)
{
    cleanup_folder char *folder = folder_new();
    cleanup_free char *seen = NULL;
    int leaked = open("/dev/null", O_RDONLY); /* an inheritable one, on purpose */
    struct shim_error err;
    int64_t pid = 0;

    (void)state;
    assert_int_equal(setenv("TTRPC_ADDRESS", "/old", 1), 0);
    if (start("look", folder, &pid, 10000, &err) < 0)
        fail_msg("%s", err.msg);
    close(leaked);
    assert_true(pid > 0);
    seen = folder_read(folder, "seen");
    assert_string_equal(seen, "TTRPC_ADDRESS=/new\nown group: 1\nshown action: serve\n"
                              "fd 0: /dev\nfd 1: /dev\nfd 2: /dev\nfd 3: pipe\n");
}

static void test_what_a_daemon_says_is_the_error(void **state)
{
    struct shim_error err;

    (void)state;
    assert_int_equal(start_simply("fail", &err), SHIM_E_UNKNOWN);
    assert_string_equal(err.msg, "no room at the inn");
}

static void test_a_daemon_that_ends_without_a_word_is_an_error(void **state)
{
    struct shim_error err;

    (void)state;
    assert_int_equal(start_simply("silent", &err), SHIM_E_UNKNOWN);
    assert_string_equal(err.msg, "the shim's daemon ended before it was ready");
}

static void test_a_daemon_that_says_nothing_is_not_waited_for_for_ever(void **state)
{
    struct shim_error err;
    int64_t pid;

    (void)state;
    assert_int_equal(start("hang", "/", &pid, 50, &err), SHIM_E_DEADLINE);
    assert_non_null(strstr(err.msg, "not ready after 50 ms"));
    shim_daemon_kill(pid);
}

static void test_a_folder_that_is_gone_is_named(void **state)
{
    struct shim_error err;
    int64_t pid;

    (void)state;
    assert_int_equal(start("look", "/nowhere/at/all", &pid, 10000, &err), SHIM_E_UNKNOWN);
    assert_non_null(strstr(err.msg, "enter /nowhere/at/all"));
}

static void test_started_by_hand_a_daemon_tells_nobody(void **state)
{
    int file = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)state;
    assert_true(file >= 0);
    shim_daemon_say_ready(NULL); /* descriptor 3 is whatever the test has there */
    assert_int_equal(fcntl(file, F_GETFD), FD_CLOEXEC);
    close(file);
}

/* --- the machine ---------------------------------------------------------------------------- */

static void test_the_machine_is_named_as_containerd_names_it(void **state)
{
    (void)state;
    assert_string_equal(shim_os_name(), "linux");
    assert_string_not_equal(shim_architecture_name(), "x86_64");
#ifdef __x86_64__
    assert_string_equal(shim_architecture_name(), "amd64");
#endif
}

static void test_the_runtime_folder_is_absolute_and_the_users_own(void **state)
{
    cleanup_free char *dir = shim_runtime_dir();

    (void)state;
    assert_true(dir[0] == '/');
    assert_non_null(strstr(dir, "containerd"));
}

static void test_the_current_folder_is_absolute(void **state)
{
    cleanup_folder char *folder = folder_new();
    cleanup_free char *dir = NULL;

    (void)state;
    assert_int_equal(chdir(folder), 0);
    dir = shim_current_dir();
    assert_string_equal(dir, folder);
    assert_int_equal(chdir("/"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_daemon_gets_its_folder_its_variables_and_no_descriptors),
        cmocka_unit_test(test_what_a_daemon_says_is_the_error),
        cmocka_unit_test(test_a_daemon_that_ends_without_a_word_is_an_error),
        cmocka_unit_test(test_a_daemon_that_says_nothing_is_not_waited_for_for_ever),
        cmocka_unit_test(test_a_folder_that_is_gone_is_named),
        cmocka_unit_test(test_started_by_hand_a_daemon_tells_nobody),
        cmocka_unit_test(test_the_machine_is_named_as_containerd_names_it),
        cmocka_unit_test(test_the_runtime_folder_is_absolute_and_the_users_own),
        cmocka_unit_test(test_the_current_folder_is_absolute),
    };

    return shim_child_init(false, NULL) < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

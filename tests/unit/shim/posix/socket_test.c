/* SPDX-License-Identifier: Apache-2.0 */
/* Where sockets lie, who serves them, and that starts for one pod come one after the other. */
#include "base/thread.h"
#include "shim/address.h"
#include "tests/folder.h"
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static void test_the_socket_lies_in_the_folder_containerd_names(void **state)
{
    cleanup_folder char *base = folder_new();
    cleanup_free char *folder = shim_strf("%s/a/s", base), *address = NULL, *start = NULL;
    struct stat st;

    (void)state;
    start = shim_strf("unix://%s/", folder);
    assert_int_equal(shim_socket_address(folder, "/c.sock", "ns", "id", &address, NULL), 0);
    assert_true(shim_starts_with(address, start));
    assert_int_equal(strlen(address), strlen(start) + 64);
    assert_int_equal(stat(folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
}

static void test_a_path_too_long_for_a_socket_is_refused(void **state)
{
    cleanup_folder char *base = folder_new();
    cleanup_free char *folder = shim_strf("%s/0123456789012345678901234567890123456789", base);
    cleanup_free char *address = NULL;
    struct shim_error err;

    (void)state;
    assert_int_equal(shim_socket_address(folder, "/c.sock", "ns", "id", &address, &err),
                     SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, "too long"));
    assert_null(address);
}

static void test_a_folder_that_cannot_be_used_is_named(void **state)
{
    cleanup_folder char *base = folder_new();
    cleanup_free char *file = shim_strf("%s/file", base), *address = NULL;
    cleanup_free char *folder = shim_strf("%s/s", file);
    struct shim_error err;

    (void)state;
    folder_write(base, "file", "");
    assert_true(shim_socket_address(folder, "/c.sock", "ns", "id", &address, &err) < 0);
    assert_non_null(strstr(err.msg, "socket folder named by containerd"));
    assert_non_null(strstr(err.msg, file));
}

static int bind_socket(const char *path, bool serve)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    if (serve)
        assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void test_only_a_socket_that_nobody_serves_is_stale(void **state)
{
    cleanup_folder char *base = folder_new();
    cleanup_free char *path = shim_strf("%s/sock", base), *address = shim_strf("unix://%s", path);
    int fd;

    (void)state;
    assert_false(shim_socket_is_served(address));
    shim_socket_remove_stale(address); /* there is none */

    fd = bind_socket(path, true);
    assert_true(shim_socket_is_served(address));
    shim_socket_remove_stale(address);
    assert_true(shim_file_exists(path));

    close(fd);
    assert_false(shim_socket_is_served(address));
    shim_socket_remove_stale(address);
    assert_false(shim_file_exists(path));
}

static void test_a_busy_server_still_serves(void **state)
{
    enum { N = 8 };
    cleanup_folder char *base = folder_new();
    cleanup_free char *path = shim_strf("%s/sock", base), *address = shim_strf("unix://%s", path);
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int server = bind_socket(path, true), clients[N];

    (void)state;
    strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
    for (int i = 0; i < N; i++) { /* fills the backlog of 1 */
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(clients[i], (struct sockaddr *)&name, sizeof(name));
    }
    assert_true(shim_socket_is_served(address));
    shim_socket_remove_stale(address);
    assert_true(shim_file_exists(path));
    for (int i = 0; i < N; i++)
        close(clients[i]);
    close(server);
}

/* --- the lock ------------------------------------------------------------------------------- */

struct second {
    const char *address;
    struct shim_mutex lock;
    struct shim_cond changed;
    bool waiting, has_it;
};

static void take_lock(void *arg)
{
    struct second *s = arg;
    cleanup_handle intptr_t lock = SHIM_NO_HANDLE;

    shim_lock(&s->lock);
    s->waiting = true;
    shim_cond_broadcast(&s->changed);
    shim_unlock(&s->lock);
    assert_int_equal(shim_socket_lock(s->address, &lock, NULL), 0);
    shim_lock(&s->lock);
    s->has_it = true;
    shim_unlock(&s->lock);
}

static void test_the_lock_is_held_by_one(void **state)
{
    cleanup_folder char *base = folder_new();
    cleanup_free char *address = shim_strf("unix://%s/sock", base);
    intptr_t lock = SHIM_NO_HANDLE;
    struct second s = {.address = address};
    struct shim_thread thread;

    (void)state;
    shim_mutex_init(&s.lock);
    shim_cond_init(&s.changed);
    assert_int_equal(shim_socket_lock(address, &lock, NULL), 0);
    assert_int_equal(shim_thread_start("second", 0, take_lock, &s, &thread, NULL), 0);
    shim_lock(&s.lock);
    while (!s.waiting)
        shim_cond_wait(&s.changed, &s.lock);
    assert_false(s.has_it);
    shim_unlock(&s.lock);
    shim_handle_close(&lock);
    shim_thread_join(&thread);
    assert_true(s.has_it);
    shim_cond_done(&s.changed);
    shim_mutex_done(&s.lock);
}

static void test_without_a_folder_there_is_no_lock(void **state)
{
    intptr_t lock = SHIM_NO_HANDLE;
    struct shim_error err;

    (void)state;
    assert_int_equal(shim_socket_lock("unix:///nowhere/at/all", &lock, &err), SHIM_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, "open /nowhere/at"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_socket_lies_in_the_folder_containerd_names),
        cmocka_unit_test(test_a_path_too_long_for_a_socket_is_refused),
        cmocka_unit_test(test_a_folder_that_cannot_be_used_is_named),
        cmocka_unit_test(test_only_a_socket_that_nobody_serves_is_stale),
        cmocka_unit_test(test_a_busy_server_still_serves),
        cmocka_unit_test(test_the_lock_is_held_by_one),
        cmocka_unit_test(test_without_a_folder_there_is_no_lock),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

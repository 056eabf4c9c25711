/* SPDX-License-Identifier: Apache-2.0 */
/* Receiving a terminal, from peers that do it right and wrong. */
#include "hcs/linux/console.h"
#include "tests/unit/hcs/linux/world.h"
#include <sys/socket.h>

static int connect_to(const struct linux_console *c)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, c->path);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* What a runtime does: connects, sends a name and `n` descriptors, hangs up. */
static void send_descriptors(const struct linux_console *c, const int *fds, size_t n)
{
    union {
        char bytes[CMSG_SPACE(4 * sizeof(int))];
        struct cmsghdr align;
    } control = {.bytes = {0}};
    struct iovec iov = {.iov_base = (char[]){"/dev/pts/7"}, .iov_len = 10};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    int fd = connect_to(c);

    if (n > 0) {
        struct cmsghdr *header;

        msg.msg_control = control.bytes;
        msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
        header = CMSG_FIRSTHDR(&msg);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(n * sizeof(int));
        memcpy(CMSG_DATA(header), fds, n * sizeof(int));
    }
    assert_int_equal(sendmsg(fd, &msg, 0), 10);
    close(fd);
}

struct fixture {
    struct linux_console console;
    char folder[128];
    unsigned descriptors;
    int master;
};

static int setup(void **state)
{
    static struct fixture f;

    unsetenv("XDG_RUNTIME_DIR");
    f = (struct fixture){.console = LINUX_CONSOLE_INIT, .descriptors = open_descriptors()};
    assert_ok(linux_console_open(&f.console, err));
    strcpy(f.folder, f.console.folder);
    f.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(f.master >= 0);
    *state = &f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    linux_console_close(&f->console);
    linux_console_close(&f->console); /* twice is fine */
    close(f->master);
    assert_false(shim_file_exists(f->folder));
    assert_int_equal(open_descriptors(), f->descriptors);
    return 0;
}

static void test_the_master_arrives_without_blocking_and_close_on_exec(void **state)
{
    struct fixture *f = *state;
    cleanup_handle intptr_t master = SHIM_NO_HANDLE;

    send_descriptors(&f->console, &f->master, 1);
    assert_ok(linux_console_receive(&f->console, 1000, NULL, &master, err));
    assert_true(isatty((int)master));
    assert_true(fcntl((int)master, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl((int)master, F_GETFD) & FD_CLOEXEC);
}

static void test_one_descriptor_it_must_be(void **state)
{
    struct fixture *f = *state;
    intptr_t master = SHIM_NO_HANDLE;
    int two[] = {f->master, f->master};

    send_descriptors(&f->console, two, 2);
    assert_fails(SHIM_E_INVALID, "2 descriptors",
                 linux_console_receive(&f->console, 1000, NULL, &master, err));
    send_descriptors(&f->console, NULL, 0);
    assert_fails(SHIM_E_INVALID, "0 descriptors",
                 linux_console_receive(&f->console, 1000, NULL, &master, err));
}

static void test_a_terminal_it_must_be(void **state)
{
    struct fixture *f = *state;
    intptr_t master = SHIM_NO_HANDLE;
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    send_descriptors(&f->console, &null, 1);
    close(null);
    assert_fails(SHIM_E_INVALID, "no console",
                 linux_console_receive(&f->console, 1000, NULL, &master, err));
}

static void test_nobody_is_waited_for_beyond_the_time(void **state)
{
    struct fixture *f = *state;
    intptr_t master = SHIM_NO_HANDLE;
    int silent;

    assert_fails(SHIM_E_DEADLINE, "sent no console",
                 linux_console_receive(&f->console, 1, NULL, &master, err));
    silent = connect_to(&f->console);
    assert_fails(SHIM_E_DEADLINE, "sent no console",
                 linux_console_receive(&f->console, 1, NULL, &master, err));
    close(silent);
}

static void test_the_wait_can_be_cancelled(void **state)
{
    struct fixture *f = *state;
    intptr_t master = SHIM_NO_HANDLE;
    struct linux_calls calls;
    struct linux_call call;

    linux_calls_init(&calls);
    linux_call_begin(&calls, &call);
    linux_calls_cancel(&calls);
    assert_fails(SHIM_E_CANCELED, "cancelled",
                 linux_console_receive(&f->console, 60000, &call, &master, err));
    linux_call_end(&calls, &call);
    linux_calls_done(&calls);
}

static void test_the_folder_is_private_and_in_the_runtime_dir_where_that_is_usable(void **state)
{
    struct fixture *f = *state;
    struct linux_console other = LINUX_CONSOLE_INIT;
    char dir[] = "/tmp/hcs-console-XXXXXX";
    char long_dir[300];
    struct stat st;

    assert_true(shim_starts_with(f->console.folder, "/tmp/pty"));
    assert_int_equal(stat(f->console.folder, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);

    assert_non_null(mkdtemp(dir));
    setenv("XDG_RUNTIME_DIR", dir, 1);
    assert_ok(linux_console_open(&other, err));
    assert_true(shim_starts_with(other.path, dir));
    linux_console_close(&other);
    assert_int_equal(rmdir(dir), 0); /* empty again */

    assert_ok(linux_console_open(&other, err)); /* it is not there any more */
    assert_true(shim_starts_with(other.path, "/tmp/pty"));
    linux_console_close(&other);

    memset(long_dir, 'x', sizeof(long_dir) - 1);
    long_dir[sizeof(long_dir) - 1] = 0;
    setenv("XDG_RUNTIME_DIR", long_dir, 1);
    assert_ok(linux_console_open(&other, err)); /* no socket's path can be so long */
    assert_true(shim_starts_with(other.path, "/tmp/pty"));
    linux_console_close(&other);
    unsetenv("XDG_RUNTIME_DIR");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_the_master_arrives_without_blocking_and_close_on_exec),
        TEST(test_one_descriptor_it_must_be),
        TEST(test_a_terminal_it_must_be),
        TEST(test_nobody_is_waited_for_beyond_the_time),
        TEST(test_the_wait_can_be_cancelled),
        TEST(test_the_folder_is_private_and_in_the_runtime_dir_where_that_is_usable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

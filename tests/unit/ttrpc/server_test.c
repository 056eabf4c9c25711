/* SPDX-License-Identifier: Apache-2.0 */
/* Listening, accepting and closing. */
#include "base/clock.h"
#include "tests/unit/ttrpc/peer.h"
#include "ttrpc/server.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct ttrpc_server_config defaults = {0};

static struct ttrpc_server *new_server(void)
{
    struct ttrpc_server *s = NULL;

    assert_int_equal(ttrpc_server_new(&defaults, &s, NULL), 0);
    return s;
}

static void end_server(struct ttrpc_server *s)
{
    ttrpc_server_close(s, 1000);
    ttrpc_server_free(s);
}

static void test_the_socket_is_private_and_goes_with_its_server(void **state)
{
    struct served s;
    struct stat st;

    (void)state;
    umask(0);
    served_start(&s, NULL);
    assert_int_equal(stat(s.site.path, &st), 0);
    assert_true(S_ISSOCK(st.st_mode));
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(umask(022), 0); /* as it was */
    ttrpc_server_close(s.server, 1000);
    assert_int_equal(stat(s.site.path, &st), -1);
    served_stop(&s);
}

static void test_a_stale_socket_is_replaced(void **state)
{
    struct ttrpc_server *server = new_server();
    struct site site;
    int fd;

    (void)state;
    site_make(&site);
    close(peer_listen(site.path));
    assert_int_equal(ttrpc_server_listen(server, site.address, NULL), 0);
    fd = peer_connect(site.path);
    peer_call(fd, 1, "Say", "x");
    peer_expect(fd, 1, 12, "service echo.Echo");
    close(fd);
    end_server(server);
    site_remove(&site);
}

static void test_a_socket_in_use_is_left_alone(void **state)
{
    struct ttrpc_server *second = new_server();
    struct shim_error err = {0};
    struct served s;
    int fd;

    (void)state;
    served_start(&s, NULL);
    assert_int_equal(ttrpc_server_listen(second, s.site.address, &err), SHIM_E_EXISTS);
    assert_non_null(strstr(err.msg, s.site.address));
    fd = peer_connect(s.site.path);
    peer_call(fd, 1, "Say", "mine");
    peer_expect(fd, 1, 0, "mine");
    close(fd);
    end_server(second);
    served_stop(&s);
}

static void test_listen_says_why_it_cannot(void **state)
{
    struct ttrpc_server *server = new_server();
    struct shim_error err = {0};
    struct site site;

    (void)state;
    assert_int_equal(ttrpc_server_listen(server, "unix://relative", &err), SHIM_E_INVALID);
    assert_int_equal(ttrpc_server_listen(server, "/nowhere/at/all", &err), SHIM_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, "listen on /nowhere/at/all"));
    site_make(&site);
    assert_int_equal(ttrpc_server_listen(server, site.address, &err), 0);
    assert_int_equal(ttrpc_server_listen(server, site.address, &err), SHIM_E_STATE);
    end_server(server);
    site_remove(&site);
}

static void test_an_abstract_socket_is_served(void **state)
{
    struct ttrpc_server *server = new_server();
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    char name[64];
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), n;

    (void)state;
    n = snprintf(name, sizeof(name), "ttrpc-test/%d%%2f.sock", (int)getpid());
    assert_int_equal(ttrpc_server_listen(server, name, NULL), 0);
    memcpy(sa.sun_path + 1, name, (size_t)n);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa,
                             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n)),
                     0);
    peer_call(fd, 1, "Say", "x");
    peer_expect(fd, 1, 12, "service echo.Echo");
    close(fd);
    end_server(server);
}

static void test_a_service_with_recursive_requests_is_refused(void **state)
{
    struct ttrpc_server *server = new_server();
    ProtobufCService deep = {.descriptor = &echo__deep__descriptor};
    struct shim_error err = {0};

    (void)state;
    assert_int_equal(ttrpc_server_add(server, "echo.Deep", &deep, &err), SHIM_E_INVALID);
    assert_string_equal(err.msg, "serve echo.Deep: Dig takes a recursive message");
    end_server(server);
}

static void test_one_service_has_several_names(void **state)
{
    struct ttrpc_server *server = new_server();
    struct echo echo;
    struct site site;
    int fd;

    (void)state;
    site_make(&site);
    echo_init(&echo);
    assert_int_equal(ttrpc_server_add(server, "other.Name", &echo.service.base, NULL), 0);
    assert_int_equal(ttrpc_server_add(server, ECHO_NAME, &echo.service.base, NULL), 0);
    assert_int_equal(ttrpc_server_listen(server, site.address, NULL), 0);
    fd = peer_connect(site.path);
    peer_call(fd, 1, "Say", "x");
    peer_expect(fd, 1, 0, "x");
    /* other.Name, Say, Text{"y"} */
    peer_write_hex(fd, "000000160000000301000a0a6f746865722e4e616d6512035361791a030a0179");
    peer_expect(fd, 3, 0, "y");
    close(fd);
    end_server(server);
    echo_done(&echo);
    site_remove(&site);
}

/* Leaves the process without a free descriptor. */
static void use_up_descriptors(struct rlimit *ret_before)
{
    int lowest_free = fcntl(0, F_DUPFD_CLOEXEC, 0);
    struct rlimit none;

    close(lowest_free);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, ret_before), 0);
    none = *ret_before;
    none.rlim_cur = (rlim_t)lowest_free;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

static void test_running_out_of_descriptors_ends_no_service(void **state)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int late = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), early;
    struct rlimit before;
    struct served s;

    (void)state;
    served_start(&s, NULL);
    early = peer_connect(s.site.path);
    peer_call(early, 1, "Say", "in time");
    peer_expect(early, 1, 0, "in time");

    use_up_descriptors(&before);
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", s.site.path);
    assert_int_equal(connect(late, (struct sockaddr *)&sa, sizeof(sa)), 0);
    peer_call(late, 1, "Say", "patience");
    peer_call(early, 3, "Say", "events come in order: the accept has failed now");
    peer_expect(early, 3, 0, "events come in order: the accept has failed now");

    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    peer_expect(late, 1, 0, "patience");
    close(early);
    close(late);
    served_stop(&s);
}

/* In a child: connects as another user; 0 when the server hangs up without an answer. */
static int try_as_nobody(const char *path)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char byte;

    strcpy(sa.sun_path, path);
    if (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0)
        return 2;
    if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) != 0)
        return 3;
    return read(fd, &byte, 1) <= 0 ? 0 : 4;
}

static void test_other_users_are_refused_where_asked_for(void **state)
{
    static const struct ttrpc_server_config config = {.same_user_only = true};
    struct served s;
    int fd, status;
    pid_t child;

    (void)state;
    if (geteuid() != 0)
        skip_test("needs root, to become another user");
    served_start(&s, &config);
    fd = peer_connect(s.site.path);
    peer_call(fd, 1, "Say", "me");
    peer_expect(fd, 1, 0, "me");
    close(fd);

    assert_int_equal(chmod(s.site.dir, 0755), 0);
    assert_int_equal(chmod(s.site.path, 0666), 0);
    child = fork();
    if (child == 0)
        _exit(try_as_nobody(s.site.path));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    served_stop(&s);
}

/* --- closing -------------------------------------------------------------------------------- */

static void *close_server(void *arg)
{
    ttrpc_server_close(arg, 10000);
    return NULL;
}

static void test_close_waits_until_the_last_answer_has_left(void **state)
{
    enum { BYTES = 3000000 };
    struct served s;
    pthread_t closer;
    cleanup_answer struct peer_answer answer = {0};
    int fd;

    (void)state;
    served_start(&s, NULL);
    fd = peer_connect(s.site.path);
    peer_call(fd, 1, "Park", "x");
    assert_true(echo_wait_parked(&s.echo, 1));
    {
        Echo__Text text = ECHO__TEXT__INIT;
        Echo__Text_Closure closure;
        struct ttrpc_call *call = echo_take(&s.echo, &closure);

        text.value = malloc(BYTES + 1);
        memset(text.value, 'z', BYTES);
        text.value[BYTES] = 0;
        closure(&text, call); /* far more than a socket holds */
        free(text.value);
    }
    assert_int_equal(pthread_create(&closer, NULL, close_server, s.server), 0);
    answer = peer_receive(fd);
    assert_int_equal(strlen(answer.message), BYTES);
    peer_expect_closed(fd);
    pthread_join(closer, NULL);
    close(fd);
    served_stop(&s);
}

static void test_close_does_not_wait_longer_than_told(void **state)
{
    struct served s;
    int64_t begin_ns;
    int fd;

    (void)state;
    served_start(&s, NULL);
    fd = peer_connect(s.site.path);
    peer_call(fd, 1, "Repeat", "3000000");
    peer_call(fd, 3, "Park", "x");
    assert_true(echo_wait_parked(&s.echo, 1));
    begin_ns = shim_monotonic_ns();
    ttrpc_server_close(s.server, 50);
    assert_true(shim_monotonic_ns() - begin_ns < 5 * SHIM_NS_PER_S);
    assert_int_equal(s.echo.n_gone, 1); /* told, and still to be answered */
    assert_int_equal(echo_release(&s.echo), 1);
    close(fd);
    served_stop(&s);
}

static void test_a_closed_server_takes_no_connections(void **state)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct served s;

    (void)state;
    served_start(&s, NULL);
    ttrpc_server_close(s.server, 1000);
    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", s.site.path);
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), -1);
    assert_int_equal(errno, ENOENT);
    close(fd);
    served_stop(&s);
}

static void *come_and_go(void *arg)
{
    const struct served *s = arg;

    for (int i = 0; i < 100; i++) {
        int fd = peer_connect(s->site.path);

        peer_call(fd, 1, "Say", "hello");
        if (i % 2 == 0)
            peer_expect(fd, 1, 0, "hello");
        close(fd);
    }
    return NULL;
}

static void test_connections_come_and_go_at_once(void **state)
{
    pthread_t threads[8];
    struct served s;

    (void)state;
    served_start(&s, NULL);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, come_and_go, &s), 0);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(threads); i++)
        pthread_join(threads[i], NULL);
    served_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_socket_is_private_and_goes_with_its_server),
        cmocka_unit_test(test_a_stale_socket_is_replaced),
        cmocka_unit_test(test_a_socket_in_use_is_left_alone),
        cmocka_unit_test(test_listen_says_why_it_cannot),
        cmocka_unit_test(test_an_abstract_socket_is_served),
        cmocka_unit_test(test_a_service_with_recursive_requests_is_refused),
        cmocka_unit_test(test_one_service_has_several_names),
        cmocka_unit_test(test_running_out_of_descriptors_ends_no_service),
        cmocka_unit_test(test_other_users_are_refused_where_asked_for),
        cmocka_unit_test(test_close_waits_until_the_last_answer_has_left),
        cmocka_unit_test(test_close_does_not_wait_longer_than_told),
        cmocka_unit_test(test_a_closed_server_takes_no_connections),
        cmocka_unit_test(test_connections_come_and_go_at_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Connecting: each way in which it can fail has a code of its own. */
#include "base/clock.h"
#include "tests/unit/ttrpc/peer.h"
#include "ttrpc/dial.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* nng's dialer is freed by its last user, counted by atomics that the thread sanitizer does not see
 * because nng is not built with it. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
    return "race_top:pthread_mutex_destroy\n";
}

static struct site site;

static int setup(void **state)
{
    (void)state;
    site_make(&site);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    site_remove(&site);
    return 0;
}

static int dial(const char *address, unsigned timeout_ms, struct shim_error *err)
{
    nng_stream *stream = NULL;
    int r = ttrpc_dial(address, timeout_ms, &stream, err);

    assert_true((r == 0) == (stream != NULL));
    nng_stream_free(stream);
    return r;
}

static void test_a_listening_socket_is_connected_to(void **state)
{
    int listener = peer_listen(site.path);

    (void)state;
    assert_int_equal(dial(site.address, 1000, NULL), 0);
    assert_int_equal(dial(site.path, 1000, NULL), 0);
    close(listener);
}

static void test_no_socket_is_not_found(void **state)
{
    struct shim_error err = {0};

    (void)state;
    assert_int_equal(dial(site.address, 1000, &err), SHIM_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, site.address));
}

static void test_a_socket_that_nobody_serves_is_unavailable(void **state)
{
    struct shim_error err = {0};

    (void)state;
    close(peer_listen(site.path));
    assert_int_equal(dial(site.address, 1000, &err), SHIM_E_UNAVAILABLE);
    assert_non_null(strstr(err.msg, site.address));
}

static void test_an_address_that_is_none_is_invalid(void **state)
{
    struct shim_error err = {0};

    (void)state;
    assert_int_equal(dial("vsock://1:2", 1000, &err), SHIM_E_INVALID);
}

/* Fills the backlog of a listener that accepts nothing; returns the number of connections. */
static int fill_backlog(int fds[], int n)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    int i;

    snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", site.path);
    for (i = 0; i < n; i++) {
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(fds[i], (struct sockaddr *)&sa, sizeof(sa)) != 0) {
            assert_int_equal(errno, EAGAIN);
            close(fds[i]);
            return i;
        }
    }
    fail_msg("a backlog of 16 took %d connections", n);
    return n;
}

static void test_a_full_backlog_is_waited_for_until_the_deadline(void **state)
{
    int listener = peer_listen(site.path), fds[64], n = fill_backlog(fds, 64);
    int64_t begin_ns = shim_monotonic_ns();
    struct shim_error err = {0};

    (void)state;
    assert_int_equal(dial(site.address, 50, &err), SHIM_E_DEADLINE);
    assert_true(shim_monotonic_ns() - begin_ns >= 40 * SHIM_NS_PER_MS);
    for (int i = 0; i < n; i++)
        close(fds[i]);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_listening_socket_is_connected_to, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_socket_is_not_found, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_socket_that_nobody_serves_is_unavailable, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_address_that_is_none_is_invalid, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_backlog_is_waited_for_until_the_deadline, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

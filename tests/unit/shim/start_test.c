/* SPDX-License-Identifier: Apache-2.0 */
/* `start` and the daemon it leaves behind (`serve`), from the first word to the last. */
#include "base/clock.h"
#include "shim/bundle.h"
#include "shim/proto/bootstrap.pb-c.h"
#include "shim/proto/task.pb-c.h"
#include "tests/unit/shim/program.h"
#include "ttrpc/client.h"
#include <signal.h>

struct lost {
    struct shim_mutex lock;
    struct shim_cond changed;
    bool lost;
};

static void connection_lost(void *user)
{
    struct lost *l = user;

    shim_lock(&l->lock);
    l->lost = true;
    shim_cond_broadcast(&l->changed);
    shim_unlock(&l->lock);
}

static bool await_lost(struct lost *l)
{
    int64_t deadline = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;
    bool lost;

    shim_lock(&l->lock);
    while (!l->lost && shim_cond_wait_until(&l->changed, &l->lock, deadline))
        continue;
    lost = l->lost;
    shim_unlock(&l->lock);
    return lost;
}

/* One container's folder, and one for sockets. */
struct setting {
    char *folder, *bundle, *sockets;
};

static void begin(struct setting *s)
{
    s->folder = folder_new();
    s->bundle = shim_strf("%s/c1", s->folder);
    s->sockets = shim_strf("%s/s", s->folder);
    assert_int_equal(shim_dir_make(s->bundle, 0700, NULL), 0);
    folder_write(s->bundle, "config.json", "{}");
}

static void end(struct setting *s)
{
    free(s->bundle);
    free(s->sockets);
    folder_done(&s->folder);
}

/* As containerd 2.3 does; the address is malloc'ed. */
static char *start_with_id(struct setting *s, const char *id)
{
    cleanup_run_result struct shim_run_result result = {0};
    Bootstrap__BootstrapParams params = BOOTSTRAP__BOOTSTRAP_PARAMS__INIT;
    Bootstrap__BootstrapResult *answer;
    uint8_t packed[512];
    char *address;
    unsigned status;

    params.instance_id = (char *)id;
    params.namespace_ = (char *)"ns1";
    params.socket_dir = s->sockets;
    params.containerd_grpc_address = (char *)"/run/c.sock";
    params.containerd_ttrpc_address = (char *)"/nowhere/at/all";
    status = program_run(
        s->bundle, packed, bootstrap__bootstrap_params__pack(&params, packed),
        PROGRAM_ARGS("-namespace", "ns1", "-id", id, "-address", "/run/c.sock", "start"), &result);
    if (status != 0)
        fail_msg("%s", shim_buf_str(&result.error));
    answer = bootstrap__bootstrap_result__unpack(NULL, result.output.len, result.output.data);
    assert_non_null(answer);
    assert_int_equal(answer->version, 3);
    assert_string_equal(answer->protocol, "ttrpc");
    address = strdup(answer->address);
    bootstrap__bootstrap_result__free_unpacked(answer, NULL);
    return address;
}

static uint32_t shim_pid(struct ttrpc_client *client)
{
    Task__ConnectRequest m = TASK__CONNECT_REQUEST__INIT;
    ProtobufCMessage *answer = NULL;
    uint32_t pid;

    assert_int_equal(
        ttrpc_client_call(client, &task__task__descriptor, "Connect", &m.base, NULL, &answer, NULL),
        0);
    pid = ((Task__ConnectResponse *)answer)->shim_pid;
    protobuf_c_message_free_unpacked(answer, NULL);
    return pid;
}

static void shut_down(struct ttrpc_client *client)
{
    Task__ShutdownRequest m = TASK__SHUTDOWN_REQUEST__INIT;
    ProtobufCMessage *answer = NULL;

    assert_int_equal(ttrpc_client_call(client, &task__task__descriptor, "Shutdown", &m.base, NULL,
                                       &answer, NULL),
                     0);
    protobuf_c_message_free_unpacked(answer, NULL);
}

static void connect_to(const char *address, struct lost *l, struct ttrpc_client **ret)
{
    struct shim_error err;

    *l = (struct lost){.lost = false};
    shim_mutex_init(&l->lock);
    shim_cond_init(&l->changed);
    if (ttrpc_client_connect(address, 5000, connection_lost, l, ret, &err) < 0)
        fail_msg("%s", err.msg);
}

static void hang_up(struct ttrpc_client *client, struct lost *l)
{
    ttrpc_client_free(client);
    shim_cond_done(&l->changed);
    shim_mutex_done(&l->lock);
}

static void test_start_leaves_a_daemon_that_serves_until_it_is_shut_down(void **state)
{
    cleanup_free char *address = NULL, *again = NULL, *stored = NULL;
    struct ttrpc_client *client = NULL;
    struct setting s;
    struct lost l;

    (void)state;
    begin(&s);
    address = start_with_id(&s, "c1");
    assert_int_equal(shim_bundle_read_address(s.bundle, &stored, NULL), 0);
    assert_string_equal(stored, address);
    connect_to(address, &l, &client);
    assert_true(shim_pid(client) > 1);
    again = start_with_id(&s, "c1"); /* finds it */
    assert_string_equal(again, address);
    shut_down(client);
    assert_true(await_lost(&l));
    hang_up(client, &l);
    assert_false(shim_file_exists(address + strlen("unix://")));
    end(&s);
}

static void test_containers_of_one_group_share_a_daemon(void **state)
{
    cleanup_free char *address = NULL, *other = NULL;
    struct ttrpc_client *client = NULL;
    struct setting s;
    struct lost l;

    (void)state;
    begin(&s);
    folder_write(s.bundle, "config.json",
                 "{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"pod\"}}");
    address = start_with_id(&s, "c1");
    other = start_with_id(&s, "c2");
    assert_string_equal(other, address);
    connect_to(address, &l, &client);
    shut_down(client);
    assert_true(await_lost(&l));
    hang_up(client, &l);
    end(&s);
}

static void test_a_daemon_ends_at_sigterm(void **state)
{
    cleanup_free char *address = NULL;
    struct ttrpc_client *client = NULL;
    struct setting s;
    struct lost l;

    (void)state;
    begin(&s);
    address = start_with_id(&s, "c1");
    connect_to(address, &l, &client);
    assert_int_equal(kill((pid_t)shim_pid(client), SIGTERM), 0);
    assert_true(await_lost(&l));
    hang_up(client, &l);
    assert_false(shim_file_exists(address + strlen("unix://")));
    end(&s);
}

static void test_start_says_what_is_missing(void **state)
{
    (void)state;
    program_expect_failure("/", PROGRAM_ARGS("-id", "c1", "start"), 1, "namespace cannot be empty");
    program_expect_failure("/", PROGRAM_ARGS("-namespace", "ns1", "start"), 1,
                           "id cannot be empty");
    program_expect_failure("/", PROGRAM_ARGS("-namespace", "ns1", "-id", "a/b", "start"), 1,
                           "is no container id");
}

static void test_start_says_what_is_wrong_with_its_input(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};

    (void)state;
    assert_int_equal(program_run("/", "\xff\xff", 2,
                                 PROGRAM_ARGS("-namespace", "ns1", "-id", "c1", "start"), &result),
                     1);
    assert_string_equal(shim_buf_str(&result.output), "");
    assert_true(
        shim_starts_with(shim_buf_str(&result.error), "containerd-shim-hcs-v1: start c1: "));
}

/* What `serve` cannot do is told by the helper that started it. */
static void test_a_daemon_that_cannot_serve_says_why_through_start(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};
    Bootstrap__BootstrapParams params = BOOTSTRAP__BOOTSTRAP_PARAMS__INIT;
    uint8_t packed[512];
    struct setting s;

    (void)state;
    begin(&s);
    params.instance_id = (char *)"c1";
    params.namespace_ = (char *)"ns1";
    params.socket_dir = s.sockets;
    setenv("CONTAINERD_SHIM_HCS_PROVIDER", "of-the-future", 1);
    assert_int_equal(program_run(s.bundle, packed,
                                 bootstrap__bootstrap_params__pack(&params, packed),
                                 PROGRAM_ARGS("-namespace", "ns1", "-id", "c1", "start"), &result),
                     1);
    setenv("CONTAINERD_SHIM_HCS_PROVIDER", "emulated", 1);
    assert_non_null(strstr(shim_buf_str(&result.error), "there is no such provider"));
    end(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_start_leaves_a_daemon_that_serves_until_it_is_shut_down),
        cmocka_unit_test(test_containers_of_one_group_share_a_daemon),
        cmocka_unit_test(test_a_daemon_ends_at_sigterm),
        cmocka_unit_test(test_start_says_what_is_missing),
        cmocka_unit_test(test_start_says_what_is_wrong_with_its_input),
        cmocka_unit_test(test_a_daemon_that_cannot_serve_says_why_through_start),
    };

    return program_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* `serve`: what it refuses, and that its end waits for the events that are queued. */
#include "base/clock.h"
#include "base/thread.h"
#include "shim/proto/task.pb-c.h"
#include "tests/unit/shim/program.h"
#include "ttrpc/client.h"
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>

static void test_serve_needs_a_namespace_and_a_socket(void **state)
{
    (void)state;
    program_expect_failure("/", PROGRAM_ARGS("-id", "c1", "-socket", "unix:///tmp/x", "serve"), 1,
                           "namespace cannot be empty");
    program_expect_failure("/", PROGRAM_ARGS("-namespace", "ns1", "-id", "c1", "serve"), 1,
                           "-socket is missing");
}

static void test_a_socket_that_cannot_be_made_is_named(void **state)
{
    (void)state;
    program_expect_failure("/",
                           PROGRAM_ARGS("-namespace", "ns1", "-id", "c1", "-socket",
                                        "unix:///nowhere/at/all", "serve"),
                           1, "/nowhere/at/all");
}

/* A daemon as a child of the test's own. */
struct daemon {
    char *folder, *address;
    struct shim_mutex lock;
    struct shim_cond changed;
    struct shim_exit exit;
    bool ended;
    int64_t pid;
    struct ttrpc_client *client;
};

static void exited(int64_t pid, const struct shim_exit *exit, void *user)
{
    struct daemon *d = user;

    (void)pid;
    shim_lock(&d->lock);
    d->exit = *exit;
    d->ended = true;
    shim_cond_broadcast(&d->changed);
    shim_unlock(&d->lock);
}

/* Without a ready pipe nobody says when it serves. */
static void connect_to(struct daemon *d)
{
    int64_t deadline = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;

    while (ttrpc_client_connect(d->address, 1000, NULL, NULL, &d->client, NULL) < 0)
        assert_true(shim_monotonic_ns() < deadline);
}

static void begin(struct daemon *d)
{
    cleanup_free char *publish = NULL;
    const char *argv[] = {SHIM_PROGRAM,  "-namespace",      "ns1", "-id",     "c1", "-address",
                          "/run/c.sock", "-publish-binary", NULL,  "-socket", NULL, "serve",
                          NULL};

    *d = (struct daemon){.folder = folder_new()};
    d->address = shim_strf("unix://%s/shim.sock", d->folder);
    publish = shim_strf("%s/containerd", d->folder);
    argv[8] = publish;
    argv[10] = d->address;
    folder_write(d->folder, "containerd", "#!/bin/sh\necho \"$5\" >> $DIR/published\n");
    assert_int_equal(chmod(publish, 0700), 0);
    setenv("DIR", d->folder, 1);
    shim_mutex_init(&d->lock);
    shim_cond_init(&d->changed);
    assert_int_equal(shim_child_spawn(&(struct shim_spawn){.argv = argv, .cwd = d->folder}, exited,
                                      d, &d->pid, NULL),
                     0);
    connect_to(d);
}

static void await_end(struct daemon *d)
{
    int64_t deadline = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;

    shim_lock(&d->lock);
    while (!d->ended && shim_cond_wait_until(&d->changed, &d->lock, deadline))
        continue;
    assert_true(d->ended);
    shim_unlock(&d->lock);
}

static void end(struct daemon *d)
{
    ttrpc_client_free(d->client);
    shim_cond_done(&d->changed);
    shim_mutex_done(&d->lock);
    free(d->address);
    folder_done(&d->folder);
}

static int call(struct daemon *d, const char *method, const ProtobufCMessage *request)
{
    ProtobufCMessage *answer = NULL;
    struct shim_error err = {0};
    int r =
        ttrpc_client_call(d->client, &task__task__descriptor, method, request, NULL, &answer, &err);

    if (answer)
        protobuf_c_message_free_unpacked(answer, NULL);
    if (r < 0)
        print_message("%s: %s\n", method, err.msg);
    return r;
}

static void create(struct daemon *d, char *stdout_uri)
{
    Task__CreateTaskRequest m = TASK__CREATE_TASK_REQUEST__INIT;
    cleanup_free char *bundle = shim_strf("%s/c1", d->folder);
    cleanup_free char *rootfs = shim_strf("%s/rootfs", bundle);

    assert_int_equal(shim_dir_make_all(rootfs, 0700, NULL), 0);
    folder_write(bundle, "config.json",
                 "{\"process\":{\"args\":[\"/bin/sleep\",\"1000\"],\"cwd\":\"/\"},"
                 "\"root\":{\"path\":\"rootfs\"}}");
    m.id = (char *)"c1";
    m.bundle = bundle;
    m.stdout_path = stdout_uri;
    assert_int_equal(call(d, "Create", &m.base), 0);
}

static void delete_and_shut_down(struct daemon *d)
{
    Task__DeleteRequest delete = TASK__DELETE_REQUEST__INIT;
    Task__ShutdownRequest shutdown = TASK__SHUTDOWN_REQUEST__INIT;

    delete.id = (char *)"c1";
    assert_int_equal(call(d, "Delete", &delete.base), 0);
    assert_int_equal(call(d, "Shutdown", &shutdown.base), 0);
    await_end(d);
    assert_int_equal(d->exit.status, 0);
}

/* The reaper has ended then, and the publish binary still needs one. */
static void test_the_end_waits_for_events_that_a_binary_publishes(void **state)
{
    cleanup_free char *published = NULL;
    struct daemon d;

    (void)state;
    begin(&d);
    create(&d, (char *)"");
    delete_and_shut_down(&d);
    published = folder_read(d.folder, "published");
    assert_string_equal(published, "/tasks/create\n/tasks/exit\n/tasks/delete\n");
    end(&d);
}

static bool is_gone_soon(pid_t pid)
{
    int64_t deadline = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;

    while (kill(pid, 0) == 0 && shim_monotonic_ns() < deadline)
        sched_yield();
    return kill(pid, 0) != 0;
}

static void test_a_logger_that_does_not_end_goes_with_the_shim(void **state)
{
    cleanup_free char *uri = NULL, *script = NULL, *logger = NULL, *pid = NULL;
    struct daemon d;
    bool gone;

    (void)state;
    begin(&d);
    script = shim_strf("#!/bin/sh\necho $$ > %s/pid\ntrap '' TERM\nexec 5>&-\nexec sleep 1000\n",
                       d.folder);
    folder_write(d.folder, "logger", script);
    logger = shim_strf("%s/logger", d.folder);
    assert_int_equal(chmod(logger, 0700), 0);
    uri = shim_strf("binary://%s", logger);
    create(&d, uri);
    pid = folder_read(d.folder, "pid");
    assert_int_equal(kill((pid_t)atoi(pid), 0), 0);
    delete_and_shut_down(&d);
    gone = is_gone_soon((pid_t)atoi(pid));
    if (!gone)
        kill((pid_t)atoi(pid), SIGKILL);
    assert_true(gone);
    end(&d);
}

static void test_sigterm_ends_it_whatever_runs(void **state)
{
    struct daemon d;

    (void)state;
    begin(&d);
    assert_int_equal(shim_child_kill(d.pid, SIGUSR1, NULL), 0); /* only a line in its log */
    assert_int_equal(shim_child_kill(d.pid, SIGTERM, NULL), 0);
    await_end(&d);
    assert_int_equal(d.exit.status, 0);
    end(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serve_needs_a_namespace_and_a_socket),
        cmocka_unit_test(test_a_socket_that_cannot_be_made_is_named),
        cmocka_unit_test(test_the_end_waits_for_events_that_a_binary_publishes),
        cmocka_unit_test(test_a_logger_that_does_not_end_goes_with_the_shim),
        cmocka_unit_test(test_sigterm_ends_it_whatever_runs),
    };

    return program_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

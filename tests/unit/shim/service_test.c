/* SPDX-License-Identifier: Apache-2.0 */
/* The task service as a client sees it: unknown ids, what answers while an operation hangs. */
#include "base/clock.h"
#include "shim/daemon.h"
#include "shim/proto/cgroups2.pb-c.h"
#include "tests/unit/shim/world.h"

/* --- ids ------------------------------------------------------------------------------------ */

/* Every request has the container's id as its first field; most have the exec's as their second. */
static int call_with_ids(struct world *w, const ProtobufCMethodDescriptor *method, const char *id,
                         const char *exec_id)
{
    const ProtobufCMessageDescriptor *kind = method->input;
    const ProtobufCFieldDescriptor *id_field = protobuf_c_message_descriptor_get_field(kind, 1);
    const ProtobufCFieldDescriptor *exec_field =
        protobuf_c_message_descriptor_get_field_by_name(kind, "exec_id");
    cleanup_free char *m = calloc(1, kind->sizeof_message);

    protobuf_c_message_init(kind, m);
    *(char **)(void *)(m + id_field->offset) = (char *)id;
    if (exec_field)
        *(char **)(void *)(m + exec_field->offset) = (char *)exec_id;
    return world_call(w, method->name, (ProtobufCMessage *)(void *)m, NULL);
}

static bool needs_an_id(const char *method)
{
    return strcmp(method, "Create") != 0 && strcmp(method, "Connect") != 0 &&
           strcmp(method, "Shutdown") != 0;
}

static void test_an_unknown_container_is_not_found_whatever_is_asked(void **state)
{
    const ProtobufCServiceDescriptor *service = &task__task__descriptor;
    struct world *w = world_new();
    unsigned asked = 0;

    (void)state;
    world_run(w, "c1");
    for (unsigned i = 0; i < service->n_methods; i++) {
        const ProtobufCMethodDescriptor *method = &service->methods[i];

        if (!needs_an_id(method->name))
            continue;
        asked++;
        assert_error(w, call_with_ids(w, method, "nobody", ""), SHIM_E_NOT_FOUND,
                     "container nobody: not found");
        assert_int_equal(call_with_ids(w, method, "", ""), SHIM_E_NOT_FOUND);
    }
    assert_int_equal(asked, 14);
    world_free(w);
}

static void test_an_unknown_exec_is_not_found(void **state)
{
    static const char *const methods[] = {"State",     "Start",   "Delete", "Kill",
                                          "ResizePty", "CloseIO", "Wait"};
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    for (size_t i = 0; i < SHIM_ARRAY_LEN(methods); i++) {
        const ProtobufCMethodDescriptor *method =
            protobuf_c_service_descriptor_get_method_by_name(&task__task__descriptor, methods[i]);

        assert_error(w, call_with_ids(w, method, "c1", "e9"), SHIM_E_NOT_FOUND,
                     "process e9 in container c1: not found");
    }
    world_free(w);
}

static uint32_t connect_to(struct world *w, const char *id)
{
    Task__ConnectRequest m = TASK__CONNECT_REQUEST__INIT;
    Task__ConnectResponse *answer;
    uint32_t pid;

    m.id = (char *)id;
    assert_int_equal(world_call(w, "Connect", &m.base, (ProtobufCMessage **)&answer), 0);
    assert_int_equal(answer->shim_pid, shim_daemon_pid());
    pid = answer->task_pid;
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return pid;
}

static void test_connect_never_fails(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_int_equal(connect_to(w, "nobody"), 0);
    assert_int_equal(connect_to(w, ""), 0);
    assert_int_equal(world_create(w, "c1"), 0);
    assert_int_equal(connect_to(w, "c1"), 1001);
    world_free(w);
}

static void test_both_versions_of_the_service_are_one(void **state)
{
    Task__StateRequest m = TASK__STATE_REQUEST__INIT;
    struct ttrpc_call_options v3 = {.service = "containerd.task.v3.Task"};
    struct world *w = world_new();
    ProtobufCMessage *answer = NULL;

    (void)state;
    world_run(w, "c1");
    m.id = (char *)"c1";
    assert_int_equal(
        ttrpc_client_call(w->client, &task__task__descriptor, "State", &m.base, &v3, &answer, NULL),
        0);
    assert_int_equal(((Task__StateResponse *)answer)->status, TASK__STATUS__RUNNING);
    protobuf_c_message_free_unpacked(answer, NULL);
    world_free(w);
}

static void test_a_shutdown_without_containers_ends_the_shim(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_false(world_has_ended(w));
    assert_int_equal(world_shutdown(w), 0);
    assert_true(world_await_end(w));
    world_free(w);
}

/* --- pids and statistics -------------------------------------------------------------------- */

static void test_pids_name_the_execs_of_this_shim(void **state)
{
    struct world *w = world_new();
    cleanup_free char *pids = NULL;

    (void)state;
    world_run(w, "c1");
    world_run_exec(w, "c1", "e1");
    pids = world_pids(w, "c1");
    assert_string_equal(pids, "1001 1002/e1");
    world_exit(w, "c1", "e1", 0);
    free(pids);
    pids = world_pids(w, "c1");
    assert_string_equal(pids, "1001");
    world_free(w);
}

/* containerd forgets a task that has no pids when it comes back. */
static void test_a_stopped_container_still_shows_its_init(void **state)
{
    struct world *w = world_new();
    cleanup_free char *pids = NULL, *again = NULL, *restored = NULL;

    (void)state;
    world_run(w, "c1");
    world_exit(w, "c1", "", 0);
    pids = world_pids(w, "c1");
    assert_string_equal(pids, "1001");
    hcs_fake_fail(FAKE_PIDS, SHIM_E_NOT_FOUND); /* its cgroup is gone */
    again = world_pids(w, "c1");
    assert_string_equal(again, "1001");
    assert_int_equal(world_create_from(w, "c2", "/image"), 0);
    restored = world_pids(w, "c2");
    assert_string_equal(restored, "0");
    world_free(w);
}

static void test_pids_of_a_running_container_that_cannot_be_read_are_an_error(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    hcs_fake_fail(FAKE_PIDS, SHIM_E_DENIED);
    assert_null(world_pids(w, "c1"));
    assert_error(w, w->err.code, SHIM_E_DENIED, "pids fails");
    world_free(w);
}

static int stats(struct world *w, const char *id, Task__StatsResponse **ret)
{
    Task__StatsRequest m = TASK__STATS_REQUEST__INIT;

    m.id = (char *)id;
    return world_call(w, "Stats", &m.base, (ProtobufCMessage **)ret);
}

static void test_statistics_come_as_the_metrics_of_the_cgroups_version(void **state)
{
    struct world *w = world_new();
    Task__StatsResponse *answer;

    (void)state;
    world_run(w, "c1");
    assert_int_equal(stats(w, "c1", &answer), 0);
    assert_string_equal(answer->stats->type_url, "io.containerd.cgroups.v2.Metrics");
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    world_exit(w, "c1", "", 0);
    assert_int_equal(stats(w, "c1", &answer), 0); /* also of a stopped one */
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    hcs_fake_fail(FAKE_STATS, SHIM_E_NOT_FOUND);
    assert_error(w, stats(w, "c1", &answer), SHIM_E_NOT_FOUND, "stats fails");
    world_free(w);
}

/* --- while an operation hangs --------------------------------------------------------------- */

static void check_all_else_answers(struct world *w, enum hcs_fake_op op)
{
    cleanup_free char *pids = NULL;
    Task__StatsResponse *answer;

    assert_true(hcs_fake_await_hanging(op, 1));
    assert_true(world_state(w, "c1", "") > 0);
    assert_int_equal(connect_to(w, "c1"), 1001);
    pids = world_pids(w, "c1");
    assert_string_equal(pids, "1001");
    assert_int_equal(stats(w, "c1", &answer), 0);
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    assert_int_equal(world_kill(w, "c1", "", 10), 0);
    assert_int_equal(world_kill_all(w, "c1", 10), 0);
    assert_int_equal(hcs_fake_calls(FAKE_CANCEL), 0);
}

static void test_while_a_start_hangs_all_else_answers(void **state)
{
    struct world *w = world_new();
    struct world_pending start, wait;

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    hcs_fake_hang(FAKE_START, true);
    world_begin_start(w, "c1", "", &start);
    check_all_else_answers(w, FAKE_START);
    world_begin_wait(w, "c1", "", &wait);
    world_run_exec(w, "c1", "e1");
    assert_int_equal(world_kill(w, "c1", "e1", 9), 0);
    assert_int_equal(world_wait(w, "c1", "e1"), 137);
    assert_int_equal(world_delete(w, "c1", "e1"), 137);
    assert_true(world_is_pending(&start));
    assert_true(world_is_pending(&wait));
    hcs_fake_hang(FAKE_START, false);
    assert_int_equal(world_end(&start), 0);
    world_exit(w, "c1", "", 1);
    assert_int_equal(world_end(&wait), 0);
    world_free(w);
}

static void test_while_an_update_hangs_all_else_answers(void **state)
{
    Task__UpdateTaskRequest m = TASK__UPDATE_TASK_REQUEST__INIT;
    Pb__Any any = PB__ANY__INIT;
    struct world *w = world_new();
    struct world_pending update;

    (void)state;
    world_run(w, "c1");
    hcs_fake_hang(FAKE_UPDATE, true);
    any.value = (ProtobufCBinaryData){.len = 2, .data = (uint8_t *)"{}"};
    m.id = (char *)"c1";
    m.resources = &any;
    world_begin(w, "Update", &m.base, &update);
    check_all_else_answers(w, FAKE_UPDATE);
    world_run(w, "c2"); /* others go on */
    assert_int_equal(world_pause(w, "c2"), 0);
    hcs_fake_hang(FAKE_UPDATE, false);
    assert_int_equal(world_end(&update), 0);
    world_free(w);
}

static void test_what_needs_the_slot_waits_and_runs_in_order(void **state)
{
    struct world *w = world_new();
    struct world_pending start, pause, resume;

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    hcs_fake_hang(FAKE_START, true);
    world_begin_start(w, "c1", "", &start);
    assert_true(hcs_fake_await_hanging(FAKE_START, 1));
    world_begin_pause(w, "c1", &pause);
    assert_true(world_await_parked(w, "c1", 1));
    world_begin_resume(w, "c1", &resume);
    assert_true(world_await_parked(w, "c1", 2));
    hcs_fake_hang(FAKE_START, false);
    assert_int_equal(world_end(&start), 0);
    assert_int_equal(world_end(&pause), 0);
    assert_int_equal(world_end(&resume), 0);
    world_expect_events(w, "create c1 1001\nstart c1 1001\npaused c1\nresumed c1\n");
    world_free(w);
}

static void test_many_hung_runtimes_leave_room_for_kill_and_delete(void **state)
{
    enum { N = 20 }; /* more than there are ordinary workers */
    struct world *w = world_new();
    struct world_pending starts[N];
    char ids[N][8];

    (void)state;
    world_run(w, "free");
    for (int i = 0; i < N; i++) {
        snprintf(ids[i], sizeof(ids[i]), "c%d", i);
        assert_int_equal(world_create(w, ids[i]), 0);
    }
    hcs_fake_hang(FAKE_START, true);
    for (int i = 0; i < N; i++)
        world_begin_start(w, ids[i], "", &starts[i]);
    assert_true(hcs_fake_await_hanging(FAKE_START, 16));
    assert_int_equal(world_kill(w, "free", "", 9), 0);
    assert_int_equal(world_wait(w, "free", ""), 137);
    assert_int_equal(world_delete(w, "free", ""), 137);
    hcs_fake_hang(FAKE_START, false);
    for (int i = 0; i < N; i++)
        assert_int_equal(world_end(&starts[i]), 0);
    world_free(w);
}

static void test_at_its_deadline_the_client_is_answered_and_the_operation_goes_on(void **state)
{
    Task__StartRequest m = TASK__START_REQUEST__INIT;
    struct ttrpc_call_options options = {.timeout_ns = 20 * SHIM_NS_PER_MS};
    struct world *w = world_new();
    ProtobufCMessage *answer = NULL;

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    hcs_fake_hang(FAKE_START, true);
    m.id = (char *)"c1";
    assert_int_equal(ttrpc_client_call(w->client, &task__task__descriptor, "Start", &m.base,
                                       &options, &answer, NULL),
                     SHIM_E_DEADLINE);
    hcs_fake_hang(FAKE_START, false);
    world_expect_events(w, "create c1 1001\nstart c1 1001\n");
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__RUNNING);
    world_free(w);
}

static void test_a_client_that_is_gone_leaves_its_operations_alone(void **state)
{
    struct world *w = world_new();
    struct ttrpc_client *own = w->client;
    struct world_pending start;

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    hcs_fake_hang(FAKE_START, true);
    assert_int_equal(ttrpc_client_connect(w->address, 5000, NULL, NULL, &w->client, NULL), 0);
    world_begin_start(w, "c1", "", &start);
    assert_true(hcs_fake_await_hanging(FAKE_START, 1));
    ttrpc_client_free(w->client);
    w->client = own;
    assert_int_equal(world_end(&start), SHIM_E_CANCELED);
    hcs_fake_hang(FAKE_START, false);
    world_expect_events(w, "create c1 1001\nstart c1 1001\n");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_unknown_container_is_not_found_whatever_is_asked),
        cmocka_unit_test(test_an_unknown_exec_is_not_found),
        cmocka_unit_test(test_connect_never_fails),
        cmocka_unit_test(test_both_versions_of_the_service_are_one),
        cmocka_unit_test(test_a_shutdown_without_containers_ends_the_shim),
        cmocka_unit_test(test_pids_name_the_execs_of_this_shim),
        cmocka_unit_test(test_a_stopped_container_still_shows_its_init),
        cmocka_unit_test(test_pids_of_a_running_container_that_cannot_be_read_are_an_error),
        cmocka_unit_test(test_statistics_come_as_the_metrics_of_the_cgroups_version),
        cmocka_unit_test(test_while_a_start_hangs_all_else_answers),
        cmocka_unit_test(test_while_an_update_hangs_all_else_answers),
        cmocka_unit_test(test_what_needs_the_slot_waits_and_runs_in_order),
        cmocka_unit_test(test_many_hung_runtimes_leave_room_for_kill_and_delete),
        cmocka_unit_test(test_at_its_deadline_the_client_is_answered_and_the_operation_goes_on),
        cmocka_unit_test(test_a_client_that_is_gone_leaves_its_operations_alone),
    };

    return world_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

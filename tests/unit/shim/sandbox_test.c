/* SPDX-License-Identifier: Apache-2.0 */
/* The sandbox service: the shim itself is the sandbox, and lives as long as it. */
#include "base/clock.h"
#include "shim/daemon.h"
#include "shim/proto/sandbox.pb-c.h"
#include "tests/unit/shim/world.h"

static int call(struct world *w, const char *method, const ProtobufCMessage *request,
                ProtobufCMessage **ret_answer)
{
    struct ttrpc_call_options options = {.timeout_ns = 10 * SHIM_NS_PER_S};
    ProtobufCMessage *answer = NULL;
    int r;

    w->err = (struct shim_error){0};
    r = ttrpc_client_call(w->client, &sandbox__sandbox__descriptor, method, request, &options,
                          &answer, &w->err);
    if (ret_answer)
        *ret_answer = answer;
    else if (answer)
        protobuf_c_message_free_unpacked(answer, NULL);
    return r;
}

/* All requests but Create's begin with the sandbox's id and need nothing else. */
static int call_by_id(struct world *w, const char *method, const char *id,
                      ProtobufCMessage **ret_answer)
{
    const ProtobufCMessageDescriptor *kind =
        protobuf_c_service_descriptor_get_method_by_name(&sandbox__sandbox__descriptor, method)
            ->input;
    cleanup_free char *m = calloc(1, kind->sizeof_message);

    protobuf_c_message_init(kind, m);
    *(char **)(void *)(m + protobuf_c_message_descriptor_get_field(kind, 1)->offset) = (char *)id;
    return call(w, method, (ProtobufCMessage *)(void *)m, ret_answer);
}

static int create(struct world *w, const char *id)
{
    return call_by_id(w, "CreateSandbox", id, NULL);
}

static char *status(struct world *w, const char *id)
{
    Sandbox__SandboxStatusResponse *answer;
    char *text;

    if (call_by_id(w, "SandboxStatus", id, (ProtobufCMessage **)&answer) < 0)
        return NULL;
    text = strdup(answer->state);
    assert_string_equal(answer->sandbox_id, id);
    assert_int_equal(answer->pid, shim_daemon_pid());
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    return text;
}

static void assert_status(struct world *w, const char *want)
{
    cleanup_free char *text = status(w, "s1");

    assert_string_equal(text, want);
}

static void test_a_sandbox_is_created_started_and_stopped(void **state)
{
    Sandbox__StartSandboxResponse *started;
    struct world *w = world_new();

    (void)state;
    assert_int_equal(create(w, "s1"), 0);
    assert_status(w, "SANDBOX_NOTREADY");
    assert_int_equal(call_by_id(w, "StartSandbox", "s1", (ProtobufCMessage **)&started), 0);
    assert_int_equal(started->pid, shim_daemon_pid());
    assert_true(started->created_at->seconds > 1600000000);
    protobuf_c_message_free_unpacked(&started->base, NULL);
    assert_status(w, "SANDBOX_READY");
    assert_int_equal(call_by_id(w, "PingSandbox", "s1", NULL), 0);
    assert_int_equal(call_by_id(w, "StopSandbox", "s1", NULL), 0);
    assert_int_equal(call_by_id(w, "StopSandbox", "s1", NULL), 0);
    assert_status(w, "SANDBOX_NOTREADY");
    world_free(w);
}

static void test_there_is_one_sandbox_and_it_has_an_id(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_error(w, create(w, ""), SHIM_E_INVALID, "no sandbox id");
    assert_int_equal(create(w, "s1"), 0);
    assert_error(w, create(w, "s1"), SHIM_E_EXISTS, "already exists");
    assert_error(w, create(w, "s2"), SHIM_E_EXISTS, "already exists");
    world_free(w);
}

static void test_an_unknown_sandbox_is_not_found(void **state)
{
    static const char *const methods[] = {"StartSandbox",  "StopSandbox", "WaitSandbox",
                                          "SandboxStatus", "PingSandbox", "SandboxMetrics"};
    struct world *w = world_new();

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(methods); i++)
        assert_error(w, call_by_id(w, methods[i], "s1", NULL), SHIM_E_NOT_FOUND,
                     "sandbox s1: not found");
    assert_int_equal(create(w, "s1"), 0);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(methods); i++)
        assert_int_equal(call_by_id(w, methods[i], "s2", NULL), SHIM_E_NOT_FOUND);
    world_free(w);
}

static void test_the_platform_is_known_before_there_is_a_sandbox(void **state)
{
    Sandbox__PlatformResponse *answer;
    struct world *w = world_new();

    (void)state;
    assert_int_equal(call_by_id(w, "Platform", "s1", (ProtobufCMessage **)&answer), 0);
    assert_string_equal(answer->platform->os, shim_os_name());
    assert_string_equal(answer->platform->architecture, shim_architecture_name());
    protobuf_c_message_free_unpacked(&answer->base, NULL);
    world_free(w);
}

static void test_metrics_of_a_sandbox_are_not_implemented(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_int_equal(create(w, "s1"), 0);
    assert_error(w, call_by_id(w, "SandboxMetrics", "s1", NULL), SHIM_E_UNIMPLEMENTED,
                 "SandboxMetrics");
    world_free(w);
}

/* --- waiting -------------------------------------------------------------------------------- */

struct waiting {
    struct world *w;
    int r;
    bool done, has_time;
};

static void answered(const ProtobufCMessage *answer, const struct shim_error *err, void *user)
{
    struct waiting *wait = user;

    shim_lock(&wait->w->lock);
    wait->r = answer ? 0 : err->code;
    wait->has_time = answer && ((const Sandbox__WaitSandboxResponse *)answer)->exited_at;
    wait->done = true;
    shim_cond_broadcast(&wait->w->changed);
    shim_unlock(&wait->w->lock);
}

/* Parked when this returns: the ping's answer comes after. */
static void begin_wait(struct world *w, struct ttrpc_client *client, struct waiting *ret)
{
    Sandbox__WaitSandboxRequest m = SANDBOX__WAIT_SANDBOX_REQUEST__INIT;
    Sandbox__PingRequest ping = SANDBOX__PING_REQUEST__INIT;
    ProtobufCMessage *answer = NULL;
    uint32_t id;

    m.sandbox_id = ping.sandbox_id = (char *)"s1";
    *ret = (struct waiting){.w = w};
    assert_int_equal(ttrpc_client_start(client, &sandbox__sandbox__descriptor, "WaitSandbox",
                                        &m.base, NULL, answered, ret, &id, NULL),
                     0);
    assert_int_equal(ttrpc_client_call(client, &sandbox__sandbox__descriptor, "PingSandbox",
                                       &ping.base, NULL, &answer, NULL),
                     0);
    protobuf_c_message_free_unpacked(answer, NULL);
}

static void await(struct waiting *wait)
{
    int64_t deadline = shim_monotonic_ns() + 10 * SHIM_NS_PER_S;

    shim_lock(&wait->w->lock);
    while (!wait->done && shim_cond_wait_until(&wait->w->changed, &wait->w->lock, deadline))
        continue;
    shim_unlock(&wait->w->lock);
    assert_true(wait->done);
}

static void test_waits_end_when_the_sandbox_is_stopped(void **state)
{
    Sandbox__WaitSandboxResponse *late;
    struct ttrpc_client *other = NULL;
    struct world *w = world_new();
    struct waiting waits[3];

    (void)state;
    assert_int_equal(create(w, "s1"), 0);
    assert_int_equal(ttrpc_client_connect(w->address, 5000, NULL, NULL, &other, NULL), 0);
    begin_wait(w, w->client, &waits[0]);
    begin_wait(w, other, &waits[1]);
    begin_wait(w, w->client, &waits[2]);
    ttrpc_client_free(other);
    await(&waits[1]);
    assert_int_equal(waits[1].r, SHIM_E_CANCELED);
    assert_false(waits[0].done);
    assert_int_equal(call_by_id(w, "StopSandbox", "s1", NULL), 0);
    await(&waits[0]);
    await(&waits[2]);
    assert_int_equal(waits[0].r, 0);
    assert_true(waits[0].has_time);
    assert_int_equal(call_by_id(w, "WaitSandbox", "s1", (ProtobufCMessage **)&late), 0);
    assert_non_null(late->exited_at);
    protobuf_c_message_free_unpacked(&late->base, NULL);
    world_free(w);
}

/* --- the end -------------------------------------------------------------------------------- */

static void test_the_shim_stays_for_its_sandbox_and_ends_with_it(void **state)
{
    struct world *w = world_new();
    struct waiting wait;

    (void)state;
    assert_int_equal(create(w, "s1"), 0);
    begin_wait(w, w->client, &wait);
    world_run(w, "c1");
    world_exit(w, "c1", "", 0);
    assert_int_equal(world_delete(w, "c1", ""), 0);
    assert_int_equal(world_shutdown(w), 0); /* of a container */
    assert_status(w, "SANDBOX_NOTREADY");
    assert_false(world_has_ended(w));
    assert_int_equal(call_by_id(w, "ShutdownSandbox", "s1", NULL), 0);
    await(&wait);
    assert_true(world_await_end(w));
    world_free(w);
}

static void test_a_sandbox_that_was_never_created_is_shut_down_too(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_int_equal(call_by_id(w, "ShutdownSandbox", "s1", NULL), 0);
    assert_true(world_await_end(w));
    world_free(w);
}

static void test_a_shutdown_of_the_sandbox_waits_for_its_containers(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_int_equal(create(w, "s1"), 0);
    world_run(w, "c1");
    assert_int_equal(call_by_id(w, "ShutdownSandbox", "s1", NULL), 0);
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__RUNNING);
    assert_false(world_has_ended(w));
    world_exit(w, "c1", "", 0);
    assert_int_equal(world_delete(w, "c1", ""), 0);
    assert_true(world_await_end(w));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_sandbox_is_created_started_and_stopped),
        cmocka_unit_test(test_there_is_one_sandbox_and_it_has_an_id),
        cmocka_unit_test(test_an_unknown_sandbox_is_not_found),
        cmocka_unit_test(test_the_platform_is_known_before_there_is_a_sandbox),
        cmocka_unit_test(test_metrics_of_a_sandbox_are_not_implemented),
        cmocka_unit_test(test_waits_end_when_the_sandbox_is_stopped),
        cmocka_unit_test(test_the_shim_stays_for_its_sandbox_and_ends_with_it),
        cmocka_unit_test(test_a_sandbox_that_was_never_created_is_shut_down_too),
        cmocka_unit_test(test_a_shutdown_of_the_sandbox_waits_for_its_containers),
    };

    return world_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

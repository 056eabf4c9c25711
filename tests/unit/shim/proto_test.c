/* SPDX-License-Identifier: Apache-2.0 */
/* The generated messages against frames and texts that the Go implementation made. */
#include "base/buf.h"
#include "shim/proto/bootstrap.pb-c.h"
#include "shim/proto/cgroups1.pb-c.h"
#include "shim/proto/cgroups2.pb-c.h"
#include "shim/proto/events.pb-c.h"
#include "shim/proto/forward.pb-c.h"
#include "shim/proto/info.pb-c.h"
#include "shim/proto/options.pb-c.h"
#include "shim/proto/sandbox.pb-c.h"
#include "shim/proto/task.pb-c.h"
#include "tests/test.h"
#include "tests/unit/shim/hex.h"
#include "ttrpc/ttrpc.pb-c.h"
#include <string.h>

#define FRAME_HEADER_BYTES 10
#define GO_ZERO_SECONDS    (-62135596800)

/* Decodes, checks that encoding gives the same bytes again, and lends the message until the next
 * call. */
static void *decoded(const ProtobufCMessageDescriptor *kind, const void *data, size_t bytes)
{
    static ProtobufCMessage *last;
    uint8_t again[1024];

    if (last)
        protobuf_c_message_free_unpacked(last, NULL);
    last = kind ? protobuf_c_message_unpack(kind, NULL, bytes, data) : NULL;
    if (!kind)
        return NULL;
    assert_non_null(last);
    assert_int_equal(last->n_unknown_fields, 0);
    assert_true(protobuf_c_message_get_packed_size(last) <= sizeof(again));
    assert_int_equal(protobuf_c_message_pack(last, again), bytes);
    assert_memory_equal(again, data, bytes);
    return last;
}

static int free_last(void **state)
{
    (void)state;
    decoded(NULL, NULL, 0);
    return 0;
}

static void *reply(const ProtobufCMessageDescriptor *kind, const char *frame_hex)
{
    cleanup_buf struct shim_buf frame = from_hex(frame_hex);
    Ttrpc__Response *r = ttrpc__response__unpack(NULL, frame.len - FRAME_HEADER_BYTES,
                                                 frame.data + FRAME_HEADER_BYTES);
    void *m;

    assert_non_null(r);
    m = decoded(kind, r->payload.data, r->payload.len);
    ttrpc__response__free_unpacked(r, NULL);
    return m;
}

static void *request(const ProtobufCMessageDescriptor *kind, const char *frame_hex,
                     const char *service, const char *method)
{
    cleanup_buf struct shim_buf frame = from_hex(frame_hex);
    Ttrpc__Request *r = ttrpc__request__unpack(NULL, frame.len - FRAME_HEADER_BYTES,
                                               frame.data + FRAME_HEADER_BYTES);
    void *m;

    assert_non_null(r);
    assert_string_equal(r->service, service);
    assert_string_equal(r->method, method);
    m = decoded(kind, r->payload.data, r->payload.len);
    ttrpc__request__free_unpacked(r, NULL);
    return m;
}

static void *text(const ProtobufCMessageDescriptor *kind, const char *hex)
{
    cleanup_buf struct shim_buf data = from_hex(hex);

    return decoded(kind, data.data, data.len);
}

static void test_a_connect_reply_has_both_pids(void **state)
{
    Task__ConnectResponse *m =
        reply(&task__connect_response__descriptor, "000000080000000302001206089221109321");

    (void)state;
    assert_int_equal(m->shim_pid, 4242);
    assert_int_equal(m->task_pid, 4243);
    assert_string_equal(m->version, "");
}

static void test_a_create_request_has_mounts_stdio_and_options(void **state)
{
    Task__CreateTaskRequest *m = request(
        &task__create_task_request__descriptor,
        "000000b80000000101000a17636f6e7461696e6572642e7461736b2e76322e5461736b12064372656174651a6f"
        "0a02633112102f72756e2f622f746573746e732f63311a1e0a0462696e64120b2f7372632f726f6f7466732205"
        "7262696e642202726f2a052f662f696e32062f662f6f75743a062f662f65727252200a1a636f6e7461696e6572"
        "642e72756e632e76312e4f7074696f6e73120248012a240a1a636f6e7461696e6572642d6e616d657370616365"
        "2d74747270631206746573746e73",
        "containerd.task.v2.Task", "Create");

    (void)state;
    assert_string_equal(m->id, "c1");
    assert_string_equal(m->bundle, "/run/b/testns/c1");
    assert_int_equal(m->n_rootfs, 1);
    assert_string_equal(m->rootfs[0]->type, "bind");
    assert_string_equal(m->rootfs[0]->source, "/src/rootfs");
    assert_string_equal(m->rootfs[0]->target, "");
    assert_int_equal(m->rootfs[0]->n_options, 2);
    assert_string_equal(m->rootfs[0]->options[0], "rbind");
    assert_string_equal(m->rootfs[0]->options[1], "ro");
    assert_string_equal(m->stdin_path, "/f/in");
    assert_string_equal(m->stdout_path, "/f/out");
    assert_string_equal(m->stderr_path, "/f/err");
    assert_false(m->terminal);
    assert_string_equal(m->options->type_url, runc__options__descriptor.name);
    assert_int_equal(m->options->value.len, 2);
}

static void test_a_state_reply_has_gos_zero_time(void **state)
{
    Task__StateResponse *m =
        reply(&task__state_response__descriptor,
              "00000041000000090200123f0a02633112102f72756e2f622f746573746e732f633118932120022a052f"
              "662f696e32062f662f6f75743a062f662f657272520b088092b8c398feffffff01");

    (void)state;
    assert_string_equal(m->id, "c1");
    assert_string_equal(m->bundle, "/run/b/testns/c1");
    assert_int_equal(m->pid, 4243);
    assert_int_equal(m->status, TASK__STATUS__RUNNING);
    assert_string_equal(m->stdin_path, "/f/in");
    assert_string_equal(m->stdout_path, "/f/out");
    assert_string_equal(m->stderr_path, "/f/err");
    assert_int_equal(m->exited_at->seconds, GO_ZERO_SECONDS);
    assert_int_equal(m->exited_at->nanos, 0);
}

static void assert_deleted(const Task__DeleteResponse *m)
{
    assert_int_equal(m->pid, 4243);
    assert_int_equal(m->exit_status, 137);
    assert_int_equal(m->exited_at->seconds, 1700000000);
    assert_int_equal(m->exited_at->nanos, 1);
}

static void test_a_delete_reply_is_the_same_in_a_frame_and_on_stdout(void **state)
{
    (void)state;
    assert_deleted(reply(&task__delete_response__descriptor,
                         "000000120000000f020012100893211089011a080880e2cfaa061001"));
    assert_deleted(text(&task__delete_response__descriptor, "0893211089011a080880e2cfaa061001"));
}

static void test_a_pids_reply_names_the_exec(void **state)
{
    Task__PidsResponse *m =
        reply(&task__pids_response__descriptor,
              "0000003700000011020012350a030893210a2e089a2112290a21636f6e7461696e6572642e72756e632e"
              "76312e50726f6365737344657461696c7312040a026531");
    Runc__ProcessDetails *details;

    (void)state;
    assert_int_equal(m->n_processes, 2);
    assert_int_equal(m->processes[0]->pid, 4243);
    assert_null(m->processes[0]->info);
    assert_int_equal(m->processes[1]->pid, 4250);
    assert_string_equal(m->processes[1]->info->type_url, runc__process_details__descriptor.name);
    details = runc__process_details__unpack(NULL, m->processes[1]->info->value.len,
                                            m->processes[1]->info->value.data);
    assert_non_null(details);
    assert_string_equal(details->exec_id, "e1");
    runc__process_details__free_unpacked(details, NULL);
}

static void test_a_forwarded_exit_has_its_envelope(void **state)
{
    Forward__ForwardRequest *m = request(
        &forward__forward_request__descriptor,
        "000000bc0000000101000a2a636f6e7461696e6572642e73657276696365732e6576656e74732e74747270632e"
        "76312e4576656e74731207466f72776172641a590a570a080880e2cfaa0610021206746573746e731a0b2f7461"
        "736b732f6578697422360a1a636f6e7461696e6572642e6576656e74732e5461736b4578697412180a02633112"
        "0263311893212089012a080880e2cfaa0610012080e497d0122a240a1a636f6e7461696e6572642d6e616d6573"
        "706163652d74747270631206746573746e73",
        "containerd.services.events.ttrpc.v1.Events", "Forward");
    Events__TaskExit *exit_event;

    (void)state;
    assert_int_equal(m->envelope->timestamp->seconds, 1700000000);
    assert_int_equal(m->envelope->timestamp->nanos, 2);
    assert_string_equal(m->envelope->namespace_, "testns");
    assert_string_equal(m->envelope->topic, "/tasks/exit");
    assert_string_equal(m->envelope->event->type_url, events__task_exit__descriptor.name);
    exit_event = events__task_exit__unpack(NULL, m->envelope->event->value.len,
                                           m->envelope->event->value.data);
    assert_non_null(exit_event);
    assert_string_equal(exit_event->container_id, "c1");
    assert_string_equal(exit_event->id, "c1");
    assert_int_equal(exit_event->pid, 4243);
    assert_int_equal(exit_event->exit_status, 137);
    assert_int_equal(exit_event->exited_at->nanos, 1);
    events__task_exit__free_unpacked(exit_event, NULL);
}

static void test_bootstrap_parameters_keep_a_negative_log_level(void **state)
{
    Bootstrap__BootstrapParams *m = text(
        &bootstrap__bootstrap_params__descriptor,
        "0a0263311206746573746e7318fcffffffffffffffff012205322e342e302a0d2f632e736f636b2e7474727063"
        "32072f632e736f636b3a0f2f62696e2f636f6e7461696e65726442220a200a1a636f6e7461696e6572642e7275"
        "6e632e76312e4f7074696f6e73120248014a112f72756e2f636f6e7461696e6572642f73");

    (void)state;
    assert_string_equal(m->instance_id, "c1");
    assert_string_equal(m->namespace_, "testns");
    assert_int_equal((int)m->log_level, -4);
    assert_string_equal(m->containerd_version, "2.4.0");
    assert_string_equal(m->containerd_ttrpc_address, "/c.sock.ttrpc");
    assert_string_equal(m->containerd_grpc_address, "/c.sock");
    assert_string_equal(m->containerd_binary, "/bin/containerd");
    assert_int_equal(m->n_extensions, 1);
    assert_string_equal(m->extensions[0]->value->type_url, "containerd.runc.v1.Options");
    assert_string_equal(m->socket_dir, "/run/containerd/s");
}

static void test_options_any_is_the_old_form_of_stdin(void **state)
{
    Pb__Any *m = text(&pb__any__descriptor,
                      "0a1a636f6e7461696e6572642e72756e632e76312e4f7074696f6e7312024801");
    Runc__Options *options;

    (void)state;
    assert_string_equal(m->type_url, "containerd.runc.v1.Options");
    options = runc__options__unpack(NULL, m->value.len, m->value.data);
    assert_non_null(options);
    assert_true(options->systemd_cgroup);
    assert_false(options->no_pivot_root);
    runc__options__free_unpacked(options, NULL);
}

static void test_a_bootstrap_result_has_version_address_and_protocol(void **state)
{
    Bootstrap__BootstrapResult *m =
        text(&bootstrap__bootstrap_result__descriptor,
             "0803121c756e69783a2f2f2f72756e2f636f6e7461696e6572642f732f6162631a057474727063");

    (void)state;
    assert_int_equal(m->version, 3);
    assert_string_equal(m->address, "unix:///run/containerd/s/abc");
    assert_string_equal(m->protocol, "ttrpc");
}

static void test_runtime_info_has_name_and_version(void **state)
{
    Info__RuntimeInfo *m =
        text(&info__runtime_info__descriptor,
             "0a18696f2e636f6e7461696e6572642e6578616d706c652e763112070a05302e312e30");

    (void)state;
    assert_string_equal(m->name, "io.containerd.example.v1");
    assert_string_equal(m->version->version, "0.1.0");
    assert_null(m->features);
}

/* Names become method names and type URLs: these are what containerd asks for. */
static void test_services_have_containerds_names_and_methods_in_order(void **state)
{
    static const char *const task[] = {
        "State", "Create",    "Start",   "Delete", "Pids", "Pause", "Resume",  "Checkpoint", "Kill",
        "Exec",  "ResizePty", "CloseIO", "Update", "Wait", "Stats", "Connect", "Shutdown"};
    static const char *const sandbox[] = {"CreateSandbox", "StartSandbox",    "Platform",
                                          "StopSandbox",   "WaitSandbox",     "SandboxStatus",
                                          "PingSandbox",   "ShutdownSandbox", "SandboxMetrics"};

    (void)state;
    assert_string_equal(task__task__descriptor.name, "containerd.task.v2.Task");
    assert_int_equal(task__task__descriptor.n_methods, SHIM_ARRAY_LEN(task));
    for (size_t i = 0; i < SHIM_ARRAY_LEN(task); i++)
        assert_string_equal(task__task__descriptor.methods[i].name, task[i]);
    assert_string_equal(sandbox__sandbox__descriptor.name, "containerd.runtime.sandbox.v1.Sandbox");
    assert_int_equal(sandbox__sandbox__descriptor.n_methods, SHIM_ARRAY_LEN(sandbox));
    for (size_t i = 0; i < SHIM_ARRAY_LEN(sandbox); i++)
        assert_string_equal(sandbox__sandbox__descriptor.methods[i].name, sandbox[i]);
    assert_string_equal(forward__events__descriptor.name,
                        "containerd.services.events.ttrpc.v1.Events");
}

static void test_metrics_have_the_names_that_become_type_urls(void **state)
{
    (void)state;
    assert_string_equal(cgroups1__metrics__descriptor.name, "io.containerd.cgroups.v1.Metrics");
    assert_string_equal(cgroups2__metrics__descriptor.name, "io.containerd.cgroups.v2.Metrics");
    assert_string_equal(events__task_oom__descriptor.name, "containerd.events.TaskOOM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_connect_reply_has_both_pids),
        cmocka_unit_test(test_a_create_request_has_mounts_stdio_and_options),
        cmocka_unit_test(test_a_state_reply_has_gos_zero_time),
        cmocka_unit_test(test_a_delete_reply_is_the_same_in_a_frame_and_on_stdout),
        cmocka_unit_test(test_a_pids_reply_names_the_exec),
        cmocka_unit_test(test_a_forwarded_exit_has_its_envelope),
        cmocka_unit_test(test_bootstrap_parameters_keep_a_negative_log_level),
        cmocka_unit_test(test_options_any_is_the_old_form_of_stdin),
        cmocka_unit_test(test_a_bootstrap_result_has_version_address_and_protocol),
        cmocka_unit_test(test_runtime_info_has_name_and_version),
        cmocka_unit_test(test_services_have_containerds_names_and_methods_in_order),
        cmocka_unit_test(test_metrics_have_the_names_that_become_type_urls),
    };

    return cmocka_run_group_tests(tests, NULL, free_last);
}

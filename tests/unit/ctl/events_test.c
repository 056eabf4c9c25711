/* SPDX-License-Identifier: Apache-2.0 */
/* The Events endpoint: what it takes, what it prints. */
#include "base/clock.h"
#include "capture.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/events.h"
#include "shim/ctl/json.h"
#include "shim/proto/events.pb-c.h"
#include "tests/folder.h"
#include "ttrpc/client.h"

/* A whole event about container `id`; `make` once, then change what a test is about. */
struct sample {
    Forward__ForwardRequest request;
    Forward__Envelope envelope;
    Pb__Timestamp at;
    Pb__Any any;
    uint8_t packed[64];
};

static void make(struct sample *s, const char *id)
{
    Events__TaskOOM m = EVENTS__TASK_OOM__INIT;

    *s = (struct sample){.request = FORWARD__FORWARD_REQUEST__INIT,
                         .envelope = FORWARD__ENVELOPE__INIT,
                         .at = PB__TIMESTAMP__INIT,
                         .any = PB__ANY__INIT};
    m.container_id = (char *)id;
    s->any.type_url = (char *)"containerd.events.TaskOOM";
    s->any.value.len = events__task_oom__pack(&m, s->packed);
    s->any.value.data = s->packed;
    s->at.seconds = 60;
    s->envelope.namespace_ = (char *)"ns1";
    s->envelope.topic = (char *)"/tasks/oom";
    s->envelope.timestamp = &s->at;
    s->envelope.event = &s->any;
    s->request.envelope = &s->envelope;
}

static void test_an_event_is_shown_whole(void **state)
{
    struct sample s;
    cleanup_json struct json_object *j = NULL;

    (void)state;
    make(&s, "c1");
    j = ctl_event_to_json(&s.envelope);
    assert_string_equal(
        json_object_to_json_string_ext(j, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
        "{\"timestamp\":\"1970-01-01T00:01:00.000000000Z\",\"namespace\":\"ns1\","
        "\"topic\":\"/tasks/oom\",\"event\":{\"container_id\":\"c1\"}}");
}

static void test_what_containerd_refuses_is_refused(void **state)
{
    static const char *const topics[] = {"", "/", "tasks/oom", "/tasks/", "//x", "/a b"};
    struct sample s;

    (void)state;
    make(&s, "c1");
    assert_int_equal(ctl_event_check(&s.envelope, NULL), 0);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(topics); i++) {
        s.envelope.topic = (char *)topics[i];
        assert_int_equal(ctl_event_check(&s.envelope, NULL), SHIM_E_INVALID);
    }
    make(&s, "c1");
    s.envelope.namespace_ = (char *)"";
    assert_int_equal(ctl_event_check(&s.envelope, NULL), SHIM_E_INVALID);
    make(&s, "c1");
    s.envelope.timestamp = NULL;
    assert_int_equal(ctl_event_check(&s.envelope, NULL), SHIM_E_INVALID);
}

static int bring(struct ttrpc_client *client, struct sample *s)
{
    ProtobufCMessage *answer = NULL;
    int r = ttrpc_client_call(client, &forward__events__descriptor, "Forward", &s->request.base,
                              NULL, &answer, NULL);

    if (r >= 0)
        protobuf_c_message_free_unpacked(answer, NULL);
    return r;
}

static void test_the_wanted_containers_events_are_printed(void **state)
{
    static const char *const ids[] = {"c1", NULL};
    cleanup_folder char *folder = folder_new();
    struct ctl c = {.ns = "ns1", .state_dir = folder};
    cleanup_free char *address = ctl_events_address(&c);
    struct ctl_events *events;
    struct ttrpc_client *client;
    struct capture out;
    struct sample s;
    char text[256];

    (void)state;
    assert_int_equal(ctl_events_serve(&c, address, ids, false, &events, NULL), 0);
    assert_int_equal(ttrpc_client_connect(address, 5000, NULL, NULL, &client, NULL), 0);
    capture_begin(&out, STDOUT_FILENO);
    make(&s, "c1");
    assert_int_equal(bring(client, &s), 0);
    make(&s, "c2");
    assert_int_equal(bring(client, &s), 0);
    s.request.envelope = NULL;
    assert_int_equal(bring(client, &s), SHIM_E_INVALID);
    capture_restore(&out);
    capture_read(&out, text, sizeof(text));
    assert_string_equal(text, "1970-01-01T00:01:00.000000000Z ns1 /tasks/oom "
                              "{\"container_id\":\"c1\"}\n");
    ttrpc_client_free(client);
    ctl_events_free(events);
    assert_false(shim_file_exists(address));
}

static void test_one_serves_an_address(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl c = {.ns = "ns1", .state_dir = folder};
    cleanup_free char *address = ctl_events_address(&c);
    struct ctl_events *events;
    struct ctl_events *second = NULL;
    struct shim_error err;

    (void)state;
    assert_int_equal(ctl_events_serve(&c, address, NULL, false, &events, NULL), 0);
    assert_true(ctl_events_serve(&c, address, NULL, false, &second, &err) < 0);
    assert_non_null(strstr(err.msg, address));
    assert_null(second);
    assert_true(shim_file_exists(address));
    ctl_events_free(events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_event_is_shown_whole),
        cmocka_unit_test(test_what_containerd_refuses_is_refused),
        cmocka_unit_test(test_the_wanted_containers_events_are_printed),
        cmocka_unit_test(test_one_serves_an_address),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

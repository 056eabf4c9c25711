/* SPDX-License-Identifier: Apache-2.0 */
/* Create: what it checks, what it passes on, and that a failed one leaves nothing. */
#include "shim/bundle.h"
#include "tests/unit/shim/world.h"
#include <fcntl.h>
#include <json-c/json.h>
#include <sys/stat.h>
#include <unistd.h>

static Task__CreateTaskRequest request_for(struct world *w, const char *id)
{
    Task__CreateTaskRequest m = TASK__CREATE_TASK_REQUEST__INIT;

    m.id = (char *)id;
    m.bundle = (char *)world_bundle(w, id);
    return m;
}

/* --- what is refused ------------------------------------------------------------------------ */

static void test_create_needs_a_usable_id_and_an_absolute_bundle(void **state)
{
    static const char *const bad_ids[] = {"", "a/b", "..", "-x"};
    struct world *w = world_new();
    Task__CreateTaskRequest m = request_for(w, "c1");

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(bad_ids); i++) {
        m.id = (char *)bad_ids[i];
        assert_error(w, world_call(w, "Create", &m.base, NULL), SHIM_E_INVALID, "container id");
    }
    m.id = (char *)"c1";
    m.bundle = (char *)"relative";
    assert_error(w, world_call(w, "Create", &m.base, NULL), SHIM_E_INVALID, "not absolute");
    m.bundle = (char *)"";
    assert_error(w, world_call(w, "Create", &m.base, NULL), SHIM_E_INVALID, "not absolute");
    world_free(w);
}

static void test_an_id_in_use_is_refused(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    assert_error(w, world_create(w, "c1"), SHIM_E_EXISTS, "container c1: already exists");
    assert_int_equal(world_delete(w, "c1", ""), 137);
    assert_int_equal(world_create(w, "c1"), 0);
    world_free(w);
}

static void test_a_spec_that_cannot_be_used_is_named(void **state)
{
    struct world *w = world_new();
    const char *bundle = world_bundle(w, "c1");

    (void)state;
    folder_write(bundle, "config.json", "{");
    assert_error(w, world_create(w, "c1"), SHIM_E_INVALID, "config.json");
    folder_write(bundle, "config.json", "{\"root\":{\"path\":\"r\"}}");
    assert_error(w, world_create(w, "c1"), SHIM_E_INVALID, "process is missing");
    folder_write(bundle, "config.json",
                 "{\"process\":{\"args\":[\"x\"],\"cwd\":\"/\"},\"root\":{\"path\":\"r\"},"
                 "\"windows\":{}}");
    assert_error(w, world_create(w, "c1"), SHIM_E_UNIMPLEMENTED, "windows section");
    assert_int_equal(hcs_fake_calls(FAKE_NEW), 0);
    world_free(w);
}

static void test_without_a_spec_there_is_no_container(void **state)
{
    struct world *w = world_new();
    Task__CreateTaskRequest m = request_for(w, "c1");

    (void)state;
    m.bundle = w->folder;
    assert_error(w, world_call(w, "Create", &m.base, NULL), SHIM_E_NOT_FOUND, "config.json");
    world_free(w);
}

static void test_options_that_cannot_be_used_are_named(void **state)
{
    struct world *w = world_new();
    Task__CreateTaskRequest m = request_for(w, "c1");
    Pb__Any any = PB__ANY__INIT;

    (void)state;
    m.options = &any;
    any.type_url = (char *)"containerd.runc.v1.Options";
    any.value = (ProtobufCBinaryData){.len = 2, .data = (uint8_t[]){0xff, 0xff}};
    assert_error(w, world_call(w, "Create", &m.base, NULL), SHIM_E_INVALID, "runtime options");
    any.type_url = (char *)"of.another.Shim"; /* no failure, but a warning */
    assert_int_equal(world_call(w, "Create", &m.base, NULL), 0);
    world_free(w);
}

static void test_a_provider_that_is_not_there_is_named(void **state)
{
    struct world *w = world_new();

    (void)state;
    w->shim.provider = "none";
    assert_error(w, world_create(w, "c1"), SHIM_E_INVALID, "provider none");
    w->shim.provider = "fake";
    world_free(w);
}

/* --- what is passed on ---------------------------------------------------------------------- */

static void test_the_record_says_how_the_container_is_run(void **state)
{
    struct world *w = world_new();
    cleanup_record struct shim_record record = {0};

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    assert_int_equal(shim_bundle_read_record(world_bundle(w, "c1"), &record, NULL), 0);
    assert_string_equal(record.provider, "fake");
    assert_string_equal(record.id, "c1");
    assert_non_null(json_object_object_get(record.document, "Linux"));
    world_free(w);
}

static void test_the_root_file_system_is_mounted_and_unmounted(void **state)
{
    struct world *w = world_new();
    Task__CreateTaskRequest m = request_for(w, "c1");
    char *options[] = {(char *)"lowerdir=/l", (char *)"ro"};
    Task__Mount mounts[2] = {TASK__MOUNT__INIT, TASK__MOUNT__INIT};
    Task__Mount *list[] = {&mounts[0], &mounts[1]};

    (void)state;
    mounts[0].type = mounts[1].type = (char *)"overlay";
    mounts[0].source = mounts[1].source = (char *)"none";
    mounts[1].options = options;
    mounts[1].n_options = 2;
    m.rootfs = list;
    m.n_rootfs = 2;
    assert_int_equal(world_call(w, "Create", &m.base, NULL), 0);
    assert_string_equal(hcs_fake_last(FAKE_MOUNT), "2 overlay none lowerdir=/l on /rootfs");
    assert_int_equal(hcs_fake_calls(FAKE_UNMOUNT), 0);
    assert_int_equal(world_delete(w, "c1", ""), 137);
    assert_int_equal(hcs_fake_calls(FAKE_UNMOUNT), 1);
    world_free(w);
}

static void test_connect_and_state_tell_the_pid_and_the_streams(void **state)
{
    struct world *w = world_new();
    Task__CreateTaskRequest m = request_for(w, "c1");
    Task__StateRequest ask = TASK__STATE_REQUEST__INIT;
    cleanup_free char *out = shim_strf("%s/out", w->folder);
    Task__StateResponse *s;
    int reader;

    (void)state;
    assert_int_equal(mkfifo(out, 0600), 0);
    reader = open(out, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    m.stdout_path = out;
    assert_int_equal(world_call(w, "Create", &m.base, NULL), 0);
    ask.id = (char *)"c1";
    assert_int_equal(world_call(w, "State", &ask.base, (ProtobufCMessage **)&s), 0);
    assert_string_equal(s->id, "c1");
    assert_string_equal(s->bundle, world_bundle(w, "c1"));
    assert_int_equal(s->pid, 1001);
    assert_string_equal(s->stdout_path, out);
    assert_string_equal(s->stdin_path, "");
    assert_false(s->terminal);
    assert_null(s->exited_at);
    protobuf_c_message_free_unpacked(&s->base, NULL);
    assert_int_equal(world_delete(w, "c1", ""), 137);
    close(reader);
    world_free(w);
}

/* --- what fails leaves nothing -------------------------------------------------------------- */

static void assert_undone(struct world *w, enum hcs_fake_op op)
{
    Task__CreateTaskRequest m = request_for(w, "c1");
    Task__Mount mount = TASK__MOUNT__INIT, *list[] = {&mount};
    unsigned unmounts = hcs_fake_calls(FAKE_UNMOUNT);

    m.rootfs = list;
    m.n_rootfs = 1;
    hcs_fake_fail(op, SHIM_E_DENIED);
    assert_error(w, world_call(w, "Create", &m.base, NULL), SHIM_E_DENIED, "fails");
    hcs_fake_fail(op, 0);
    assert_int_equal(hcs_fake_calls(FAKE_UNMOUNT) - unmounts, op == FAKE_MOUNT ? 0 : 1);
    assert_int_equal(world_state(w, "c1", ""), SHIM_E_NOT_FOUND);
    assert_true(shim_tasks_empty(&w->shim));
}

static void test_whatever_step_fails_is_undone(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_undone(w, FAKE_MOUNT);
    assert_undone(w, FAKE_NEW);
    assert_undone(w, FAKE_CREATE);
    assert_int_equal(world_create(w, "c1"), 0);
    world_expect_events(w, "create c1 1001\n"); /* none of those that failed */
    world_free(w);
}

static void test_a_container_whose_streams_fail_is_undone(void **state)
{
    struct world *w = world_new();
    Task__CreateTaskRequest m = request_for(w, "c1");
    cleanup_free char *out = shim_strf("%s/out", w->folder);

    (void)state;
    m.stdout_path = (char *)"carrier-pigeon:///x";
    assert_error(w, world_call(w, "Create", &m.base, NULL), SHIM_E_INVALID, "unknown STDIO scheme");
    assert_int_equal(hcs_fake_calls(FAKE_CREATE), 0);

    assert_int_equal(mkfifo(out, 0600), 0);
    m.stdout_path = out;
    hcs_fake_withhold_pipes(true);
    assert_error(w, world_call(w, "Create", &m.base, NULL), SHIM_E_INTERNAL, "no pipe for stdout");
    assert_int_equal(hcs_fake_calls(FAKE_DELETE), 1);
    assert_int_equal(world_state(w, "c1", ""), SHIM_E_NOT_FOUND);
    assert_int_equal(events_fake_count(w->containerd), 0);
    world_free(w);
}

/* --- a creation that hangs ------------------------------------------------------------------ */

static void begin_hung(struct world *w, struct world_pending *create)
{
    hcs_fake_hang(FAKE_CREATE, true);
    world_begin_create(w, "c1", create);
    assert_true(hcs_fake_await_hanging(FAKE_CREATE, 1));
}

static void test_a_container_being_created_is_known_to_nobody(void **state)
{
    struct world *w = world_new();
    struct world_pending create;

    (void)state;
    begin_hung(w, &create);
    assert_int_equal(world_state(w, "c1", ""), SHIM_E_NOT_FOUND);
    assert_int_equal(world_start(w, "c1", ""), SHIM_E_NOT_FOUND);
    assert_int_equal(world_wait(w, "c1", ""), SHIM_E_NOT_FOUND);
    assert_int_equal(world_kill(w, "c1", "", 15), SHIM_E_NOT_FOUND);
    assert_error(w, world_create(w, "c1"), SHIM_E_EXISTS, "already exists");
    hcs_fake_hang(FAKE_CREATE, false);
    assert_int_equal(world_end(&create), 0);
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__CREATED);
    world_free(w);
}

static void test_a_hung_creation_does_not_hold_up_another(void **state)
{
    struct world *w = world_new();
    struct world_pending create;

    (void)state;
    assert_int_equal(world_create(w, "c2"), 0);
    begin_hung(w, &create);
    assert_int_equal(world_start(w, "c2", ""), 0);
    world_run_exec(w, "c2", "e1");
    assert_int_equal(world_kill(w, "c2", "", 9), 0);
    world_exit(w, "c2", "e1", 0);
    assert_int_equal(world_delete(w, "c2", ""), 137);
    assert_true(world_is_pending(&create));
    world_free(w);
}

static void test_delete_cancels_a_hung_creation(void **state)
{
    struct world *w = world_new();
    struct world_pending create;

    (void)state;
    begin_hung(w, &create);
    assert_error(w, world_delete(w, "c1", ""), SHIM_E_NOT_FOUND, "container c1: not found");
    assert_error(w, world_end(&create), SHIM_E_CANCELED, "was cancelled");
    assert_int_equal(events_fake_count(w->containerd), 0);
    world_free(w);
}

static void test_sigkill_cancels_a_hung_creation(void **state)
{
    struct world *w = world_new();
    struct world_pending create;

    (void)state;
    begin_hung(w, &create);
    assert_error(w, world_kill(w, "c1", "", 9), SHIM_E_NOT_FOUND, "is not created");
    assert_int_equal(world_end(&create), SHIM_E_CANCELED);
    world_free(w);
}

static void test_a_shutdown_during_a_creation_that_fails_ends_the_shim(void **state)
{
    struct world *w = world_new();
    struct world_pending create;

    (void)state;
    begin_hung(w, &create);
    assert_int_equal(world_shutdown(w), 0);
    assert_false(world_has_ended(w));
    assert_int_equal(world_kill(w, "c1", "", 9), SHIM_E_NOT_FOUND);
    assert_int_equal(world_end(&create), SHIM_E_CANCELED);
    assert_true(world_await_end(w));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_create_needs_a_usable_id_and_an_absolute_bundle),
        cmocka_unit_test(test_an_id_in_use_is_refused),
        cmocka_unit_test(test_a_spec_that_cannot_be_used_is_named),
        cmocka_unit_test(test_without_a_spec_there_is_no_container),
        cmocka_unit_test(test_options_that_cannot_be_used_are_named),
        cmocka_unit_test(test_a_provider_that_is_not_there_is_named),
        cmocka_unit_test(test_the_record_says_how_the_container_is_run),
        cmocka_unit_test(test_the_root_file_system_is_mounted_and_unmounted),
        cmocka_unit_test(test_connect_and_state_tell_the_pid_and_the_streams),
        cmocka_unit_test(test_whatever_step_fails_is_undone),
        cmocka_unit_test(test_a_container_whose_streams_fail_is_undone),
        cmocka_unit_test(test_a_container_being_created_is_known_to_nobody),
        cmocka_unit_test(test_a_hung_creation_does_not_hold_up_another),
        cmocka_unit_test(test_delete_cancels_a_hung_creation),
        cmocka_unit_test(test_sigkill_cancels_a_hung_creation),
        cmocka_unit_test(test_a_shutdown_during_a_creation_that_fails_ends_the_shim),
    };

    return world_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What is allowed in which state, and what start, pause, resume, update, checkpoint and kill do. */
#include "base/clock.h"
#include "shim/proto/options.pb-c.h"
#include "tests/unit/shim/world.h"
#include <sys/stat.h>

/* --- the state machine ---------------------------------------------------------------------- */

enum method { START, DELETE, KILL, EXEC, PAUSE, RESUME, UPDATE, CHECKPOINT, METHODS };
enum state { CREATED, RESTORED, RUNNING, PAUSED, STOPPED, DELETED, STATES };

static int call(struct world *w, enum method method, const char *id)
{
    switch (method) {
    case START:
        return world_start(w, id, "");
    case DELETE:
        return world_delete(w, id, "") < 0 ? w->err.code : 0;
    case KILL:
        return world_kill(w, id, "", 10);
    case EXEC:
        return world_exec(w, id, "e1");
    case PAUSE:
        return world_pause(w, id);
    case RESUME:
        return world_resume(w, id);
    case UPDATE:
        return world_update(w, id, "{}");
    default:
        return world_checkpoint(w, id);
    }
}

static void bring_to(struct world *w, enum state state, const char *id)
{
    assert_int_equal(world_create_from(w, id, state == RESTORED ? "/image" : ""), 0);
    if (state >= RUNNING)
        assert_int_equal(world_start(w, id, ""), 0);
    if (state == PAUSED)
        assert_int_equal(world_pause(w, id), 0);
    if (state >= STOPPED)
        world_exit(w, id, "", 1);
    if (state == DELETED)
        assert_int_equal(world_delete(w, id, ""), 1);
}

static void test_every_method_knows_every_state(void **unused)
{
    enum { U = SHIM_E_UNKNOWN, N = SHIM_E_NOT_FOUND, P = SHIM_E_STATE };
    static const int want[STATES][METHODS] = {
        /*             Start Delete Kill Exec Pause Resume Update Checkpoint */
        [CREATED] = {0, 0, 0, 0, U, U, 0, U}, [RESTORED] = {0, 0, P, U, U, U, 0, U},
        [RUNNING] = {U, U, 0, 0, 0, U, 0, 0}, [PAUSED] = {U, U, 0, U, U, 0, 0, 0},
        [STOPPED] = {U, 0, N, U, U, U, U, U}, [DELETED] = {N, N, N, N, N, N, N, N},
    };
    struct world *w = world_new();

    (void)unused;
    for (int state = 0; state < STATES; state++) {
        for (int method = 0; method < METHODS; method++) {
            char id[16];

            snprintf(id, sizeof(id), "c%d-%d", state, method);
            bring_to(w, (enum state)state, id);
            if (call(w, (enum method)method, id) != want[state][method])
                fail_msg("state %d, method %d: %d %s", state, method, w->err.code, w->err.msg);
        }
    }
    world_free(w);
}

static void test_what_is_not_allowed_is_said_with_verb_and_state(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    assert_error(w, world_pause(w, "c1"), SHIM_E_UNKNOWN, "cannot pause a created container");
    assert_error(w, world_resume(w, "c1"), SHIM_E_UNKNOWN, "cannot resume a created container");
    assert_error(w, world_checkpoint(w, "c1"), SHIM_E_UNKNOWN,
                 "cannot checkpoint a created container");
    assert_int_equal(world_start(w, "c1", ""), 0);
    assert_error(w, world_start(w, "c1", ""), SHIM_E_UNKNOWN, "cannot start a running process");
    assert_error(w, world_delete(w, "c1", ""), SHIM_E_UNKNOWN, "cannot delete a running process");
    assert_int_equal(world_pause(w, "c1"), 0);
    assert_error(w, world_exec(w, "c1", "e1"), SHIM_E_UNKNOWN, "cannot exec in a paused container");
    world_exit(w, "c1", "", 0);
    assert_error(w, world_update(w, "c1", "{}"), SHIM_E_UNKNOWN,
                 "cannot update a stopped container");
    assert_error(w, world_kill(w, "c1", "", 15), SHIM_E_NOT_FOUND, "process already finished");
    world_free(w);
}

/* --- pause and resume ----------------------------------------------------------------------- */

static void test_a_pause_under_way_is_shown_for_execs_too(void **state)
{
    struct world *w = world_new();
    struct world_pending pause;

    (void)state;
    world_run(w, "c1");
    world_run_exec(w, "c1", "e1");
    hcs_fake_hang(FAKE_PAUSE, true);
    world_begin_pause(w, "c1", &pause);
    assert_true(hcs_fake_await_hanging(FAKE_PAUSE, 1));
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__PAUSING);
    assert_int_equal(world_state(w, "c1", "e1"), TASK__STATUS__PAUSING);
    hcs_fake_hang(FAKE_PAUSE, false);
    assert_int_equal(world_end(&pause), 0);
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__PAUSED);
    assert_int_equal(world_state(w, "c1", "e1"), TASK__STATUS__PAUSED);
    assert_int_equal(world_resume(w, "c1"), 0);
    assert_int_equal(world_state(w, "c1", "e1"), TASK__STATUS__RUNNING);
    world_expect_events(w, "create c1 1001\nstart c1 1001\nexec-added c1 e1\n"
                           "exec-started c1 e1 1002\npaused c1\nresumed c1\n");
    world_free(w);
}

static void test_a_pause_or_resume_that_fails_changes_nothing(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    hcs_fake_fail(FAKE_PAUSE, SHIM_E_UNIMPLEMENTED);
    assert_error(w, world_pause(w, "c1"), SHIM_E_UNIMPLEMENTED, "pause fails");
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__RUNNING);
    hcs_fake_fail(FAKE_PAUSE, 0);
    assert_int_equal(world_pause(w, "c1"), 0);
    hcs_fake_fail(FAKE_RESUME, SHIM_E_INTERNAL);
    assert_error(w, world_resume(w, "c1"), SHIM_E_INTERNAL, "resume fails");
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__PAUSED);
    world_expect_events(w, "create c1 1001\nstart c1 1001\npaused c1\n");
    world_free(w);
}

static void test_a_pause_that_loses_against_the_end_leaves_nothing_frozen(void **state)
{
    struct world *w = world_new();
    struct world_pending pause;

    (void)state;
    world_run(w, "c1");
    world_run_exec(w, "c1", "e1");
    hcs_fake_hang(FAKE_PAUSE, true);
    world_begin_pause(w, "c1", &pause);
    assert_true(hcs_fake_await_hanging(FAKE_PAUSE, 1));
    world_exit(w, "c1", "", 0);
    hcs_fake_hang(FAKE_PAUSE, false);
    assert_error(w, world_end(&pause), SHIM_E_UNKNOWN, "cannot pause a stopped container");
    assert_int_equal(world_wait(w, "c1", "e1"), 137);
    world_free(w);
}

/* --- update --------------------------------------------------------------------------------- */

static void test_update_passes_the_resources_on(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    assert_int_equal(world_update(w, "c1", "{ \"memory\": {\"limit\": 4096} }"), 0);
    assert_string_equal(hcs_fake_last(FAKE_UPDATE), "{\"memory\":{\"limit\":4096}}");
    hcs_fake_fail(FAKE_UPDATE, SHIM_E_DENIED);
    assert_error(w, world_update(w, "c1", "{}"), SHIM_E_DENIED, "update fails");
    world_free(w);
}

static void test_update_refuses_what_is_no_object(void **state)
{
    Task__UpdateTaskRequest m = TASK__UPDATE_TASK_REQUEST__INIT;
    struct world *w = world_new();
    cleanup_free char *big = malloc((1024 * 1024) + 2);

    (void)state;
    world_run(w, "c1");
    assert_error(w, world_update(w, "c1", "{\"a\":"), SHIM_E_INVALID, "resources");
    assert_error(w, world_update(w, "c1", "[1]"), SHIM_E_INVALID, "no JSON object");
    assert_error(w, world_update(w, "c1", "null"), SHIM_E_INVALID, "no JSON object");
    assert_error(w, world_update(w, "c1", ""), SHIM_E_INVALID, "no resources");
    m.id = (char *)"c1";
    assert_error(w, world_call(w, "Update", &m.base, NULL), SHIM_E_INVALID, "no resources");
    memset(big, ' ', 1024 * 1024 + 1);
    big[1024 * 1024 + 1] = 0;
    assert_error(w, world_update(w, "c1", big), SHIM_E_EXHAUSTED, "over 1048576 bytes");
    assert_int_equal(hcs_fake_calls(FAKE_UPDATE), 0);
    world_free(w);
}

/* --- checkpoint and restore ----------------------------------------------------------------- */

static int checkpoint(struct world *w, const char *path, const char *type_url,
                      const Runc__CheckpointOptions *options)
{
    Task__CheckpointTaskRequest m = TASK__CHECKPOINT_TASK_REQUEST__INIT;
    Pb__Any any = PB__ANY__INIT;
    uint8_t packed[256];

    any.type_url = (char *)type_url;
    any.value.data = packed;
    if (options)
        any.value.len = runc__checkpoint_options__pack(options, packed);
    m.id = (char *)"c1";
    m.path = (char *)path;
    m.options = type_url ? &any : NULL;
    return world_call(w, "Checkpoint", &m.base, NULL);
}

static void test_checkpoint_passes_its_options_on(void **state)
{
    static const char url[] = "containerd.runc.v1.CheckpointOptions";
    Runc__CheckpointOptions options = RUNC__CHECKPOINT_OPTIONS__INIT;
    char *namespaces[] = {(char *)"network"};
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    assert_int_equal(checkpoint(w, "/image", NULL, NULL), 0);
    assert_string_equal(hcs_fake_last(FAKE_CHECKPOINT), "c1 image=/image work=- parent=-");

    options.exit = options.open_tcp = options.external_unix_sockets = true;
    options.terminal = options.file_locks = true;
    options.empty_namespaces = namespaces;
    options.n_empty_namespaces = 1;
    options.cgroups_mode = (char *)"soft";
    options.image_path = (char *)"/other";
    options.work_path = (char *)"/work";
    options.parent_path = (char *)"../p";
    assert_int_equal(checkpoint(w, "/image", url, &options), 0);
    assert_string_equal(hcs_fake_last(FAKE_CHECKPOINT),
                        "c1 image=/image work=/work parent=../p exit tcp unix terminal locks "
                        "empty=network cgroups=soft");
    assert_int_equal(checkpoint(w, "", url, &options), 0);
    world_expect_events(w, "create c1 1001\nstart c1 1001\ncheckpointed c1 /image\n"
                           "checkpointed c1 /image\ncheckpointed c1 /other\n");
    world_free(w);
}

static void test_checkpoint_says_what_it_cannot_use(void **state)
{
    static const char url[] = "containerd.runc.v1.CheckpointOptions";
    Task__CheckpointTaskRequest m = TASK__CHECKPOINT_TASK_REQUEST__INIT;
    Runc__CheckpointOptions options = RUNC__CHECKPOINT_OPTIONS__INIT;
    struct world *w = world_new();
    Pb__Any any = PB__ANY__INIT;

    (void)state;
    world_run(w, "c1");
    assert_error(w, checkpoint(w, "", NULL, NULL), SHIM_E_INVALID, "no image path");
    assert_error(w, checkpoint(w, "", url, &options), SHIM_E_INVALID, "no image path");
    assert_error(w, checkpoint(w, "/image", "some.Options", &options), SHIM_E_INVALID,
                 "some.Options");
    any.type_url = (char *)url;
    any.value = (ProtobufCBinaryData){.len = 2, .data = (uint8_t[]){0xff, 0xff}};
    m.id = (char *)"c1";
    m.path = (char *)"/image";
    m.options = &any;
    assert_error(w, world_call(w, "Checkpoint", &m.base, NULL), SHIM_E_INVALID,
                 "cannot be decoded");
    assert_int_equal(hcs_fake_calls(FAKE_CHECKPOINT), 0);
    hcs_fake_fail(FAKE_CHECKPOINT, SHIM_E_UNIMPLEMENTED);
    assert_error(w, checkpoint(w, "/image", NULL, NULL), SHIM_E_UNIMPLEMENTED, "checkpoint fails");
    world_expect_events(w, "create c1 1001\nstart c1 1001\n");
    world_free(w);
}

static void test_a_restore_happens_at_start(void **state)
{
    struct world *w = world_new();
    struct world_pending wait;

    (void)state;
    assert_int_equal(world_create_from(w, "c1", "/image"), 0);
    assert_int_equal(hcs_fake_calls(FAKE_CREATE), 0);
    assert_error(w, world_exec(w, "c1", "e1"), SHIM_E_UNKNOWN, "cannot exec in a created");
    world_begin_wait(w, "c1", "", &wait);
    assert_int_equal(world_start(w, "c1", ""), 0);
    assert_string_equal(hcs_fake_last(FAKE_CREATE), "c1 from /image");
    assert_int_equal(hcs_fake_calls(FAKE_START), 0);
    world_exit(w, "c1", "", 6);
    assert_int_equal(world_end(&wait), 0);
    assert_int_equal(wait.exit_status, 6);
    world_expect_events(w, "create c1 0\nstart c1 1001\nexit c1 c1 1001 6\n");
    world_free(w);
}

static void test_a_restore_that_fails_can_be_tried_again(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_int_equal(world_create_from(w, "c1", "/image"), 0);
    hcs_fake_fail(FAKE_CREATE, SHIM_E_UNIMPLEMENTED);
    assert_error(w, world_start(w, "c1", ""), SHIM_E_UNIMPLEMENTED, "create fails");
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__CREATED);
    assert_int_equal(world_wait(w, "c1", ""), 0);
    hcs_fake_fail(FAKE_CREATE, 0);
    assert_int_equal(world_start(w, "c1", ""), 0);
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__RUNNING);
    world_free(w);
}

static void test_a_restore_without_streams_is_ended(void **state)
{
    Task__CreateTaskRequest m = TASK__CREATE_TASK_REQUEST__INIT;
    struct world *w = world_new();
    cleanup_free char *fifo = shim_strf("%s/out", w->folder);

    (void)state;
    assert_int_equal(mkfifo(fifo, 0600), 0);
    m.id = (char *)"c1";
    m.bundle = (char *)world_bundle(w, "c1");
    m.checkpoint = (char *)"/image";
    m.stdout_path = fifo;
    assert_int_equal(world_call(w, "Create", &m.base, NULL), 0);
    hcs_fake_withhold_pipes(true);
    assert_error(w, world_start(w, "c1", ""), SHIM_E_INTERNAL, "no pipe for stdout");
    assert_int_equal(world_wait(w, "c1", ""), 137);
    world_free(w);
}

/* --- kill ----------------------------------------------------------------------------------- */

static void test_kill_reaches_init_an_exec_or_all(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    world_run_exec(w, "c1", "e1");
    assert_int_equal(world_kill(w, "c1", "", 10), 0);
    assert_string_equal(hcs_fake_last(FAKE_SIGNAL), "c1  10");
    assert_int_equal(world_kill(w, "c1", "e1", 12), 0);
    assert_string_equal(hcs_fake_last(FAKE_SIGNAL), "c1 e1 12");
    assert_int_equal(world_kill_all(w, "c1", 1), 0);
    assert_string_equal(hcs_fake_last(FAKE_SIGNAL_ALL), "c1 1");
    assert_int_equal(world_kill_all(w, "c1", 9), 0);
    assert_int_equal(world_wait(w, "c1", "e1"), 137);
    assert_int_equal(world_wait(w, "c1", ""), 137);
    assert_error(w, world_kill_all(w, "c1", 9), SHIM_E_NOT_FOUND, "already finished");
    world_free(w);
}

static void test_killing_a_created_container_stops_it(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    assert_int_equal(world_kill(w, "c1", "", 15), 0);
    assert_int_equal(world_wait(w, "c1", ""), 143);
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__STOPPED);
    world_expect_events(w, "create c1 1001\nexit c1 c1 1001 143\n");
    world_free(w);
}

static void test_an_exec_that_was_never_started_cannot_be_killed(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    assert_int_equal(world_exec(w, "c1", "e1"), 0);
    assert_error(w, world_kill(w, "c1", "e1", 9), SHIM_E_STATE,
                 "e1 of container c1 is not started");
    hcs_fake_end_during(FAKE_PROCESS_START, 0);
    assert_int_equal(world_start(w, "c1", "e1"), 0);
    assert_error(w, world_kill(w, "c1", "e1", 9), SHIM_E_NOT_FOUND, "already finished");
    world_free(w);
}

static void test_a_providers_error_comes_through(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    hcs_fake_fail(FAKE_SIGNAL, SHIM_E_INVALID);
    assert_error(w, world_kill(w, "c1", "", 99), SHIM_E_INVALID, "signal fails");
    world_free(w);
}

/* The limit is a second of real time. */
static void test_sigkill_ends_what_hangs_and_stops_the_container(void **state)
{
    struct world *w = world_new();
    struct world_pending start;

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    hcs_fake_hang(FAKE_START, true);
    world_begin_start(w, "c1", "", &start);
    assert_true(hcs_fake_await_hanging(FAKE_START, 1));
    assert_int_equal(world_kill(w, "c1", "", 10), 0);
    assert_int_equal(hcs_fake_calls(FAKE_CANCEL), 0); /* only SIGKILL is meant that way */
    assert_int_equal(world_kill(w, "c1", "", 9), 0);
    assert_int_equal(world_end(&start), SHIM_E_CANCELED);
    assert_int_equal(world_wait(w, "c1", ""), 137);
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__STOPPED);
    assert_int_equal(world_delete(w, "c1", ""), 137);
    world_expect_events(w, "create c1 1001\nexit c1 c1 1001 137\ndelete c1 1001 137\n");
    world_free(w);
}

static void test_sigkill_ends_an_exec_start_that_hangs(void **state)
{
    struct world *w = world_new();
    struct world_pending start;

    (void)state;
    world_run(w, "c1");
    assert_int_equal(world_exec(w, "c1", "e1"), 0);
    hcs_fake_hang(FAKE_PROCESS_START, true);
    world_begin_start(w, "c1", "e1", &start);
    assert_true(hcs_fake_await_hanging(FAKE_PROCESS_START, 1));
    assert_int_equal(world_kill(w, "c1", "", 9), 0);
    assert_int_equal(world_end(&start), SHIM_E_CANCELED);
    world_expect_events(w, "create c1 1001\nstart c1 1001\nexec-added c1 e1\n"
                           "exit c1 c1 1001 137\n");
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_method_knows_every_state),
        cmocka_unit_test(test_what_is_not_allowed_is_said_with_verb_and_state),
        cmocka_unit_test(test_a_pause_under_way_is_shown_for_execs_too),
        cmocka_unit_test(test_a_pause_or_resume_that_fails_changes_nothing),
        cmocka_unit_test(test_a_pause_that_loses_against_the_end_leaves_nothing_frozen),
        cmocka_unit_test(test_update_passes_the_resources_on),
        cmocka_unit_test(test_update_refuses_what_is_no_object),
        cmocka_unit_test(test_checkpoint_passes_its_options_on),
        cmocka_unit_test(test_checkpoint_says_what_it_cannot_use),
        cmocka_unit_test(test_a_restore_happens_at_start),
        cmocka_unit_test(test_a_restore_that_fails_can_be_tried_again),
        cmocka_unit_test(test_a_restore_without_streams_is_ended),
        cmocka_unit_test(test_kill_reaches_init_an_exec_or_all),
        cmocka_unit_test(test_killing_a_created_container_stops_it),
        cmocka_unit_test(test_an_exec_that_was_never_started_cannot_be_killed),
        cmocka_unit_test(test_a_providers_error_comes_through),
        cmocka_unit_test(test_sigkill_ends_what_hangs_and_stops_the_container),
        cmocka_unit_test(test_sigkill_ends_an_exec_start_that_hangs),
    };

    return world_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

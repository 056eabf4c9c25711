/* SPDX-License-Identifier: Apache-2.0 */
/* Delete: when it is allowed, what it waits for, and that it can be tried again where it failed. */
#include "base/clock.h"
#include "tests/unit/shim/world.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static int create_with_rootfs(struct world *w, const char *id)
{
    Task__CreateTaskRequest m = TASK__CREATE_TASK_REQUEST__INIT;
    Task__Mount mount = TASK__MOUNT__INIT, *list[] = {&mount};

    m.id = (char *)id;
    m.bundle = (char *)world_bundle(w, id);
    m.rootfs = list;
    m.n_rootfs = 1;
    return world_call(w, "Create", &m.base, NULL);
}

static void test_the_second_delete_finds_nothing(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    assert_error(w, world_delete(w, "c1", ""), SHIM_E_UNKNOWN, "cannot delete a running process");
    world_exit(w, "c1", "", 4);
    assert_int_equal(world_delete(w, "c1", ""), 4);
    assert_error(w, world_delete(w, "c1", ""), SHIM_E_NOT_FOUND, "container c1: not found");
    world_free(w);
}

static void test_the_answer_has_what_the_exit_event_has(void **state)
{
    Task__DeleteRequest m = TASK__DELETE_REQUEST__INIT;
    Task__StateRequest ask = TASK__STATE_REQUEST__INIT;
    struct world *w = world_new();
    Task__DeleteResponse *deleted;
    Task__StateResponse *stopped;

    (void)state;
    world_run(w, "c1");
    world_exit(w, "c1", "", 143);
    m.id = ask.id = (char *)"c1";
    assert_int_equal(world_call(w, "State", &ask.base, (ProtobufCMessage **)&stopped), 0);
    assert_int_equal(world_call(w, "Delete", &m.base, (ProtobufCMessage **)&deleted), 0);
    assert_int_equal(deleted->pid, 1001);
    assert_int_equal(deleted->exit_status, 143);
    assert_int_equal(stopped->exit_status, 143);
    assert_true(deleted->exited_at->seconds > 1600000000);
    assert_int_equal(deleted->exited_at->seconds, stopped->exited_at->seconds);
    assert_int_equal(deleted->exited_at->nanos, stopped->exited_at->nanos);
    protobuf_c_message_free_unpacked(&deleted->base, NULL);
    protobuf_c_message_free_unpacked(&stopped->base, NULL);
    world_free(w);
}

static void test_a_delete_that_fails_keeps_the_task(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    world_exit(w, "c1", "", 0);
    hcs_fake_fail(FAKE_DELETE, SHIM_E_INTERNAL);
    assert_error(w, world_delete(w, "c1", ""), SHIM_E_INTERNAL, "delete fails");
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__STOPPED);
    hcs_fake_fail(FAKE_DELETE, 0);
    assert_int_equal(world_delete(w, "c1", ""), 0);
    world_expect_events(w, "create c1 1001\nstart c1 1001\nexit c1 c1 1001 0\ndelete c1 1001 0\n");
    world_free(w);
}

static void test_a_root_file_system_in_use_keeps_the_task(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_int_equal(create_with_rootfs(w, "c1"), 0);
    hcs_fake_fail(FAKE_UNMOUNT, SHIM_E_UNKNOWN);
    assert_error(w, world_delete(w, "c1", ""), SHIM_E_UNKNOWN, "unmount rootfs: unmount fails");
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__STOPPED);
    hcs_fake_fail(FAKE_UNMOUNT, 0);
    assert_int_equal(world_delete(w, "c1", ""), 137);
    world_expect_events(w, "create c1 1001\nexit c1 c1 1001 137\ndelete c1 1001 137\n");
    world_free(w);
}

/* The client gives up on the first, and its second is to find nothing. */
static void test_of_two_deletes_at_once_one_finds_nothing(void **state)
{
    struct world *w = world_new();
    struct world_pending first, second;

    (void)state;
    assert_int_equal(create_with_rootfs(w, "c1"), 0);
    hcs_fake_hang(FAKE_UNMOUNT, true);
    world_begin_delete(w, "c1", &first);
    assert_true(hcs_fake_await_hanging(FAKE_UNMOUNT, 1));
    world_begin_delete(w, "c1", &second);
    assert_true(world_await_parked(w, "c1", 1));
    assert_int_equal(world_shutdown(w), 0);
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__STOPPED);
    assert_int_equal(hcs_fake_calls(FAKE_CANCEL), 0); /* a Delete is not cut short by another */
    hcs_fake_hang(FAKE_UNMOUNT, false);
    assert_int_equal(world_end(&first), 0);
    assert_int_equal(world_end(&second), SHIM_E_NOT_FOUND);
    assert_true(world_await_end(w));
    world_free(w);
}

static void test_delete_ends_a_start_that_hangs(void **state)
{
    struct world *w = world_new();
    struct world_pending start;

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    hcs_fake_hang(FAKE_START, true);
    world_begin_start(w, "c1", "", &start);
    assert_true(hcs_fake_await_hanging(FAKE_START, 1));
    assert_int_equal(world_delete(w, "c1", ""), 137);
    assert_error(w, world_end(&start), SHIM_E_CANCELED, "was cancelled");
    world_expect_events(w, "create c1 1001\nexit c1 c1 1001 137\ndelete c1 1001 137\n");
    world_free(w);
}

static void test_a_container_that_was_never_restored_is_deleted(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_int_equal(world_create_from(w, "c1", "/image"), 0);
    assert_int_equal(world_delete(w, "c1", ""), 0);
    world_expect_events(w, "create c1 0\ndelete c1 0 0\n");
    world_free(w);
}

static void test_execs_go_with_their_container(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    assert_int_equal(world_exec(w, "c1", "never-started"), 0);
    world_run_exec(w, "c1", "running");
    world_run_exec(w, "c1", "ended");
    world_exit(w, "c1", "ended", 1);
    world_exit(w, "c1", "", 0);
    assert_int_equal(world_delete(w, "c1", ""), 0); /* kills what runs */
    assert_int_equal(world_state(w, "c1", "running"), SHIM_E_NOT_FOUND);
    world_expect_events(w, "create c1 1001\nstart c1 1001\nexec-added c1 never-started\n"
                           "exec-added c1 running\nexec-started c1 running 1002\n"
                           "exec-added c1 ended\nexec-started c1 ended 1003\n"
                           "exit c1 ended 1003 1\nexit c1 running 1002 137\n"
                           "exit c1 c1 1001 0\ndelete c1 1001 0\n");
    world_free(w);
}

static void test_an_exec_being_started_goes_with_its_container(void **state)
{
    struct world *w = world_new();
    struct world_pending start;

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    assert_int_equal(world_exec(w, "c1", "e1"), 0);
    hcs_fake_hang(FAKE_PROCESS_START, true);
    world_begin_start(w, "c1", "e1", &start);
    assert_true(hcs_fake_await_hanging(FAKE_PROCESS_START, 1));
    assert_int_equal(world_kill(w, "c1", "", 9), 0);
    assert_int_equal(world_end(&start), SHIM_E_CANCELED);
    assert_int_equal(world_delete(w, "c1", ""), 137);
    world_expect_events(w, "create c1 1001\nexec-added c1 e1\nexit c1 c1 1001 137\n"
                           "delete c1 1001 137\n");
    world_free(w);
}

static void test_delete_waits_for_output_that_is_still_read(void **state)
{
    Task__CreateTaskRequest m = TASK__CREATE_TASK_REQUEST__INIT;
    struct world *w = world_new();
    cleanup_free char *out = shim_strf("%s/out", w->folder);
    struct world_pending delete;
    char text[16] = "";
    int reader;

    (void)state;
    assert_int_equal(mkfifo(out, 0600), 0);
    m.id = (char *)"c1";
    m.bundle = (char *)world_bundle(w, "c1");
    m.stdout_path = out;
    assert_int_equal(world_call(w, "Create", &m.base, NULL), 0);
    hcs_fake_write("c1", "", "last words");
    world_exit(w, "c1", "", 0);
    world_begin_delete(w, "c1", &delete);
    reader = open(out, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(reader, text, sizeof(text) - 1), 10);
    assert_string_equal(text, "last words");
    assert_int_equal(world_end(&delete), 0);
    assert_int_equal(read(reader, text, sizeof(text)), 0); /* nobody holds it open */
    close(reader);
    world_free(w);
}

/* --- shutdown ------------------------------------------------------------------------------- */

static void test_a_shutdown_is_remembered_until_the_last_delete(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    world_run(w, "c2");
    world_exit(w, "c1", "", 0);
    world_exit(w, "c2", "", 0);
    assert_int_equal(world_shutdown(w), 0);
    assert_int_equal(world_delete(w, "c1", ""), 0);
    assert_false(world_has_ended(w));
    assert_int_equal(world_delete(w, "c2", ""), 0);
    assert_true(world_await_end(w));
    world_free(w);
}

static void test_without_a_shutdown_the_shim_stays(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    world_exit(w, "c1", "", 0);
    assert_int_equal(world_delete(w, "c1", ""), 0);
    assert_false(world_has_ended(w));
    assert_int_equal(world_shutdown(w), 0);
    assert_true(world_await_end(w));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_second_delete_finds_nothing),
        cmocka_unit_test(test_the_answer_has_what_the_exit_event_has),
        cmocka_unit_test(test_a_delete_that_fails_keeps_the_task),
        cmocka_unit_test(test_a_root_file_system_in_use_keeps_the_task),
        cmocka_unit_test(test_of_two_deletes_at_once_one_finds_nothing),
        cmocka_unit_test(test_delete_ends_a_start_that_hangs),
        cmocka_unit_test(test_a_container_that_was_never_restored_is_deleted),
        cmocka_unit_test(test_execs_go_with_their_container),
        cmocka_unit_test(test_an_exec_being_started_goes_with_its_container),
        cmocka_unit_test(test_delete_waits_for_output_that_is_still_read),
        cmocka_unit_test(test_a_shutdown_is_remembered_until_the_last_delete),
        cmocka_unit_test(test_without_a_shutdown_the_shim_stays),
    };

    return world_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Processes that are exec'ed: what is refused, their states, their streams. */
#include "tests/unit/shim/world.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char good_spec[] = "{\"args\":[\"x\"],\"cwd\":\"/\"}";

static int exec_with(struct world *w, Task__ExecProcessRequest *m, const char *spec)
{
    Pb__Any any = PB__ANY__INIT;

    any.value = (ProtobufCBinaryData){.len = strlen(spec), .data = (uint8_t *)spec};
    m->id = (char *)"c1";
    m->spec = &any;
    return world_call(w, "Exec", &m->base, NULL);
}

static int exec_spec(struct world *w, const char *exec_id, const char *spec)
{
    Task__ExecProcessRequest m = TASK__EXEC_PROCESS_REQUEST__INIT;

    m.exec_id = (char *)exec_id;
    return exec_with(w, &m, spec);
}

/* --- what is refused ------------------------------------------------------------------------ */

static void test_an_exec_needs_a_usable_id_and_spec(void **state)
{
    static const char *const bad_ids[] = {"", "a/b", ".", "..", "-x"};
    Task__ExecProcessRequest m = TASK__EXEC_PROCESS_REQUEST__INIT;
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    for (size_t i = 0; i < SHIM_ARRAY_LEN(bad_ids); i++)
        assert_error(w, exec_spec(w, bad_ids[i], good_spec), SHIM_E_INVALID, "is no exec id");
    assert_error(w, exec_spec(w, "e1", ""), SHIM_E_INVALID, "no process spec");
    m.id = (char *)"c1";
    m.exec_id = (char *)"e1";
    assert_error(w, world_call(w, "Exec", &m.base, NULL), SHIM_E_INVALID, "no process spec");
    assert_error(w, exec_spec(w, "e1", "{"), SHIM_E_INVALID, "");
    assert_error(w, exec_spec(w, "e1", "{\"cwd\":\"/\"}"), SHIM_E_INVALID, "args");
    assert_error(w, world_state(w, "c1", "e1"), SHIM_E_NOT_FOUND, "e1");
    assert_int_equal(hcs_fake_calls(FAKE_PROCESS_NEW), 0);
    world_expect_events(w, "create c1 1001\nstart c1 1001\n");
    world_free(w);
}

static void test_an_id_in_use_is_refused(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    assert_int_equal(world_exec(w, "c1", "e1"), 0);
    assert_error(w, world_exec(w, "c1", "e1"), SHIM_E_EXISTS, "id e1: already exists");
    assert_error(w, world_exec(w, "c1", "c1"), SHIM_E_EXISTS, "id c1: already exists");
    assert_int_equal(world_delete(w, "c1", "e1"), 0);
    assert_int_equal(world_exec(w, "c1", "e1"), 0); /* free again */
    world_free(w);
}

static void test_an_exec_being_made_is_known_to_nobody_but_keeps_its_id(void **state)
{
    Task__ExecProcessRequest m = TASK__EXEC_PROCESS_REQUEST__INIT;
    struct world *w = world_new();
    struct world_pending first;
    Pb__Any any = PB__ANY__INIT;

    (void)state;
    world_run(w, "c1");
    hcs_fake_hang(FAKE_PROCESS_NEW, true);
    any.value =
        (ProtobufCBinaryData){.len = strlen(good_spec), .data = (uint8_t *)(uintptr_t)good_spec};
    m.id = (char *)"c1";
    m.exec_id = (char *)"e1";
    m.spec = &any;
    world_begin(w, "Exec", &m.base, &first);
    assert_true(hcs_fake_await_hanging(FAKE_PROCESS_NEW, 1));
    assert_error(w, world_exec(w, "c1", "e1"), SHIM_E_EXISTS, "id e1: already exists");
    assert_int_equal(world_state(w, "c1", "e1"), SHIM_E_NOT_FOUND);
    assert_int_equal(world_start(w, "c1", "e1"), SHIM_E_NOT_FOUND);
    assert_int_equal(world_delete(w, "c1", "e1"), SHIM_E_NOT_FOUND);
    hcs_fake_hang(FAKE_PROCESS_NEW, false);
    assert_int_equal(world_end(&first), 0);
    assert_int_equal(world_state(w, "c1", "e1"), TASK__STATUS__CREATED);
    world_free(w);
}

static void test_an_exec_that_the_provider_refuses_leaves_nothing(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    hcs_fake_fail(FAKE_PROCESS_NEW, SHIM_E_INVALID);
    assert_error(w, world_exec(w, "c1", "e1"), SHIM_E_INVALID, "process new fails");
    assert_int_equal(world_state(w, "c1", "e1"), SHIM_E_NOT_FOUND);
    hcs_fake_fail(FAKE_PROCESS_NEW, 0);
    assert_int_equal(world_exec(w, "c1", "e1"), 0);
    world_expect_events(w, "create c1 1001\nstart c1 1001\nexec-added c1 e1\n");
    world_free(w);
}

/* --- states --------------------------------------------------------------------------------- */

static void test_an_exec_is_created_runs_stops_and_is_deleted(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    assert_int_equal(world_exec(w, "c1", "e1"), 0);
    assert_int_equal(world_state(w, "c1", "e1"), TASK__STATUS__CREATED);
    assert_int_equal(world_start(w, "c1", "e1"), 0);
    assert_int_equal(world_state(w, "c1", "e1"), TASK__STATUS__RUNNING);
    assert_error(w, world_start(w, "c1", "e1"), SHIM_E_UNKNOWN, "cannot start a running process");
    assert_error(w, world_delete(w, "c1", "e1"), SHIM_E_UNKNOWN, "cannot delete a running process");
    world_exit(w, "c1", "e1", 42);
    assert_int_equal(world_state(w, "c1", "e1"), TASK__STATUS__STOPPED);
    assert_error(w, world_start(w, "c1", "e1"), SHIM_E_UNKNOWN, "cannot start a stopped process");
    assert_int_equal(world_delete(w, "c1", "e1"), 42);
    assert_error(w, world_delete(w, "c1", "e1"), SHIM_E_NOT_FOUND, "process e1 in container c1");
    assert_int_equal(world_state(w, "c1", ""), TASK__STATUS__RUNNING);
    world_free(w);
}

static void test_an_exec_runs_in_a_container_that_is_only_created(void **state)
{
    struct world *w = world_new();

    (void)state;
    assert_int_equal(world_create(w, "c1"), 0);
    world_run_exec(w, "c1", "e1");
    assert_int_equal(world_kill(w, "c1", "e1", 9), 0);
    assert_int_equal(world_wait(w, "c1", "e1"), 137);
    assert_int_equal(world_start(w, "c1", ""), 0);
    world_free(w);
}

static void test_an_exec_cannot_start_once_init_has_ended(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    assert_int_equal(world_exec(w, "c1", "e1"), 0);
    world_exit(w, "c1", "", 0);
    assert_error(w, world_start(w, "c1", "e1"), SHIM_E_STATE, "init process is not running");
    assert_int_equal(hcs_fake_calls(FAKE_PROCESS_START), 0);
    world_free(w);
}

static void test_an_exec_being_started_can_be_neither_started_nor_deleted(void **state)
{
    struct world *w = world_new();
    struct world_pending start;

    (void)state;
    world_run(w, "c1");
    assert_int_equal(world_exec(w, "c1", "e1"), 0);
    hcs_fake_hang(FAKE_PROCESS_START, true);
    world_begin_start(w, "c1", "e1", &start);
    assert_true(hcs_fake_await_hanging(FAKE_PROCESS_START, 1));
    assert_error(w, world_start(w, "c1", "e1"), SHIM_E_UNKNOWN, "cannot start a starting process");
    assert_error(w, world_delete(w, "c1", "e1"), SHIM_E_UNKNOWN,
                 "cannot delete a starting process");
    hcs_fake_hang(FAKE_PROCESS_START, false);
    assert_int_equal(world_end(&start), 0);
    world_free(w);
}

static void test_many_execs_at_once_all_end(void **state)
{
    enum { N = 64 };
    struct world *w = world_new();
    struct world_pending starts[N];
    char ids[N][8];

    (void)state;
    world_run(w, "c1");
    for (int i = 0; i < N; i++) {
        snprintf(ids[i], sizeof(ids[i]), "e%d", i);
        assert_int_equal(world_exec(w, "c1", ids[i]), 0);
    }
    for (int i = 0; i < N; i++)
        world_begin_start(w, "c1", ids[i], &starts[i]);
    for (int i = 0; i < N; i++)
        assert_int_equal(world_end(&starts[i]), 0);
    for (int i = 0; i < N; i++) {
        world_exit(w, "c1", ids[i], 1);
        assert_int_equal(world_wait(w, "c1", ids[i]), 1);
        assert_int_equal(world_delete(w, "c1", ids[i]), 1);
    }
    assert_true(events_fake_await(w->containerd, 2 + 3 * N));
    world_free(w);
}

/* --- streams -------------------------------------------------------------------------------- */

static char *make_fifo(struct world *w, const char *name)
{
    char *path = shim_strf("%s/%s", w->folder, name);

    assert_int_equal(mkfifo(path, 0600), 0);
    return path;
}

static void test_what_an_exec_writes_arrives_before_its_exit_is_told(void **state)
{
    Task__ExecProcessRequest m = TASK__EXEC_PROCESS_REQUEST__INIT;
    struct world *w = world_new();
    cleanup_free char *fifo = make_fifo(w, "out");
    int reader = open(fifo, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    char text[16] = "";

    (void)state;
    world_run(w, "c1");
    m.exec_id = (char *)"e1";
    m.stdout_path = fifo;
    assert_int_equal(exec_with(w, &m, good_spec), 0);
    assert_int_equal(world_start(w, "c1", "e1"), 0);
    hcs_fake_write("c1", "e1", "hello");
    hcs_fake_hold_pipes(true); /* a grandchild has them open */
    world_exit(w, "c1", "e1", 0);
    world_expect_events(w, "create c1 1001\nstart c1 1001\nexec-added c1 e1\n"
                           "exec-started c1 e1 1002\nexit c1 e1 1002 0\n");
    assert_int_equal(read(reader, text, sizeof(text) - 1), 5);
    assert_string_equal(text, "hello");
    close(reader);
    world_free(w);
}

static int close_io(struct world *w, const char *exec_id, bool close_stdin)
{
    Task__CloseIORequest m = TASK__CLOSE_IOREQUEST__INIT;

    m.id = (char *)"c1";
    m.exec_id = (char *)exec_id;
    m.close_stdin = close_stdin;
    return world_call(w, "CloseIO", &m.base, NULL);
}

static void test_standard_input_ends_with_close_io_and_the_client(void **state)
{
    Task__ExecProcessRequest m = TASK__EXEC_PROCESS_REQUEST__INIT;
    struct world *w = world_new();
    cleanup_free char *fifo = make_fifo(w, "in");
    int writer;

    (void)state;
    world_run(w, "c1");
    m.exec_id = (char *)"e1";
    m.stdin_path = fifo;
    assert_int_equal(exec_with(w, &m, good_spec), 0);
    assert_int_equal(world_start(w, "c1", "e1"), 0);
    writer = open(fifo, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(writer, "input", 5), 5);
    assert_int_equal(close_io(w, "e1", false), 0); /* asks for nothing */
    assert_int_equal(close_io(w, "e1", true), 0);
    assert_int_equal(close_io(w, "e1", true), 0);
    close(writer);
    assert_string_equal(hcs_fake_read_all("c1", "e1"), "input");
    assert_int_equal(close_io(w, "", true), 0); /* there is no such stream */
    world_free(w);
}

static void test_a_close_io_before_the_start_is_kept(void **state)
{
    Task__ExecProcessRequest m = TASK__EXEC_PROCESS_REQUEST__INIT;
    struct world *w = world_new();
    cleanup_free char *fifo = make_fifo(w, "in");
    int writer;

    (void)state;
    world_run(w, "c1");
    m.exec_id = (char *)"e1";
    m.stdin_path = fifo;
    assert_int_equal(exec_with(w, &m, good_spec), 0);
    assert_int_equal(close_io(w, "e1", true), 0);
    assert_int_equal(world_start(w, "c1", "e1"), 0);
    writer = open(fifo, O_WRONLY | O_CLOEXEC);
    assert_int_equal(write(writer, "late", 4), 4);
    close(writer);
    assert_string_equal(hcs_fake_read_all("c1", "e1"), "late");
    world_free(w);
}

static void test_streams_that_cannot_be_opened_fail_the_start(void **state)
{
    Task__ExecProcessRequest m = TASK__EXEC_PROCESS_REQUEST__INIT;
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    m.exec_id = (char *)"e1";
    m.stdout_path = (char *)"carrier-pigeon:///x";
    assert_int_equal(exec_with(w, &m, good_spec), 0);
    assert_error(w, world_start(w, "c1", "e1"), SHIM_E_INVALID, "unknown STDIO scheme");
    m.exec_id = (char *)"e2";
    m.stdout_path = (char *)"/nowhere/at/all";
    assert_int_equal(exec_with(w, &m, good_spec), 0);
    assert_error(w, world_start(w, "c1", "e2"), SHIM_E_NOT_FOUND, "/nowhere/at/all");
    assert_int_equal(world_state(w, "c1", "e2"), TASK__STATUS__CREATED);
    assert_int_equal(hcs_fake_calls(FAKE_PROCESS_START), 0);
    world_free(w);
}

static int resize(struct world *w, const char *exec_id, uint32_t width, uint32_t height)
{
    Task__ResizePtyRequest m = TASK__RESIZE_PTY_REQUEST__INIT;

    m.id = (char *)"c1";
    m.exec_id = (char *)exec_id;
    m.width = width;
    m.height = height;
    return world_call(w, "ResizePty", &m.base, NULL);
}

static void test_a_terminal_has_the_size_it_was_given_before_and_after_its_start(void **state)
{
    Task__ExecProcessRequest m = TASK__EXEC_PROCESS_REQUEST__INIT;
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    m.exec_id = (char *)"e1";
    m.terminal = true;
    assert_int_equal(exec_with(w, &m, good_spec), 0);
    assert_int_equal(resize(w, "e1", 132, 43), 0);
    assert_int_equal(world_start(w, "c1", "e1"), 0);
    assert_string_equal(hcs_fake_last(FAKE_PROCESS_START), "c1 e1 132x43");
    assert_int_equal(resize(w, "e1", 80, 24), 0);
    assert_string_equal(hcs_fake_last(FAKE_RESIZE), "c1 e1 80x24");
    world_exit(w, "c1", "e1", 0);
    assert_int_equal(resize(w, "e1", 1, 1), 0); /* too late, and no error */
    assert_string_equal(hcs_fake_last(FAKE_RESIZE), "c1 e1 80x24");
    world_free(w);
}

static void test_without_a_terminal_a_size_is_taken_and_ignored(void **state)
{
    struct world *w = world_new();

    (void)state;
    world_run(w, "c1");
    assert_int_equal(resize(w, "", 80, 24), 0);
    assert_int_equal(hcs_fake_calls(FAKE_RESIZE), 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_exec_needs_a_usable_id_and_spec),
        cmocka_unit_test(test_an_id_in_use_is_refused),
        cmocka_unit_test(test_an_exec_being_made_is_known_to_nobody_but_keeps_its_id),
        cmocka_unit_test(test_an_exec_that_the_provider_refuses_leaves_nothing),
        cmocka_unit_test(test_an_exec_is_created_runs_stops_and_is_deleted),
        cmocka_unit_test(test_an_exec_runs_in_a_container_that_is_only_created),
        cmocka_unit_test(test_an_exec_cannot_start_once_init_has_ended),
        cmocka_unit_test(test_an_exec_being_started_can_be_neither_started_nor_deleted),
        cmocka_unit_test(test_many_execs_at_once_all_end),
        cmocka_unit_test(test_what_an_exec_writes_arrives_before_its_exit_is_told),
        cmocka_unit_test(test_standard_input_ends_with_close_io_and_the_client),
        cmocka_unit_test(test_a_close_io_before_the_start_is_kept),
        cmocka_unit_test(test_streams_that_cannot_be_opened_fail_the_start),
        cmocka_unit_test(test_a_terminal_has_the_size_it_was_given_before_and_after_its_start),
        cmocka_unit_test(test_without_a_terminal_a_size_is_taken_and_ignored),
    };

    return world_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

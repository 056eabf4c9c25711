/* SPDX-License-Identifier: Apache-2.0 */
/* The table of tasks, references, and the operation slot, without a server or a provider. */
#include "base/clock.h"
#include "shim/proto/events.pb-c.h"
#include "shim/shim.h"
#include "shim/task.h"
#include "tests/test.h"
#include <string.h>

static const struct shim_process_config no_streams = {.exec_id = ""};

static struct shim *shim_new(void)
{
    struct shim *shim = calloc(1, sizeof(*shim));

    assert_non_null(shim);
    shim_tasks_init(&shim->tasks);
    assert_int_equal(
        shim_workers_new(&(struct shim_workers_config){.max_threads = 1}, &shim->workers, NULL), 0);
    assert_int_equal(
        shim_events_new(&(struct shim_events_config){.ns = "ns1", .workers = shim->workers},
                        &shim->events, NULL),
        0);
    return shim;
}

static void shim_free(struct shim *shim)
{
    assert_true(shim_workers_drain(shim->workers, 10000));
    shim_events_stop(shim->events, 10000);
    shim_workers_free(shim->workers);
    shim_events_free(shim->events);
    shim_tasks_done(&shim->tasks);
    free(shim);
}

static struct shim_task *add(struct shim *shim, const char *id)
{
    struct shim_task *task = NULL;

    assert_int_equal(shim_task_add(shim, id, "/bundle", &no_streams, &task, NULL), 0);
    return task;
}

/* As create does when all went well. */
static void make_known(struct shim_task *task)
{
    Events__TaskCreate event = EVENTS__TASK_CREATE__INIT;

    assert_int_equal(shim_start_begin(task->init, SHIM_CREATING, NULL), 0);
    shim_start_done(task->init, SHIM_CREATED, "/tasks/create", &event.base);
    shim_slot_release(task);
}

/* --- the table ------------------------------------------------------------------------------ */

static void test_a_task_is_found_once_it_is_created(void **state)
{
    struct shim *shim = shim_new();
    struct shim_task *task = add(shim, "c1"), *found = NULL;
    struct shim_error err;

    (void)state;
    assert_int_equal(shim_task_find(shim, "c1", &found, &err), SHIM_E_NOT_FOUND);
    assert_string_equal(err.msg, "container c1: not found");
    assert_int_equal(shim_task_find_any(shim, "c1", &found, NULL), 0);
    assert_ptr_equal(found, task);
    shim_task_put(found);
    assert_false(shim_tasks_empty(shim));

    make_known(task);
    assert_int_equal(shim_task_find(shim, "c1", &found, NULL), 0);
    assert_string_equal(found->rootfs, "/bundle/rootfs");
    shim_task_put(found);
    shim_task_remove(task);
    shim_task_put(task);
    assert_true(shim_tasks_empty(shim));
    assert_int_equal(shim_task_find_any(shim, "c1", &found, NULL), SHIM_E_NOT_FOUND);
    shim_free(shim);
}

static void test_an_id_is_given_once(void **state)
{
    struct shim *shim = shim_new();
    struct shim_task *task = add(shim, "c1"), *other = NULL;
    struct shim_error err;

    (void)state;
    assert_int_equal(shim_task_add(shim, "c1", "/b", &no_streams, &other, &err), SHIM_E_EXISTS);
    assert_string_equal(err.msg, "container c1: already exists");
    assert_null(other);
    shim_task_remove(task);
    shim_task_put(task);
    task = add(shim, "c1");
    shim_task_remove(task);
    shim_task_put(task);
    shim_free(shim);
}

static void test_a_removed_task_lives_as_long_as_its_references(void **state)
{
    struct shim *shim = shim_new();
    struct shim_task *task = add(shim, "c1"), *held = NULL;
    struct shim_process *init = NULL;

    (void)state;
    make_known(task);
    assert_int_equal(shim_task_find(shim, "c1", &held, NULL), 0);
    assert_int_equal(shim_process_find(shim, "c1", NULL, &init, NULL), 0);
    assert_ptr_equal(init, task->init);
    shim_task_remove(task);
    shim_task_put(task);
    assert_string_equal(held->id, "c1");
    assert_int_equal(held->init->state, SHIM_DELETED);
    shim_task_put(held);
    assert_string_equal(init->task->id, "c1");
    shim_process_put(init);
    shim_free(shim); /* the sanitizer tells of what is left */
}

/* --- execs ---------------------------------------------------------------------------------- */

static void test_an_exec_is_found_once_it_is_created_and_gone_once_removed(void **state)
{
    const struct shim_process_config config = {.exec_id = "e1", .stdout_path = "/out"};
    Events__TaskExecAdded event = EVENTS__TASK_EXEC_ADDED__INIT;
    struct shim *shim = shim_new();
    struct shim_task *task = add(shim, "c1");
    struct shim_process *exec = NULL, *found = NULL;
    struct shim_error err;

    (void)state;
    make_known(task);
    assert_int_equal(shim_exec_add(task, &config, &exec, NULL), 0);
    assert_int_equal(shim_process_find(shim, "c1", "e1", &found, NULL), SHIM_E_NOT_FOUND);
    assert_int_equal(shim_exec_add(task, &config, &found, &err), SHIM_E_EXISTS);
    shim_start_done(exec, SHIM_CREATED, "/tasks/exec-added", &event.base);
    assert_int_equal(shim_process_find(shim, "c1", "e1", &found, NULL), 0);
    assert_string_equal(found->stdout_path, "/out");
    assert_string_equal(found->stdin_path, "");
    shim_process_put(found);
    shim_exec_remove(exec);
    shim_exec_remove(exec); /* twice is once */
    assert_int_equal(shim_process_find(shim, "c1", "e1", &found, &err), SHIM_E_NOT_FOUND);
    assert_string_equal(err.msg, "process e1 in container c1: not found");
    shim_process_put(exec);
    shim_task_remove(task);
    shim_task_put(task);
    shim_free(shim);
}

static void test_execs_go_with_their_task_and_none_is_added_afterwards(void **state)
{
    const struct shim_process_config config = {.exec_id = "e1"}, late = {.exec_id = "e2"};
    struct shim *shim = shim_new();
    struct shim_task *task = add(shim, "c1");
    struct shim_process *exec = NULL, *none = NULL;

    (void)state;
    make_known(task);
    assert_int_equal(shim_exec_add(task, &config, &exec, NULL), 0);
    shim_task_remove(task);
    assert_int_equal(shim_exec_add(task, &late, &none, NULL), SHIM_E_NOT_FOUND);
    assert_null(none);
    shim_task_put(task);
    assert_string_equal(exec->task->id, "c1"); /* an exec keeps its task */
    shim_process_put(exec);
    shim_free(shim);
}

/* --- the slot ------------------------------------------------------------------------------- */

/* Requests that note in which order they run again. */
struct numbered {
    struct shim_request request;
    struct shim_task *task;
    unsigned number;
    char *order;
};

static void run_again(struct shim_work *work)
{
    struct numbered *n = shim_container_of(work, struct numbered, request.work);
    bool taken = shim_slot_take(n->task, &n->request, false);

    n->order[strlen(n->order)] = (char)('0' + n->number);
    if (taken)
        shim_slot_release(n->task);
}

static void park(struct numbered *n, struct shim *shim, struct shim_task *task, unsigned number,
                 char *order)
{
    *n = (struct numbered){.task = task, .number = number, .order = order};
    n->request.shim = shim;
    n->request.work.fn = run_again;
    assert_false(shim_slot_take(task, &n->request, false));
}

static void test_what_finds_the_slot_taken_runs_again_in_order(void **state)
{
    struct shim *shim = shim_new();
    struct shim_task *task = add(shim, "c1");
    struct numbered parked[5];
    char order[8] = "";

    (void)state;
    make_known(task);
    assert_true(shim_slot_take(task, NULL, false));
    for (unsigned i = 0; i < SHIM_ARRAY_LEN(parked); i++)
        park(&parked[i], shim, task, i, order);
    shim_slot_release(task);
    assert_true(shim_workers_drain(shim->workers, 10000));
    assert_string_equal(order, "01234");
    assert_false(task->busy);
    shim_task_remove(task);
    shim_task_put(task);
    shim_free(shim);
}

static void test_what_is_parked_runs_again_when_the_task_is_removed(void **state)
{
    struct shim *shim = shim_new();
    struct shim_task *task = add(shim, "c1"); /* creation has the slot */
    struct numbered parked[3];
    char order[8] = "";

    (void)state;
    for (unsigned i = 0; i < SHIM_ARRAY_LEN(parked); i++)
        park(&parked[i], shim, task, i, order);
    shim_task_remove(task);
    assert_true(shim_workers_drain(shim->workers, 10000));
    assert_string_equal(order, "012");
    shim_task_put(task);
    shim_free(shim);
}

static void test_starting_needs_the_right_state_and_no_other_start(void **state)
{
    struct shim *shim = shim_new();
    struct shim_task *task = add(shim, "c1");
    struct shim_error err;

    (void)state;
    make_known(task);
    assert_int_equal(shim_start_begin(task->init, SHIM_CREATED, NULL), 0);
    assert_int_equal(shim_start_begin(task->init, SHIM_CREATED, &err), SHIM_E_UNKNOWN);
    assert_string_equal(err.msg, "cannot start a starting process");
    shim_start_failed(task->init);
    assert_int_equal(shim_start_begin(task->init, SHIM_RUNNING, &err), SHIM_E_UNKNOWN);
    assert_string_equal(err.msg, "cannot start a created process");
    shim_task_remove(task);
    shim_task_put(task);
    shim_free(shim);
}

/* An exit that is told but whose output nobody takes must not hold a Delete up for ever. */
static void test_settling_ends_in_time(void **state)
{
    struct shim *shim = shim_new();
    struct shim_task *task = add(shim, "c1");

    (void)state;
    make_known(task);
    shim_exit_expect(task->init);
    shim_task_settle(task, 1);
    assert_false(task->init->exit_queued);
    task->init->state = SHIM_STOPPED;
    shim_task_settle(task, 1);
    assert_true(task->init->exit_queued);
    shim_exit_forget(task->init);
    shim_task_remove(task);
    shim_task_put(task);
    shim_free(shim);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_task_is_found_once_it_is_created),
        cmocka_unit_test(test_an_id_is_given_once),
        cmocka_unit_test(test_a_removed_task_lives_as_long_as_its_references),
        cmocka_unit_test(test_an_exec_is_found_once_it_is_created_and_gone_once_removed),
        cmocka_unit_test(test_execs_go_with_their_task_and_none_is_added_afterwards),
        cmocka_unit_test(test_what_finds_the_slot_taken_runs_again_in_order),
        cmocka_unit_test(test_what_is_parked_runs_again_when_the_task_is_removed),
        cmocka_unit_test(test_starting_needs_the_right_state_and_no_other_start),
        cmocka_unit_test(test_settling_ends_in_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

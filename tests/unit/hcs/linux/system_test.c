/* SPDX-License-Identifier: Apache-2.0 */
/* Create, restore and attach, against a stand-in runtime. */
#include "tests/unit/hcs/linux/standin.h"

static void test_create_has_the_command_line_and_says_the_pid(void **state)
{
    struct standin *s = *state;

    standin_create(s);
    assert_true(standin_called(s, "create --bundle %s --pid-file %s/init.pid box"));
    assert_int_not_equal(hcs_process_pid(hcs_system_init(s->system)), 0);
    assert_int_equal(s->init.exits, 0);
}

static void test_switches_of_the_document_are_on_the_command_line(void **state)
{
    struct standin *s = *state;
    cleanup_free char *calls = NULL, *more = NULL;

    more = shim_strf("{\"Runtime\":{\"Path\":\"%s\",\"Root\":\"%s\",\"SystemdCgroup\":true,"
                     "\"NoPivotRoot\":true,\"NoNewKeyring\":true}}",
                     s->runtime, s->world.root);
    s->system = standin_system(s, more);
    assert_ok(hcs_system_create(s->system, NULL, &s->io, err));
    calls = read_text(below(s->world.dir, "calls"));
    assert_non_null(strstr(calls, "--log-format json --systemd-cgroup create --bundle "));
    assert_non_null(strstr(calls, "/init.pid --no-pivot --no-new-keyring box\n"));
}

static void test_streams_of_init_reach_the_caller(void **state)
{
    struct standin *s = *state;
    cleanup_free char *out = NULL;

    standin_on(s, "create", "cat >&2; echo out\n");
    s->io.in.kind = HCS_STREAM_NONE;
    s->io.out.kind = s->io.err.kind = HCS_STREAM_PIPE;
    standin_create(s);
    assert_ok(hcs_process_signal(hcs_system_init(s->system), SIGKILL, err));
    out = read_until(s->io.out.handle, NULL);
    assert_string_equal(out, "out\n");
    assert_int_equal(story_await_exit(&s->init), 128 + SIGKILL);
}

static void test_an_error_of_create_is_the_last_error_in_the_log(void **state)
{
    struct standin *s = *state;

    write_text(below(s->world.bundle, "log.json"), "{\"level\":\"error\",\"msg\":\"of before\"}\n");
    standin_on(s, "create",
               "error first; error 'the cause'; echo '{\"level\":\"info\",\"msg\":\"later\"}' "
               ">>\"$log\"; exit 3\n");
    s->system = standin_system(s, NULL);
    s->io.out.kind = HCS_STREAM_PIPE;
    assert_fails(SHIM_E_UNKNOWN, "OCI runtime create failed: the cause",
                 hcs_system_create(s->system, NULL, &s->io, err));
    assert_true(standin_called(s, "delete --force box"));
    assert_int_equal(s->io.out.handle, SHIM_NO_HANDLE);
}

static void test_without_an_error_in_the_log_the_status_tells(void **state)
{
    struct standin *s = *state;

    write_text(below(s->world.bundle, "log.json"), "{\"level\":\"error\",\"msg\":\"of before\"}\n");
    standin_on(s, "create", "exit 3\n");
    s->system = standin_system(s, NULL);
    assert_fails(SHIM_E_UNKNOWN, "OCI runtime create failed: exit status 3",
                 hcs_system_create(s->system, NULL, &s->io, err));
}

static void test_a_create_that_got_half_way_leaves_no_process(void **state)
{
    struct standin *s = *state;
    cleanup_free char *pid = NULL;

    standin_on(
        s, "create",
        "mkdir \"$root/$id\"; sleep 1000 & echo $! >\"$root/$id/pid\"; echo $! >\"$dir/pid\"\n"
        "echo $! >\"$pid_file\"; error 'half way'; exit 1\n");
    s->system = standin_system(s, NULL);
    assert_fails(SHIM_E_UNKNOWN, "half way", hcs_system_create(s->system, NULL, &s->io, err));
    assert_false(shim_file_exists(below(s->world.root, "box")));
    assert_false(shim_file_exists(below(s->world.bundle, "init.pid")));
    assert_int_equal(s->init.exits, 0);
    pid = read_text(below(s->world.dir, "pid"));
    for (int64_t deadline_ns = shim_monotonic_ns() + WAIT_NS; kill(atoi(pid), 0) == 0;)
        assert_true(shim_monotonic_ns() < deadline_ns); /* until the reaper has taken it */

    standin_on(s, "create", NULL); /* and it can be tried again */
    assert_ok(hcs_system_create(s->system, NULL, &s->io, err));
}

static void test_a_create_without_a_pid_fails(void **state)
{
    struct standin *s = *state;

    standin_on(s, "create", "echo no number >\"$pid_file\"; exit 0\n");
    s->system = standin_system(s, NULL);
    assert_fails(SHIM_E_UNKNOWN, "init.pid: no process id",
                 hcs_system_create(s->system, NULL, &s->io, err));
}

static void test_what_could_not_be_cleaned_up_is_told(void **state)
{
    struct standin *s = *state;

    standin_on(s, "create", "mkdir \"$root/$id\"; error cause; exit 1\n");
    standin_on(s, "delete", "error 'too busy'; exit 1\n");
    s->system = standin_system(s, NULL);
    assert_fails(SHIM_E_UNKNOWN,
                 "too busy, after a failed create: OCI runtime create failed: cause",
                 hcs_system_create(s->system, NULL, &s->io, err));
    assert_int_equal(rmdir(below(s->world.root, "box")), 0);
}

static void test_a_missing_runtime_is_named(void **state)
{
    struct standin *s = *state;

    s->system = standin_system(s, NULL);
    assert_int_equal(unlink(s->runtime), 0);
    assert_fails(SHIM_E_UNKNOWN, s->runtime, hcs_system_create(s->system, NULL, &s->io, err));
}

static int create_call(struct standin *s, struct shim_error *err)
{
    return hcs_system_create(s->system, NULL, &s->io, err);
}

static void test_cancel_ends_a_hung_create_and_later_calls_work(void **state)
{
    struct standin *s = *state;
    struct background b;

    standin_on(s, "create", STANDIN_HANGS);
    s->system = standin_system(s, NULL);
    background_start(&b, s, create_call);
    hcs_system_cancel(s->system);
    shim_thread_join(&b.thread);
    assert_int_equal(b.r, SHIM_E_CANCELED);
    assert_true(standin_called(s, "delete --force box"));

    standin_on(s, "create", NULL);
    assert_ok(hcs_system_create(s->system, NULL, &s->io, err));
}

static void test_an_init_that_dies_at_once_exits_once(void **state)
{
    struct standin *s = *state;

    /* It waits for the shell to be gone, or the shell would be the one to learn of its end. */
    standin_on(s, "create",
               "mkdir \"$root/$id\"; (while kill -0 $$ 2>/dev/null; do :; done; exit 9) &\n"
               "echo $! >\"$pid_file\"; echo $! >\"$root/$id/pid\"; exit 0\n");
    standin_create(s);
    assert_int_equal(story_await_exit(&s->init), 9);
}

static void test_a_console_must_be_asked_for_by_document_and_streams_alike(void **state)
{
    struct standin *s = *state;

    s->system = standin_system(s, NULL);
    s->io.console = true;
    assert_fails(SHIM_E_INVALID, "Linux.Terminal", hcs_system_create(s->system, NULL, &s->io, err));
    s->io.console = false;
    assert_int_equal(standin_calls(s), 0);
}

static void test_an_id_that_is_a_path_is_refused(void **state)
{
    struct standin *s = *state;
    struct json_object *document = world_document(&s->world, s->runtime, false);
    static const char *const ids[] = {"", "..", "a/b", "-x"};
    struct hcs_system *system;

    for (size_t i = 0; i < SHIM_ARRAY_LEN(ids); i++)
        assert_fails(SHIM_E_INVALID, "cannot name a container",
                     hcs_system_new(hcs_provider_find("linux"), ids[i], document, NULL, NULL, NULL,
                                    &system, err));
    json_object_put(document);
}

static void test_restore_has_the_command_line(void **state)
{
    struct hcs_restore restore = {.image_path = "/images/one", .parent_path = "/images/zero"};
    struct standin *s = *state;

    s->system = standin_system(s, NULL);
    assert_ok(hcs_system_create(s->system, &restore, &s->io, err));
    assert_true(standin_called(s, "restore --image-path /images/one --work-path %s --bundle %s "
                                  "--pid-file %s/init.pid --detach --no-subreaper box"));
    assert_ok(hcs_process_signal(hcs_system_init(s->system), SIGKILL, err));
    assert_int_equal(story_await_exit(&s->init), 128 + SIGKILL);
}

static void test_restore_takes_paths_of_the_document(void **state)
{
    struct hcs_restore restore = {0};
    struct standin *s = *state;

    s->system = standin_system(s, "{\"Criu\":{\"Path\":\"/opt/criu\",\"ImagePath\":\"/images/two\","
                                  "\"WorkPath\":\"/dump/of/criu\"}}");
    assert_ok(hcs_system_create(s->system, &restore, &s->io, err));
    assert_true(standin_called(s, "--criu /opt/criu restore --image-path /images/two --work-path "
                                  "/dump/of/criu --bundle %s --pid-file %s/init.pid --detach "
                                  "--no-subreaper box"));
}

static void test_a_runtime_without_restore_is_named(void **state)
{
    struct hcs_restore restore = {.image_path = "/images/one"};
    struct standin *s = *state;

    standin_on(s, "restore", "echo unknown command >&2; exit 1\n");
    s->system = standin_system(s, NULL);
    assert_fails(SHIM_E_UNIMPLEMENTED, s->runtime,
                 hcs_system_create(s->system, &restore, &s->io, err));
}

static void test_a_failing_restore_is_no_missing_one(void **state)
{
    struct hcs_restore restore = {.image_path = "/images/one"};
    struct standin *s = *state;

    standin_on(s, "restore", "case $all in *--help*) exit 0;; esac; error 'no image'; exit 1\n");
    s->system = standin_system(s, NULL);
    assert_fails(SHIM_E_UNKNOWN, "OCI runtime restore failed: no image",
                 hcs_system_create(s->system, &restore, &s->io, err));
}

static void test_attach_wants_a_state(void **state)
{
    struct standin *s = *state;

    s->system = standin_system(s, NULL);
    assert_fails(SHIM_E_NOT_FOUND, "container box does not exist",
                 hcs_system_attach(s->system, err));
}

static void test_attach_knows_a_state_that_is_a_file(void **state)
{
    struct standin *s = *state;
    char path[256];

    s->system = standin_system(s, NULL);
    snprintf(path, sizeof(path), "%s/boxes_sandbox:boxes.state", s->world.root);
    write_text(path, ""); /* somebody else's */
    assert_fails(SHIM_E_NOT_FOUND, "does not exist", hcs_system_attach(s->system, err));
    snprintf(path, sizeof(path), "%s/box_sandbox:pod.state", s->world.root);
    write_text(path, "");
    assert_ok(hcs_system_attach(s->system, err));
    assert_int_equal(unlink(path), 0);
}

static void test_attach_does_without_a_pid_file(void **state)
{
    struct standin *s = *state;
    struct hcs_system *again;

    standin_create(s);
    again = standin_system(s, NULL);
    assert_int_equal(unlink(below(s->world.bundle, "init.pid")), 0);
    assert_ok(hcs_system_attach(again, err));
    assert_int_equal(hcs_process_pid(hcs_system_init(again)), 0);
    hcs_system_free(again);
}

static void test_attach_does_not_take_a_later_process_for_init(void **state)
{
    struct standin *s = *state;
    struct hcs_system *again;
    struct timespec old[2] = {{.tv_sec = 1}, {.tv_sec = 1}};

    standin_create(s);
    again = standin_system(s, NULL);
    assert_int_equal(utimensat(AT_FDCWD, below(s->world.bundle, "init.pid"), old, 0), 0);
    assert_ok(hcs_system_attach(again, err));
    assert_int_equal(hcs_process_pid(hcs_system_init(again)), 0);
    hcs_system_free(again);
}

static void test_free_ends_a_container_that_was_given_up(void **state)
{
    struct standin *s = *state;

    standin_create(s);
    hcs_system_free(s->system);
    s->system = NULL;
    assert_int_equal(s->init.exits, 1);
    assert_int_equal(unlink(below(s->world.root, "box/pid")), 0);
    assert_int_equal(rmdir(below(s->world.root, "box")), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, standin_setup, standin_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_create_has_the_command_line_and_says_the_pid),
        TEST(test_switches_of_the_document_are_on_the_command_line),
        TEST(test_streams_of_init_reach_the_caller),
        TEST(test_an_error_of_create_is_the_last_error_in_the_log),
        TEST(test_without_an_error_in_the_log_the_status_tells),
        TEST(test_a_create_that_got_half_way_leaves_no_process),
        TEST(test_a_create_without_a_pid_fails),
        TEST(test_what_could_not_be_cleaned_up_is_told),
        TEST(test_a_missing_runtime_is_named),
        TEST(test_cancel_ends_a_hung_create_and_later_calls_work),
        TEST(test_an_init_that_dies_at_once_exits_once),
        TEST(test_a_console_must_be_asked_for_by_document_and_streams_alike),
        TEST(test_an_id_that_is_a_path_is_refused),
        TEST(test_restore_has_the_command_line),
        TEST(test_restore_takes_paths_of_the_document),
        TEST(test_a_runtime_without_restore_is_named),
        TEST(test_a_failing_restore_is_no_missing_one),
        TEST(test_attach_wants_a_state),
        TEST(test_attach_knows_a_state_that_is_a_file),
        TEST(test_attach_does_without_a_pid_file),
        TEST(test_attach_does_not_take_a_later_process_for_init),
        TEST(test_free_ends_a_container_that_was_given_up),
    };

    return standin_main("system", tests, SHIM_ARRAY_LEN(tests));
}

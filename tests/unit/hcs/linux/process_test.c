/* SPDX-License-Identifier: Apache-2.0 */
/* Execs, against a stand-in runtime. */
#include "tests/unit/hcs/linux/standin.h"
#include <dirent.h>

/* How many files of the bundle begin so. */
static unsigned leftovers(struct standin *s, const char *beginning)
{
    DIR *d = opendir(s->world.bundle);
    unsigned n = 0;

    for (struct dirent *e; (e = readdir(d));)
        n += shim_starts_with(e->d_name, beginning);
    closedir(d);
    return n;
}

static void test_an_exec_has_the_command_line_and_its_process_in_a_file(void **state)
{
    struct standin *s = *state;
    struct hcs_stdio io = HCS_STDIO_INIT;
    cleanup_free char *calls = NULL, *process = NULL;
    struct hcs_process *exec;

    standin_create(s);
    exec = standin_exec(s, "job");
    assert_ok(hcs_process_start(exec, &io, err));
    calls = read_text(below(s->world.dir, "calls"));
    assert_non_null(strstr(calls, " exec --process "));
    assert_non_null(strstr(calls, " --detach --pid-file "));
    assert_non_null(strstr(calls, "/bundle/job.pid box\n"));
    process = read_text(below(s->world.dir, "process"));
    assert_string_equal(process, "{\"args\":[\"/bin/true\"]}");
    assert_int_equal(leftovers(s, ".exec-process-"), 0);

    assert_ok(hcs_process_signal(exec, SIGTERM, err));
    assert_int_equal(story_await_exit(&s->exec), 128 + SIGTERM);
    assert_int_not_equal(hcs_process_pid(exec), 0); /* stays after the exit */
    assert_fails(SHIM_E_STATE, "started already", hcs_process_start(exec, &io, err));
    hcs_process_free(exec);
    assert_int_equal(leftovers(s, "job"), 0);
}

static void test_a_failed_exec_leaves_nothing_and_can_be_tried_again(void **state)
{
    struct standin *s = *state;
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct hcs_process *exec;

    standin_create(s);
    exec = standin_exec(s, "job");
    io.out.kind = HCS_STREAM_PIPE;
    standin_on(s, "exec", "sleep 1000 & echo $! >\"$pid_file\"; error 'no such file'; exit 1\n");
    assert_fails(SHIM_E_UNKNOWN, "OCI runtime exec failed: no such file",
                 hcs_process_start(exec, &io, err));
    assert_int_equal(io.out.handle, SHIM_NO_HANDLE);
    assert_int_equal(hcs_process_pid(exec), 0);
    assert_int_equal(leftovers(s, "job"), 0);
    assert_int_equal(leftovers(s, ".exec-process-"), 0);

    standin_on(s, "exec", NULL);
    assert_ok(hcs_process_start(exec, &io, err));
    assert_ok(hcs_process_signal(exec, SIGKILL, err));
    assert_int_equal(story_await_exit(&s->exec), 128 + SIGKILL);
    hcs_process_free(exec);
    hcs_stdio_close(&io);
}

static struct hcs_process *started_in_background;

static int exec_call(struct standin *s, struct shim_error *err)
{
    struct hcs_stdio io = HCS_STDIO_INIT;

    (void)s;
    return hcs_process_start(started_in_background, &io, err);
}

static void test_a_hung_exec_can_be_cancelled(void **state)
{
    struct standin *s = *state;
    struct background b;

    standin_on(s, "exec", STANDIN_HANGS);
    standin_create(s);
    started_in_background = standin_exec(s, "job");
    background_start(&b, s, exec_call);
    hcs_system_cancel(s->system);
    shim_thread_join(&b.thread);
    assert_int_equal(b.r, SHIM_E_CANCELED);
    assert_int_equal(leftovers(s, ".exec-process-"), 0);
    hcs_process_free(started_in_background);
}

static void test_an_exec_id_that_is_no_file_name_or_somebody_elses_is_refused(void **state)
{
    static const char *const ids[] = {"", ".", "../x", "a/b", ".hidden", "init", "shim"};
    struct standin *s = *state;
    struct json_object *parameters = parse("{}");
    struct hcs_process *exec;

    standin_create(s);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(ids); i++)
        assert_fails(SHIM_E_INVALID, "exec id",
                     hcs_process_new(s->system, ids[i], parameters, NULL, &exec, err));
    assert_fails(SHIM_E_INVALID, "Terminal: missing",
                 hcs_process_new(s->system, "job", parameters, NULL, &exec, err));
    json_object_put(parameters);
}

static void test_an_exec_without_a_living_init_is_refused(void **state)
{
    struct standin *s = *state;
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct hcs_process *exec;

    s->system = standin_system(s, NULL);
    exec = standin_exec(s, "job");
    assert_fails(SHIM_E_STATE, "init process does not run", hcs_process_start(exec, &io, err));
    assert_ok(hcs_system_create(s->system, NULL, &s->io, err));
    assert_ok(hcs_process_signal(hcs_system_init(s->system), SIGKILL, err));
    story_await_exit(&s->init);
    assert_fails(SHIM_E_STATE, "init process does not run", hcs_process_start(exec, &io, err));
    hcs_process_free(exec);
}

static void test_streams_with_a_console_need_parameters_with_one(void **state)
{
    struct standin *s = *state;
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct hcs_process *exec;

    standin_create(s);
    exec = standin_exec(s, "job");
    io.console = true;
    assert_fails(SHIM_E_INVALID, "Terminal", hcs_process_start(exec, &io, err));
    assert_ok(hcs_process_resize(exec, 10, 10, err)); /* no console: no effect */
    hcs_process_free(exec);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, standin_setup, standin_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_an_exec_has_the_command_line_and_its_process_in_a_file),
        TEST(test_a_failed_exec_leaves_nothing_and_can_be_tried_again),
        TEST(test_a_hung_exec_can_be_cancelled),
        TEST(test_an_exec_id_that_is_no_file_name_or_somebody_elses_is_refused),
        TEST(test_an_exec_without_a_living_init_is_refused),
        TEST(test_streams_with_a_console_need_parameters_with_one),
    };

    return standin_main("process", tests, SHIM_ARRAY_LEN(tests));
}

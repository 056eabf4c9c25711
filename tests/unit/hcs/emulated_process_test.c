/* SPDX-License-Identifier: Apache-2.0 */
/* Further processes, consoles, signals and exit codes. */
#include "tests/unit/hcs/emulated_world.h"

static struct hcs_system *sleeping(const char *id, struct watcher *init)
{
    return world_run(id, ARGV("sleep", "1000"), init);
}

static void test_exit_codes_are_the_processes_own(void **state)
{
    static const uint32_t codes[] = {0, 1, 42, 255};
    struct watcher init = {0};
    struct hcs_system *s = sleeping("codes", &init);

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(codes); i++) {
        cleanup_free char *script = shim_strf("exit %u", codes[i]);
        struct watcher w = {0};
        struct hcs_process *p = world_exec(s, SHELL(script), &w, NULL);

        assert_int_equal(world_wait(&w), codes[i]);
        hcs_process_free(p);
    }
    world_delete(s);
}

static void test_signals_reach_the_process_and_tell_in_its_status(void **state)
{
    static const uint32_t signals[] = {SIGHUP, SIGINT, SIGUSR1, SIGKILL, SIGTERM};
    struct watcher init = {0};
    struct hcs_system *s = sleeping("signals", &init);

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(signals); i++) {
        struct watcher w = {0};
        struct hcs_process *p = world_exec(s, ARGV("sleep", "1000"), &w, NULL);

        assert_int_equal(hcs_process_signal(p, signals[i], NULL), 0);
        assert_int_equal(world_wait(&w), 128 + signals[i]);
        hcs_process_free(p);
    }
    assert_int_equal(init.exits, 0);
    world_delete(s);
}

static void test_signalling_what_ended_never_started_or_is_no_signal_is_told(void **state)
{
    struct watcher init = {0}, w = {0};
    struct shim_error err = {0};
    struct hcs_system *s = sleeping("nosignal", &init);
    struct hcs_process *p = world_exec_new(s, SHELL("exit 0"), &w);
    struct hcs_stdio io = HCS_STDIO_INIT;

    (void)state;
    assert_int_equal(hcs_process_signal(p, SIGTERM, &err), SHIM_E_STATE);
    assert_int_equal(err.os, HRESULT_INVALID_STATE);
    assert_int_equal(hcs_process_start(p, &io, NULL), 0);
    world_wait(&w);
    assert_int_equal(hcs_process_signal(p, SIGTERM, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(err.os, HRESULT_PROCESS_ALREADY_STOPPED);
    assert_non_null(strstr(err.msg, "process already finished"));
    assert_int_equal(hcs_process_signal(p, 0, &err), SHIM_E_INVALID);
    assert_int_equal(hcs_process_signal(p, 65, &err), SHIM_E_INVALID);
    assert_int_equal(err.os, HRESULT_INVALID_ARGUMENT);
    hcs_process_free(p);
    world_delete(s);
}

static void test_a_console_is_the_controlling_terminal_and_echoes(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    cleanup_buf struct shim_buf out = {0};
    struct watcher init = {0};
    struct hcs_system *s =
        world_system("console", SHELL("read x < /dev/tty; echo got $x; stty size; exit 5"), &init);

    (void)state;
    io.console = true;
    io.width = 91;
    io.height = 33;
    io.in.kind = io.out.kind = HCS_STREAM_PIPE;
    world_create(s, &io);
    world_start(s);
    assert_int_equal(write((int)io.in.handle, "word\r", 5), 5);
    world_expect(io.out.handle, "33 91", &out);
    assert_non_null(strstr(shim_buf_str(&out), "word\r\n")); /* the terminal's echo */
    assert_non_null(strstr(shim_buf_str(&out), "got word\r\n"));
    assert_int_equal(world_wait(&init), 5);
    world_expect(io.out.handle, NULL, &out); /* the end is seen */
    hcs_stdio_close(&io);
    world_delete(s);
}

static void test_a_resize_is_seen_before_and_after_the_start(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    cleanup_buf struct shim_buf out = {0};
    struct watcher init = {0};
    struct hcs_system *s =
        world_system("resize",
                     SHELL("stty size; trap 'stty size; exit 6' WINCH; echo ready; while :; do "
                           "read x; done"),
                     &init);

    (void)state;
    io.console = true;
    io.out.kind = io.in.kind = HCS_STREAM_PIPE;
    world_create(s, &io);
    assert_int_equal(hcs_process_resize(hcs_system_init(s), 50, 40, NULL), 0);
    world_start(s);
    world_expect(io.out.handle, "ready", &out);
    assert_non_null(strstr(shim_buf_str(&out), "40 50"));
    assert_int_equal(hcs_process_resize(hcs_system_init(s), 51, 41, NULL), 0);
    world_expect(io.out.handle, "41 51", &out);
    assert_int_equal(world_wait(&init), 6);
    assert_int_equal(hcs_process_resize(hcs_system_init(s), 1, 1, NULL), 0); /* gone: no effect */
    hcs_stdio_close(&io);
    world_delete(s);
}

static void test_an_exec_has_a_console_of_its_own(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    cleanup_buf struct shim_buf out = {0};
    struct watcher init = {0}, w = {0};
    struct hcs_system *s = sleeping("execconsole", &init);
    struct hcs_process *p;

    (void)state;
    io.console = true;
    io.out.kind = io.in.kind = HCS_STREAM_PIPE;
    p = world_exec(s, SHELL("stty size"), &w, &io);
    world_expect(io.out.handle, "24 80", &out);
    assert_int_equal(world_wait(&w), 0);
    assert_int_equal(hcs_process_resize(hcs_system_init(s), 9, 9, NULL), 0);
    hcs_process_free(p);
    hcs_stdio_close(&io);
    world_delete(s);
}

static void test_given_handles_are_the_processes_own_streams(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    cleanup_buf struct shim_buf out = {0};
    struct watcher init = {0};
    struct hcs_system *s = world_system("handles", SHELL("echo out; echo err >&2"), &init);
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    io.out = io.err = (struct hcs_stream){.kind = HCS_STREAM_HANDLE, .handle = ends[1]};
    world_create(s, &io);
    close(ends[1]); /* only borrowed for the call */
    world_start(s);
    world_expect(ends[0], NULL, &out);
    assert_string_equal(shim_buf_str(&out), "out\nerr\n");
    world_wait(&init);
    close(ends[0]);
    world_delete(s);
}

/* As `busybox --install -s` makes them in a container: links that mean nothing on the host. */
static void test_a_program_behind_a_link_of_the_rootfs_hears_the_name_it_was_called_by(void **state)
{
    struct watcher init = {0}, w = {0};
    cleanup_buf struct shim_buf got = {0};
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct hcs_system *s = sleeping("names", &init);
    struct hcs_process *p;

    (void)state;
    world_link("/bin/busybox", "rootfs/bin/basename");
    io.out.kind = HCS_STREAM_PIPE;
    p = world_exec(s, ARGV("basename", "/a/yes"), &w, &io);
    world_expect(io.out.handle, NULL, &got);
    assert_int_equal(world_wait(&w), 0);
    assert_string_equal(shim_buf_str(&got), "yes\n");
    hcs_stdio_close(&io);
    hcs_process_free(p);
    world_delete(s);
}

static void test_no_streams_are_the_null_device(void **state)
{
    struct watcher init = {0}, w = {0};
    struct hcs_system *s = sleeping("null", &init);
    struct hcs_process *p = world_exec(
        s,
        SHELL(
            "for i in 0 1 2; do [ \"$(busybox readlink /proc/$$/fd/$i)\" = /dev/null ] || exit 1; "
            "done; exit 9"),
        &w, NULL);

    (void)state;
    assert_int_equal(world_wait(&w), 9);
    hcs_process_free(p);
    world_delete(s);
}

static void test_a_failed_start_leaves_nothing_and_can_be_tried_again(void **state)
{
    struct watcher init = {0}, w = {0};
    struct shim_error err = {0};
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct hcs_system *s = sleeping("again", &init);
    struct hcs_process *p = world_exec_new(s, ARGV("later"), &w);
    cleanup_free char *later = world_path("rootfs/bin/later");

    (void)state;
    io.out.kind = HCS_STREAM_PIPE;
    assert_int_equal(hcs_process_start(p, &io, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(err.os, HRESULT_FILE_NOT_FOUND);
    assert_int_equal(io.out.handle, SHIM_NO_HANDLE);
    assert_int_equal(hcs_process_pid(p), 0);
    world_write("rootfs/bin/later", "#!/no/such/interpreter\n");
    assert_int_equal(chmod(later, 0755), 0);
    assert_int_equal(hcs_process_start(p, &io, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(err.os, HRESULT_FILE_NOT_FOUND);
    assert_int_equal(io.out.handle, SHIM_NO_HANDLE);
    world_write("rootfs/bin/later", "#!/bin/sh\nexit 8\n");
    assert_int_equal(chmod(later, 0755), 0);
    assert_int_equal(hcs_process_start(p, &io, NULL), 0);
    assert_int_equal(world_wait(&w), 8);
    assert_int_equal(hcs_process_start(p, &io, &err), SHIM_E_STATE);
    hcs_stdio_close(&io);
    hcs_process_free(p);
    world_delete(s);
}

static void test_processes_can_start_in_created_but_not_in_stopped_systems(void **state)
{
    struct watcher init = {0}, w = {0};
    struct shim_error err = {0};
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct hcs_system *s = world_system("when", SHELL("exit 0"), &init);
    struct hcs_process *p;

    (void)state;
    world_create(s, NULL);
    p = world_exec(s, SHELL("exit 2"), &w, NULL);
    assert_int_equal(world_wait(&w), 2);
    hcs_process_free(p);
    world_start(s);
    world_wait(&init);
    p = world_exec_new(s, SHELL("exit 2"), &w);
    assert_int_equal(hcs_process_start(p, &io, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(err.os, HRESULT_SYSTEM_ALREADY_STOPPED);
    hcs_process_free(p);
    world_delete(s);
}

static void test_parameters_that_are_wrong_make_no_process(void **state)
{
    struct watcher init = {0};
    struct shim_error err = {0};
    struct hcs_process *p = NULL;
    struct json_object *parameters = world_parameters(SHELL("exit 0"));
    struct hcs_system *s = sleeping("parameters", &init);

    (void)state;
    json_object_object_add(parameters, "EmulateConsole", json_object_new_boolean(1));
    assert_int_equal(hcs_process_new(s, "e1", parameters, NULL, &p, &err), SHIM_E_INVALID);
    assert_int_equal(err.os, HRESULT_INVALID_JSON);
    assert_non_null(strstr(err.msg, "exec e1: process parameters: EmulateConsole: unknown"));
    assert_null(p);
    json_object_put(parameters);
    world_delete(s);
}

/* --- many at once --------------------------------------------------------------------------- */

#define MANY 64

struct one {
    struct hcs_process *process;
    struct watcher end;
    struct shim_thread thread;
    int result;
};

static void start_one(void *arg)
{
    struct one *o = arg;
    struct hcs_stdio io = HCS_STDIO_INIT;

    o->result = hcs_process_start(o->process, &io, NULL);
}

static void test_64_execs_at_once_all_run_and_end(void **state)
{
    static struct one all[MANY];
    struct watcher init = {0};
    struct hcs_system *s = sleeping("many", &init);

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        cleanup_free char *script = shim_strf("exit %u", i);

        all[i].process = world_exec_new(s, SHELL(script), &all[i].end);
    }
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(shim_thread_start("one", 0, start_one, &all[i], &all[i].thread, NULL), 0);
    for (unsigned i = 0; i < MANY; i++) {
        shim_thread_join(&all[i].thread);
        assert_int_equal(all[i].result, 0);
        assert_int_equal(world_wait(&all[i].end), i);
        hcs_process_free(all[i].process);
    }
    world_delete(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes_are_the_processes_own),
        cmocka_unit_test(test_signals_reach_the_process_and_tell_in_its_status),
        cmocka_unit_test(test_signalling_what_ended_never_started_or_is_no_signal_is_told),
        cmocka_unit_test(test_a_console_is_the_controlling_terminal_and_echoes),
        cmocka_unit_test(test_a_resize_is_seen_before_and_after_the_start),
        cmocka_unit_test(test_an_exec_has_a_console_of_its_own),
        cmocka_unit_test(test_given_handles_are_the_processes_own_streams),
        cmocka_unit_test(
            test_a_program_behind_a_link_of_the_rootfs_hears_the_name_it_was_called_by),
        cmocka_unit_test(test_no_streams_are_the_null_device),
        cmocka_unit_test(test_a_failed_start_leaves_nothing_and_can_be_tried_again),
        cmocka_unit_test(test_processes_can_start_in_created_but_not_in_stopped_systems),
        cmocka_unit_test(test_parameters_that_are_wrong_make_no_process),
        cmocka_unit_test(test_64_execs_at_once_all_run_and_end),
    };

    return world_main_setup() < 0 ? 1 : cmocka_run_group_tests(tests, world_open, world_close);
}

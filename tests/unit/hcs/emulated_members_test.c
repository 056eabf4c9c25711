/* SPDX-License-Identifier: Apache-2.0 */
/* All processes of a system at once: the list, signals, pause and resume, and growth. */
#include "hcs/emulated/system.h"
#include "tests/unit/hcs/emulated_world.h"

/* A system whose shell and one child of it run. */
static struct hcs_system *family(const char *id, const char *script, struct watcher *init,
                                 struct hcs_stdio *io, struct shim_buf *out)
{
    struct hcs_system *s = world_system(id, SHELL(script), init);

    io->in.kind = io->out.kind = HCS_STREAM_PIPE;
    world_create(s, io);
    world_start(s);
    world_expect(io->out.handle, "ready", out);
    return s;
}

static void test_the_list_holds_the_processes_of_the_processes(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    cleanup_buf struct shim_buf out = {0};
    cleanup_hcs_pids struct hcs_pids pids = {0}, none = {0};
    struct watcher init = {0};
    struct hcs_system *s = world_system("unstarted", SHELL("exit 0"), &init);
    bool found = false;

    (void)state;
    world_create(s, NULL);
    assert_int_equal(hcs_system_pids(s, &none, NULL), 0);
    assert_int_equal(none.n, 0);
    world_delete(s);

    init = (struct watcher){0};
    s = family("list", "sleep 1000 & echo ready; wait", &init, &io, &out);
    assert_int_equal(hcs_system_pids(s, &pids, NULL), 0);
    assert_int_equal(pids.n, 2);
    for (size_t i = 0; i < pids.n; i++)
        found = found || pids.pid[i] == hcs_process_pid(hcs_system_init(s));
    assert_true(found);
    hcs_stdio_close(&io);
    world_delete(s);
}

static void test_a_signal_to_all_reaches_children_too(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    cleanup_buf struct shim_buf out = {0};
    struct shim_error err = {0};
    struct watcher init = {0};
    struct hcs_system *s = family("all",
                                  "trap 'echo parent' USR1; (trap 'echo child; exit' USR1; "
                                  "echo ready; while :; do read x; done) & wait; wait",
                                  &init, &io, &out);

    (void)state;
    assert_int_equal(hcs_system_signal_all(s, SIGUSR1, &err), 0);
    world_expect(io.out.handle, "parent", &out);
    world_expect(io.out.handle, "child", &out);
    assert_int_equal(hcs_system_signal_all(s, 99, &err), SHIM_E_INVALID);
    assert_int_equal(err.os, HRESULT_INVALID_ARGUMENT);
    assert_int_equal(hcs_system_terminate(s, NULL), 0);
    assert_int_equal(hcs_system_signal_all(s, SIGTERM, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(err.os, HRESULT_SYSTEM_ALREADY_STOPPED);
    hcs_stdio_close(&io);
    world_delete(s);
}

static void test_a_signal_to_all_of_a_created_system_ends_it(void **state)
{
    struct watcher init = {0};
    struct hcs_system *s = world_system("allcreated", SHELL("exit 0"), &init);

    (void)state;
    world_create(s, NULL);
    assert_int_equal(hcs_system_signal_all(s, SIGKILL, NULL), 0);
    assert_int_equal(world_wait(&init), 128 + SIGKILL);
    world_delete(s);
}

static void test_pause_stops_every_process_and_resume_lets_them_go_on(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    cleanup_buf struct shim_buf out = {0};
    cleanup_hcs_pids struct hcs_pids pids = {0};
    struct shim_error err = {0};
    struct watcher init = {0}, w = {0};
    struct hcs_stdio none = HCS_STDIO_INIT;
    struct hcs_system *s =
        family("pause", "sleep 1000 & echo ready; read x; echo again; exit 4", &init, &io, &out);
    struct hcs_process *p = world_exec_new(s, SHELL("exit 0"), &w);

    (void)state;
    assert_int_equal(hcs_system_pause(s, &err), 0);
    assert_int_equal(hcs_system_pids(s, &pids, NULL), 0);
    assert_int_equal(pids.n, 2);
    for (size_t i = 0; i < pids.n; i++)
        assert_int_equal(world_state_of(pids.pid[i]), 'T');
    assert_int_equal(hcs_process_start(p, &none, &err), SHIM_E_STATE);
    assert_non_null(strstr(err.msg, "the system is Paused"));
    assert_int_equal(hcs_system_pause(s, &err), SHIM_E_STATE);
    assert_int_equal(write((int)io.in.handle, "\n", 1), 1);
    assert_int_equal(init.exits, 0);
    assert_int_equal(hcs_system_resume(s, &err), 0);
    world_expect(io.out.handle, "again", &out);
    assert_int_equal(world_wait(&init), 4);
    hcs_process_free(p);
    hcs_stdio_close(&io);
    world_delete(s);
}

static void test_a_paused_system_can_be_killed(void **state)
{
    struct watcher init = {0};
    struct hcs_system *s = world_run("pausedkill", SHELL("sleep 1000; :"), &init);

    (void)state;
    assert_int_equal(hcs_system_pause(s, NULL), 0);
    assert_int_equal(hcs_process_signal(hcs_system_init(s), SIGKILL, NULL), 0);
    assert_int_equal(world_wait(&init), 128 + SIGKILL);
    world_delete(s);
}

static void test_processes_that_left_nothing_are_forgotten(void **state)
{
    struct watcher init = {0};
    struct hcs_system *s = world_run("growth", ARGV("sleep", "1000"), &init);
    cleanup_hcs_pids struct hcs_pids pids = {0};

    (void)state;
    for (int i = 0; i < 200; i++) {
        struct watcher w = {0};
        struct hcs_process *p =
            world_exec(s, i == 0 ? SHELL("sleep 1000 & exit 0") : SHELL("exit 0"), &w, NULL);

        world_wait(&w);
        hcs_process_free(p);
    }
    assert_true(shim_container_of(s, struct emu_system, base)->roots.n <= 33);
    assert_int_equal(hcs_system_pids(s, &pids, NULL), 0);
    assert_int_equal(pids.n, 2); /* what the first one left is not forgotten */
    world_delete(s);
    for (size_t i = 0; i < pids.n; i++)
        assert_false(world_lives(pids.pid[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_list_holds_the_processes_of_the_processes),
        cmocka_unit_test(test_a_signal_to_all_reaches_children_too),
        cmocka_unit_test(test_a_signal_to_all_of_a_created_system_ends_it),
        cmocka_unit_test(test_pause_stops_every_process_and_resume_lets_them_go_on),
        cmocka_unit_test(test_a_paused_system_can_be_killed),
        cmocka_unit_test(test_processes_that_left_nothing_are_forgotten),
    };

    return world_main_setup() < 0 ? 1 : cmocka_run_group_tests(tests, world_open, world_close);
}

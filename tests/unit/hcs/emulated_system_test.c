/* SPDX-License-Identifier: Apache-2.0 */
/* The life of emulated systems: pipes and exits, states, kept systems, ids, and what goes wrong. */
#include "hcs/emulated/record.h"
#include "tests/unit/hcs/emulated_world.h"

static const char *self_exe;

static bool has_record(const char *id)
{
    cleanup_free char *name = shim_strf("state/%s.json", id);
    cleanup_free char *path = world_path(name);

    return shim_file_exists(path);
}

static void test_a_whole_life_with_pipes(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    cleanup_buf struct shim_buf out = {0}, errors = {0};
    struct watcher init = {0};
    struct hcs_system *s =
        world_system("life", SHELL("read x; echo got $x; echo bad >&2; pwd; exit 7"), &init);

    (void)state;
    io.in.kind = io.out.kind = io.err.kind = HCS_STREAM_PIPE;
    world_create(s, &io);
    assert_int_equal(hcs_process_pid(hcs_system_init(s)), 0);
    assert_true(has_record("life"));
    world_start(s);
    assert_true(hcs_process_pid(hcs_system_init(s)) > 0);
    assert_int_equal(write((int)io.in.handle, "word\n", 5), 5);
    world_expect(io.out.handle, NULL, &out);
    world_expect(io.err.handle, NULL, &errors);
    assert_non_null(strstr(shim_buf_str(&out), "got word\n"));
    assert_non_null(strstr(shim_buf_str(&out), "/rootfs\n"));
    assert_string_equal(shim_buf_str(&errors), "bad\n");
    assert_int_equal(world_wait(&init), 7);
    assert_true(init.at_ns > 0 && init.at_ns <= shim_realtime_ns());
    assert_true(hcs_process_pid(hcs_system_init(s)) > 0);
    hcs_stdio_close(&io);
    world_delete(s);
    assert_false(has_record("life"));
    assert_int_equal(init.exits, 1);
}

static void test_only_the_given_environment_is_there(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    cleanup_buf struct shim_buf out = {0};
    struct watcher init = {0};
    struct hcs_system *s = world_system("env", ARGV("busybox", "env"), &init);

    (void)state;
    io.out.kind = HCS_STREAM_PIPE;
    world_create(s, &io);
    world_start(s);
    world_expect(io.out.handle, NULL, &out);
    assert_string_equal(shim_buf_str(&out), "PATH=/bin\nGIVEN=yes\n");
    world_wait(&init);
    hcs_stdio_close(&io);
    world_delete(s);
}

static void test_an_exit_before_start_returns_is_reported_once(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        struct watcher init = {0};
        struct hcs_system *s = world_run("early", SHELL("exit 3"), &init);

        assert_int_equal(world_wait(&init), 3);
        world_delete(s);
        assert_int_equal(init.exits, 1);
    }
}

static void test_a_signal_before_the_start_ends_init(void **state)
{
    struct watcher init = {0};
    struct shim_error err = {0};
    struct hcs_system *s = world_system("unborn", SHELL("sleep 1000"), &init);

    (void)state;
    world_create(s, NULL);
    assert_int_equal(hcs_process_signal(hcs_system_init(s), SIGWINCH, &err), 0);
    assert_int_equal(init.exits, 0);
    assert_int_equal(hcs_process_signal(hcs_system_init(s), SIGTERM, &err), 0);
    assert_int_equal(world_wait(&init), 128 + SIGTERM);
    assert_int_equal(hcs_system_start(s, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(err.os, HRESULT_SYSTEM_ALREADY_STOPPED);
    world_delete(s);
}

static void test_deleting_what_never_ran_reports_its_end(void **state)
{
    struct watcher init = {0};
    struct hcs_system *s = world_system("never", SHELL("exit 0"), &init);

    (void)state;
    world_create(s, NULL);
    world_delete(s);
    assert_int_equal(world_wait(&init), 128 + SIGKILL);
    assert_false(has_record("never"));
}

static void test_calls_in_the_wrong_state_say_so(void **state)
{
    struct watcher init = {0};
    struct shim_error err = {0};
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct hcs_system *s = world_system("states", SHELL("sleep 1000"), &init);

    (void)state;
    assert_int_equal(hcs_system_start(s, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(err.os, HRESULT_SYSTEM_NOT_FOUND);
    assert_int_equal(hcs_system_terminate(s, &err), 0);
    assert_int_equal(hcs_system_delete(s, &err), 0);
    world_create(s, NULL);
    assert_int_equal(hcs_system_create(s, NULL, &io, &err), SHIM_E_STATE);
    assert_int_equal(hcs_system_attach(s, &err), SHIM_E_STATE);
    assert_int_equal(hcs_system_pause(s, &err), SHIM_E_STATE);
    assert_non_null(strstr(err.msg, "pause: the system is Created: HCS_E_INVALID_STATE"));
    world_start(s);
    assert_int_equal(hcs_system_start(s, &err), SHIM_E_STATE);
    assert_int_equal(err.os, HRESULT_INVALID_STATE);
    assert_int_equal(hcs_system_resume(s, &err), SHIM_E_STATE);
    assert_int_equal(hcs_system_terminate(s, &err), 0);
    assert_int_equal(world_wait(&init), 128 + SIGKILL);
    assert_int_equal(hcs_system_pause(s, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(err.os, HRESULT_SYSTEM_ALREADY_STOPPED);
    assert_int_equal(hcs_system_terminate(s, &err), 0);
    assert_int_equal(hcs_system_delete(s, &err), 0);
    assert_int_equal(hcs_system_delete(s, &err), 0);
    hcs_system_free(s);
}

static void test_nothing_can_be_restored_or_checkpointed(void **state)
{
    const struct hcs_restore restore = {.image_path = "/image"};
    const struct hcs_checkpoint checkpoint = {.image_path = "/image"};
    struct watcher init = {0};
    struct shim_error err = {0};
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct hcs_system *s = world_system("restore", SHELL("exit 0"), &init);

    (void)state;
    assert_int_equal(hcs_system_create(s, &restore, &io, &err), SHIM_E_UNIMPLEMENTED);
    assert_int_equal(err.os, HRESULT_NOT_IMPLEMENTED);
    assert_int_equal(hcs_system_checkpoint(s, &checkpoint, &err), SHIM_E_UNIMPLEMENTED);
    hcs_system_free(s);
}

/* --- failures of create --------------------------------------------------------------------- */

static void assert_create_fails(struct hcs_system *s, int code, uint32_t hresult)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct shim_error err = {0};

    io.out.kind = HCS_STREAM_PIPE;
    assert_int_equal(hcs_system_create(s, NULL, &io, &err), code);
    if (err.os != hresult)
        fail_msg("0x%08X: %s", err.os, err.msg);
    assert_int_equal(io.out.handle, SHIM_NO_HANDLE);
    hcs_system_free(s);
}

static void test_a_document_that_is_wrong_makes_no_system(void **state)
{
    struct json_object *document = world_bundle("wrong", SHELL("exit 0"));
    struct hcs_system *s = NULL;
    struct shim_error err = {0};

    (void)state;
    json_object_object_add(document, "Extra", json_object_new_int(1));
    assert_int_equal(hcs_system_new(hcs_provider_find("emulated"), "wrong", document, NULL, NULL,
                                    NULL, &s, &err),
                     SHIM_E_INVALID);
    assert_int_equal(err.os, HRESULT_INVALID_JSON);
    assert_non_null(strstr(err.msg, "Extra: unknown member: HCS_E_INVALID_JSON (0x8037010D)"));
    assert_null(s);
    json_object_put(document);
}

static void test_a_program_or_bundle_that_is_not_there_is_told_at_create(void **state)
{
    struct watcher init = {0};
    struct hcs_system *s = world_system("noprogram", ARGV("no-such-program"), &init);
    cleanup_free char *config = world_path("nobundle/config.json");

    (void)state;
    assert_create_fails(s, SHIM_E_NOT_FOUND, HRESULT_FILE_NOT_FOUND);
    assert_false(has_record("noprogram"));
    s = world_system("nobundle", SHELL("exit 0"), &init);
    assert_int_equal(shim_file_remove(config, NULL), 0);
    assert_create_fails(s, SHIM_E_NOT_FOUND, HRESULT_FILE_NOT_FOUND);
}

static void test_a_config_json_that_is_wrong_or_too_long_is_told_at_create(void **state)
{
    struct watcher init = {0};
    struct hcs_system *s = world_system("badconfig", SHELL("exit 0"), &init);
    cleanup_free char *config = world_path("badconfig/config.json");

    (void)state;
    world_write("badconfig/config.json", "{\"process\":{\"args\":\"sh\"}}");
    assert_create_fails(s, SHIM_E_INVALID, HRESULT_INVALID_JSON);
    s = world_system("badconfig", SHELL("exit 0"), &init);
    assert_int_equal(truncate(config, 17 << 20), 0);
    assert_create_fails(s, SHIM_E_EXHAUSTED, 0);
}

static void test_an_id_can_be_used_once_at_a_time(void **state)
{
    struct watcher first = {0}, second = {0};
    struct hcs_system *a = world_run("twice", SHELL("sleep 1000"), &first);
    struct hcs_system *b = world_system("twice", SHELL("sleep 1000"), &second);

    (void)state;
    assert_create_fails(b, SHIM_E_EXISTS, HRESULT_SYSTEM_ALREADY_EXISTS);
    world_delete(a);
    a = world_run("twice", SHELL("sleep 1000"), &second);
    world_delete(a);
    assert_int_equal(world_wait(&second), 128 + SIGKILL);
}

static void test_an_id_that_is_no_file_name_is_told_at_create(void **state)
{
    struct watcher init = {0};
    struct json_object *document = world_bundle("name", SHELL("exit 0"));
    struct hcs_system *s = NULL;

    (void)state;
    assert_int_equal(hcs_system_new(hcs_provider_find("emulated"), "../name", document,
                                    &world_callbacks, NULL, &init, &s, NULL),
                     0);
    json_object_put(document);
    assert_create_fails(s, SHIM_E_INVALID, HRESULT_INVALID_ARGUMENT);
}

/* --- the end of init ------------------------------------------------------------------------ */

static void test_the_end_of_init_ends_everything_and_is_reported_last(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT, exec_io = HCS_STDIO_INIT;
    cleanup_buf struct shim_buf out = {0}, exec_out = {0};
    struct watcher init = {0}, other = {0};
    cleanup_hcs_pids struct hcs_pids pids = {0};
    struct hcs_system *s = world_system("last", SHELL("sleep 1000 & echo ready; wait"), &init);
    struct hcs_process *p;

    (void)state;
    io.out.kind = exec_io.out.kind = HCS_STREAM_PIPE;
    world_create(s, &io);
    world_start(s);
    world_expect(io.out.handle, "ready", &out);
    p = world_exec(s,
                   SHELL("trap '' TERM; busybox setsid sleep 1000 & sleep 1000 & echo ready; wait"),
                   &other, &exec_io);
    world_expect(exec_io.out.handle, "ready", &exec_out);
    assert_int_equal(hcs_system_pids(s, &pids, NULL), 0);
    assert_int_equal(pids.n, 5);
    assert_int_equal(hcs_process_signal(hcs_system_init(s), SIGTERM, NULL), 0);
    assert_int_equal(world_wait(&init), 128 + SIGTERM);
    assert_int_equal(world_wait(&other), 128 + SIGKILL);
    assert_true(other.order < init.order);
    for (size_t i = 0; i < pids.n; i++)
        assert_false(world_lives(pids.pid[i]));
    hcs_process_free(p);
    hcs_stdio_close(&io);
    hcs_stdio_close(&exec_io);
    world_delete(s);
}

static void test_terminate_ends_every_process(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    cleanup_buf struct shim_buf out = {0};
    struct watcher init = {0};
    cleanup_hcs_pids struct hcs_pids pids = {0};
    struct hcs_system *s =
        world_system("terminate", SHELL("trap '' TERM; sleep 1000 & echo ready; wait"), &init);

    (void)state;
    io.out.kind = HCS_STREAM_PIPE;
    world_create(s, &io);
    world_start(s);
    world_expect(io.out.handle, "ready", &out);
    assert_int_equal(hcs_system_pids(s, &pids, NULL), 0);
    assert_int_equal(pids.n, 2);
    assert_int_equal(hcs_system_terminate(s, NULL), 0);
    assert_int_equal(world_wait(&init), 128 + SIGKILL);
    for (size_t i = 0; i < pids.n; i++)
        assert_false(world_lives(pids.pid[i]));
    hcs_stdio_close(&io);
    world_delete(s);
}

/* --- a system of another process ------------------------------------------------------------ */

/* What this program does when it is started as the owner of a system: runs it and waits. */
static int be_owner(const char *folder)
{
    static struct watcher init, other;
    cleanup_buf struct shim_buf out = {0};
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct hcs_system *s;

    strcpy(world, folder);
    if (shim_child_start_reaper(NULL) < 0)
        return 1;
    s = world_system("kept", SHELL("sleep 1000 & busybox setsid sleep 1000 & echo ready; wait"),
                     &init);
    io.out.kind = HCS_STREAM_PIPE;
    world_create(s, &io);
    world_start(s);
    world_expect(io.out.handle, "ready", &out);
    io.out = (struct hcs_stream){.kind = HCS_STREAM_HANDLE, .handle = 1};
    if (!world_exec(s, SHELL("sleep 1000 & wait"), &other, &io))
        return 1;
    if (write(1, "ready", 5) != 5) /* all is on record now */
        return 1;
    for (;;)
        pause();
}

static void owner_ended(int64_t pid, const struct shim_exit *e, void *user)
{
    (void)pid;
    world_exited(NULL, &(struct hcs_exit){.status = e->status, .at_ns = e->at_ns}, user);
}

/* Starts an owner, waits until its system runs, and kills it. */
static void leave_system_behind(void)
{
    const char *const argv[] = {self_exe, "owner", world, NULL};
    cleanup_buf struct shim_buf out = {0};
    struct watcher owner = {0};
    struct shim_child_fd fd;
    struct shim_spawn spawn = {.argv = argv, .fds = &fd, .n_fds = 1};
    int64_t pid;
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fd = (struct shim_child_fd){.from = ends[1], .to = 1};
    assert_int_equal(shim_child_spawn(&spawn, owner_ended, &owner, &pid, NULL), 0);
    close(ends[1]);
    world_expect(ends[0], "ready", &out);
    assert_int_equal(shim_child_kill(pid, SIGKILL, NULL), 0);
    assert_int_equal(world_wait(&owner), 128 + SIGKILL);
    close(ends[0]);
}

static void test_a_system_outlives_its_owner_and_can_be_deleted(void **state)
{
    struct json_object *document;
    struct watcher init = {0};
    struct hcs_system *s = NULL;
    cleanup_hcs_pids struct hcs_pids pids = {0};

    (void)state;
    leave_system_behind();
    assert_true(has_record("kept"));
    s = world_system("kept", SHELL("exit 0"), &init);
    assert_create_fails(s, SHIM_E_EXISTS, HRESULT_SYSTEM_ALREADY_EXISTS);

    document = world_bundle("kept", SHELL("exit 0"));
    assert_int_equal(
        hcs_system_new(hcs_provider_find("emulated"), "kept", document, NULL, NULL, NULL, &s, NULL),
        0);
    json_object_put(document);
    assert_int_equal(hcs_system_attach(s, NULL), 0);
    assert_int_equal(hcs_system_pids(s, &pids, NULL), 0);
    assert_true(pids.n >= 4); /* the exec's child may be on its way */
    assert_int_equal(hcs_system_terminate(s, NULL), 0);
    for (size_t i = 0; i < pids.n; i++)
        assert_false(world_lives(pids.pid[i]));
    assert_int_equal(hcs_system_delete(s, NULL), 0);
    hcs_system_free(s);
    assert_false(has_record("kept"));
}

static void test_a_record_without_processes_does_not_hold_its_id(void **state)
{
    struct emu_owner gone = {.boot = (char *)"before", .self = {.pid = 1, .start = 1}};
    struct emu_roots none = {0};
    const struct emu_record_data data = {.owner = &gone,
                                         .id = "stale",
                                         .state = "Running",
                                         .document = "{}",
                                         .resources = "{}",
                                         .roots = &none};
    cleanup_buf struct shim_buf text = {0};
    struct watcher init = {0};
    struct hcs_system *s;

    (void)state;
    assert_int_equal(emu_record_format(&data, &text, NULL), 0);
    world_write("state/stale.json", shim_buf_str(&text));
    s = world_run("stale", SHELL("exit 4"), &init);
    assert_int_equal(world_wait(&init), 4);
    world_delete(s);
}

static void test_attaching_to_nothing_is_not_found(void **state)
{
    struct watcher init = {0};
    struct shim_error err = {0};
    struct hcs_system *s = world_system("nothing", SHELL("exit 0"), &init);

    (void)state;
    assert_int_equal(hcs_system_attach(s, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(err.os, HRESULT_SYSTEM_NOT_FOUND);
    hcs_system_free(s);
}

static void test_a_record_removed_by_another_stays_removed(void **state)
{
    struct watcher init = {0};
    cleanup_free char *path = world_path("state/removed.json");
    struct hcs_system *s = world_run("removed", SHELL("sleep 1000"), &init);

    (void)state;
    assert_int_equal(shim_file_remove(path, NULL), 0);
    assert_int_equal(hcs_system_update(s, "{}", NULL), 0);
    assert_false(has_record("removed"));
    world_delete(s);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_whole_life_with_pipes),
        cmocka_unit_test(test_only_the_given_environment_is_there),
        cmocka_unit_test(test_an_exit_before_start_returns_is_reported_once),
        cmocka_unit_test(test_a_signal_before_the_start_ends_init),
        cmocka_unit_test(test_deleting_what_never_ran_reports_its_end),
        cmocka_unit_test(test_calls_in_the_wrong_state_say_so),
        cmocka_unit_test(test_nothing_can_be_restored_or_checkpointed),
        cmocka_unit_test(test_a_document_that_is_wrong_makes_no_system),
        cmocka_unit_test(test_a_program_or_bundle_that_is_not_there_is_told_at_create),
        cmocka_unit_test(test_a_config_json_that_is_wrong_or_too_long_is_told_at_create),
        cmocka_unit_test(test_an_id_can_be_used_once_at_a_time),
        cmocka_unit_test(test_an_id_that_is_no_file_name_is_told_at_create),
        cmocka_unit_test(test_the_end_of_init_ends_everything_and_is_reported_last),
        cmocka_unit_test(test_terminate_ends_every_process),
        cmocka_unit_test(test_a_system_outlives_its_owner_and_can_be_deleted),
        cmocka_unit_test(test_a_record_without_processes_does_not_hold_its_id),
        cmocka_unit_test(test_attaching_to_nothing_is_not_found),
        cmocka_unit_test(test_a_record_removed_by_another_stays_removed),
    };

    if (world_main_setup() < 0)
        return 1;
    if (argc > 2)
        return be_owner(argv[2]);
    self_exe = argv[0];
    return cmocka_run_group_tests(tests, world_open, world_close);
}

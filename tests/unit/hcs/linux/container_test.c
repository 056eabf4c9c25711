/* SPDX-License-Identifier: Apache-2.0 */
/* Real containers through the provider, once with each OCI runtime that is installed. */
#include "base/posix/loop.h"
#include "hcs/stats.h"
#include "tests/unit/hcs/linux/world.h"
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

struct fixture {
    struct world world;
    struct story init, exec;
    const char *runtime; /* set for the whole group */
    struct hcs_system *system;
    struct hcs_stdio io;
    char id[64];
    unsigned descriptors;
};

static const char *group_runtime; /* NULL: the group cannot run here */
static const char *group_excuse;

static const char config_format[] =
    "{\"ociVersion\":\"1.0.2\",\"process\":{\"terminal\":%s,\"user\":{\"uid\":0,\"gid\":0},"
    "\"args\":[\"/bin/sh\",\"-c\",\"%s\"],\"env\":[\"PATH=/bin\"],\"cwd\":\"/\","
    "\"capabilities\":{\"bounding\":[\"CAP_KILL\"],\"effective\":[\"CAP_KILL\"],"
    "\"permitted\":[\"CAP_KILL\"]}},"
    "\"root\":{\"path\":\"%s\"},\"mounts\":[{\"destination\":\"/proc\",\"type\":\"proc\","
    "\"source\":\"proc\"},{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\"},"
    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\",\"options\":"
    "[\"newinstance\",\"ptmxmode=0666\"]}],"
    "\"linux\":{\"cgroupsPath\":\"/%s\",\"resources\":{\"memory\":{\"limit\":%ld}},"
    "\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},"
    "{\"type\":\"uts\"}]}}";

static void make_rootfs(const char *rootfs)
{
    static const char *const folders[] = {"bin", "proc", "dev", "tmp"};
    static const char *const applets[] = {"sh", "sleep", "cat", "echo", "tail", "stty"};
    cleanup_buf struct shim_buf busybox = {0};
    char path[256];

    for (size_t i = 0; i < SHIM_ARRAY_LEN(folders); i++)
        assert_int_equal(mkdir(below(rootfs, folders[i]), 0755), 0);
    assert_ok(shim_file_read("/bin/busybox", 16 << 20, &busybox, err));
    snprintf(path, sizeof(path), "%s/bin/busybox", rootfs);
    assert_ok(shim_file_write(path, busybox.data, busybox.len, err));
    assert_int_equal(chmod(path, 0755), 0);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(applets); i++) {
        snprintf(path, sizeof(path), "%s/bin/%s", rootfs, applets[i]);
        assert_int_equal(symlink("busybox", path), 0);
    }
}

/* Creates the container of `command`; with `memory` bytes at most (-1: no limit). */
static void create(struct fixture *f, const char *command, bool terminal, long memory)
{
    cleanup_free char *config = shim_strf(config_format, terminal ? "true" : "false", command,
                                          f->world.rootfs, f->id, memory);
    struct json_object *document = world_document(&f->world, f->runtime, terminal);

    write_text(below(f->world.bundle, "config.json"), config);
    assert_ok(hcs_system_new(hcs_provider_find("linux"), f->id, document, &story_callbacks,
                             &f->init, &f->init, &f->system, err));
    json_object_put(document);
    f->io = (struct hcs_stdio)HCS_STDIO_INIT;
    f->io.console = terminal;
    f->io.in.kind = f->io.out.kind = HCS_STREAM_PIPE;
    f->io.err.kind = terminal ? HCS_STREAM_NONE : HCS_STREAM_PIPE;
    assert_ok(hcs_system_create(f->system, NULL, &f->io, err));
}

static void start(struct fixture *f, const char *command)
{
    create(f, command, false, -1);
    assert_ok(hcs_system_start(f->system, err));
}

static struct hcs_process *new_exec(struct fixture *f, const char *id, const char *command,
                                    bool terminal)
{
    cleanup_free char *text = shim_strf(
        "{\"Terminal\":%s,\"IoUid\":0,\"IoGid\":0,\"OciProcess\":{\"terminal\":%s,\"user\":"
        "{\"uid\":0,\"gid\":0},\"args\":[\"/bin/sh\",\"-c\",\"%s\"],\"env\":[\"PATH=/bin\"],"
        "\"cwd\":\"/\"}}",
        terminal ? "true" : "false", terminal ? "true" : "false", command);
    struct json_object *parameters = parse(text);
    struct hcs_process *p = NULL;

    assert_ok(hcs_process_new(f->system, id, parameters, &f->exec, &p, err));
    json_object_put(parameters);
    return p;
}

static void end_and_delete(struct fixture *f)
{
    if (f->init.exits == 0)
        assert_ok(hcs_process_signal(hcs_system_init(f->system), SIGKILL, err));
    story_await_exit(&f->init);
    assert_ok(hcs_system_delete(f->system, err));
    assert_false(shim_file_exists(below(f->world.root, f->id)));
}

static int setup(void **state)
{
    static struct fixture f;
    static unsigned count;

    f = (struct fixture){.runtime = group_runtime, .descriptors = open_descriptors()};
    *state = &f;
    if (!group_runtime)
        return 0;
    world_init(&f.world);
    make_rootfs(f.world.rootfs);
    story_init(&f.init);
    story_init(&f.exec);
    snprintf(f.id, sizeof(f.id), "hcs-test-%d-%u", (int)getpid(), count++);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    if (!f->runtime)
        return 0;
    if (f->system) {
        assert_ok(hcs_system_terminate(f->system, err));
        hcs_system_free(f->system);
        hcs_stdio_close(&f->io);
    }
    world_done(&f->world);
    assert_false(shim_file_exists(f->world.dir));
    assert_int_equal(open_descriptors(), f->descriptors);
    return 0;
}

#define needs_runtime()                                                                            \
    if (!group_runtime)                                                                            \
    skip_test(group_excuse)

static void test_output_and_status_of_init_arrive(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *out = NULL, *errors = NULL;

    needs_runtime();
    create(f, "echo out; echo err >&2; cat; exit 7", false, -1);
    assert_int_not_equal(hcs_process_pid(hcs_system_init(f->system)), 0);
    assert_int_equal(f->init.exits, 0);
    assert_int_equal(write((int)f->io.in.handle, "in\n", 3), 3);
    shim_handle_close(&f->io.in.handle);
    assert_ok(hcs_system_start(f->system, err));

    out = read_until(f->io.out.handle, NULL);
    errors = read_until(f->io.err.handle, NULL);
    assert_string_equal(out, "out\nin\n");
    assert_string_equal(errors, "err\n");
    assert_int_equal(story_await_exit(&f->init), 7);
    assert_fails(SHIM_E_NOT_FOUND, "process already finished",
                 hcs_process_signal(hcs_system_init(f->system), SIGTERM, err));
    end_and_delete(f);
}

static void test_a_created_container_is_killed_and_its_exit_comes_once(void **state)
{
    struct fixture *f = *state;

    needs_runtime();
    create(f, "sleep 1000", false, -1);
    end_and_delete(f);
    assert_int_equal(f->init.exit.status, 128 + SIGKILL);
}

static void test_delete_ends_a_container_that_was_never_started(void **state)
{
    struct fixture *f = *state;

    needs_runtime();
    create(f, "sleep 1000", false, -1);
    assert_ok(hcs_system_delete(f->system, err));
    assert_int_equal(story_await_exit(&f->init), 128 + SIGKILL);
    assert_ok(hcs_system_delete(f->system, err)); /* gone already */
}

static void test_a_terminal_can_be_talked_to_and_resized(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *out = NULL, *size = NULL;

    needs_runtime();
    create(f, "read line; echo got $line; read line; stty size; exit 3", true, -1);
    assert_ok(hcs_system_start(f->system, err));
    assert_int_equal(write((int)f->io.in.handle, "hello\n", 6), 6);
    out = read_until(f->io.out.handle, "got hello");
    assert_non_null(strstr(out, "got hello"));

    assert_ok(hcs_process_resize(hcs_system_init(f->system), 101, 42, err));
    assert_int_equal(write((int)f->io.in.handle, "\n", 1), 1);
    size = read_until(f->io.out.handle, "42 101");
    assert_non_null(strstr(size, "42 101"));
    assert_int_equal(story_await_exit(&f->init), 3);
    assert_ok(hcs_process_resize(hcs_system_init(f->system), 1, 1, err)); /* no effect any more */
    end_and_delete(f);
}

static void test_an_exec_runs_beside_init(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct fixture *f = *state;
    cleanup_free char *out = NULL;
    struct hcs_process *exec;

    needs_runtime();
    start(f, "sleep 1000");
    exec = new_exec(f, "one", "echo from exec; exit 5", false);
    assert_int_equal(hcs_process_pid(exec), 0);
    assert_fails(SHIM_E_STATE, "not started", hcs_process_signal(exec, SIGTERM, err));
    io.out.kind = HCS_STREAM_PIPE;
    assert_ok(hcs_process_start(exec, &io, err));
    assert_int_not_equal(hcs_process_pid(exec), 0);
    out = read_until(io.out.handle, NULL);
    assert_string_equal(out, "from exec\n");
    assert_int_equal(story_await_exit(&f->exec), 5);
    assert_fails(SHIM_E_NOT_FOUND, "process already finished",
                 hcs_process_signal(exec, SIGTERM, err));
    assert_true(shim_file_exists(below(f->world.bundle, "one.pid")));
    hcs_process_free(exec);
    assert_false(shim_file_exists(below(f->world.bundle, "one.pid")));
    hcs_stdio_close(&io);
    end_and_delete(f);
}

static void test_an_exec_with_a_terminal_is_signalled(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct fixture *f = *state;
    cleanup_free char *out = NULL;
    struct hcs_process *exec;

    needs_runtime();
    start(f, "sleep 1000");
    exec = new_exec(f, "tty", "read line; stty size; sleep 1000", true);
    io.console = true;
    io.width = 80;
    io.height = 24;
    io.in.kind = io.out.kind = HCS_STREAM_PIPE;
    assert_ok(hcs_process_start(exec, &io, err));
    assert_int_equal(write((int)io.in.handle, "\n", 1), 1);
    out = read_until(io.out.handle, "24 80");
    assert_non_null(strstr(out, "24 80"));
    assert_ok(hcs_process_signal(exec, SIGKILL, err));
    assert_int_equal(story_await_exit(&f->exec), 128 + SIGKILL);
    hcs_process_free(exec);
    hcs_stdio_close(&io);
    end_and_delete(f);
}

static void test_an_exec_that_cannot_start_leaves_nothing_and_can_be_tried_again(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct fixture *f = *state;
    struct hcs_process *exec;
    struct json_object *parameters;
    struct shim_error error = {0};

    needs_runtime();
    start(f, "sleep 1000");
    parameters = parse("{\"Terminal\":false,\"IoUid\":0,\"IoGid\":0,\"OciProcess\":{\"user\":{"
                       "\"uid\":0,\"gid\":0},\"args\":[\"/bin/none\"],\"cwd\":\"/\"}}");
    assert_ok(hcs_process_new(f->system, "bad", parameters, &f->exec, &exec, err));
    json_object_put(parameters);
    io.out.kind = HCS_STREAM_PIPE;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(hcs_process_start(exec, &io, &error), SHIM_E_UNKNOWN);
        assert_non_null(strstr(error.msg, "OCI runtime exec failed: "));
        assert_non_null(strstr(error.msg, "/bin/none"));
        assert_int_equal(io.out.handle, SHIM_NO_HANDLE);
        assert_int_equal(hcs_process_pid(exec), 0);
        assert_false(shim_file_exists(below(f->world.bundle, "bad.pid")));
    }
    hcs_process_free(exec);
    assert_int_equal(f->exec.exits, 0);
    end_and_delete(f);
}

static void test_pids_are_those_of_the_control_group(void **state)
{
    struct fixture *f = *state;
    cleanup_hcs_pids struct hcs_pids pids = {0};
    cleanup_free char *out = NULL;
    bool has_init = false;

    needs_runtime();
    start(f, "sleep 1000 & echo ready; wait");
    out = read_until(f->io.out.handle, "ready");
    assert_ok(hcs_system_pids(f->system, &pids, err));
    assert_int_equal(pids.n, 2);
    for (size_t i = 0; i < pids.n; i++)
        has_init = has_init || pids.pid[i] == hcs_process_pid(hcs_system_init(f->system));
    assert_true(has_init);
    end_and_delete(f);
}

static void test_a_paused_container_can_be_resumed_and_killed(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *out = NULL;

    needs_runtime();
    start(f, "while read line; do echo $line; done");
    assert_ok(hcs_system_pause(f->system, err));
    assert_ok(hcs_system_resume(f->system, err));
    assert_int_equal(write((int)f->io.in.handle, "awake\n", 6), 6);
    out = read_until(f->io.out.handle, "awake");
    assert_string_equal(out, "awake\n");
    assert_ok(hcs_system_pause(f->system, err));
    assert_ok(hcs_process_signal(hcs_system_init(f->system), SIGKILL, err));
    assert_int_equal(story_await_exit(&f->init), 128 + SIGKILL);
    end_and_delete(f);
}

static uint64_t memory_limit(const struct hcs_stats *stats)
{
    return stats->kind == HCS_STATS_CGROUP2 ? stats->v2.memory.usage_limit
                                            : stats->v1.memory.usage.limit;
}

static uint64_t memory_usage(const struct hcs_stats *stats)
{
    return stats->kind == HCS_STATS_CGROUP2 ? stats->v2.memory.usage : stats->v1.memory.usage.usage;
}

static void test_update_changes_limits_and_stats_outlive_the_container(void **state)
{
    struct fixture *f = *state;
    struct hcs_stats stats;

    needs_runtime();
    create(f, "sleep 1000", false, 64L << 20);
    assert_ok(hcs_system_start(f->system, err));
    assert_ok(hcs_system_stats(f->system, &stats, err));
    assert_int_equal(memory_limit(&stats), 64 << 20);
    assert_int_not_equal(memory_usage(&stats), 0);
    hcs_stats_done(&stats);

    assert_ok(hcs_system_update(f->system, "{\"memory\":{\"limit\":134217728}}", err));
    assert_ok(hcs_system_stats(f->system, &stats, err));
    assert_int_equal(memory_limit(&stats), 128 << 20);
    hcs_stats_done(&stats);

    end_and_delete(f);
    assert_ok(hcs_system_stats(f->system, &stats, err)); /* the figures at init's end */
    assert_int_equal(memory_limit(&stats), 128 << 20);
    hcs_stats_done(&stats);
}

static void test_a_bad_update_says_what_the_runtime_says(void **state)
{
    struct fixture *f = *state;

    needs_runtime();
    start(f, "sleep 1000");
    assert_fails(SHIM_E_UNKNOWN,
                 "OCI runtime update failed: ", hcs_system_update(f->system, "{\"memory\":", err));
    end_and_delete(f);
}

static void test_want_of_memory_is_noticed_before_the_exit(void **state)
{
    struct fixture *f = *state;
    struct hcs_stats stats;

    needs_runtime();
    create(f, "x=0123456789abcdef; while true; do x=$x$x; done", false, 20L << 20);
    assert_ok(hcs_system_start(f->system, err));
    assert_int_equal(story_await_exit(&f->init), 128 + SIGKILL);
    assert_true(f->init.oom_first);
    assert_ok(hcs_system_stats(f->system, &stats, err));
    assert_int_not_equal(
        stats.kind == HCS_STATS_CGROUP2 ? stats.v2.memory_events.oom_kill : stats.v1.oom_kill, 0);
    hcs_stats_done(&stats);
    end_and_delete(f);
}

static void test_signal_all_reaches_everybody(void **state)
{
    struct fixture *f = *state;
    cleanup_hcs_pids struct hcs_pids pids = {0};
    cleanup_free char *out = NULL;

    needs_runtime();
    start(f, "sleep 1000 & echo ready; wait; echo child went; sleep 1000");
    out = read_until(f->io.out.handle, "ready");
    assert_ok(hcs_system_signal_all(f->system, SIGKILL, err));
    assert_int_equal(story_await_exit(&f->init), 128 + SIGKILL);
    assert_ok(hcs_system_pids(f->system, &pids, err));
    assert_int_equal(pids.n, 0);
    assert_fails(SHIM_E_NOT_FOUND, "process already finished",
                 hcs_system_signal_all(f->system, SIGKILL, err));
    end_and_delete(f);
}

static void test_another_process_finds_the_container_and_ends_it(void **state)
{
    struct fixture *f = *state;
    struct json_object *document;
    struct hcs_system *again;

    needs_runtime();
    start(f, "sleep 1000");
    document = world_document(&f->world, f->runtime, false);
    assert_ok(
        hcs_system_new(hcs_provider_find("linux"), f->id, document, NULL, NULL, NULL, &again, err));
    assert_ok(hcs_system_attach(again, err));
    assert_int_equal(hcs_process_pid(hcs_system_init(again)),
                     hcs_process_pid(hcs_system_init(f->system)));
    assert_ok(hcs_system_terminate(again, err));
    assert_int_equal(story_await_exit(&f->init), 128 + SIGKILL);
    assert_false(shim_file_exists(below(f->world.root, f->id)));
    assert_fails(SHIM_E_NOT_FOUND, "does not exist", hcs_system_attach(again, err));
    hcs_system_free(again);
    json_object_put(document);
    assert_ok(hcs_system_delete(f->system, err));
}

static void test_a_second_container_of_the_same_id_is_refused_and_harms_nobody(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct fixture *f = *state;
    struct json_object *document;
    struct hcs_system *twin;

    needs_runtime();
    start(f, "sleep 1000");
    document = world_document(&f->world, f->runtime, false);
    assert_ok(
        hcs_system_new(hcs_provider_find("linux"), f->id, document, NULL, NULL, NULL, &twin, err));
    assert_fails(SHIM_E_EXISTS, "exists already", hcs_system_create(twin, NULL, &io, err));
    assert_ok(hcs_system_delete(twin, err));
    hcs_system_free(twin);
    json_object_put(document);
    assert_ok(hcs_process_signal(hcs_system_init(f->system), 0, err));
    assert_int_equal(f->init.exits, 0);
    end_and_delete(f);
}

static void test_a_create_that_fails_leaves_nothing(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct fixture *f = *state;
    struct json_object *document;
    unsigned before;

    needs_runtime();
    document = world_document(&f->world, f->runtime, false);
    write_text(below(f->world.bundle, "config.json"),
               "{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"/none\"],\"cwd\":\"/\",\"user\":"
               "{\"uid\":0,\"gid\":0}},\"root\":{\"path\":\"/nowhere/at/all\"},\"linux\":{}}");
    assert_ok(hcs_system_new(hcs_provider_find("linux"), f->id, document, &story_callbacks,
                             &f->init, &f->init, &f->system, err));
    json_object_put(document);
    io.in.kind = io.out.kind = io.err.kind = HCS_STREAM_PIPE;
    before = open_descriptors();
    assert_fails(SHIM_E_UNKNOWN,
                 "OCI runtime create failed: ", hcs_system_create(f->system, NULL, &io, err));
    assert_int_equal(open_descriptors(), before);
    assert_int_equal(f->init.exits, 0);
    assert_false(shim_file_exists(below(f->world.root, f->id)));
    assert_false(shim_file_exists(below(f->world.bundle, "init.pid")));
}

/* --- groups --------------------------------------------------------------------------------- */

/* crun of this age takes version 1 only where version 2 is not mounted too. */
static void unmount_unified(void)
{
    struct statvfs st;

    if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
        statvfs("/sys/fs/cgroup/unified", &st) == 0)
        umount2("/sys/fs/cgroup/unified", MNT_DETACH);
}

static int run_group(const char *runtime, const char *path)
{
    const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        TEST(test_output_and_status_of_init_arrive),
        TEST(test_a_created_container_is_killed_and_its_exit_comes_once),
        TEST(test_delete_ends_a_container_that_was_never_started),
        TEST(test_a_terminal_can_be_talked_to_and_resized),
        TEST(test_an_exec_runs_beside_init),
        TEST(test_an_exec_with_a_terminal_is_signalled),
        TEST(test_an_exec_that_cannot_start_leaves_nothing_and_can_be_tried_again),
        TEST(test_pids_are_those_of_the_control_group),
        TEST(test_a_paused_container_can_be_resumed_and_killed),
        TEST(test_update_changes_limits_and_stats_outlive_the_container),
        TEST(test_a_bad_update_says_what_the_runtime_says),
        TEST(test_want_of_memory_is_noticed_before_the_exit),
        TEST(test_signal_all_reaches_everybody),
        TEST(test_another_process_finds_the_container_and_ends_it),
        TEST(test_a_second_container_of_the_same_id_is_refused_and_harms_nobody),
        TEST(test_a_create_that_fails_leaves_nothing),
#undef TEST
    };

    group_runtime = NULL;
    group_excuse = "no such runtime, no root or no static busybox";
    if (geteuid() == 0 && path && shim_file_exists("/bin/busybox"))
        group_runtime = path;
    return cmocka_run_group_tests_name(runtime, tests, NULL, NULL);
}

int main(void)
{
    static const char *const runtimes[] = {"runc", "crun"};
    struct shim_loop *loop;
    int failed = 0;

    unmount_unified();
    if (shim_child_init(true, NULL) < 0 || shim_child_start_reaper(NULL) < 0 ||
        shim_loop_new("loop", &loop, NULL) < 0)
        return 1;
    hcs_use_loop(loop);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(runtimes); i++) {
        cleanup_hcs_facts struct hcs_facts facts = {0};

        if (hcs_provider_facts(hcs_provider_find("linux"), runtimes[i], &facts, NULL) < 0)
            facts.runtime = NULL;
        failed += run_group(runtimes[i], facts.runtime);
    }
    shim_loop_free(loop);
    return failed;
}

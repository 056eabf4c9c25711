/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics from /proc and limits that are remembered. */
#include "hcs/stats.h"
#include "tests/unit/hcs/emulated_world.h"

static void test_statistics_show_what_was_burnt(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    cleanup_buf struct shim_buf out = {0};
    struct watcher init = {0};
    struct hcs_stats now = {0}, after = {0};
    struct hcs_system *s = world_system(
        "burn", SHELL("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo ready; read x"),
        &init);

    (void)state;
    io.in.kind = io.out.kind = HCS_STREAM_PIPE;
    world_create(s, &io);
    assert_int_equal(hcs_system_stats(s, &now, NULL), 0);
    assert_int_equal(now.v2.cpu.usage_usec, 0);
    world_start(s);
    world_expect(io.out.handle, "ready", &out);
    assert_int_equal(hcs_system_stats(s, &now, NULL), 0);
    assert_int_equal(now.kind, HCS_STATS_CGROUP2);
    assert_true(now.v2.cpu.usage_usec > 0);
    assert_int_equal(now.v2.cpu.usage_usec, now.v2.cpu.user_usec + now.v2.cpu.system_usec);
    assert_true(now.v2.memory.usage > 0);
    assert_true(now.v2.memory.usage_limit == HCS_STATS_MAX);
    assert_int_equal(now.v2.pids_current, 1);
    hcs_stdio_close(&io);
    world_wait(&init);
    assert_int_equal(hcs_system_stats(s, &after, NULL), 0);
    assert_true(after.v2.cpu.usage_usec >= now.v2.cpu.usage_usec);
    assert_int_equal(after.v2.pids_current, 0);
    assert_int_equal(after.v2.memory.usage, now.v2.memory.usage);
    world_delete(s);
}

static void test_there_are_no_statistics_of_nothing(void **state)
{
    struct watcher init = {0};
    struct hcs_stats stats = {0};
    struct shim_error err = {0};
    struct hcs_system *s = world_system("nostats", SHELL("exit 0"), &init);

    (void)state;
    assert_int_equal(hcs_system_stats(s, &stats, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(err.os, HRESULT_SYSTEM_NOT_FOUND);
    hcs_system_free(s);
}

static void test_an_update_is_remembered(void **state)
{
    struct watcher init = {0};
    struct hcs_stats stats = {0};
    cleanup_free char *record = world_path("state/update.json");
    cleanup_buf struct shim_buf text = {0};
    struct hcs_system *s = world_run("update", ARGV("sleep", "1000"), &init);

    (void)state;
    assert_int_equal(
        hcs_system_update(s, "{\"memory\":{\"limit\":4096},\"pids\":{\"limit\":12}}", NULL), 0);
    assert_int_equal(hcs_system_update(s, "{\"cpu\":{\"shares\":5}}", NULL), 0);
    assert_int_equal(hcs_system_stats(s, &stats, NULL), 0);
    assert_int_equal(stats.v2.memory.usage_limit, 4096);
    assert_int_equal(stats.v2.pids_limit, 12);
    assert_int_equal(shim_file_read(record, 1 << 20, &text, NULL), 0);
    assert_non_null(strstr(shim_buf_str(&text), "\"Resources\":{\"cpu\":{\"shares\":5}}"));
    assert_non_null(strstr(shim_buf_str(&text), "\"State\":\"Running\""));
    world_delete(s);
}

static void test_a_wrong_update_changes_nothing(void **state)
{
    struct watcher init = {0};
    struct hcs_stats stats = {0};
    struct shim_error err = {0};
    struct hcs_system *s = world_run("badupdate", ARGV("sleep", "1000"), &init);

    (void)state;
    assert_int_equal(hcs_system_update(s, "{\"memory\":{\"limit\":1},\"disk\":{}}", &err),
                     SHIM_E_INVALID);
    assert_int_equal(err.os, HRESULT_INVALID_JSON);
    assert_int_equal(hcs_system_stats(s, &stats, NULL), 0);
    assert_true(stats.v2.memory.usage_limit == HCS_STATS_MAX);
    assert_int_equal(hcs_system_terminate(s, NULL), 0);
    assert_int_equal(hcs_system_update(s, "{}", &err), SHIM_E_NOT_FOUND);
    assert_int_equal(err.os, HRESULT_SYSTEM_ALREADY_STOPPED);
    world_delete(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics_show_what_was_burnt),
        cmocka_unit_test(test_there_are_no_statistics_of_nothing),
        cmocka_unit_test(test_an_update_is_remembered),
        cmocka_unit_test(test_a_wrong_update_changes_nothing),
    };

    return world_main_setup() < 0 ? 1 : cmocka_run_group_tests(tests, world_open, world_close);
}

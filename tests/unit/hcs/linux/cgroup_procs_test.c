/* SPDX-License-Identifier: Apache-2.0 */
/* Processes of a control group, with plain folders in the kernel's stead. */
#include "hcs/linux/cgroup.h"
#include "tests/unit/hcs/linux/world.h"
#include <signal.h>

static struct world w;

static int setup(void **state)
{
    (void)state;
    world_init(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_done(&w);
    return 0;
}

static void test_groups_below_are_listed_too(void **state)
{
    struct linux_cgroup cg = {.dir = w.dir};
    cleanup_hcs_pids struct hcs_pids pids = {0};
    uint32_t sum = 0;

    (void)state;
    write_text(below(w.dir, "cgroup.procs"), "10\n20\n");
    write_text(below(w.bundle, "cgroup.procs"), "300\n0\n");
    assert_int_equal(mkdir(below(w.bundle, "deep"), 0700), 0);
    write_text(below(w.bundle, "deep/cgroup.procs"), "4000");
    assert_ok(linux_cgroup_pids(&cg, &pids, err));
    assert_int_equal(pids.n, 4);
    for (size_t i = 0; i < pids.n; i++)
        sum += pids.pid[i];
    assert_int_equal(sum, 4330);
}

static void test_a_group_that_has_gone_is_empty(void **state)
{
    struct linux_cgroup cg = {.dir = (char[]){"/no/such/group"}};
    struct hcs_pids pids = {0};

    (void)state;
    assert_ok(linux_cgroup_pids(&cg, &pids, err));
    assert_int_equal(pids.n, 0);
    assert_true(linux_cgroup_kill(&cg, 0));
    assert_int_equal(linux_cgroup_signal(&cg, SIGTERM), 0);
}

static void count_exit(int64_t pid, const struct shim_exit *exit, void *user)
{
    struct story *s = user;

    (void)pid;
    story_exited(NULL, &(struct hcs_exit){exit->status, exit->at_ns}, s);
}

static void test_each_process_gets_the_signal(void **state)
{
    const char *const argv[] = {"sleep", "1000", NULL};
    struct linux_cgroup cg = {.dir = w.dir};
    struct shim_spawn spawn = {.argv = argv};
    cleanup_free char *text = NULL;
    struct story story;
    int64_t pid;

    (void)state;
    story_init(&story);
    assert_ok(shim_child_spawn(&spawn, count_exit, &story, &pid, err));
    text = shim_strf("%lld\n2147483646\n", (long long)pid);
    write_text(below(w.dir, "cgroup.procs"), text);
    assert_int_equal(linux_cgroup_signal(&cg, SIGTERM), 1); /* there is no other */
    assert_int_equal(story_await_exit(&story), 128 + SIGTERM);
}

static void test_a_kill_gives_up_in_time_and_has_tried_everything(void **state)
{
    struct linux_cgroup v1 = {.dir = w.dir, .dirs = {[LINUX_FREEZER] = w.dir}};
    struct linux_cgroup v2 = {.dir = w.dir, .unified = true};
    cleanup_free char *thawed = NULL, *killed = NULL;

    (void)state;
    write_text(below(w.dir, "cgroup.procs"), "2147483646\n");
    write_text(below(w.dir, "freezer.state"), "");
    write_text(below(w.dir, "cgroup.kill"), "");
    assert_false(linux_cgroup_kill(&v1, 0));
    thawed = read_text(below(w.dir, "freezer.state"));
    assert_string_equal(thawed, "THAWED");
    assert_false(linux_cgroup_kill(&v2, 20));
    killed = read_text(below(w.dir, "cgroup.kill"));
    assert_string_equal(killed, "1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_groups_below_are_listed_too),
        TEST(test_a_group_that_has_gone_is_empty),
        TEST(test_each_process_gets_the_signal),
        TEST(test_a_kill_gives_up_in_time_and_has_tried_everything),
    };

    if (shim_child_init(false, NULL) < 0 || shim_child_start_reaper(NULL) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Notices of version 2, with plain files in the kernel's stead. Version 1 needs the kernel: see the
 * test of real containers. */
#include "base/posix/loop.h"
#include "hcs/linux/cgroup.h"
#include "hcs/linux/oom.h"
#include "tests/unit/hcs/linux/world.h"

static struct world w;
static struct shim_loop *loop;
static struct story story;

static void noticed(void *user)
{
    story_oom(NULL, user);
}

/* Changes the file in place, as the kernel does. */
static void set_kills(const char *text)
{
    int fd = open(below(w.dir, "memory.events"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    assert_int_equal(write(fd, text, strlen(text)), (int)strlen(text));
    close(fd);
}

static void await_ooms(unsigned wanted)
{
    int64_t deadline_ns = shim_monotonic_ns() + WAIT_NS;
    bool in_time = true;

    shim_lock(&story.lock);
    while (story.ooms < wanted && in_time)
        in_time = shim_cond_wait_until(&story.changed, &story.lock, deadline_ns);
    shim_unlock(&story.lock);
    assert_int_equal(story.ooms, wanted);
}

static int setup(void **state)
{
    (void)state;
    world_init(&w);
    story_init(&story);
    return shim_loop_new("loop", &loop, NULL);
}

static int teardown(void **state)
{
    (void)state;
    shim_loop_free(loop);
    world_done(&w);
    return 0;
}

static void test_only_a_growing_count_is_noticed(void **state)
{
    struct linux_cgroup cg = {.unified = true, .dir = w.dir};
    struct linux_oom *oom;

    (void)state;
    set_kills("low 0\noom_kill 3\n"); /* of before */
    assert_ok(linux_oom_new(loop, &cg, noticed, &story, &oom, err));
    set_kills("low 9\noom_kill 3\n");
    set_kills("low 9\noom_kill 4\n");
    await_ooms(1);
    set_kills("low 9\noom_kill 5\n");
    await_ooms(2);
    linux_oom_free(oom);
    set_kills("low 9\noom_kill 6\n");
    assert_int_equal(story.ooms, 2);
}

static void check_on_loop(void *user)
{
    linux_oom_check(user);
}

static void test_a_last_look_notices_what_no_notice_told(void **state)
{
    struct linux_cgroup cg = {.unified = true, .dir = w.dir};
    struct linux_oom *oom;

    (void)state;
    assert_ok(linux_oom_new(loop, &cg, noticed, &story, &oom, err)); /* nothing to watch yet */
    set_kills("oom_kill 1\n");
    assert_true(linux_oom_post(oom, check_on_loop, oom));
    await_ooms(1);
    assert_int_equal(unlink(below(w.dir, "memory.events")), 0);
    assert_true(linux_oom_post(oom, check_on_loop, oom)); /* the group has gone: nothing new */
    linux_oom_free(oom);
    assert_int_equal(story.ooms, 1);
}

static void test_without_a_memory_controller_there_is_nothing_to_notice(void **state)
{
    struct linux_cgroup cg = {.dir = w.dir};
    struct linux_oom *oom;

    (void)state;
    assert_fails(SHIM_E_NOT_FOUND, "no memory control group",
                 linux_oom_new(loop, &cg, noticed, &story, &oom, err));
    linux_oom_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_only_a_growing_count_is_noticed),
        TEST(test_a_last_look_notices_what_no_notice_told),
        TEST(test_without_a_memory_controller_there_is_nothing_to_notice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

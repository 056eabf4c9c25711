/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes belong to a system, by session, by descent and by start time. */
#include "hcs/emulated/proc.h"
#include "tests/unit/hcs/emulated_world.h"

/* A session of a shell and what it starts; tells its pid and that all of it runs. */
struct family {
    int64_t pid;
    intptr_t out;
    struct watcher end;
};

static void family_ended(int64_t pid, const struct shim_exit *e, void *user)
{
    (void)pid;
    world_exited(NULL, &(struct hcs_exit){.status = e->status, .at_ns = e->at_ns}, user);
}

static void family_start(struct family *f, const char *script)
{
    cleanup_free char *shell = world_path("rootfs/bin/sh");
    cleanup_free char *path = shim_strf("PATH=%s/rootfs/bin", world);
    const char *const argv[] = {shell, "-c", script, NULL}, *const env[] = {path, NULL};
    cleanup_buf struct shim_buf got = {0};
    struct shim_child_fd fd;
    struct shim_spawn spawn = {
        .argv = argv, .env = env, .fds = &fd, .n_fds = 1, .new_session = true};
    int ends[2];

    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    fd = (struct shim_child_fd){.from = ends[1], .to = 1};
    assert_int_equal(shim_child_spawn(&spawn, family_ended, &f->end, &f->pid, NULL), 0);
    close(ends[1]);
    f->out = ends[0];
    world_expect(f->out, "ready", &got);
}

static struct emu_root root_of(int64_t pid)
{
    struct emu_proc p;

    assert_int_equal(emu_proc_read(pid, &p, NULL), 0);
    return (struct emu_root){.pid = pid, .start = p.start};
}

static size_t count(const struct emu_root *root)
{
    cleanup_emu_procs struct emu_procs members = {0};
    struct emu_roots roots = {.v = (struct emu_root *)root, .n = 1};

    assert_int_equal(emu_procs_of(&roots, &members, NULL), 0);
    return members.n;
}

static void kill_all(const struct emu_root *root)
{
    cleanup_emu_procs struct emu_procs members = {0};
    struct emu_roots roots = {.v = (struct emu_root *)root, .n = 1};

    assert_int_equal(emu_procs_of(&roots, &members, NULL), 0);
    for (size_t i = 0; i < members.n; i++)
        assert_true(emu_proc_signal(&members.v[i], SIGKILL));
    for (size_t i = 0; i < members.n; i++)
        assert_true(emu_proc_wait(&members.v[i], shim_monotonic_ns() + WORLD_WAIT_NS));
    assert_int_equal(count(root), 0);
}

static void test_our_own_figures_are_read(void **state)
{
    struct emu_proc self;

    (void)state;
    assert_int_equal(emu_proc_read(getpid(), &self, NULL), 0);
    assert_int_equal(self.pid, getpid());
    assert_int_equal(self.parent, getppid());
    assert_int_equal(self.session, getsid(0));
    assert_true(self.start > 0 && self.rss_bytes > 0);
}

static void test_a_process_that_is_not_there_is_not_found(void **state)
{
    struct emu_proc p;
    struct shim_error err = {0};

    (void)state;
    assert_int_equal(emu_proc_read(INT32_MAX, &p, &err), SHIM_E_NOT_FOUND);
    p = (struct emu_proc){.pid = INT32_MAX};
    assert_false(emu_proc_signal(&p, SIGTERM));
    assert_true(emu_proc_wait(&p, 0));
}

static void test_no_roots_have_no_members(void **state)
{
    cleanup_emu_procs struct emu_procs members = {0};
    struct emu_roots none = {0};

    (void)state;
    assert_int_equal(emu_procs_of(&none, &members, NULL), 0);
    assert_int_equal(members.n, 0);
}

static void test_a_session_and_its_descendants_belong_to_it(void **state)
{
    struct family f = {0};
    struct emu_root root;

    (void)state;
    family_start(&f, "sleep 1000 & busybox setsid sh -c 'sleep 1000 & echo ready; wait' & wait");
    root = root_of(f.pid);
    assert_int_equal(count(&root), 4); /* shell, sleep, the other session's shell and its sleep */
    kill_all(&root);
    assert_int_equal(world_wait(&f.end), 128 + SIGKILL);
    close((int)f.out);
}

static void test_a_session_outlives_its_leader(void **state)
{
    struct family f = {0};
    struct emu_root root, unknown;

    (void)state;
    family_start(&f, "sleep 1000 & echo ready; wait");
    root = root_of(f.pid);
    assert_int_equal(shim_child_kill(f.pid, SIGKILL, NULL), 0);
    world_wait(&f.end);
    assert_int_equal(count(&root), 1);
    unknown = (struct emu_root){.pid = f.pid, .start = 0};
    assert_int_equal(count(&unknown), 1);
    kill_all(&root);
    close((int)f.out);
}

static void test_a_number_used_again_is_another_process(void **state)
{
    struct family f = {0};
    struct emu_root root, other;
    struct emu_proc stale;

    (void)state;
    family_start(&f, "echo ready; wait; exec sleep 1000");
    root = root_of(f.pid);
    other = (struct emu_root){.pid = f.pid, .start = root.start - 1};
    assert_int_equal(count(&other), 0);
    other.start = 0;
    assert_int_equal(count(&other), 0);
    assert_int_equal(emu_proc_read(f.pid, &stale, NULL), 0);
    assert_false(emu_proc_wait(&stale, shim_monotonic_ns()));
    stale.start--;
    assert_false(emu_proc_signal(&stale, SIGKILL));
    assert_true(emu_proc_wait(&stale, 0)); /* it is not that one any more */
    assert_int_equal(shim_child_kill(f.pid, 0, NULL), 0);
    kill_all(&root);
    world_wait(&f.end);
    close((int)f.out);
}

static void test_pruning_keeps_what_lives_and_what_is_new(void **state)
{
    struct emu_root v[] = {{.pid = 5, .start = 1}, {.pid = 6, .start = 1}, {.pid = 7, .start = 1}};
    struct emu_proc p = {.pid = 60, .session = 6};
    struct emu_procs members = {.v = &p, .n = 1};
    struct emu_roots scanned = {.v = v, .n = 2};
    cleanup_emu_roots struct emu_roots roots = {0};

    (void)state;
    for (size_t i = 0; i < 3; i++)
        assert_true(emu_roots_add(&roots, &v[i]));
    emu_roots_prune(&roots, &scanned, &members);
    assert_int_equal(roots.n, 2);
    assert_int_equal(roots.v[0].pid, 6);
    assert_int_equal(roots.v[1].pid, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_our_own_figures_are_read),
        cmocka_unit_test(test_a_process_that_is_not_there_is_not_found),
        cmocka_unit_test(test_no_roots_have_no_members),
        cmocka_unit_test(test_a_session_and_its_descendants_belong_to_it),
        cmocka_unit_test(test_a_session_outlives_its_leader),
        cmocka_unit_test(test_a_number_used_again_is_another_process),
        cmocka_unit_test(test_pruning_keeps_what_lives_and_what_is_new),
    };

    return world_main_setup() < 0 ? 1 : cmocka_run_group_tests(tests, world_open, world_close);
}

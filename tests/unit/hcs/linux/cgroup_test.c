/* SPDX-License-Identifier: Apache-2.0 */
/* Which control group is a container's own, on machines of every kind. */
#include "hcs/linux/cgroup.h"
#include "tests/unit/hcs/linux/world.h"

static const char v1_mounts[] =
    "31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
    "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    "36 31 0:33 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices\n"
    "37 31 0:34 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n"
    "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
    "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
static const char v1_pid[] = "9:name=systemd:/x/box\n7:freezer:/x/box\n6:devices:/x/box\n"
                             "5:memory:/x/box\n4:cpu,cpuacct:/x/box\n0::/x/box\n";
static const char v1_self[] =
    "9:name=systemd:/\n7:freezer:/\n6:devices:/\n5:memory:/shim\n4:cpu,cpuacct:/\n0::/\n";

static const char v2_mounts[] = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";

static void test_version_1_has_a_folder_for_each_controller(void **state)
{
    cleanup_cgroup struct linux_cgroup cg = {0};

    (void)state;
    assert_ok(linux_cgroup_parse(v1_pid, v1_self, v1_mounts, &cg, err));
    assert_false(cg.unified); /* though version 2 is mounted as well */
    assert_string_equal(cg.dirs[LINUX_CPU], "/sys/fs/cgroup/cpu,cpuacct/x/box");
    assert_string_equal(cg.dirs[LINUX_CPUACCT], "/sys/fs/cgroup/cpu,cpuacct/x/box");
    assert_string_equal(cg.dirs[LINUX_MEMORY], "/sys/fs/cgroup/memory/x/box");
    assert_string_equal(cg.dir, "/sys/fs/cgroup/devices/x/box");
    assert_null(cg.dirs[LINUX_PIDS]);
}

static void test_version_2_has_one_folder(void **state)
{
    cleanup_cgroup struct linux_cgroup cg = {0};

    (void)state;
    assert_ok(linux_cgroup_parse("0::/kubepods.slice/box.scope\n", "0::/system.slice/shim\n",
                                 v2_mounts, &cg, err));
    assert_true(cg.unified);
    assert_string_equal(cg.dir, "/sys/fs/cgroup/kubepods.slice/box.scope");
    assert_null(cg.dirs[LINUX_MEMORY]);
}

static void test_a_group_that_holds_us_too_is_not_the_containers(void **state)
{
    static const struct {
        const char *pid, *self;
    } cases[] = {
        {"0::/\n", "0::/\n"},
        {"0::/\n", "0::/shim\n"},
        {"0::/pod\n", "0::/pod\n"},
        {"0::/pod\n", "0::/pod/shim\n"},
        {"0::/../elsewhere\n", "0::/\n"}, /* outside of our cgroup namespace */
        {"0::/..\n", "0::/\n"},
        {"", "0::/\n"},
        {"rubbish\n::\n", "0::/\n"},
    };
    struct linux_cgroup cg = {0};

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(cases); i++)
        assert_fails(SHIM_E_NOT_FOUND, "no control group of its own",
                     linux_cgroup_parse(cases[i].pid, cases[i].self, v2_mounts, &cg, err));
}

static void test_a_neighbour_of_a_similar_name_is_a_group_of_its_own(void **state)
{
    cleanup_cgroup struct linux_cgroup cg = {0};

    (void)state;
    assert_ok(linux_cgroup_parse("0::/pod\n", "0::/pod2\n", v2_mounts, &cg, err));
    assert_string_equal(cg.dir, "/sys/fs/cgroup/pod");
}

static void test_only_controllers_with_a_group_of_their_own_count(void **state)
{
    cleanup_cgroup struct linux_cgroup cg = {0};

    (void)state;
    assert_ok(linux_cgroup_parse("7:freezer:/box\n6:devices:/\n5:memory:/shim\n", v1_self,
                                 v1_mounts, &cg, err));
    assert_string_equal(cg.dir, "/sys/fs/cgroup/freezer/box");
    assert_null(cg.dirs[LINUX_DEVICES]);
    assert_null(cg.dirs[LINUX_MEMORY]);
}

static void test_a_mount_of_a_part_of_the_tree_is_taken_off_the_path(void **state)
{
    cleanup_cgroup struct linux_cgroup cg = {0};

    (void)state;
    assert_ok(linux_cgroup_parse("0::/docker/abc/box\n", "0::/docker/abc/shim\n",
                                 "30 23 0:26 /other /mnt rw - cgroup2 cgroup2 rw\n"
                                 "31 23 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
                                 &cg, err));
    assert_string_equal(cg.dir, "/sys/fs/cgroup/box");
}

static void test_a_process_that_is_not_there_has_none(void **state)
{
    struct linux_cgroup cg = {0};

    (void)state;
    assert_fails(SHIM_E_NOT_FOUND, "control group of process 2147483646",
                 linux_cgroup_find(INT32_MAX - 1, &cg, err));
    assert_fails(SHIM_E_NOT_FOUND, "no control group of its own",
                 linux_cgroup_find(getpid(), &cg, err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_1_has_a_folder_for_each_controller),
        cmocka_unit_test(test_version_2_has_one_folder),
        cmocka_unit_test(test_a_group_that_holds_us_too_is_not_the_containers),
        cmocka_unit_test(test_a_neighbour_of_a_similar_name_is_a_group_of_its_own),
        cmocka_unit_test(test_only_controllers_with_a_group_of_their_own_count),
        cmocka_unit_test(test_a_mount_of_a_part_of_the_tree_is_taken_off_the_path),
        cmocka_unit_test(test_a_process_that_is_not_there_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Mount options: flags, words, data; overlay's list of lower folders. */
#include "hcs/linux/mount.h"
#include "tests/unit/hcs/linux/world.h"
#include <sys/mount.h>

static void test_flags_set_and_clear_in_order(void **state)
{
    static const char *const options[] = {"ro",    "nosuid", "rbind", "noatime", "rw",
                                          "atime", "nodev",  "sync",  NULL};
    cleanup_mount_options struct linux_mount_options o = {0};

    (void)state;
    assert_ok(linux_mount_options_parse(options, &o, err));
    assert_int_equal(o.flags, MS_NOSUID | MS_BIND | MS_REC | MS_NODEV | MS_SYNCHRONOUS);
    assert_int_equal(o.data.n, 0);
}

static void test_the_rest_is_data_in_order(void **state)
{
    static const char *const options[] = {"lowerdir=/a:/b",  "ro",        "loop",
                                          "context=\"a,b\"", "direct-io", "private",
                                          "volatile",        NULL};
    cleanup_mount_options struct linux_mount_options o = {0}, none = {0};
    cleanup_free char *data = NULL, *nothing = NULL;

    (void)state;
    assert_ok(linux_mount_options_parse(options, &o, err));
    assert_true(o.loop && o.direct_io);
    data = linux_mount_data(&o);
    assert_string_equal(data, "lowerdir=/a:/b,context=\"a,b\",private,volatile");
    assert_ok(linux_mount_options_parse(NULL, &none, err));
    nothing = linux_mount_data(&none);
    assert_string_equal(nothing, "");
}

static void test_maps_come_in_pairs_and_well_formed(void **state)
{
    static const char *const good[] = {"uidmap=0:100000:65536,65536:7:1", "gidmap=0:1:2", NULL};
    static const char *const bad[] = {
        "uidmap=",        "uidmap=0:1",    "uidmap=0:1:2,",        "uidmap=a:1:2",
        "uidmap=0:1:2:3", "gidmap=-1:0:1", "gidmap=0:0:4294967296"};
    cleanup_mount_options struct linux_mount_options o = {0};
    struct linux_mount_options refused = {0};

    (void)state;
    assert_ok(linux_mount_options_parse(good, &o, err));
    assert_string_equal(o.uidmap, "0:100000:65536,65536:7:1");
    assert_string_equal(o.gidmap, "0:1:2");
    assert_int_equal(o.data.n, 0);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(bad); i++) {
        const char *const options[] = {bad[i], NULL};

        assert_fails(SHIM_E_INVALID, bad[i], linux_mount_options_parse(options, &refused, err));
    }
    assert_fails(SHIM_E_INVALID, "gidmap without uidmap",
                 linux_mount_options_parse(good + 1, &refused, err));
}

static void test_options_of_containerd_s_mount_manager_are_refused(void **state)
{
    static const char *const options[] = {"X-containerd.mkfs.fs=ext4", NULL};
    struct linux_mount_options o = {0};

    (void)state;
    assert_fails(SHIM_E_INVALID, "X-containerd.mkfs.fs=ext4",
                 linux_mount_options_parse(options, &o, err));
}

static void test_a_value_is_found_and_replaced(void **state)
{
    static const char *const options[] = {"lowerdirs=x", "lowerdir=/a", "upperdir=/u", NULL};
    cleanup_mount_options struct linux_mount_options o = {0};
    cleanup_free char *data = NULL;

    (void)state;
    assert_ok(linux_mount_options_parse(options, &o, err));
    assert_string_equal(linux_mount_value(&o, "lowerdir"), "/a");
    assert_null(linux_mount_value(&o, "lower"));
    assert_ok(linux_mount_set_value(&o, "lowerdir", "/b", err));
    assert_ok(linux_mount_set_value(&o, "absent", "/c", err));
    data = linux_mount_data(&o);
    assert_string_equal(data, "lowerdirs=x,lowerdir=/b,upperdir=/u");
}

static void test_lower_folders_are_split_at_bare_colons(void **state)
{
    cleanup_strv struct shim_strv dirs = {0};

    (void)state;
    assert_ok(linux_lowerdirs_split("/a:/b\\:c:/d\\\\:", &dirs, err));
    assert_int_equal(dirs.n, 4);
    assert_string_equal(dirs.v[0], "/a");
    assert_string_equal(dirs.v[1], "/b\\:c");
    assert_string_equal(dirs.v[2], "/d\\\\");
    assert_string_equal(dirs.v[3], "");
}

static void test_the_common_parent_is_a_whole_folder(void **state)
{
    static const struct {
        const char *lowerdir, *parent;
    } cases[] = {
        {"/s/1/fs:/s/2/fs", "/s"},
        {"/s/12/fs:/s/1/fs", "/s"},
        {"/s/1:/s/1/fs", "/s"},
        {"/s/1/fs:/s/1", "/s"},
        {"/s/1/fs", "/s/1"},
        {"/a:/b", NULL},
        {"/a", NULL},
        {"rel/a:rel/b", NULL},
        {"/s/1:rel", NULL},
        {"/s/1::/s/2", NULL},
        {"/s\\:x/1:/s\\:x/2", NULL}, /* escaped: not the folder's real name */
        {"/s/a\\:b:/s/c", "/s"},
    };

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(cases); i++) {
        cleanup_strv struct shim_strv dirs = {0};
        cleanup_free char *parent = NULL;

        assert_ok(linux_lowerdirs_split(cases[i].lowerdir, &dirs, err));
        parent = linux_lowerdirs_parent(&dirs);
        if (cases[i].parent)
            assert_string_equal(parent, cases[i].parent);
        else
            assert_null(parent);
    }
}

static void test_joined_again_they_are_relative_or_elsewhere(void **state)
{
    cleanup_strv struct shim_strv dirs = {0};
    cleanup_free char *relative = NULL, *elsewhere = NULL;

    (void)state;
    assert_ok(linux_lowerdirs_split("/s/1/fs:/s/2/fs", &dirs, err));
    assert_ok(linux_lowerdirs_join(&dirs, "/s", "", &relative, err));
    assert_string_equal(relative, "1/fs:2/fs");
    assert_ok(linux_lowerdirs_join(&dirs, "/s", "/t/", &elsewhere, err));
    assert_string_equal(elsewhere, "/t/1/fs:/t/2/fs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flags_set_and_clear_in_order),
        cmocka_unit_test(test_the_rest_is_data_in_order),
        cmocka_unit_test(test_maps_come_in_pairs_and_well_formed),
        cmocka_unit_test(test_options_of_containerd_s_mount_manager_are_refused),
        cmocka_unit_test(test_a_value_is_found_and_replaced),
        cmocka_unit_test(test_lower_folders_are_split_at_bare_colons),
        cmocka_unit_test(test_the_common_parent_is_a_whole_folder),
        cmocka_unit_test(test_joined_again_they_are_relative_or_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

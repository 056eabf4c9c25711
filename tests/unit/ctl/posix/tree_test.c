/* SPDX-License-Identifier: Apache-2.0 */
/* Listing and removing folders without reaching beyond them. */
#include "shim/ctl/platform.h"
#include "tests/folder.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_names_come_sorted_and_without_the_hidden(void **state)
{
    cleanup_folder char *folder = folder_new();
    cleanup_strv struct shim_strv names = {0};
    cleanup_strv struct shim_strv none = {0};

    (void)state;
    folder_write(folder, "b", "");
    folder_write(folder, "a", "");
    folder_write(folder, ".hidden", "");
    assert_int_equal(ctl_dir_list(folder, &names, NULL), 0);
    assert_int_equal(names.n, 2);
    assert_string_equal(names.v[0], "a");
    assert_string_equal(names.v[1], "b");
    assert_int_equal(ctl_dir_list("/no/such/folder", &none, NULL), 0);
    assert_int_equal(none.n, 0);
}

static void test_a_tree_goes_but_not_what_links_lead_to(void **state)
{
    cleanup_folder char *folder = folder_new();
    cleanup_free char *tree = shim_strf("%s/tree", folder);
    cleanup_free char *deep = shim_strf("%s/tree/x/y", folder);
    cleanup_free char *link_path = shim_strf("%s/tree/x/link", folder);
    cleanup_free char *fifo = shim_strf("%s/tree/fifo", folder);
    cleanup_free char *kept = NULL;

    (void)state;
    assert_int_equal(shim_dir_make_all(deep, 0700, NULL), 0);
    assert_int_equal(symlink(folder, link_path), 0);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    folder_write(deep, "file", "x");
    folder_write(folder, "kept", "x");
    assert_int_equal(ctl_tree_remove(tree, NULL), 0);
    assert_false(shim_file_exists(tree));
    kept = folder_read(folder, "kept");
    assert_string_equal(kept, "x");
    assert_int_equal(ctl_tree_remove(tree, NULL), 0);
}

/* Bind mounts are of the same file system: what they show must not be removed either. */
static void test_what_is_mounted_is_left_alone(void **state)
{
    cleanup_folder char *folder = folder_new();
    cleanup_free char *source = shim_strf("%s/source", folder);
    cleanup_free char *tree = shim_strf("%s/tree", folder);
    cleanup_free char *target = shim_strf("%s/tree/rootfs", folder);
    cleanup_free char *kept = NULL;
    struct shim_error err;

    (void)state;
    if (unshare(CLONE_NEWNS) != 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        skip_test("mounts need root");
    assert_int_equal(shim_dir_make_all(source, 0700, NULL), 0);
    assert_int_equal(shim_dir_make_all(target, 0700, NULL), 0);
    folder_write(source, "kept", "x");
    assert_int_equal(mount(source, target, NULL, MS_BIND, NULL), 0);
    assert_int_equal(ctl_tree_remove(tree, &err), SHIM_E_STATE);
    assert_non_null(strstr(err.msg, "rootfs is still mounted"));
    assert_int_equal(umount(target), 0);
    kept = folder_read(source, "kept");
    assert_string_equal(kept, "x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_come_sorted_and_without_the_hidden),
        cmocka_unit_test(test_a_tree_goes_but_not_what_links_lead_to),
        cmocka_unit_test(test_what_is_mounted_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

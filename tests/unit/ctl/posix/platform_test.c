/* SPDX-License-Identifier: Apache-2.0 */
/* State folders and paths. */
#include "shim/ctl/platform.h"
#include "tests/folder.h"
#include <sys/stat.h>
#include <unistd.h>

static void test_the_state_folder_follows_the_user(void **state)
{
    cleanup_free char *with_xdg = NULL;
    cleanup_free char *without = NULL;

    (void)state;
    assert_int_equal(setenv("XDG_RUNTIME_DIR", "/run/user/7", 1), 0);
    with_xdg = ctl_default_state_dir();
    assert_string_equal(with_xdg, "/run/user/7/shimctl");
    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
    without = ctl_default_state_dir();
    if (geteuid() == 0)
        assert_string_equal(without, "/run/shimctl");
    else
        assert_true(shim_starts_with(without, "/tmp/shimctl-"));
}

static void test_a_private_folder_is_made_with_its_parents(void **state)
{
    cleanup_folder char *folder = folder_new();
    cleanup_free char *path = shim_strf("%s/a/b", folder);
    struct stat st;

    (void)state;
    assert_int_equal(ctl_dir_private(path, NULL), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(ctl_dir_private(path, NULL), 0);
}

static void test_a_folder_that_others_may_change_is_refused(void **state)
{
    cleanup_folder char *folder = folder_new();
    cleanup_free char *open_to_all = shim_strf("%s/open", folder);
    cleanup_free char *link_path = shim_strf("%s/link", folder);
    struct shim_error err;

    (void)state;
    assert_int_equal(mkdir(open_to_all, 0700), 0);
    assert_int_equal(symlink(open_to_all, link_path), 0);
    assert_int_equal(ctl_dir_private(link_path, NULL), SHIM_E_DENIED);
    assert_int_equal(chmod(open_to_all, 0777), 0);
    assert_int_equal(ctl_dir_private(open_to_all, &err), SHIM_E_DENIED);
    assert_non_null(strstr(err.msg, "--state"));
}

static void test_paths_become_absolute(void **state)
{
    cleanup_free char *cwd = getcwd(NULL, 0);
    cleanup_free char *want = shim_strf("%s/x/y", cwd);
    cleanup_free char *relative = NULL;
    cleanup_free char *absolute = NULL;
    cleanup_free char *self = NULL;
    char *none = NULL;

    (void)state;
    assert_int_equal(ctl_path_absolute("x/y", &relative, NULL), 0);
    assert_string_equal(relative, want);
    assert_int_equal(ctl_path_absolute("/x", &absolute, NULL), 0);
    assert_string_equal(absolute, "/x");
    assert_int_equal(ctl_path_real("/no/such/path", &none, NULL), SHIM_E_NOT_FOUND);
    assert_int_equal(ctl_self_path(&self, NULL), 0);
    assert_non_null(strstr(self, "test_ctl_posix_platform"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_state_folder_follows_the_user),
        cmocka_unit_test(test_a_private_folder_is_made_with_its_parents),
        cmocka_unit_test(test_a_folder_that_others_may_change_is_refused),
        cmocka_unit_test(test_paths_become_absolute),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

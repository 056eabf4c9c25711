/* SPDX-License-Identifier: Apache-2.0 */
/* Mounting a root file system, all of it or nothing, in a mount namespace of the test's own. */
#include "base/posix/mountinfo.h"
#include "hcs/hcs.h"
#include "tests/unit/hcs/linux/world.h"
#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

static const char *excuse; /* why nothing can be mounted here */

#define needs_mounts()                                                                             \
    if (excuse)                                                                                    \
    skip_test(excuse)

struct fixture {
    struct world world;
    const struct hcs_provider *provider;
    unsigned descriptors;
};

static int setup(void **state)
{
    static struct fixture f;

    f.descriptors = open_descriptors();
    f.provider = hcs_provider_find("linux");
    world_init(&f.world);
    *state = &f;
    return 0;
}

/* How many mounts there are at and below the world. */
static unsigned mounts_below(const struct fixture *f)
{
    cleanup_free char *text = read_text("/proc/self/mountinfo");
    struct shim_mountinfo m;
    char *at = text;
    unsigned n = 0;

    while (shim_mountinfo_next(&at, &m))
        n += shim_starts_with(m.mount_point, f->world.dir);
    return n;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    assert_ok(hcs_storage_unmount(f->provider, f->world.dir, err));
    assert_int_equal(mounts_below(f), 0);
    world_done(&f->world);
    assert_false(shim_file_exists(f->world.dir));
    assert_int_equal(open_descriptors(), f->descriptors);
    return 0;
}

/* A folder of the world with one file in it, both named so; owned by the caller. */
static char *make_layer(struct fixture *f, const char *name)
{
    char *path = shim_strf("%s/%s", f->world.dir, name);
    cleanup_free char *file = shim_strf("%s/%s", path, strrchr(path, '/') + 1);

    assert_ok(shim_dir_make_all(path, 0755, err));
    write_text(file, name);
    return path;
}

static int mount_one(struct fixture *f, const char *type, const char *source,
                     const char *const *options, struct shim_error *error)
{
    struct hcs_mount m = {.type = type, .source = source, .target = "", .options = options};

    return hcs_storage_mount(f->provider, &m, 1, f->world.rootfs, error);
}

static void test_no_mounts_only_make_the_folder(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    assert_int_equal(rmdir(f->world.rootfs), 0);
    assert_ok(hcs_storage_mount(f->provider, NULL, 0, f->world.rootfs, err));
    assert_int_equal(stat(f->world.rootfs, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0711);
    assert_fails(SHIM_E_NOT_FOUND, "/no/parent/rootfs",
                 hcs_storage_mount(f->provider, NULL, 0, "/no/parent/rootfs", err));
}

static void test_a_bind_can_be_read_only(void **state)
{
    static const char *const options[] = {"rbind", "ro", NULL};
    struct fixture *f = *state;
    cleanup_free char *layer = NULL;
    struct statvfs st;

    needs_mounts();
    layer = make_layer(f, "one");
    assert_ok(mount_one(f, "bind", layer, options, err));
    assert_true(shim_file_exists(below(f->world.rootfs, "one")));
    assert_int_equal(statvfs(f->world.rootfs, &st), 0);
    assert_true(st.f_flag & ST_RDONLY);
    assert_ok(hcs_storage_unmount(f->provider, f->world.rootfs, err));
    assert_int_equal(mounts_below(f), 0);
    assert_ok(hcs_storage_unmount(f->provider, f->world.rootfs, err)); /* nothing mounted */
}

/* Mounts an overlay of `n` layers whose names have `width` digits. */
static void mount_overlay(struct fixture *f, int n, int width)
{
    cleanup_buf struct shim_buf lower = {0};
    cleanup_free char *lowerdir = NULL, *upperdir = NULL, *workdir = NULL;
    const char *options[5] = {"index=off"};

    assert_int_equal(mount("tmpfs", f->world.bundle, "tmpfs", 0, ""), 0); /* room for an upper */
    for (int i = 0; i < n; i++) {
        cleanup_free char *name = shim_strf("bundle/layers/%0*d", width, i);
        cleanup_free char *path = make_layer(f, name);

        assert_true(shim_buf_appendf(&lower, "%s%s", i > 0 ? ":" : "", path));
    }
    assert_int_equal(mkdir(below(f->world.bundle, "upper"), 0755), 0);
    assert_int_equal(mkdir(below(f->world.bundle, "work"), 0755), 0);
    options[1] = lowerdir = shim_strf("lowerdir=%s", shim_buf_str(&lower));
    options[2] = upperdir = shim_strf("upperdir=%s/upper", f->world.bundle);
    options[3] = workdir = shim_strf("workdir=%s/work", f->world.bundle);
    assert_ok(mount_one(f, "overlay", "overlay", options, err));
}

static void test_an_overlay_shows_all_its_layers(void **state)
{
    struct fixture *f = *state;

    needs_mounts();
    mount_overlay(f, 3, 1);
    assert_true(shim_file_exists(below(f->world.rootfs, "0")));
    assert_true(shim_file_exists(below(f->world.rootfs, "2")));
    write_text(below(f->world.rootfs, "new"), "new");
    assert_true(shim_file_exists(below(f->world.bundle, "upper/new")));
}

static void test_an_overlay_with_more_layers_than_a_page_names(void **state)
{
    struct fixture *f = *state;
    char before[256], after[256];

    needs_mounts();
    assert_non_null(getcwd(before, sizeof(before)));
    mount_overlay(f, 60, 50); /* 60 times about 90 bytes */
    assert_true(shim_file_exists(
        below(f->world.rootfs, "00000000000000000000000000000000000000000000000059")));
    assert_non_null(getcwd(after, sizeof(after)));
    assert_string_equal(before, after); /* only a thread went elsewhere */
}

static void test_options_that_stay_too_long_are_refused(void **state)
{
    struct fixture *f = *state;
    char option[8192];
    const char *const options[] = {option, NULL};

    memset(option, 'x', sizeof(option) - 1);
    option[sizeof(option) - 1] = 0;
    assert_fails(SHIM_E_INVALID, "more than a page", mount_one(f, "overlay", "x", options, err));
    assert_fails(SHIM_E_INVALID, "more than a page", mount_one(f, "tmpfs", "x", options, err));
}

static void test_a_failure_says_type_source_and_reason_and_undoes_the_rest(void **state)
{
    static const char *const bind[] = {"bind", NULL};
    struct fixture *f = *state;
    cleanup_free char *layer = NULL;
    struct hcs_mount mounts[] = {
        {.type = "bind", .target = "", .options = bind},
        {.type = "bind", .target = "sub", .options = bind},
        {.type = "nofs", .source = "/dev/none", .target = "sub"},
    };

    needs_mounts();
    layer = make_layer(f, "one");
    assert_int_equal(mkdir(below(layer, "sub"), 0755), 0);
    mounts[0].source = mounts[1].source = layer;
    assert_int_equal(rmdir(f->world.rootfs), 0);
    assert_fails(SHIM_E_UNKNOWN, "mount type \"nofs\" source \"/dev/none\" target \"",
                 hcs_storage_mount(f->provider, mounts, 3, f->world.rootfs, err));
    assert_fails(SHIM_E_UNKNOWN, "No such device",
                 hcs_storage_mount(f->provider, mounts, 3, f->world.rootfs, err));
    assert_int_equal(mounts_below(f), 0);
    assert_false(shim_file_exists(f->world.rootfs)); /* it was made for this */
}

static void test_what_was_mounted_before_stays_when_a_mount_fails(void **state)
{
    struct fixture *f = *state;

    needs_mounts();
    assert_int_equal(mount("tmpfs", f->world.rootfs, "tmpfs", 0, ""), 0);
    assert_fails(SHIM_E_UNKNOWN, "nofs", mount_one(f, "nofs", "x", NULL, err));
    assert_int_equal(mounts_below(f), 1);
}

static void test_a_target_stays_below_the_rootfs(void **state)
{
    static const char *const bind[] = {"bind", NULL};
    struct fixture *f = *state;
    cleanup_free char *layer = NULL;
    struct hcs_mount m = {.type = "bind", .options = bind};

    needs_mounts();
    layer = make_layer(f, "one");
    m.source = layer;
    assert_int_equal(mkdir(below(f->world.rootfs, "inner"), 0755), 0);
    assert_int_equal(symlink("/inner", below(f->world.rootfs, "absolute")), 0);
    assert_int_equal(symlink("../../../../../inner", below(f->world.rootfs, "climbing")), 0);
    m.target = "absolute";
    assert_ok(hcs_storage_mount(f->provider, &m, 1, f->world.rootfs, err));
    assert_true(shim_file_exists(below(f->world.rootfs, "inner/one")));
    assert_ok(hcs_storage_unmount(f->provider, f->world.rootfs, err));
    m.target = "/climbing";
    assert_ok(hcs_storage_mount(f->provider, &m, 1, f->world.rootfs, err));
    assert_true(shim_file_exists(below(f->world.rootfs, "inner/one")));
    m.target = "absent";
    assert_fails(SHIM_E_NOT_FOUND, "find the target \"absent\"",
                 hcs_storage_mount(f->provider, &m, 1, f->world.rootfs, err));
}

static int run_program(const char *const *argv)
{
    cleanup_run_result struct shim_run_result result = {0};
    struct shim_run run = {.spawn = {.argv = argv}};

    return shim_child_run(&run, &result, NULL) == 0 ? (int)result.exit.status : -1;
}

static void test_an_image_file_is_mounted_through_a_loop_device(void **state)
{
    static const char *const options[] = {"loop", "ro", NULL};
    struct fixture *f = *state;
    cleanup_free char *image = shim_strf("%s/image", f->world.dir);
    const char *const mkfs[] = {"/sbin/mke2fs", "-q", "-t", "ext4", image, "4M", NULL};
    struct statvfs st;

    needs_mounts();
    if (run_program(mkfs) != 0 || !shim_file_exists("/dev/loop-control"))
        skip_test("no mke2fs or no loop devices");
    assert_ok(mount_one(f, "ext4", image, options, err));
    assert_true(shim_file_exists(below(f->world.rootfs, "lost+found")));
    assert_int_equal(statvfs(f->world.rootfs, &st), 0);
    assert_true(st.f_flag & ST_RDONLY);
    assert_ok(hcs_storage_unmount(f->provider, f->world.rootfs, err));
}

static void test_a_missing_image_is_named(void **state)
{
    static const char *const options[] = {"loop", NULL};
    struct fixture *f = *state;

    assert_fails(SHIM_E_NOT_FOUND, "open /no/image for a loop device",
                 mount_one(f, "ext4", "/no/image", options, err));
}

static void test_owners_are_mapped(void **state)
{
    static const char *const options[] = {"bind", "ro", "uidmap=0:5000:100", "gidmap=0:6000:100",
                                          NULL};
    struct fixture *f = *state;
    cleanup_free char *layer = NULL;
    struct shim_error error = {0};
    struct stat st;
    int r;

    needs_mounts();
    layer = make_layer(f, "one");
    r = mount_one(f, "bind", layer, options, &error);
    if (r == SHIM_E_UNIMPLEMENTED)
        skip_test(error.msg);
    assert_int_equal(r, 0);
    assert_int_equal(stat(below(f->world.rootfs, "one"), &st), 0);
    assert_int_equal(st.st_uid, 5000);
    assert_int_equal(st.st_gid, 6000);
    assert_int_equal(mounts_below(f), 2);
}

static void test_owners_of_an_overlay_s_lower_folders_are_mapped(void **state)
{
    struct fixture *f = *state;
    cleanup_free char *one = NULL, *two = NULL, *lowerdir = NULL;
    const char *options[] = {NULL, "uidmap=0:5000:100", "gidmap=0:6000:100", NULL};
    struct shim_error error = {0};
    struct stat st;
    int r;

    needs_mounts();
    one = make_layer(f, "layers/one");
    two = make_layer(f, "layers/two");
    options[0] = lowerdir = shim_strf("lowerdir=%s:%s", one, two);
    r = mount_one(f, "overlay", "overlay", options, &error);
    if (r == SHIM_E_UNIMPLEMENTED)
        skip_test(error.msg);
    if (r < 0)
        fail_msg("%s", error.msg);
    assert_int_equal(stat(below(f->world.rootfs, "two"), &st), 0);
    assert_int_equal(st.st_uid, 5000);
    assert_int_equal(mounts_below(f), 1); /* the mapped helper mount has gone */
}

static void test_a_helper_of_fuse_is_run(void **state)
{
    static const char *const options[] = {"allow_other", "ro", NULL};
    struct fixture *f = *state;
    cleanup_free char *old_path = strdup(getenv("PATH")), *path = NULL, *said = NULL,
                      *wanted = NULL;

    write_text(below(f->world.dir, "mount.fuse3"),
               "#!/bin/sh\necho \"$*\" >\"$(dirname \"$0\")/said\"\necho oh no >&2\nexit 5\n");
    assert_int_equal(chmod(below(f->world.dir, "mount.fuse3"), 0755), 0);
    path = shim_strf("%s:%s", f->world.dir, old_path);
    setenv("PATH", path, 1);
    assert_fails(SHIM_E_UNKNOWN, "mount.fuse3: exit status 5: oh no",
                 mount_one(f, "fuse3.sshfs", "host:/", options, err));
    said = read_text(below(f->world.dir, "said"));
    wanted = shim_strf("host:/ %s -o allow_other -o ro -t sshfs\n", f->world.rootfs);
    assert_string_equal(said, wanted);
    setenv("PATH", old_path, 1);
    assert_fails(SHIM_E_NOT_FOUND, "mount type \"fuse.none\"",
                 (setenv("PATH", "/none", 1), mount_one(f, "fuse.none", "x", NULL, err)));
    setenv("PATH", old_path, 1);
}

static void test_unmount_takes_what_lies_deepest_first(void **state)
{
    struct fixture *f = *state;

    needs_mounts();
    assert_int_equal(mount("tmpfs", f->world.rootfs, "tmpfs", 0, ""), 0);
    assert_int_equal(mkdir(below(f->world.rootfs, "a b"), 0755), 0);
    assert_int_equal(mount("tmpfs", below(f->world.rootfs, "a b"), "tmpfs", 0, ""), 0);
    assert_int_equal(mkdir(below(f->world.rootfs, "a b/c"), 0755), 0);
    assert_int_equal(mount("tmpfs", below(f->world.rootfs, "a b/c"), "tmpfs", 0, ""), 0);
    assert_int_equal(mount("tmpfs", below(f->world.rootfs, "a b/c"), "tmpfs", 0, ""), 0);
    assert_int_equal(mounts_below(f), 4);
    assert_ok(hcs_storage_unmount(f->provider, below(f->world.dir, "rootfs/"), err));
    assert_int_equal(mounts_below(f), 0);
}

static void test_a_neighbour_with_a_similar_name_stays_mounted(void **state)
{
    struct fixture *f = *state;

    needs_mounts();
    assert_int_equal(mkdir(below(f->world.dir, "rootfs2"), 0755), 0);
    assert_int_equal(mount("tmpfs", below(f->world.dir, "rootfs2"), "tmpfs", 0, ""), 0);
    assert_ok(hcs_storage_unmount(f->provider, f->world.rootfs, err));
    assert_int_equal(mounts_below(f), 1);
}

static void test_a_busy_mount_is_an_error_and_stays(void **state)
{
    struct fixture *f = *state;
    int64_t before_ns = shim_monotonic_ns();
    int fd;

    needs_mounts();
    assert_int_equal(mount("tmpfs", f->world.rootfs, "tmpfs", 0, ""), 0);
    fd = open(f->world.rootfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_fails(SHIM_E_UNKNOWN, "busy", hcs_storage_unmount(f->provider, f->world.rootfs, err));
    assert_true(shim_monotonic_ns() - before_ns > 2 * SHIM_NS_PER_S);
    assert_int_equal(mounts_below(f), 1);
    close(fd);
    assert_ok(hcs_storage_unmount(f->provider, f->world.rootfs, err));
}

static void test_unmount_of_what_is_not_there_is_success(void **state)
{
    struct fixture *f = *state;

    assert_ok(hcs_storage_unmount(f->provider, "/no/such/folder/rootfs", err));
    assert_fails(SHIM_E_INVALID, "not the absolute path",
                 hcs_storage_unmount(f->provider, "relative", err));
    assert_fails(SHIM_E_INVALID, "not the absolute path",
                 hcs_storage_unmount(f->provider, "/", err));
}

static void enter_namespace(void)
{
    if (geteuid() != 0)
        excuse = "not root";
    else if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        excuse = "no mount namespace can be made here";
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_no_mounts_only_make_the_folder),
        TEST(test_a_bind_can_be_read_only),
        TEST(test_an_overlay_shows_all_its_layers),
        TEST(test_an_overlay_with_more_layers_than_a_page_names),
        TEST(test_options_that_stay_too_long_are_refused),
        TEST(test_a_failure_says_type_source_and_reason_and_undoes_the_rest),
        TEST(test_what_was_mounted_before_stays_when_a_mount_fails),
        TEST(test_a_target_stays_below_the_rootfs),
        TEST(test_an_image_file_is_mounted_through_a_loop_device),
        TEST(test_a_missing_image_is_named),
        TEST(test_owners_are_mapped),
        TEST(test_owners_of_an_overlay_s_lower_folders_are_mapped),
        TEST(test_a_helper_of_fuse_is_run),
        TEST(test_unmount_takes_what_lies_deepest_first),
        TEST(test_a_neighbour_with_a_similar_name_stays_mounted),
        TEST(test_a_busy_mount_is_an_error_and_stays),
        TEST(test_unmount_of_what_is_not_there_is_success),
    };

    enter_namespace();
    if (shim_child_init(false, NULL) < 0 || shim_child_start_reaper(NULL) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Records: their folder, their text and back, and who may take an id. */
#include "hcs/emulated/record.h"
#include "tests/unit/hcs/emulated_world.h"

static struct emu_owner us;

static void format(const struct emu_owner *owner, const struct emu_roots *roots,
                   struct shim_buf *ret)
{
    const struct emu_record_data data = {.owner = owner,
                                         .id = "a",
                                         .state = "Running",
                                         .document = "{\"Owner\":\"o\"}",
                                         .resources = "{}",
                                         .roots = roots};

    assert_int_equal(emu_record_format(&data, ret, NULL), 0);
}

static char *path_of(const char *id)
{
    char *path = NULL;
    struct shim_error err = {0};

    if (emu_record_path(id, &path, &err) != 0)
        fail_msg("%s", err.msg);
    return path;
}

static void claim_as(const struct emu_owner *owner, const struct emu_roots *roots, int expected)
{
    cleanup_buf struct shim_buf text = {0};
    cleanup_free char *path = path_of("claimed");
    struct shim_error err = {0};

    format(owner, roots, &text);
    assert_int_equal(emu_record_claim(path, &text, &err), expected);
    if (expected == SHIM_E_EXISTS)
        assert_int_equal(err.os, HRESULT_SYSTEM_ALREADY_EXISTS);
}

static void test_a_record_comes_back_as_it_was_written(void **state)
{
    struct emu_root v[] = {{.pid = 10, .start = 7}, {.pid = 11, .start = UINT64_MAX}};
    struct emu_roots roots = {.v = v, .n = 2};
    cleanup_emu_roots struct emu_roots got = {0};
    cleanup_buf struct shim_buf text = {0};
    cleanup_free char *path = path_of("back");
    bool owned = false;

    (void)state;
    format(&us, &roots, &text);
    assert_int_equal(emu_record_claim(path, &text, NULL), 0);
    assert_int_equal(emu_record_load(path, &got, &owned, NULL), 0);
    assert_true(owned);
    assert_int_equal(got.n, 2);
    assert_memory_equal(got.v, v, sizeof(v));
}

static void test_ids_that_are_no_file_names_are_refused(void **state)
{
    static const char *const bad[] = {"", ".", "..", "a/b", ".hidden", "a b", "a\n", "\xc3\xa4"};
    char long_id[300];
    struct shim_error err = {0};
    char *path = NULL;

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(bad); i++) {
        assert_int_equal(emu_record_path(bad[i], &path, &err), SHIM_E_INVALID);
        assert_int_equal(err.os, HRESULT_INVALID_ARGUMENT);
    }
    memset(long_id, 'a', sizeof(long_id) - 1);
    long_id[sizeof(long_id) - 1] = 0;
    assert_int_equal(emu_record_path(long_id, &path, &err), SHIM_E_INVALID);
    assert_null(path);
}

static void test_an_id_is_in_use_while_its_owner_lives(void **state)
{
    struct emu_roots none = {0};
    struct emu_owner gone = {.boot = us.boot, .self = {.pid = us.self.pid, .start = 1}};
    cleanup_free char *path = path_of("claimed");

    (void)state;
    claim_as(&us, &none, 0);
    claim_as(&us, &none, SHIM_E_EXISTS);
    assert_int_equal(shim_file_remove(path, NULL), 0);
    claim_as(&gone, &none, 0);
    claim_as(&us, &none, 0); /* the same pid with another start is another process */
    assert_int_equal(shim_file_remove(path, NULL), 0);
}

static void test_an_id_is_in_use_while_a_process_lives(void **state)
{
    struct emu_root alive = us.self;
    struct emu_root other = {.pid = us.self.pid, .start = us.self.start + 1};
    struct emu_roots one = {.v = &alive, .n = 1}, reused = {.v = &other, .n = 1};
    struct emu_owner gone = {.boot = us.boot, .self = {.pid = us.self.pid, .start = 1}};
    struct emu_owner old_boot = {.boot = (char *)"another-boot", .self = us.self};
    cleanup_free char *path = path_of("claimed");

    (void)state;
    claim_as(&gone, &one, 0);
    claim_as(&us, &one, SHIM_E_EXISTS);
    assert_int_equal(shim_file_remove(path, NULL), 0);
    claim_as(&gone, &reused, 0);
    claim_as(&old_boot, &one, 0); /* nothing outlives the machine */
    claim_as(&us, &one, 0);
    assert_int_equal(shim_file_remove(path, NULL), 0);
}

static void test_what_is_not_there_or_damaged_is_told(void **state)
{
    static const char *const damaged[] = {"", "{}", "[]", "{\"Id\":\"x\"}", "garbage"};
    cleanup_emu_roots struct emu_roots got = {0};
    cleanup_free char *path = path_of("broken");
    struct shim_error err = {0};

    (void)state;
    assert_int_equal(emu_record_load(path, &got, NULL, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(err.os, HRESULT_SYSTEM_NOT_FOUND);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(damaged); i++) {
        world_write("state/broken.json", damaged[i]);
        assert_int_equal(emu_record_load(path, &got, NULL, &err), SHIM_E_DATA_LOSS);
        assert_non_null(strstr(err.msg, "broken.json"));
    }
}

static void test_the_folder_is_private(void **state)
{
    cleanup_free char *folder = world_path("state"), *file = world_path("file");
    cleanup_free char *missing = world_path("no/such/parent");
    struct shim_error err = {0};
    char *got = NULL;

    (void)state;
    assert_int_equal(chmod(folder, 0750), 0);
    assert_int_equal(emu_state_folder(&got, &err), SHIM_E_DENIED);
    assert_non_null(strstr(err.msg, "0700"));
    assert_int_equal(chmod(folder, 0700), 0);

    world_write("file", "");
    setenv("CONTAINERD_SHIM_HCS_EMULATED_STATE", file, 1);
    assert_int_equal(emu_state_folder(&got, &err), SHIM_E_DENIED);
    setenv("CONTAINERD_SHIM_HCS_EMULATED_STATE", missing, 1);
    assert_int_equal(emu_state_folder(&got, &err), SHIM_E_DENIED);
    setenv("CONTAINERD_SHIM_HCS_EMULATED_STATE", folder, 1);
    assert_null(got);
}

static void test_the_folder_is_in_the_runtime_folder_or_a_shared_one(void **state)
{
    cleanup_free char *folder = world_path("state"), *runtime = world_path("runtime");
    cleanup_free char *in_runtime = world_path("runtime/containerd-shim-hcs-emulated");
    cleanup_free char *gone = world_path("gone"), *got = NULL, *shared = NULL;
    struct stat st;

    (void)state;
    world_folder("runtime");
    unsetenv("CONTAINERD_SHIM_HCS_EMULATED_STATE");
    setenv("XDG_RUNTIME_DIR", runtime, 1);
    assert_int_equal(emu_state_folder(&got, NULL), 0);
    assert_string_equal(got, in_runtime);
    assert_int_equal(stat(got, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);

    setenv("XDG_RUNTIME_DIR", gone, 1);
    assert_int_equal(emu_state_folder(&shared, NULL), 0);
    assert_true(shim_starts_with(shared, "/run/") || shim_starts_with(shared, "/tmp/"));
    rmdir(shared); /* succeeds only where this test made it or nobody uses it */
    unsetenv("XDG_RUNTIME_DIR");
    setenv("CONTAINERD_SHIM_HCS_EMULATED_STATE", folder, 1);
}

static int open_us(void **state)
{
    int r = world_open(state);

    return r < 0 ? r : emu_owner_read(&us, NULL);
}

static int close_us(void **state)
{
    emu_owner_done(&us);
    return world_close(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_comes_back_as_it_was_written),
        cmocka_unit_test(test_ids_that_are_no_file_names_are_refused),
        cmocka_unit_test(test_an_id_is_in_use_while_its_owner_lives),
        cmocka_unit_test(test_an_id_is_in_use_while_a_process_lives),
        cmocka_unit_test(test_what_is_not_there_or_damaged_is_told),
        cmocka_unit_test(test_the_folder_is_private),
        cmocka_unit_test(test_the_folder_is_in_the_runtime_folder_or_a_shared_one),
    };

    return world_main_setup() < 0 ? 1 : cmocka_run_group_tests(tests, open_us, close_us);
}

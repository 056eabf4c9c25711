/* SPDX-License-Identifier: Apache-2.0 */
/* Bundles: made, found again, removed. */
#include "shim/ctl/bundle.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/json.h"
#include "tests/folder.h"
#include <sys/stat.h>

static void test_a_bundle_is_made_listed_and_removed(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl c = {.ns = "ns1", .state_dir = folder};
    cleanup_json struct json_object *spec = json_tokener_parse("{\"root\":{\"path\":\"/x\"}}");
    cleanup_free char *bundle = NULL;
    cleanup_free char *config = NULL;
    cleanup_strv struct shim_strv before = {0};
    cleanup_strv struct shim_strv ids = {0};
    struct stat st;

    (void)state;
    assert_int_equal(ctl_bundle_list(&c, &before, NULL), 0);
    assert_int_equal(before.n, 0);
    assert_int_equal(ctl_bundle_make(&c, "c1", spec, &bundle, NULL), 0);
    config = folder_read(bundle, "config.json");
    assert_non_null(strstr(config, "\"/x\""));
    assert_int_equal(stat(bundle, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(ctl_bundle_list(&c, &ids, NULL), 0);
    assert_int_equal(ids.n, 1);
    assert_string_equal(ids.v[0], "c1");
    assert_int_equal(ctl_bundle_remove(bundle, NULL), 0);
    assert_false(shim_file_exists(bundle));
}

static void test_an_id_is_taken_once(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl c = {.ns = "ns1", .state_dir = folder};
    cleanup_json struct json_object *spec = json_object_new_object();
    cleanup_free char *bundle = NULL;
    char *again = NULL;
    struct shim_error err;

    (void)state;
    assert_int_equal(ctl_bundle_make(&c, "c1", spec, &bundle, NULL), 0);
    assert_int_equal(ctl_bundle_make(&c, "c1", spec, &again, &err), SHIM_E_EXISTS);
    assert_non_null(strstr(err.msg, "\"c1\" exists already"));
    assert_null(again);
}

static void test_an_id_cannot_lead_out_of_the_folder(void **state)
{
    struct ctl c = {.ns = "ns1", .state_dir = "/tmp"};
    char *path = NULL;

    (void)state;
    assert_int_equal(ctl_bundle_path(&c, "../x", &path, NULL), SHIM_E_INVALID);
    assert_null(path);
}

static void test_the_shim_is_found_by_its_notes_or_its_own_file(void **state)
{
    cleanup_folder char *folder = folder_new();
    cleanup_endpoint struct ctl_endpoint own = {0};
    cleanup_endpoint struct ctl_endpoint noted = {0};
    struct ctl_endpoint v3 = {3, (char *)"unix:///b"};
    cleanup_free char *shim = NULL;
    struct ctl_endpoint none = {0};

    (void)state;
    assert_null(ctl_bundle_shim(folder));
    assert_int_equal(ctl_bundle_endpoint(folder, &none, NULL), SHIM_E_NOT_FOUND);
    folder_write(folder, "address", "unix:///a");
    assert_int_equal(ctl_bundle_endpoint(folder, &own, NULL), 0);
    assert_string_equal(own.address, "unix:///a");
    assert_int_equal(ctl_bundle_note_shim(folder, "/bin/shim", &v3, NULL), 0);
    assert_int_equal(ctl_bundle_endpoint(folder, &noted, NULL), 0);
    assert_string_equal(noted.address, "unix:///b");
    assert_int_equal(noted.version, 3);
    shim = ctl_bundle_shim(folder);
    assert_string_equal(shim, "/bin/shim");
}

static void test_a_broken_note_is_an_error(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl_endpoint e = {0};
    struct shim_error err;

    (void)state;
    folder_write(folder, "bootstrap.json", "{\"version\":9}");
    assert_int_equal(ctl_bundle_endpoint(folder, &e, &err), SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, folder));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bundle_is_made_listed_and_removed),
        cmocka_unit_test(test_an_id_is_taken_once),
        cmocka_unit_test(test_an_id_cannot_lead_out_of_the_folder),
        cmocka_unit_test(test_the_shim_is_found_by_its_notes_or_its_own_file),
        cmocka_unit_test(test_a_broken_note_is_an_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

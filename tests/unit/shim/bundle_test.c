/* SPDX-License-Identifier: Apache-2.0 */
/* Our files in a bundle: written by one version of the program, read by another. */
#include "base/file.h"
#include "base/str.h"
#include "oci/spec.h"
#include "shim/bundle.h"
#include "tests/test.h"
#include <json-c/json.h>
#include <string.h>

static char *temp_bundle(void)
{
    char *path = strdup("/tmp/shim-bundle-XXXXXX");

    assert_non_null(mkdtemp(path));
    return path;
}

static void write_record_text(const char *bundle, const char *text)
{
    cleanup_free char *path = shim_bundle_path(bundle, "hcs.json");

    assert_int_equal(shim_file_write(path, text, strlen(text), NULL), 0);
}

static void test_the_address_file_holds_the_address_and_no_newline(void **state)
{
    cleanup_free char *bundle = temp_bundle(), *address = NULL;

    (void)state;
    assert_int_equal(shim_bundle_read_address(bundle, &address, NULL), SHIM_E_NOT_FOUND);
    assert_int_equal(shim_bundle_write_address(bundle, "unix:///run/s/abc", NULL), 0);
    assert_int_equal(shim_bundle_read_address(bundle, &address, NULL), 0);
    assert_string_equal(address, "unix:///run/s/abc");
}

static void test_a_record_comes_back_as_it_was_written(void **state)
{
    cleanup_free char *bundle = temp_bundle();
    cleanup_json struct json_object *document =
        json_tokener_parse("{\"Linux\":{\"Bundle\":\"/b\"}}");
    cleanup_record struct shim_record record = {0};

    (void)state;
    assert_int_equal(shim_bundle_write_record(bundle, "linux", "c1", document, NULL), 0);
    assert_int_equal(shim_bundle_read_record(bundle, &record, NULL), 0);
    assert_string_equal(record.provider, "linux");
    assert_string_equal(record.id, "c1");
    assert_true(json_object_equal(record.document, document));
}

static void test_a_bundle_without_a_record_was_never_created(void **state)
{
    cleanup_free char *bundle = temp_bundle();
    cleanup_record struct shim_record record = {0};

    (void)state;
    assert_int_equal(shim_bundle_read_record(bundle, &record, NULL), SHIM_E_NOT_FOUND);
}

static void test_members_that_a_newer_version_added_are_ignored(void **state)
{
    cleanup_free char *bundle = temp_bundle();
    cleanup_record struct shim_record record = {0};

    (void)state;
    write_record_text(bundle, "{\"Version\":7,\"New\":[1],\"Provider\":\"linux\",\"Id\":\"x\","
                              "\"Document\":{}}");
    assert_int_equal(shim_bundle_read_record(bundle, &record, NULL), 0);
    assert_string_equal(record.id, "x");
}

static void test_a_broken_record_is_named_with_its_path(void **state)
{
    static const char *const broken[] = {"",
                                         "{",
                                         "[]",
                                         "{\"Provider\":\"linux\"}",
                                         "{\"Provider\":1,\"Id\":\"x\",\"Document\":{}}",
                                         "{\"Provider\":\"linux\",\"Id\":\"x\",\"Document\":[]}"};
    cleanup_free char *bundle = temp_bundle();

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(broken); i++) {
        cleanup_record struct shim_record record = {0};
        struct shim_error err;

        write_record_text(bundle, broken[i]);
        assert_int_equal(shim_bundle_read_record(bundle, &record, &err), SHIM_E_INVALID);
        assert_non_null(strstr(err.msg, "hcs.json"));
        assert_null(record.document);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_address_file_holds_the_address_and_no_newline),
        cmocka_unit_test(test_a_record_comes_back_as_it_was_written),
        cmocka_unit_test(test_a_bundle_without_a_record_was_never_created),
        cmocka_unit_test(test_members_that_a_newer_version_added_are_ignored),
        cmocka_unit_test(test_a_broken_record_is_named_with_its_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

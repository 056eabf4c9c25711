/* SPDX-License-Identifier: Apache-2.0 */
/* Look-ups: found, absent and wrong are three answers. */
#include "base/str.h"
#include "oci/spec.h"
#include "tests/test.h"
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH(...) ((const char *const[]){__VA_ARGS__, NULL})

static struct json_object *parsed(const char *text)
{
    struct json_object *j = NULL;

    assert_int_equal(oci_json_parse("t", text, strlen(text), &j, NULL), 0);
    return j;
}

static void test_found_values_are_lent(void **state)
{
    cleanup_json struct json_object *spec =
        parsed("{\"s\":{\"s\":\"x\"},\"b\":true,\"i\":-7,\"a\":[1],\"u\":9223372036854775807}");
    struct json_object *found = NULL;
    const char *s = NULL;
    bool b = false;
    int64_t i = 0;

    (void)state;
    assert_int_equal(oci_find_string(spec, PATH("s", "s"), &s, NULL), 1);
    assert_string_equal(s, "x");
    assert_int_equal(oci_find_bool(spec, PATH("b"), &b, NULL), 1);
    assert_true(b);
    assert_int_equal(oci_find_int(spec, PATH("i"), &i, NULL), 1);
    assert_int_equal(i, -7);
    assert_int_equal(oci_find_int(spec, PATH("u"), &i, NULL), 1);
    assert_true(i == INT64_MAX);
    assert_int_equal(oci_find_array(spec, PATH("a"), &found, NULL), 1);
    assert_int_equal(json_object_array_length(found), 1);
    assert_int_equal(oci_find_object(spec, PATH("s"), &found, NULL), 1);
    assert_true(json_object_object_get_ex(found, "s", NULL));
}

static void test_absent_and_null_steps_are_no_error(void **state)
{
    cleanup_json struct json_object *spec = parsed("{\"a\":{\"n\":null}}");
    struct json_object *found = spec;
    const char *s = "untouched";
    bool b = true;
    int64_t i = 5;

    (void)state;
    assert_int_equal(oci_find_string(spec, PATH("x", "y"), &s, NULL), 0);
    assert_int_equal(oci_find_string(spec, PATH("a", "n"), &s, NULL), 0);
    assert_int_equal(oci_find_bool(spec, PATH("a", "n", "m"), &b, NULL), 0);
    assert_int_equal(oci_find_int(spec, PATH("a", "x"), &i, NULL), 0);
    assert_int_equal(oci_find_array(spec, PATH("x"), &found, NULL), 0);
    assert_string_equal(s, "untouched");
    assert_true(b && i == 5 && found == spec);
}

static void assert_wrong(int r, const struct shim_error *err, const char *message)
{
    assert_int_equal(r, SHIM_E_INVALID);
    assert_string_equal(err->msg, message);
}

static void test_wrong_types_are_named_with_their_path(void **state)
{
    cleanup_json struct json_object *spec =
        parsed("{\"a\":{\"s\":\"x\",\"r\":1.5,\"u\":9223372036854775808}}");
    struct json_object *found;
    struct shim_error err;
    const char *s;
    bool b;
    int64_t i;

    (void)state;
    assert_wrong(oci_find_string(spec, PATH("a"), &s, &err), &err, "a is not a string");
    assert_wrong(oci_find_string(spec, PATH("a", "s", "t"), &s, &err), &err,
                 "a.s is not an object");
    assert_wrong(oci_find_bool(spec, PATH("a", "s"), &b, &err), &err, "a.s is not a boolean");
    assert_wrong(oci_find_int(spec, PATH("a", "r"), &i, &err), &err, "a.r is not an integer");
    assert_wrong(oci_find_int(spec, PATH("a", "u"), &i, &err), &err,
                 "a.u is not an integer of 64 bits with sign");
    assert_wrong(oci_find_array(spec, PATH("a"), &found, &err), &err, "a is not an array");
    assert_wrong(oci_find_object(spec, PATH("a", "s"), &found, &err), &err, "a.s is not an object");
    assert_wrong(oci_find(spec, PATH("a"), json_type_double, &found, &err), &err,
                 "a is not a number");
    assert_wrong(oci_find_string(NULL, PATH("a"), &s, &err), &err, "the root is not an object");
}

static void assert_group(const char *annotations, const char *group)
{
    cleanup_json struct json_object *spec = parsed(annotations);

    assert_true(shim_str_equal(oci_group(spec), group));
}

static void test_the_group_is_the_first_annotation_that_is_there(void **state)
{
    (void)state;
    assert_group("{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"s\","
                 "\"io.containerd.runc.v2.group\":\"g\"}}",
                 "g");
    assert_group("{\"annotations\":{\"io.kubernetes.cri.sandbox-id\":\"s\"}}", "s");
    assert_group("{\"annotations\":{\"io.containerd.runc.v2.group\":3,"
                 "\"io.kubernetes.cri.sandbox-id\":\"s\"}}",
                 "s");
    assert_group("{\"annotations\":{}}", NULL);
    assert_group("{\"annotations\":null}", NULL);
    assert_group("{}", NULL);
    assert_group("[]", NULL);
}

static bool private_pid(const char *linux_section)
{
    cleanup_free char *text = shim_strf("{\"linux\":%s}", linux_section);
    cleanup_json struct json_object *spec = parsed(text);

    return oci_private_pid_namespace(spec);
}

static void test_a_pid_namespace_is_private_without_a_path_only(void **state)
{
    (void)state;
    assert_true(private_pid("{\"namespaces\":[{\"type\":\"ipc\"},{\"type\":\"pid\"}]}"));
    assert_true(private_pid("{\"namespaces\":[{\"type\":\"pid\",\"path\":\"\"}]}"));
    assert_false(private_pid("{\"namespaces\":[{\"type\":\"pid\",\"path\":\"/proc/1/ns/pid\"}]}"));
    assert_false(private_pid("{\"namespaces\":[{\"type\":\"pid\",\"path\":1}]}"));
    assert_false(private_pid("{\"namespaces\":[{\"type\":\"ipc\"},null,3]}"));
    assert_false(private_pid("{\"namespaces\":{}}"));
    assert_false(private_pid("null"));
    assert_false(oci_private_pid_namespace(NULL));
}

static void test_a_windows_section_makes_a_spec_for_windows(void **state)
{
    cleanup_json struct json_object *yes = parsed("{\"windows\":{}}");
    cleanup_json struct json_object *no = parsed("{\"windows\":null,\"linux\":{}}");

    (void)state;
    assert_true(oci_is_windows(yes));
    assert_false(oci_is_windows(no));
}

struct bundle {
    char dir[64], config[96];
};

static void bundle_make(struct bundle *b, const char *config)
{
    FILE *f;

    strcpy(b->dir, "/tmp/oci_spec_test_XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->config, sizeof(b->config), "%s/config.json", b->dir);
    f = fopen(b->config, "we");
    assert_non_null(f);
    assert_true(fputs(config, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void bundle_remove(struct bundle *b)
{
    unlink(b->config);
    assert_int_equal(rmdir(b->dir), 0);
}

static int load(const char *config, struct json_object **ret, struct shim_error *err)
{
    struct bundle b;
    int r;

    bundle_make(&b, config);
    r = oci_spec_load(b.dir, ret, err);
    bundle_remove(&b);
    return r;
}

static void test_a_bundles_spec_is_loaded(void **state)
{
    cleanup_json struct json_object *spec = NULL;
    const char *version = NULL;

    (void)state;
    assert_int_equal(load("{\"ociVersion\":\"1.1.0\"}", &spec, NULL), 0);
    assert_int_equal(oci_find_string(spec, PATH("ociVersion"), &version, NULL), 1);
    assert_string_equal(version, "1.1.0");
}

static void test_a_spec_that_is_missing_broken_or_no_object_is_refused(void **state)
{
    struct json_object *spec = NULL;
    struct shim_error err = {0};
    struct bundle b;

    (void)state;
    assert_int_equal(load("{", &spec, &err), SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, "/config.json: byte 1: the text ends too early"));
    assert_int_equal(load("[]", &spec, &err), SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, "/config.json: not an object"));

    bundle_make(&b, "");
    unlink(b.config);
    assert_int_equal(oci_spec_load(b.dir, &spec, &err), SHIM_E_NOT_FOUND);
    assert_true(shim_starts_with(err.msg, "read the bundle's spec: "));
    assert_non_null(strstr(err.msg, b.config));
    bundle_remove(&b);
    assert_null(spec);
}

static void test_a_spec_over_the_limit_is_not_read(void **state)
{
    struct json_object *spec = NULL;
    struct shim_error err = {0};
    struct bundle b;

    (void)state;
    bundle_make(&b, "");
    assert_int_equal(truncate(b.config, (off_t)OCI_SPEC_MAX_BYTES + 1), 0);
    assert_int_equal(oci_spec_load(b.dir, &spec, &err), SHIM_E_EXHAUSTED);
    bundle_remove(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_found_values_are_lent),
        cmocka_unit_test(test_absent_and_null_steps_are_no_error),
        cmocka_unit_test(test_wrong_types_are_named_with_their_path),
        cmocka_unit_test(test_the_group_is_the_first_annotation_that_is_there),
        cmocka_unit_test(test_a_pid_namespace_is_private_without_a_path_only),
        cmocka_unit_test(test_a_windows_section_makes_a_spec_for_windows),
        cmocka_unit_test(test_a_bundles_spec_is_loaded),
        cmocka_unit_test(test_a_spec_that_is_missing_broken_or_no_object_is_refused),
        cmocka_unit_test(test_a_spec_over_the_limit_is_not_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

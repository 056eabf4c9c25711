/* SPDX-License-Identifier: Apache-2.0 */
/* The documents that shimctl makes. */
#include "shim/ctl/json.h"
#include "shim/ctl/spec.h"
#include "tests/test.h"
#include <string.h>

static const char *const args[] = {"echo", "a b", NULL};
static const char *const no_args[] = {NULL};

static struct json_object *make(uint32_t uid)
{
    const struct ctl_spec_owner owner = {"ns1", "c1", uid, uid};
    struct json_object *spec;

    assert_int_equal(ctl_spec_default(&owner, &spec, NULL), 0);
    return spec;
}

static struct json_object *at(struct json_object *j, const char *a, const char *b)
{
    return json_object_object_get(json_object_object_get(j, a), b);
}

static bool has_namespace(struct json_object *spec, const char *type)
{
    struct json_object *list = at(spec, "linux", "namespaces");

    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (strcmp(ctl_json_text(json_object_array_get_idx(list, i), "type"), type) == 0)
            return true;
    return false;
}

static void test_root_gets_a_cgroup_and_no_user_namespace(void **state)
{
    cleanup_json struct json_object *spec = make(0);

    (void)state;
    assert_string_equal(ctl_json_text(spec, "hostname"), "c1");
    assert_string_equal(ctl_json_text(json_object_object_get(spec, "linux"), "cgroupsPath"),
                        "/ns1/c1");
    assert_true(oci_private_pid_namespace(spec));
    assert_true(has_namespace(spec, "mount") && has_namespace(spec, "network"));
    assert_false(has_namespace(spec, "user"));
    assert_null(at(spec, "linux", "uidMappings"));
}

static void test_a_user_becomes_root_of_a_user_namespace(void **state)
{
    cleanup_json struct json_object *spec = make(1000);
    struct json_object *map = json_object_array_get_idx(at(spec, "linux", "uidMappings"), 0);

    (void)state;
    assert_true(has_namespace(spec, "user"));
    assert_int_equal(json_object_get_int(json_object_object_get(map, "hostID")), 1000);
    assert_int_equal(json_object_get_int(json_object_object_get(map, "containerID")), 0);
    assert_null(at(spec, "linux", "cgroupsPath"));
}

static void test_wishes_are_applied(void **state)
{
    cleanup_json struct json_object *spec = make(0);
    cleanup_strv struct shim_strv env = {0};
    struct ctl_spec_wishes wishes = {"/srv/root", {args, &env, "/tmp", true}};
    struct json_object *process;

    (void)state;
    assert_true(shim_strv_add(&env, "PATH=/only") && shim_strv_add(&env, "A=b=c"));
    assert_int_equal(ctl_spec_apply(spec, &wishes, NULL), 0);
    process = json_object_object_get(spec, "process");
    assert_string_equal(json_object_to_json_string_ext(at(spec, "process", "args"), 0),
                        "[\"echo\",\"a b\"]");
    assert_string_equal(
        json_object_to_json_string_ext(at(spec, "process", "env"), JSON_C_TO_STRING_NOSLASHESCAPE),
        "[\"PATH=/only\",\"A=b=c\"]");
    assert_string_equal(ctl_json_text(process, "cwd"), "/tmp");
    assert_true(json_object_get_boolean(json_object_object_get(process, "terminal")));
    assert_string_equal(ctl_json_text(json_object_object_get(spec, "root"), "path"), "/srv/root");
}

static void test_a_spec_that_cannot_run_is_refused(void **state)
{
    cleanup_strv struct shim_strv bad_env = {0};
    struct ctl_spec_wishes no_root = {NULL, {args, NULL, NULL, false}};
    struct ctl_spec_wishes nothing_to_run = {"/r", {no_args, NULL, NULL, false}};
    struct ctl_spec_wishes no_equals = {"/r", {args, &bad_env, NULL, false}};
    cleanup_json struct json_object *spec = make(0);
    struct shim_error err;

    (void)state;
    assert_true(shim_strv_add(&bad_env, "=x"));
    assert_int_equal(ctl_spec_apply(spec, &no_root, &err), SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, "root.path"));
    assert_int_equal(ctl_spec_apply(spec, &nothing_to_run, &err), SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, "no program to run"));
    assert_int_equal(ctl_spec_apply(spec, &no_equals, &err), SHIM_E_INVALID);
    assert_non_null(strstr(err.msg, "NAME=VALUE"));
}

static void test_an_exec_takes_the_containers_process(void **state)
{
    cleanup_json struct json_object *spec = make(0);
    struct json_object *inherited = json_object_object_get(spec, "process");
    struct ctl_process_wishes wishes = {args, NULL, NULL, false};
    cleanup_json struct json_object *process = NULL;

    (void)state;
    assert_true(ctl_json_add(inherited, "cwd", json_object_new_string("/work")));
    assert_int_equal(ctl_spec_exec(spec, &wishes, &process, NULL), 0);
    assert_string_equal(ctl_json_text(process, "cwd"), "/work");
    assert_int_equal(json_object_array_length(json_object_object_get(process, "args")), 2);
    assert_int_equal(json_object_array_length(json_object_object_get(inherited, "args")), 0);
}

static void test_an_exec_without_a_spec_gets_a_plain_process(void **state)
{
    struct ctl_process_wishes wishes = {args, NULL, "/x", true};
    cleanup_json struct json_object *process = NULL;

    (void)state;
    assert_int_equal(ctl_spec_exec(NULL, &wishes, &process, NULL), 0);
    assert_string_equal(ctl_json_text(process, "cwd"), "/x");
    assert_non_null(json_object_object_get(process, "capabilities"));
}

static void test_resources_hold_what_is_set(void **state)
{
    const struct ctl_u64 none = {0}, memory = {true, 1 << 20}, pids = {true, 7};
    cleanup_json struct json_object *all = NULL;
    cleanup_json struct json_object *one = NULL;

    (void)state;
    assert_int_equal(ctl_spec_resources(&memory, "1.5", &pids, &all, NULL), 0);
    assert_string_equal(json_object_to_json_string_ext(all, JSON_C_TO_STRING_PLAIN),
                        "{\"memory\":{\"limit\":1048576},\"cpu\":{\"quota\":150000,"
                        "\"period\":100000},\"pids\":{\"limit\":7}}");
    assert_int_equal(ctl_spec_resources(&none, NULL, &pids, &one, NULL), 0);
    assert_string_equal(json_object_to_json_string_ext(one, JSON_C_TO_STRING_PLAIN),
                        "{\"pids\":{\"limit\":7}}");
}

static void test_wrong_resources_are_refused(void **state)
{
    static const char *const cpus[] = {"", "0", "-1", "two", "1x", "nan", "inf", "1e99"};
    const struct ctl_u64 none = {0}, too_much = {true, UINT64_MAX};
    struct json_object *ret = NULL;

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(cpus); i++)
        assert_int_equal(ctl_spec_resources(&none, cpus[i], &none, &ret, NULL), SHIM_E_INVALID);
    assert_int_equal(ctl_spec_resources(&too_much, NULL, &none, &ret, NULL), SHIM_E_INVALID);
    assert_null(ret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_root_gets_a_cgroup_and_no_user_namespace),
        cmocka_unit_test(test_a_user_becomes_root_of_a_user_namespace),
        cmocka_unit_test(test_wishes_are_applied),
        cmocka_unit_test(test_a_spec_that_cannot_run_is_refused),
        cmocka_unit_test(test_an_exec_takes_the_containers_process),
        cmocka_unit_test(test_an_exec_without_a_spec_gets_a_plain_process),
        cmocka_unit_test(test_resources_hold_what_is_set),
        cmocka_unit_test(test_wrong_resources_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Documents of Linux containers against golden text, and each thing in a spec that is refused. */
#include "base/str.h"
#include "oci/document.h"
#include "oci/spec.h"
#include "tests/test.h"
#include <json-c/json.h>
#include <string.h>

#define SPEC(process, root) "{\"process\":" process ",\"root\":" root "}"
#define PROCESS             "{\"args\":[\"sh\"],\"cwd\":\"/\"}"
#define ROOT                "{\"path\":\"rootfs\"}"

static struct json_object *parsed(const char *text)
{
    struct json_object *j = NULL;

    assert_int_equal(oci_json_parse("t", text, strlen(text), &j, NULL), 0);
    return j;
}

static void assert_json(struct json_object *j, const char *golden)
{
    assert_string_equal(
        json_object_to_json_string_ext(j, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE),
        golden);
}

static struct oci_linux_input input(const struct oci_options *o)
{
    return (struct oci_linux_input){.bundle = "/run/b/c1",
                                    .ns = "k8s.io",
                                    .runtime = "/usr/sbin/runc",
                                    .default_root = "/run/containerd/runc",
                                    .options = o};
}

static void assert_document(const char *spec_text, const struct oci_linux_input *in,
                            const char *golden)
{
    cleanup_json struct json_object *spec = parsed(spec_text), *document = NULL;
    struct shim_error err = {0};

    if (oci_linux_document(spec, in, &document, &err) != 0)
        fail_msg("%s", err.msg);
    assert_json(document, golden);
}

#define HEADER                                                                                     \
    "{\"Owner\":\"containerd-shim-hcs-v1\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"           \
    "\"ShouldTerminateOnLastHandleClosed\":false,"

static void test_defaults_make_the_plain_document(void **state)
{
    const struct oci_options o = {0};
    const struct oci_linux_input in = input(&o);

    (void)state;
    assert_document(SPEC(PROCESS, ROOT), &in,
                    HEADER
                    "\"Linux\":{\"Bundle\":\"/run/b/c1\",\"Rootfs\":\"/run/b/c1/rootfs\","
                    "\"Terminal\":false,\"Runtime\":{\"Path\":\"/usr/sbin/runc\","
                    "\"Root\":\"/run/containerd/runc/k8s.io\",\"SystemdCgroup\":false,"
                    "\"NoPivotRoot\":false,\"NoNewKeyring\":false},\"IoUid\":0,\"IoGid\":0}}");
}

static void test_every_option_has_its_place(void **state)
{
    const struct oci_options o = {.root = "/r",
                                  .criu_path = "/criu",
                                  .criu_image_path = "/i",
                                  .criu_work_path = "/w",
                                  .systemd_cgroup = true,
                                  .no_pivot_root = true,
                                  .no_new_keyring = true,
                                  .io_uid = 4294967295,
                                  .io_gid = 7};
    struct oci_linux_input in = input(&o);

    (void)state;
    in.terminal = true;
    assert_document(SPEC(PROCESS, "{\"path\":\"/img\"}"), &in,
                    HEADER
                    "\"Linux\":{\"Bundle\":\"/run/b/c1\",\"Rootfs\":\"/img\",\"Terminal\":true,"
                    "\"Runtime\":{\"Path\":\"/usr/sbin/runc\",\"Root\":\"/r/k8s.io\","
                    "\"SystemdCgroup\":true,\"NoPivotRoot\":true,\"NoNewKeyring\":true},"
                    "\"Criu\":{\"Path\":\"/criu\",\"ImagePath\":\"/i\",\"WorkPath\":\"/w\"},"
                    "\"IoUid\":4294967295,\"IoGid\":7}}");
}

static void test_no_runtime_means_the_emulated_provider(void **state)
{
    const struct oci_options o = {.criu_work_path = "/w"};
    struct oci_linux_input in = input(&o);

    (void)state;
    in.runtime = NULL;
    assert_document(SPEC(PROCESS, ROOT), &in,
                    HEADER "\"Linux\":{\"Bundle\":\"/run/b/c1\",\"Rootfs\":\"/run/b/c1/rootfs\","
                           "\"Terminal\":false,\"Criu\":{\"WorkPath\":\"/w\"},"
                           "\"IoUid\":0,\"IoGid\":0}}");
}

static void assert_spec_refused(const char *spec_text, const char *message)
{
    const struct oci_options o = {0};
    const struct oci_linux_input in = input(&o);
    cleanup_json struct json_object *spec = parsed(spec_text);
    struct json_object *document = NULL;
    struct shim_error err = {0};

    assert_int_equal(oci_linux_document(spec, &in, &document, &err), SHIM_E_INVALID);
    assert_string_equal(err.msg, message);
    assert_null(document);
}

static void test_what_is_wrong_in_a_spec_is_named(void **state)
{
    (void)state;
    assert_spec_refused("{\"root\":" ROOT "}", "config.json: process is missing");
    assert_spec_refused(SPEC("[]", ROOT), "config.json: process is not an object");
    assert_spec_refused(SPEC("{}", ROOT), "config.json: process: args is missing or empty");
    assert_spec_refused(SPEC("{\"args\":[]}", ROOT),
                        "config.json: process: args is missing or empty");
    assert_spec_refused(SPEC("{\"args\":\"sh\"}", ROOT),
                        "config.json: process: args is not an array");
    assert_spec_refused(SPEC("{\"args\":[\"sh\",null]}", ROOT),
                        "config.json: process: args[1] is not a string");
    assert_spec_refused(SPEC("{\"args\":[\"sh\"]}", ROOT),
                        "config.json: process: cwd is not an absolute path: \"\"");
    assert_spec_refused(SPEC("{\"args\":[\"sh\"],\"cwd\":\"x\"}", ROOT),
                        "config.json: process: cwd is not an absolute path: \"x\"");
    assert_spec_refused(SPEC("{\"args\":[\"sh\"],\"cwd\":1}", ROOT),
                        "config.json: process: cwd is not a string");
    assert_spec_refused(SPEC(PROCESS, "null"), "config.json: root.path is missing or empty");
    assert_spec_refused(SPEC(PROCESS, "{\"path\":\"\"}"),
                        "config.json: root.path is missing or empty");
    assert_spec_refused(SPEC(PROCESS, "{\"path\":1}"), "config.json: root.path is not a string");
    assert_spec_refused("[]", "config.json: the root is not an object");
}

static void assert_input_refused(const struct oci_linux_input *in, const char *message)
{
    cleanup_json struct json_object *spec = parsed(SPEC(PROCESS, ROOT));
    struct json_object *document = NULL;
    struct shim_error err = {0};

    assert_int_equal(oci_linux_document(spec, in, &document, &err), SHIM_E_INVALID);
    assert_string_equal(err.msg, message);
}

static void test_relative_paths_and_a_missing_namespace_are_refused(void **state)
{
    const struct oci_options o = {0};
    struct oci_linux_input in = input(&o);

    (void)state;
    in.bundle = "b";
    assert_input_refused(&in, "bundle is not an absolute path: \"b\"");
    in.bundle = NULL;
    assert_input_refused(&in, "bundle is not an absolute path: \"\"");
    in = input(&o);
    in.runtime = "runc";
    assert_input_refused(&in, "OCI runtime is not an absolute path: \"runc\"");
    in = input(&o);
    in.ns = "";
    assert_input_refused(&in, "namespace is missing");
}

static void test_an_execs_parameters_carry_the_process_with_the_requests_terminal(void **state)
{
    static const char text[] =
        "{\"terminal\":false,\"args\":[\"sh\",\"-c\"],\"cwd\":\"/\",\"rlimits\":"
        "[{\"hard\":18446744073709551615}]}";
    const struct oci_options o = {.io_uid = 3, .io_gid = 4};
    cleanup_json struct json_object *parameters = NULL;

    (void)state;
    assert_int_equal(oci_process_parameters(text, sizeof(text) - 1, true, &o, &parameters, NULL),
                     0);
    assert_json(parameters,
                "{\"Terminal\":true,\"IoUid\":3,\"IoGid\":4,\"OciProcess\":{\"terminal\":true,"
                "\"args\":[\"sh\",\"-c\"],\"cwd\":\"/\",\"rlimits\":"
                "[{\"hard\":18446744073709551615}]}}");
}

static void assert_process_refused(const char *text, const char *message)
{
    const struct oci_options o = {0};
    struct json_object *parameters = NULL;
    struct shim_error err = {0};

    assert_int_equal(oci_process_parameters(text, strlen(text), false, &o, &parameters, &err),
                     SHIM_E_INVALID);
    assert_string_equal(err.msg, message);
    assert_null(parameters);
}

static void test_a_broken_process_is_refused(void **state)
{
    (void)state;
    assert_process_refused("", "process: byte 0: the text ends too early");
    assert_process_refused("null", "process: the root is not an object");
    assert_process_refused("{}", "process: args is missing or empty");
    assert_process_refused("{\"args\":[\"a\"]}", "process: cwd is not an absolute path: \"\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults_make_the_plain_document),
        cmocka_unit_test(test_every_option_has_its_place),
        cmocka_unit_test(test_no_runtime_means_the_emulated_provider),
        cmocka_unit_test(test_what_is_wrong_in_a_spec_is_named),
        cmocka_unit_test(test_relative_paths_and_a_missing_namespace_are_refused),
        cmocka_unit_test(test_an_execs_parameters_carry_the_process_with_the_requests_terminal),
        cmocka_unit_test(test_a_broken_process_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

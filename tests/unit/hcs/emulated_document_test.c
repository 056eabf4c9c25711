/* SPDX-License-Identifier: Apache-2.0 */
/* The four documents: what is read of good ones, and each mistake with its HRESULT. */
#include "hcs/emulated/document.h"
#include "hcs/emulated/schema.h"
#include "hcs/hresult.h"
#include "tests/test.h"
#include <string.h>

#define VERSION "\"SchemaVersion\":{\"Major\":2,\"Minor\":1}"
#define LINUX                                                                                      \
    "\"Bundle\":\"/b\",\"Rootfs\":\"/b/rootfs\",\"Terminal\":false,\"IoUid\":0,\"IoGid\":0"
#define RUNTIME                                                                                    \
    "\"Runtime\":{\"Path\":\"/usr/sbin/runc\",\"Root\":\"/run/runc\",\"SystemdCgroup\":false,"     \
    "\"NoPivotRoot\":false,\"NoNewKeyring\":false}"
#define DOCUMENT(linux_part) "{\"Owner\":\"o\"," VERSION ",\"Linux\":{" linux_part "}}"

static int read_document(const char *json, struct shim_error *err)
{
    cleanup_json struct json_object *value = json_tokener_parse(json);
    struct emu_document document = {0};
    int r;

    assert_non_null(value);
    r = emu_document_read(value, &document, err);
    if (r == 0) {
        assert_string_equal(document.bundle, "/b");
        assert_string_equal(document.rootfs, "/b/rootfs");
    }
    emu_document_done(&document);
    return r;
}

static int read_parameters(const char *json, struct shim_error *err)
{
    cleanup_json struct json_object *value = json_tokener_parse(json);
    cleanup_emu_plan struct emu_plan plan = {0};

    assert_non_null(value);
    return emu_parameters_read(value, &plan, err);
}

static int read_config(const char *json, struct shim_error *err)
{
    cleanup_emu_plan struct emu_plan plan = {0};
    struct emu_limits limits = EMU_NO_LIMITS;

    return emu_config_read(json, strlen(json), &plan, &limits, err);
}

static int read_resources(const char *json, struct shim_error *err)
{
    cleanup_free char *text = NULL;
    struct emu_limits limits = EMU_NO_LIMITS;

    return emu_resources_read(json, strlen(json), &limits, &text, err);
}

typedef int reader(const char *json, struct shim_error *err);

static void assert_good(reader *read, const char *json)
{
    struct shim_error err = {0};

    if (read(json, &err) != 0)
        fail_msg("%s: %s", json, err.msg);
}

static void assert_bad(reader *read, const char *json, uint32_t hresult, const char *message)
{
    struct shim_error err = {0};

    assert_int_equal(read(json, &err), SHIM_E_INVALID);
    assert_int_equal(err.os, hresult);
    if (!strstr(err.msg, message) || !strstr(err.msg, hresult_name(hresult)))
        fail_msg("%s: not \"%s\" but \"%s\"", json, message, err.msg);
}

static void test_a_linux_document_is_read(void **state)
{
    (void)state;
    assert_good(read_document, DOCUMENT(LINUX));
    assert_good(read_document, DOCUMENT(LINUX "," RUNTIME ",\"Criu\":{\"Path\":\"criu\"}"));
    assert_good(read_document,
                "{\"Owner\":\"o\"," VERSION
                ",\"ShouldTerminateOnLastHandleClosed\":false,\"Linux\":{" LINUX "}}");
}

static void test_parts_that_are_missing_or_unknown_are_invalid_json(void **state)
{
    (void)state;
    assert_bad(read_document, "{" VERSION ",\"Linux\":{" LINUX "}}", HRESULT_INVALID_JSON,
               "document: Owner: missing");
    assert_bad(read_document, "{\"Owner\":\"o\",\"Linux\":{" LINUX "}}", HRESULT_INVALID_JSON,
               "SchemaVersion: missing");
    assert_bad(read_document, "{\"Owner\":\"o\"," VERSION "}", HRESULT_INVALID_JSON,
               "Linux: missing");
    assert_bad(read_document, "{\"Owner\":\"o\"," VERSION ",\"Container\":{}}",
               HRESULT_INVALID_JSON, "Linux: missing");
    assert_bad(read_document, DOCUMENT("\"Bundle\":\"/b\""), HRESULT_INVALID_JSON,
               "Linux.Rootfs: missing");
    assert_bad(read_document, DOCUMENT(LINUX ",\"Bundel\":\"/b\""), HRESULT_INVALID_JSON,
               "Linux.Bundel: unknown member");
    assert_bad(read_document, DOCUMENT(LINUX ",\"runtime\":{}"), HRESULT_INVALID_JSON,
               "Linux.runtime: unknown member");
    assert_bad(read_document, DOCUMENT(LINUX ",\"Runtime\":{\"Path\":\"/r\"}"),
               HRESULT_INVALID_JSON, "Linux.Runtime.Root: missing");
    assert_bad(read_document, DOCUMENT(LINUX ",\"Runtime\":[]"), HRESULT_INVALID_JSON,
               "Linux.Runtime: not an object");
    assert_bad(read_document, "[]", HRESULT_INVALID_JSON, "document: not an object");
}

static void test_wrong_versions_and_values_are_invalid_arguments(void **state)
{
    (void)state;
    assert_bad(read_document,
               "{\"Owner\":\"o\",\"SchemaVersion\":{\"Major\":1,\"Minor\":0},\"Linux\":{" LINUX
               "}}",
               HRESULT_INVALID_ARGUMENT, "SchemaVersion.Major: out of range");
    assert_bad(read_document,
               "{\"Owner\":\"o\",\"SchemaVersion\":{\"Major\":2,\"Minor\":0},\"Linux\":{" LINUX
               "}}",
               HRESULT_INVALID_ARGUMENT, "SchemaVersion.Minor: out of range");
    assert_bad(read_document,
               DOCUMENT("\"Bundle\":\"b\",\"Rootfs\":\"/r\",\"Terminal\":false,\"IoUid\":0,"
                        "\"IoGid\":0"),
               HRESULT_INVALID_ARGUMENT, "Linux.Bundle: not an absolute path");
    assert_bad(read_document,
               DOCUMENT("\"Bundle\":\"/b\",\"Rootfs\":\"/r\",\"Terminal\":false,\"IoUid\":-1,"
                        "\"IoGid\":0"),
               HRESULT_INVALID_ARGUMENT, "Linux.IoUid: out of range");
    assert_bad(read_document,
               DOCUMENT("\"Bundle\":\"/b\",\"Rootfs\":\"/r\",\"Terminal\":false,\"IoUid\":0,"
                        "\"IoGid\":4294967296"),
               HRESULT_INVALID_ARGUMENT, "Linux.IoGid: out of range");
}

static void test_a_system_is_of_one_kind(void **state)
{
    (void)state;
    assert_bad(read_document,
               "{\"Owner\":\"o\"," VERSION ",\"Linux\":{" LINUX "},\"Container\":{}}",
               HRESULT_INVALID_ARGUMENT, "Container: excludes another member");
    assert_bad(read_document,
               "{\"Owner\":\"o\"," VERSION ",\"Linux\":{" LINUX "},\"VirtualMachine\":{}}",
               HRESULT_INVALID_ARGUMENT, "VirtualMachine: excludes another member");
}

#define PARAMETERS(process)                                                                        \
    "{\"Terminal\":true,\"IoUid\":0,\"IoGid\":0,\"OciProcess\":{" process "}}"

static void test_process_parameters_become_a_plan(void **state)
{
    cleanup_json struct json_object *value = json_tokener_parse(
        PARAMETERS("\"args\":[\"a\",\"\"],\"env\":[\"X=1\"],\"cwd\":\"/w\",\"terminal\":true,"
                   "\"consoleSize\":{\"height\":10,\"width\":20},\"user\":{\"uid\":0,\"gid\":0,"
                   "\"additionalGids\":[0,10]},\"capabilities\":{\"bounding\":[\"CAP_KILL\"]},"
                   "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":18446744073709551615,"
                   "\"soft\":1}],\"noNewPrivileges\":true,\"oomScoreAdj\":-5"));
    cleanup_emu_plan struct emu_plan plan = {0};

    (void)state;
    assert_int_equal(emu_parameters_read(value, &plan, NULL), 0);
    assert_int_equal(plan.args.n, 2);
    assert_string_equal(plan.args.v[0], "a");
    assert_string_equal(plan.env.v[0], "X=1");
    assert_string_equal(plan.cwd, "/w");
    assert_int_equal(plan.width, 20);
    assert_int_equal(plan.height, 10);
}

static void test_wrong_process_parameters_are_refused(void **state)
{
    (void)state;
    assert_good(read_parameters, PARAMETERS("\"args\":[\"a\"],\"cwd\":\"/\""));
    assert_bad(read_parameters, "{\"Terminal\":true,\"IoUid\":0,\"IoGid\":0}", HRESULT_INVALID_JSON,
               "OciProcess: missing");
    assert_bad(
        read_parameters,
        "{\"Terminal\":true,\"IoUid\":0,\"IoGid\":0,\"CommandLine\":\"x\",\"OciProcess\":{}}",
        HRESULT_INVALID_ARGUMENT, "CommandLine: excludes another member");
    assert_bad(read_parameters, PARAMETERS("\"cwd\":\"/\""), HRESULT_INVALID_JSON,
               "OciProcess.args: missing");
    assert_bad(read_parameters, PARAMETERS("\"args\":[],\"cwd\":\"/\""), HRESULT_INVALID_ARGUMENT,
               "OciProcess.args: has too few elements");
    assert_bad(read_parameters, PARAMETERS("\"args\":[\"a\"],\"cwd\":\"\""),
               HRESULT_INVALID_ARGUMENT, "OciProcess.cwd: not an absolute path");
    assert_bad(read_parameters, PARAMETERS("\"args\":[\"a\"],\"cwd\":\"/\",\"Env\":[]"),
               HRESULT_INVALID_JSON, "OciProcess.Env: unknown member");
    assert_bad(read_parameters, PARAMETERS("\"args\":[\"a\"],\"commandLine\":\"a\",\"cwd\":\"/\""),
               HRESULT_INVALID_ARGUMENT, "OciProcess.commandLine: excludes another member");
    assert_bad(read_parameters, PARAMETERS("\"args\":[\"a\"],\"cwd\":\"/\",\"user\":{\"uid\":-1}"),
               HRESULT_INVALID_ARGUMENT, "OciProcess.user.uid: out of range");
    assert_bad(read_parameters,
               PARAMETERS("\"args\":[\"a\"],\"cwd\":\"/\",\"rlimits\":[{\"type\":\"R\"}]"),
               HRESULT_INVALID_JSON, "OciProcess.rlimits[0].hard: missing");
    assert_bad(read_parameters,
               PARAMETERS("\"args\":[\"a\"],\"cwd\":\"/\",\"consoleSize\":{\"height\":70000,"
                          "\"width\":1}"),
               HRESULT_INVALID_ARGUMENT, "OciProcess.consoleSize.height: out of range");
}

static void test_config_json_gives_init_and_its_limits(void **state)
{
    static const char json[] =
        "{\"ociVersion\":\"1.0.2\",\"process\":{\"args\":[\"sh\"],\"cwd\":\"/\",\"new\":{}},"
        "\"linux\":{\"resources\":{\"memory\":{\"limit\":1048576,\"swap\":0},\"pids\":{\"limit\":0}"
        "}}}";
    cleanup_emu_plan struct emu_plan plan = {0};
    struct emu_limits limits = EMU_NO_LIMITS;

    (void)state;
    assert_int_equal(emu_config_read(json, strlen(json), &plan, &limits, NULL), 0);
    assert_string_equal(plan.args.v[0], "sh");
    assert_int_equal(plan.env.n, 0);
    assert_int_equal(limits.memory_bytes, 1048576);
    assert_true(limits.pids == UINT64_MAX);
}

static void test_a_config_json_without_a_process_to_run_is_refused(void **state)
{
    (void)state;
    assert_bad(read_config, "{}", HRESULT_INVALID_JSON, "config.json: process: missing");
    assert_bad(read_config, "{\"process\":{\"cwd\":\"/\"}}", HRESULT_INVALID_JSON,
               "process.args: missing");
    assert_bad(read_config, "{\"process\":{\"args\":[1],\"cwd\":\"/\"}}", HRESULT_INVALID_JSON,
               "process.args[0]: not a string");
    assert_bad(read_config, "not json", HRESULT_INVALID_JSON, "config.json: not JSON");
}

static void test_resources_change_only_the_limits_they_name(void **state)
{
    static const char json[] = "{ \"memory\": {\"limit\": 5000} }";
    struct emu_limits limits = {.memory_bytes = 1, .pids = 7};
    cleanup_free char *text = NULL;

    (void)state;
    assert_int_equal(emu_resources_read(json, strlen(json), &limits, &text, NULL), 0);
    assert_int_equal(limits.memory_bytes, 5000);
    assert_int_equal(limits.pids, 7);
    assert_string_equal(text, "{\"memory\":{\"limit\":5000}}");
}

static void test_resources_know_every_linux_member_and_no_other(void **state)
{
    (void)state;
    assert_good(read_resources,
                "{\"cpu\":{\"shares\":2,\"quota\":-1,\"period\":100000,\"cpus\":\"0\"},"
                "\"memory\":{\"limit\":-1,\"swap\":-1,\"disableOOMKiller\":false},"
                "\"pids\":{\"limit\":-1},\"blockIO\":{\"weight\":10,\"throttleReadBpsDevice\":"
                "[{\"major\":8,\"minor\":0,\"rate\":1}]},"
                "\"hugepageLimits\":[{\"pageSize\":\"2MB\",\"limit\":1}],"
                "\"network\":{\"classID\":1,\"priorities\":[{\"name\":\"eth0\",\"priority\":1}]},"
                "\"rdma\":{\"mlx5_1\":{\"hcaHandles\":3}},\"unified\":{\"memory.high\":\"1\"},"
                "\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}");
    assert_bad(read_resources, "{\"Memory\":{}}", HRESULT_INVALID_JSON, "Memory: unknown member");
    assert_bad(read_resources, "{\"memory\":{\"limit\":\"1\"}}", HRESULT_INVALID_JSON,
               "memory.limit: not a whole number");
    assert_bad(read_resources, "{\"memory\":{\"limit\":-2}}", HRESULT_INVALID_ARGUMENT,
               "memory.limit: out of range");
    assert_bad(read_resources, "{\"cpu\":{\"shares\":-1}}", HRESULT_INVALID_ARGUMENT,
               "cpu.shares: out of range");
    assert_bad(read_resources, "{\"unified\":{\"a\":1}}", HRESULT_INVALID_JSON,
               "unified.a: not a string");
    assert_bad(read_resources, "", HRESULT_INVALID_JSON, "resources: not JSON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_linux_document_is_read),
        cmocka_unit_test(test_parts_that_are_missing_or_unknown_are_invalid_json),
        cmocka_unit_test(test_wrong_versions_and_values_are_invalid_arguments),
        cmocka_unit_test(test_a_system_is_of_one_kind),
        cmocka_unit_test(test_process_parameters_become_a_plan),
        cmocka_unit_test(test_wrong_process_parameters_are_refused),
        cmocka_unit_test(test_config_json_gives_init_and_its_limits),
        cmocka_unit_test(test_a_config_json_without_a_process_to_run_is_refused),
        cmocka_unit_test(test_resources_change_only_the_limits_they_name),
        cmocka_unit_test(test_resources_know_every_linux_member_and_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* `-info`: what containerd 2.x reads of the runtime. */
#include "shim/payload/any.h"
#include "shim/proto/info.pb-c.h"
#include "shim/proto/options.pb-c.h"
#include "tests/unit/shim/program.h"
#include <sys/stat.h>

static Info__RuntimeInfo *ask(const void *input, size_t bytes)
{
    cleanup_run_result struct shim_run_result result = {0};
    Info__RuntimeInfo *info;

    if (program_run("/", input, bytes, PROGRAM_ARGS("-info"), &result) != 0)
        fail_msg("%s", shim_buf_str(&result.error));
    info = info__runtime_info__unpack(NULL, result.output.len, result.output.data);
    assert_non_null(info);
    return info;
}

/* Options that name this OCI runtime. */
static Info__RuntimeInfo *ask_with_runtime(char *binary)
{
    Runc__Options options = RUNC__OPTIONS__INIT;
    cleanup_any Pb__Any *any = NULL;
    cleanup_free uint8_t *packed = NULL;

    options.binary_name = binary;
    assert_int_equal(shim_any_pack(&options.base, &any, NULL), 0);
    packed = malloc(pb__any__get_packed_size(any));
    return ask(packed, pb__any__pack(any, packed));
}

static void test_name_and_version_are_told(void **state)
{
    Info__RuntimeInfo *info = ask(NULL, 0);

    (void)state;
    assert_string_equal(info->name, "io.containerd.hcs.v1");
    assert_string_equal(info->version->version, SHIM_VERSION);
    assert_null(info->options);
    info__runtime_info__free_unpacked(info, NULL);
}

static void test_features_are_those_of_the_runtime_that_options_name(void **state)
{
    static const char features[] = "{\"ociVersionMin\":\"1.0.0\",\"mountOptions\":[\"rro\"]}";
    cleanup_folder char *folder = folder_new();
    cleanup_free char *runtime = shim_strf("%s/runtime", folder);
    cleanup_free char *script =
        shim_strf("#!/bin/sh\n[ \"$*\" = features ] && printf '%%s' '%s'\n", features);
    Info__RuntimeInfo *info;

    (void)state;
    folder_write(folder, "runtime", script);
    assert_int_equal(chmod(runtime, 0700), 0);
    info = ask_with_runtime(runtime);
    assert_string_equal(info->options->type_url, "containerd.runc.v1.Options");
    assert_non_null(info->features);
    assert_string_equal(info->features->type_url,
                        "types.containerd.io/opencontainers/runtime-spec/1/features/Features");
    assert_int_equal(info->features->value.len, strlen(features));
    assert_memory_equal(info->features->value.data, features, strlen(features));
    info__runtime_info__free_unpacked(info, NULL);
}

static void test_a_runtime_that_is_not_there_has_no_features(void **state)
{
    Info__RuntimeInfo *info = ask_with_runtime((char *)"/nowhere/at/all");

    (void)state;
    assert_null(info->features);
    info__runtime_info__free_unpacked(info, NULL);
}

static void test_input_that_is_no_options_is_an_error(void **state)
{
    cleanup_run_result struct shim_run_result result = {0};

    (void)state;
    assert_int_equal(program_run("/", "\xff\xff", 2, PROGRAM_ARGS("-info"), &result), 1);
    assert_string_equal(shim_buf_str(&result.output), "");
    assert_non_null(strstr(shim_buf_str(&result.error), "holds no options"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name_and_version_are_told),
        cmocka_unit_test(test_features_are_those_of_the_runtime_that_options_name),
        cmocka_unit_test(test_a_runtime_that_is_not_there_has_no_features),
        cmocka_unit_test(test_input_that_is_no_options_is_an_error),
    };

    return program_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

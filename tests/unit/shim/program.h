/* SPDX-License-Identifier: Apache-2.0 */
/* Runs the built program as containerd does. main() begins with program_init(). */
#pragma once
#include "base/child.h"
#include "tests/folder.h"

#ifndef SHIM_PROGRAM
#error "the path of the built program is missing"
#endif

static inline int program_init(void)
{
    setenv("CONTAINERD_SHIM_HCS_PROVIDER", "emulated", 1); /* needs nothing of the machine */
    unsetenv("TTRPC_ADDRESS");
    return shim_child_init(false, NULL) < 0 || shim_child_start_reaper(NULL) < 0;
}

/* Its exit status; what it wrote is in *ret, whose caller releases it. `args` ends with NULL. */
static inline unsigned program_run(const char *cwd, const void *input, size_t input_bytes,
                                   const char *const *args, struct shim_run_result *ret)
{
    cleanup_strv struct shim_strv argv = {0};
    struct shim_run run = {.output_limit_bytes = 1 << 20, .timeout_ms = 20000};
    struct shim_error err;

    assert_true(shim_strv_add(&argv, SHIM_PROGRAM));
    for (; *args; args++)
        assert_true(shim_strv_add(&argv, *args));
    run.spawn.argv = (const char *const *)argv.v;
    run.spawn.cwd = cwd;
    run.input = input ? input : "";
    run.input_bytes = input_bytes;
    if (shim_child_run(&run, ret, &err) < 0)
        fail_msg("%s", err.msg);
    return ret->exit.status;
}
#define PROGRAM_ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* The program fails with `status` and says why. */
static inline void program_expect_failure(const char *cwd, const char *const *args, unsigned status,
                                          const char *why)
{
    cleanup_run_result struct shim_run_result result = {0};

    assert_int_equal(program_run(cwd, NULL, 0, args, &result), status);
    assert_string_equal(shim_buf_str(&result.output), "");
    if (!strstr(shim_buf_str(&result.error), why))
        fail_msg("\"%s\" is not in: %s", why, shim_buf_str(&result.error));
}

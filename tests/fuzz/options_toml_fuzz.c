/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as the TOML of runtime options: no crash, and lines are counted from 1. */
#include "oci/options.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_unknown(const char *key, unsigned line, void *user)
{
    const size_t *size = user;

    if (line < 1 || line > *size || strlen(key) > *size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_oci_options struct oci_options o = {0};
    struct shim_error err = {0};

    if (oci_options_from_toml((const char *)data, size, &o, check_unknown, &size, &err) < 0 &&
        !*err.msg)
        abort();
    return 0;
}

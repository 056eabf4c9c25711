/* SPDX-License-Identifier: Apache-2.0 */
/* `-info`: describes the runtime to containerd 2.x: name, version, options, OCI features. */
#include "base/child.h"
#include "base/file.h"
#include "base/str.h"
#include "shim/payload/options.h"
#include "shim/proto/info.pb-c.h"
#include "shim/shim.h"
#include <stdio.h>
#include <string.h>

#define STDIN_MAX_BYTES ((size_t)10 * 1024 * 1024)
#define FEATURES_URL    "types.containerd.io/opencontainers/runtime-spec/1/features/Features"

static int read_options(Pb__Any **ret_any, struct oci_options *ret, struct shim_error *err)
{
    cleanup_buf struct shim_buf input = {0};
    int r = shim_handle_read(shim_stdin(), STDIN_MAX_BYTES, &input, err);

    if (r < 0 || input.len == 0)
        return r;
    *ret_any = pb__any__unpack(NULL, input.len, input.data);
    if (!*ret_any)
        return shim_fail(err, SHIM_E_INVALID, "standard input holds no options (protobuf Any)");
    r = shim_options_from_any((*ret_any)->type_url, (*ret_any)->value.data, (*ret_any)->value.len,
                              ret, NULL, NULL, err);
    return r < 0 ? r : 0;
}

/* The OCI runtime's features; NULL where it has none to tell, which is no error here. */
static char *find_features(const struct oci_options *options)
{
    const struct hcs_provider *provider = hcs_provider_find("linux");
    cleanup_hcs_facts struct hcs_facts facts = {0};
    char *json = NULL;

    if (!provider || hcs_provider_facts(provider, options->binary_name, &facts, NULL) < 0 ||
        hcs_provider_features(provider, facts.runtime, &json, NULL) < 0)
        return NULL;
    return json;
}

static int print_info(Pb__Any *options, char *features, struct shim_error *err)
{
    Info__RuntimeInfo info = INFO__RUNTIME_INFO__INIT;
    Info__RuntimeVersion version = INFO__RUNTIME_VERSION__INIT;
    Pb__Any any = PB__ANY__INIT;
    cleanup_free uint8_t *packed = NULL;

    version.version = (char *)SHIM_VERSION;
    info.name = (char *)"io.containerd.hcs.v1";
    info.version = &version;
    info.options = options;
    if (features) {
        any.type_url = (char *)FEATURES_URL;
        any.value.data = (uint8_t *)features;
        any.value.len = strlen(features);
        info.features = &any;
    }
    packed = malloc(info__runtime_info__get_packed_size(&info));
    if (!packed)
        return shim_fail_memory(err);
    return shim_handle_write(shim_stdout(), packed, info__runtime_info__pack(&info, packed), err);
}

int shim_info_main(void)
{
    cleanup_oci_options struct oci_options options = {0};
    cleanup_free char *features = NULL;
    Pb__Any *any = NULL;
    struct shim_error err;
    int r = shim_child_init(false, &err);

    if (r == 0)
        r = shim_child_start_reaper(&err);
    if (r == 0)
        r = read_options(&any, &options, &err);
    if (r == 0) {
        features = find_features(&options);
        r = print_info(any, features, &err);
    }
    if (any)
        pb__any__free_unpacked(any, NULL);
    if (r < 0)
        fprintf(stderr, "containerd-shim-hcs-v1: info: %s\n", err.msg);
    return r < 0 ? 1 : 0;
}

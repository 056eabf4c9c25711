/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as each of the documents that the emulated provider reads. */
#include "hcs/emulated/document.h"
#include "hcs/emulated/schema.h"
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    cleanup_json struct json_object *value = NULL;
    cleanup_emu_plan struct emu_plan parameters = {0}, config = {0};
    cleanup_free char *text = NULL;
    struct emu_document document = {0};
    struct emu_limits limits = EMU_NO_LIMITS;
    struct shim_error err;
    const char *json = (const char *)data;
    int r = 0;

    if (schema_parse(json, size, "fuzz", &value, &err) < 0)
        return 0;
    r += emu_document_read(value, &document, &err);
    r += emu_parameters_read(value, &parameters, &err);
    r += emu_config_read(json, size, &config, &limits, &err);
    r += emu_resources_read(json, size, &limits, &text, &err);
    emu_document_done(&document);
    return r == 0 ? -1 : 0; /* nothing is all four at once */
}

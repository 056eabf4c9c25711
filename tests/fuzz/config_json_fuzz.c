/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a config.json and as an exec's process: no crash, and what was read can be written
 * and read again. */
#include "oci/document.h"
#include "oci/spec.h"
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_reads_again(struct json_object *j)
{
    cleanup_json struct json_object *again = NULL;
    const char *text = json_object_to_json_string(j);

    if (oci_json_parse("again", text, strlen(text), &again, NULL) != 0 ||
        !json_object_equal(j, again))
        abort();
}

static void build_document(struct json_object *spec)
{
    static const struct oci_options options = {.criu_path = "/criu", .io_uid = 1};
    static const struct oci_linux_input in = {.bundle = "/b",
                                              .ns = "ns",
                                              .runtime = "/usr/sbin/runc",
                                              .default_root = "/run/runc",
                                              .terminal = true,
                                              .options = &options};
    cleanup_json struct json_object *document = NULL;

    if (oci_linux_document(spec, &in, &document, NULL) == 0)
        check_reads_again(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct oci_options options = {0};
    cleanup_json struct json_object *spec = NULL, *parameters = NULL;

    if (oci_json_parse("config.json", (const char *)data, size, &spec, NULL) != 0)
        return 0;
    check_reads_again(spec);
    oci_group(spec);
    oci_private_pid_namespace(spec);
    oci_is_windows(spec);
    build_document(spec);
    if (oci_process_parameters((const char *)data, size, true, &options, &parameters, NULL) == 0)
        check_reads_again(parameters);
    return 0;
}

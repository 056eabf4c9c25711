/* SPDX-License-Identifier: Apache-2.0 */
/* Any text as a request's stdout field: an error or a whole answer, never a crash. */
#include "shim/stdio_uri.h"
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    cleanup_free char *text = strndup((const char *)data, bytes);
    cleanup_stdio_uri struct shim_stdio_uri uri = {0};

    if (!text || shim_stdio_uri_parse(text, &uri, NULL) < 0)
        return 0;
    if ((uri.kind == SHIM_STDIO_PATHS) != (uri.path == NULL) || uri.args.n % 2 != 0)
        abort();
    return 0;
}

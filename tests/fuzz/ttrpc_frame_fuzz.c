/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of a hostile peer: what is parsed lies within what came, and more bytes never change
 * it. */
#include "ttrpc/frame.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* From a copy of exactly `size` bytes, so that reading beyond them is seen. */
static ssize_t parse_copy(const uint8_t *data, size_t size, struct ttrpc_frame *ret)
{
    uint8_t *copy = malloc(size ? size : 1);
    ssize_t n;

    memcpy(copy, data, size);
    n = ttrpc_frame_parse(copy, size, ret, NULL);
    if (n > 0)
        ret->data = data + (ret->data - copy);
    free(copy);
    return n;
}

static void check(bool right)
{
    if (!right)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ttrpc_frame frame = {0}, again;
    uint8_t header[TTRPC_HEADER_BYTES];
    struct shim_error err = {0};
    ssize_t n;

    while ((n = ttrpc_frame_parse(data, size, &frame, &err)) > 0) {
        check((size_t)n <= size && (size_t)n == TTRPC_HEADER_BYTES + frame.data_bytes);
        check(frame.data == data + TTRPC_HEADER_BYTES);
        check(parse_copy(data, (size_t)n - 1, &again) == 0);
        check(parse_copy(data, (size_t)n, &again) == n && again.data == frame.data);
        ttrpc_frame_put_header(header, frame.data_bytes, frame.stream_id, frame.type);
        check(memcmp(header, data, TTRPC_HEADER_BYTES - 1) == 0);
        data += n;
        size -= (size_t)n;
    }
    if (n < 0)
        check(n == SHIM_E_EXHAUSTED && err.code == n && frame.data_bytes > TTRPC_DATA_MAX_BYTES);
    return 0;
}

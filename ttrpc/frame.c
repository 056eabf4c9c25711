/* SPDX-License-Identifier: Apache-2.0 */
/* Frames: parsing and writing of headers. Policy (what to do with which frame) is the caller's. */
#include "ttrpc/frame.h"
#include <inttypes.h>

static uint32_t get_be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

int ttrpc_fail_too_long(struct shim_error *err, uint64_t data_bytes)
{
    return shim_fail(err, SHIM_E_EXHAUSTED,
                     "message length %" PRIu64 " exceed maximum message size of %u", data_bytes,
                     (unsigned)TTRPC_DATA_MAX_BYTES);
}

void ttrpc_frame_get_header(const uint8_t buf[TTRPC_HEADER_BYTES], struct ttrpc_frame *ret)
{
    *ret = (struct ttrpc_frame){
        .stream_id = get_be32(buf + 4),
        .type = buf[8],
        .flags = buf[9],
        .data = buf + TTRPC_HEADER_BYTES,
        .data_bytes = get_be32(buf),
    };
}

ssize_t ttrpc_frame_parse(const uint8_t *buf, size_t len, struct ttrpc_frame *ret,
                          struct shim_error *err)
{
    struct ttrpc_frame frame;

    if (len < TTRPC_HEADER_BYTES)
        return 0; /* not yet a header; never an error */
    ttrpc_frame_get_header(buf, &frame);
    if (frame.data_bytes > TTRPC_DATA_MAX_BYTES) {
        *ret = frame;
        return ttrpc_fail_too_long(err, frame.data_bytes);
    }
    if (frame.data_bytes > len - TTRPC_HEADER_BYTES)
        return 0;
    *ret = frame;
    return (ssize_t)(TTRPC_HEADER_BYTES + frame.data_bytes);
}

void ttrpc_frame_put_header(uint8_t ret[TTRPC_HEADER_BYTES], uint32_t data_bytes,
                            uint32_t stream_id, enum ttrpc_frame_type type)
{
    put_be32(ret, data_bytes);
    put_be32(ret + 4, stream_id);
    ret[8] = (uint8_t)type;
    ret[9] = 0;
}

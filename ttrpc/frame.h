/* SPDX-License-Identifier: Apache-2.0 */
/* ttrpc's frame: ten bytes of header, then data. Pure: no I/O, no allocation. Threads: any. */
#pragma once
#include "ttrpc/ttrpc.h"
#include <sys/types.h>

/* Other values are legal on the wire and ignored. */
enum ttrpc_frame_type {
    TTRPC_REQUEST = 1,
    TTRPC_RESPONSE = 2,
    TTRPC_DATA = 3,
};

struct ttrpc_frame {
    uint32_t stream_id;
    uint8_t type, flags;
    const uint8_t *data; /* lent by the parsed buffer */
    uint32_t data_bytes;
};

/**
 * Parses the frame that `buf` begins with.
 *
 * @return  the bytes it takes, header included; 0 while more are needed (`ret` untouched);
 *          SHIM_E_EXHAUSTED when the announced length is over TTRPC_DATA_MAX_BYTES: `ret` then has
 *          the header's fields, so that the caller can skip ret->data_bytes and answer.
 */
ssize_t ttrpc_frame_parse(const uint8_t *buf, size_t len, struct ttrpc_frame *ret,
                          struct shim_error *err);

/* Reads a complete header; ret->data points behind it. */
void ttrpc_frame_get_header(const uint8_t buf[TTRPC_HEADER_BYTES], struct ttrpc_frame *ret);

/* The words of Go's ttrpc for data over the limit. */
int ttrpc_fail_too_long(struct shim_error *err, uint64_t data_bytes);

/* Writes a header; flags are 0, as unary calls have none. */
void ttrpc_frame_put_header(uint8_t ret[TTRPC_HEADER_BYTES], uint32_t data_bytes,
                            uint32_t stream_id, enum ttrpc_frame_type type);

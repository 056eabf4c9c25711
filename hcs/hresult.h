/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The result codes of the Host Compute System: their names, and errors that carry them. Pure.
 * Threads: any.
 */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stdint.h>

#define HRESULT_TERMINATED_DURING_START UINT32_C(0x80370100)
#define HRESULT_IMAGE_MISMATCH          UINT32_C(0x80370101)
#define HRESULT_INVALID_STATE           UINT32_C(0x80370105)
#define HRESULT_UNEXPECTED_EXIT         UINT32_C(0x80370106)
#define HRESULT_TERMINATED              UINT32_C(0x80370107)
#define HRESULT_CONNECTION_TIMEOUT      UINT32_C(0x80370109)
#define HRESULT_INVALID_JSON            UINT32_C(0x8037010D)
#define HRESULT_SYSTEM_NOT_FOUND        UINT32_C(0x8037010E)
#define HRESULT_SYSTEM_ALREADY_EXISTS   UINT32_C(0x8037010F)
#define HRESULT_SYSTEM_ALREADY_STOPPED  UINT32_C(0x80370110)
#define HRESULT_SERVICE_NOT_AVAILABLE   UINT32_C(0x80370114)
#define HRESULT_OPERATION_TIMEOUT       UINT32_C(0x80370118)
#define HRESULT_HCS_ACCESS_DENIED       UINT32_C(0x8037011B)
#define HRESULT_PROCESS_ALREADY_STOPPED UINT32_C(0x8037011F)
#define HRESULT_NOT_IMPLEMENTED         UINT32_C(0x80004001)
#define HRESULT_FILE_NOT_FOUND          UINT32_C(0x80070002)
#define HRESULT_ACCESS_DENIED           UINT32_C(0x80070005)
#define HRESULT_OUT_OF_MEMORY           UINT32_C(0x8007000E)
#define HRESULT_NOT_SUPPORTED           UINT32_C(0x80070032)
#define HRESULT_INVALID_ARGUMENT        UINT32_C(0x80070057)
#define HRESULT_ELEMENT_NOT_FOUND       UINT32_C(0x80070490)

/* Whether two codes mean the same: vmcompute.dll says 0xC037xxxx where computecore.dll says
 * 0x8037xxxx. */
bool hresult_same(uint32_t a, uint32_t b);

/* The symbolic name, e.g. "HCS_E_INVALID_JSON"; "" for one that is not known. Static storage. */
const char *hresult_name(uint32_t hresult);

/* The shim_code that fits it; SHIM_E_UNKNOWN where none does. */
int hresult_code(uint32_t hresult);

/* shim_fail with the code that fits; sets err->os and appends ": NAME (0x8037010D)". */
int hcs_fail(struct shim_error *err, uint32_t hresult, const char *fmt, ...) SHIM_PRINTF(3, 4);

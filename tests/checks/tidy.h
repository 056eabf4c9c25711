/* SPDX-License-Identifier: Apache-2.0 */
/* Put in front of every source by tidy.sh: tells the analyzer that failing returns a negative code,
 * which it cannot see from one source alone. */
#pragma once
#include "base/error.h"
#include "hcs/hresult.h"

#define TIDY_NEGATIVE(call)                                                                        \
    __extension__({                                                                                \
        int tidy_code = (call);                                                                    \
        if (tidy_code >= 0)                                                                        \
            __builtin_unreachable();                                                               \
        tidy_code;                                                                                 \
    })
#define shim_fail(...)        TIDY_NEGATIVE(shim_fail(__VA_ARGS__))
#define shim_fail_os(...)     TIDY_NEGATIVE(shim_fail_os(__VA_ARGS__))
#define shim_wrap(...)        TIDY_NEGATIVE(shim_wrap(__VA_ARGS__))
#define shim_fail_memory(err) TIDY_NEGATIVE(shim_fail_memory(err))
#define hcs_fail(...)         TIDY_NEGATIVE(hcs_fail(__VA_ARGS__))

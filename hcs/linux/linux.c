/* SPDX-License-Identifier: Apache-2.0 */
/* The provider for Linux containers: which function carries out which operation. */
#include "hcs/provider.h"

static const struct hcs_ops ops = {
    .system_bytes = sizeof(struct hcs_system),
};

const struct hcs_provider hcs_linux_provider = {.name = "linux", .ops = &ops};

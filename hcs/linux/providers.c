/* SPDX-License-Identifier: Apache-2.0 */
/* Which providers a build for Linux has. */
#include "hcs/provider.h"

const struct hcs_provider *const hcs_providers[] = {
    &hcs_linux_provider,
    &hcs_emulated_provider,
    NULL,
};

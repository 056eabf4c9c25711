/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the lines of /proc/self/mountinfo. Pure. Threads: any. */
#pragma once
#include <stdbool.h>

struct shim_mountinfo { /* all lent from the text */
    const char *root, *mount_point, *type, *super_options;
};

/* Takes the next line from `*at` and moves on; the text is changed on the way (fields are cut out
 * and \040 and the like become their characters). A line it cannot read is skipped; false at the
 * end. */
bool shim_mountinfo_next(char **at, struct shim_mountinfo *ret);

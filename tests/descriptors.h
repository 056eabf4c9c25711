/* SPDX-License-Identifier: Apache-2.0 */
/* How many descriptors are open, to see that none stays. */
#pragma once
#include "tests/test.h"
#include <dirent.h>

static inline unsigned count_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    assert_non_null(dir);
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

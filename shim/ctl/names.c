/* SPDX-License-Identifier: Apache-2.0 */
/* Which names containerd takes for namespaces, containers and execs. Pure. */
#include "shim/ctl/ctl.h"
#include <string.h>

#define NAME_MAX_BYTES 76

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_name(const char *name)
{
    size_t bytes = strlen(name);
    bool after_separator = true;

    if (bytes == 0 || bytes > NAME_MAX_BYTES)
        return false;
    for (const char *at = name; *at; at++) {
        bool separator = *at == '.' || *at == '_' || *at == '-';

        if (!separator && !is_alnum(*at))
            return false;
        if (separator && after_separator)
            return false;
        after_separator = separator;
    }
    return !after_separator;
}

int ctl_check_name(const char *what, const char *name, struct shim_error *err)
{
    if (is_name(name))
        return 0;
    return shim_fail(err, SHIM_E_INVALID,
                     "%s \"%.100s\": expected at most %d letters and digits, in groups joined by "
                     "single . _ or -",
                     what, name, NAME_MAX_BYTES);
}

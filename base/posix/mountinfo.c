/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts the lines of mountinfo into fields, in place. */
#include "base/posix/mountinfo.h"
#include <stddef.h>
#include <string.h>

static bool is_octal(char c)
{
    return c >= '0' && c <= '7';
}

static char *unescape(char *s)
{
    char *to = s;

    for (const char *from = s; *from; to++) {
        if (from[0] == '\\' && is_octal(from[1]) && is_octal(from[2]) && is_octal(from[3])) {
            *to = (char)((from[1] - '0') << 6 | (from[2] - '0') << 3 | (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = 0;
    return s;
}

/* "id parent major:minor root point options [optional…] - type source super" */
static bool split(char *line, struct shim_mountinfo *ret)
{
    char *tail = strstr(line, " - "), *fields[5], *more[3];

    if (!tail)
        return false;
    *tail = 0;
    tail += 3;
    for (size_t i = 0; i < 5; i++)
        if (!(fields[i] = strsep(&line, " ")))
            return false;
    for (size_t i = 0; i < 3; i++)
        if (!(more[i] = strsep(&tail, " ")))
            return false;
    *ret = (struct shim_mountinfo){
        .root = unescape(fields[3]),
        .mount_point = unescape(fields[4]),
        .type = more[0],
        .super_options = more[2],
    };
    return true;
}

bool shim_mountinfo_next(char **at, struct shim_mountinfo *ret)
{
    char *line;

    while (*at && (line = strsep(at, "\n")))
        if (split(line, ret))
            return true;
    return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The table of Linux' signal numbers (those of x86, ARM, RISC-V, POWER and s390). */
#include "shim/ctl/signal_names.h"
#include "base/str.h"
#include <stddef.h>
#include <strings.h>

#define RT_MIN     34
#define RT_MAX     64
#define SIGNAL_MAX 64

static const struct {
    const char *name;
    uint32_t number;
} signals[] = {
    {"HUP", 1},   {"INT", 2},   {"QUIT", 3},  {"ILL", 4},     {"TRAP", 5},    {"ABRT", 6},
    {"IOT", 6},   {"BUS", 7},   {"FPE", 8},   {"KILL", 9},    {"USR1", 10},   {"SEGV", 11},
    {"USR2", 12}, {"PIPE", 13}, {"ALRM", 14}, {"TERM", 15},   {"STKFLT", 16}, {"CHLD", 17},
    {"CONT", 18}, {"STOP", 19}, {"TSTP", 20}, {"TTIN", 21},   {"TTOU", 22},   {"URG", 23},
    {"XCPU", 24}, {"XFSZ", 25}, {"PROF", 27}, {"VTALRM", 26}, {"WINCH", 28},  {"IO", 29},
    {"POLL", 29}, {"PWR", 30},  {"SYS", 31},  {"RTMIN", 34},  {"RTMAX", 64},
};

/* "RTMIN+3" and "RTMAX-3". */
static uint32_t realtime_number(const char *name)
{
    bool from_min = strncasecmp(name, "RTMIN+", 6) == 0;
    uint64_t offset;

    if (!from_min && strncasecmp(name, "RTMAX-", 6) != 0)
        return 0;
    if (!shim_parse_u64(name + 6, RT_MAX - RT_MIN, &offset))
        return 0;
    return from_min ? RT_MIN + (uint32_t)offset : RT_MAX - (uint32_t)offset;
}

uint32_t ctl_signal_number(const char *name)
{
    uint64_t number;

    if (shim_parse_u64(name, SIGNAL_MAX, &number))
        return (uint32_t)number;
    if (strncasecmp(name, "SIG", 3) == 0)
        name += 3;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(signals); i++)
        if (strcasecmp(signals[i].name, name) == 0)
            return signals[i].number;
    return realtime_number(name);
}

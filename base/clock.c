/* SPDX-License-Identifier: Apache-2.0 */
/* Clocks by clock_gettime, which both glibc and mingw-w64 have. */
#include "base/clock.h"
#include <stdio.h>
#include <time.h>

static int64_t now_ns(clockid_t clock)
{
    struct timespec ts;

    clock_gettime(clock, &ts);
    return (int64_t)ts.tv_sec * SHIM_NS_PER_S + ts.tv_nsec;
}

int64_t shim_monotonic_ns(void)
{
    return now_ns(CLOCK_MONOTONIC);
}

int64_t shim_realtime_ns(void)
{
    return now_ns(CLOCK_REALTIME);
}

void shim_sleep_ms(unsigned ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    while (nanosleep(&left, &left) != 0)
        continue;
}

/* Days since 1970-01-01 to a civil date (proleptic Gregorian). */
static void civil_from_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t doe = z - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

    *ret_day = (int)(doy - (153 * mp + 2) / 5 + 1);
    *ret_month = (int)(mp < 10 ? mp + 3 : mp - 9);
    *ret_year = yoe + era * 400 + (*ret_month <= 2);
}

const char *shim_rfc3339(int64_t realtime_ns, char buf[SHIM_RFC3339_BYTES])
{
    int64_t s = realtime_ns / SHIM_NS_PER_S, ns = realtime_ns % SHIM_NS_PER_S, days, year;
    int month, day, tod;

    if (ns < 0) {
        ns += SHIM_NS_PER_S;
        s--;
    }
    days = s / 86400 - (s % 86400 < 0);
    tod = (int)(s - days * 86400);
    civil_from_days(days, &year, &month, &day);
    snprintf(buf, SHIM_RFC3339_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%09dZ", (int)year, month, day,
             tod / 3600, tod / 60 % 60, tod % 60, (int)ns);
    return buf;
}

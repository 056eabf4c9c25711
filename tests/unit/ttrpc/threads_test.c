/* SPDX-License-Identifier: Apache-2.0 */
/* How many threads nng has once a server listens. */
#include "tests/test.h"
#include "tests/unit/ttrpc/peer.h"
#include "ttrpc/ttrpc.h"
#include <dirent.h>
#include <nng/nng.h>
#include <stdio.h>

static unsigned count_threads(void)
{
    DIR *dir = opendir("/proc/self/task");
    struct dirent *entry;
    unsigned n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static bool has_parameters(void)
{
    unsigned major = 0, minor = 0;

    assert_int_equal(sscanf(nng_version(), "%u.%u", &major, &minor), 2);
    return major > 1 || minor >= 7;
}

static void test_nng_starts_no_more_threads_than_it_must(void **state)
{
    unsigned before = count_threads(), nng;
    struct served s;

    (void)state;
    ttrpc_limit_threads();
    served_start(&s, NULL);
    nng = count_threads() - before;
    if (has_parameters())
        assert_int_equal(nng, 6);
    else
        assert_true(nng > 0); /* not for us to say */
    served_stop(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nng_starts_no_more_threads_than_it_must),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

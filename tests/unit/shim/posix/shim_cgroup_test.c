/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroup of option ShimCgroup. Moving there needs root and changes the machine: that is left to
 * the integration tests. */
#include "shim/daemon.h"
#include "tests/test.h"
#include <string.h>
#include <unistd.h>

static void test_a_cgroup_that_cannot_be_made_is_named(void **state)
{
    struct shim_error err;

    (void)state;
    /* a file of every cgroup, which can be no folder */
    assert_true(shim_daemon_move_to_cgroup(getpid(), "cgroup.procs/x", &err) < 0);
    assert_non_null(strstr(err.msg, "shim cgroup cgroup.procs/x: "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_cgroup_that_cannot_be_made_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

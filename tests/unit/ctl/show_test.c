/* SPDX-License-Identifier: Apache-2.0 */
/* ps and state, for people and for programs. */
#include "fake_shim.h"

static const struct ctl_flags no_flags;
static const char *const no_words[] = {NULL};
static const char *const c1[] = {"c1", NULL};

/* A bundle whose shim listens, or is said to, at `address`. */
static void make_bundle(const char *folder, const char *id, const char *address)
{
    cleanup_free char *bundle = shim_strf("%s/ns1/%s", folder, id);

    assert_int_equal(shim_dir_make_all(bundle, 0700, NULL), 0);
    folder_write(bundle, "address", address);
}

static void test_ps_shows_the_living_and_the_dead(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl c = {.ns = "ns1", .state_dir = folder, .flags = &no_flags};
    cleanup_free char *gone = shim_strf("unix://%s/gone.sock", folder);
    cleanup_free char *table = NULL;
    cleanup_free char *lines = NULL;
    struct fake_shim f;

    (void)state;
    fake_shim_begin(&f, folder, "containerd.task.v2.Task");
    make_bundle(folder, "c1", f.address);
    make_bundle(folder, "c2", gone);
    make_bundle(folder, "c3", f.address);
    assert_int_equal(fake_command(ctl_ps, &c, no_words, &table, NULL), 0);
    assert_string_equal(table, "ID  PID  STATUS     EXIT  SHIM PID\n"
                               "c1  42   RUNNING          1\n"
                               "c2       SHIM GONE        \n"
                               "c3       NO TASK          \n");
    c.json = true;
    assert_int_equal(fake_command(ctl_ps, &c, no_words, &lines, NULL), 0);
    assert_string_equal(lines, "{\"id\":\"c1\",\"pid\":42,\"status\":\"RUNNING\",\"shim_pid\":1}\n"
                               "{\"id\":\"c2\",\"status\":\"SHIM GONE\"}\n"
                               "{\"id\":\"c3\",\"status\":\"NO TASK\"}\n");
    fake_shim_end(&f);
}

static void test_ps_of_a_container_shows_its_processes(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl c = {.ns = "ns1", .state_dir = folder, .json = true, .flags = &no_flags};
    cleanup_free char *out = NULL;
    struct fake_shim f;

    (void)state;
    fake_shim_begin(&f, folder, "containerd.task.v3.Task");
    c.address = f.address;
    assert_int_equal(fake_command(ctl_ps, &c, c1, &out, NULL), 0);
    assert_string_equal(out, "{\"pid\":42}\n");
    assert_int_equal(ctl_ps(&c, no_words, NULL), CTL_E_USAGE); /* of an address there is no list */
    fake_shim_end(&f);
}

static void test_state_names_what_is_wrong(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl c = {.ns = "ns1", .state_dir = folder, .flags = &no_flags};
    cleanup_free char *out = NULL;
    struct shim_error err;
    struct fake_shim f;

    (void)state;
    assert_int_equal(ctl_state(&c, c1, &err), SHIM_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, "no container \"c1\""));
    fake_shim_begin(&f, folder, "containerd.task.v2.Task");
    c.address = f.address;
    assert_int_equal(fake_command(ctl_state, &c, c1, &out, NULL), 0);
    assert_non_null(strstr(out, "status       RUNNING\n"));
    fake_shim_end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ps_shows_the_living_and_the_dead),
        cmocka_unit_test(test_ps_of_a_container_shows_its_processes),
        cmocka_unit_test(test_state_names_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Connections to a shim, and what becomes of them. */
#include "fake_shim.h"
#include "shim/ctl/bundle.h"
#include "shim/ctl/client.h"

#define V2 "containerd.task.v2.Task"
#define V3 "containerd.task.v3.Task"

static void check_reaches(const char *served, int announced)
{
    cleanup_folder char *folder = folder_new();
    struct ctl c = {.ns = "ns1", .state_dir = folder};
    struct ctl_endpoint endpoint = {.version = announced};
    struct ctl_client *client;
    struct fake_shim f;
    Task__StateResponse *m;

    fake_shim_begin(&f, folder, served);
    endpoint.address = f.address;
    assert_int_equal(ctl_client_connect(&c, &endpoint, &client, NULL), 0);
    assert_int_equal(ctl_call_state(client, "c1", "", &m, NULL), 0);
    assert_int_equal(m->pid, 42);
    protobuf_c_message_free_unpacked(&m->base, NULL);
    ctl_client_free(client);
    fake_shim_end(&f);
}

static void test_the_service_is_found_whatever_was_announced(void **state)
{
    (void)state;
    check_reaches(V2, 2);
    check_reaches(V3, 3);
    check_reaches(V2, 3);
    check_reaches(V2, 0);
    check_reaches(V3, 0);
}

static void test_a_shims_error_comes_with_its_code_and_text(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl c = {.ns = "ns1", .state_dir = folder};
    struct ctl_client *client;
    struct fake_shim f;
    Task__StateResponse *m;
    struct shim_error err;

    (void)state;
    fake_shim_begin(&f, folder, V2);
    c.address = f.address;
    assert_int_equal(ctl_client_open(&c, "other", &client, NULL), 0);
    assert_int_equal(ctl_call_state(client, "other", "", &m, &err), SHIM_E_NOT_FOUND);
    assert_string_equal(err.msg, "no such container");
    ctl_client_free(client);
    fake_shim_end(&f);
}

static void test_no_container_and_no_shim_are_two_things(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl c = {.ns = "ns1", .state_dir = folder};
    cleanup_free char *bundle = shim_strf("%s/ns1/c1", folder);
    cleanup_free char *gone = shim_strf("unix://%s/gone.sock", folder);
    struct ctl_client *client = NULL;
    struct shim_error err;

    (void)state;
    assert_int_equal(ctl_client_open(&c, "c1", &client, &err), SHIM_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, "no container \"c1\""));
    assert_int_equal(shim_dir_make_all(bundle, 0700, NULL), 0);
    folder_write(bundle, "address", gone);
    assert_int_equal(ctl_client_open(&c, "c1", &client, &err), SHIM_E_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "gone.sock"));
    assert_null(client);
}

static void test_the_end_of_a_shim_is_noticed(void **state)
{
    cleanup_folder char *folder = folder_new();
    struct ctl c = {.ns = "ns1", .state_dir = folder};
    struct ctl_client *client;
    struct fake_shim f;

    (void)state;
    fake_shim_begin(&f, folder, V2);
    c.address = f.address;
    assert_int_equal(ctl_client_open(&c, "c1", &client, NULL), 0);
    assert_false(ctl_client_wait_lost(client, 1));
    fake_shim_end(&f);
    assert_true(ctl_client_wait_lost(client, 10000));
    ctl_client_free(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_service_is_found_whatever_was_announced),
        cmocka_unit_test(test_a_shims_error_comes_with_its_code_and_text),
        cmocka_unit_test(test_no_container_and_no_shim_are_two_things),
        cmocka_unit_test(test_the_end_of_a_shim_is_noticed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

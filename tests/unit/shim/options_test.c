/* SPDX-License-Identifier: Apache-2.0 */
/* Runtime options in both protobuf forms, and both forms of what `start` is told on stdin. */
#include "base/file.h"
#include "base/str.h"
#include "shim/payload/any.h"
#include "shim/payload/options.h"
#include "shim/proto/bootstrap.pb-c.h"
#include "shim/proto/options.pb-c.h"
#include "shim/proto/runtimeoptions.pb-c.h"
#include "tests/test.h"
#include "tests/unit/shim/hex.h"
#include <string.h>
#include <unistd.h>

#define RUNTIME_URL "runtimeoptions.v1.Options"

static int read_message(const ProtobufCMessage *m, struct oci_options *o, struct shim_error *err)
{
    cleanup_any Pb__Any *any = NULL;

    assert_int_equal(shim_any_pack(m, &any, NULL), 0);
    return shim_options_from_any(any->type_url, any->value.data, any->value.len, o, NULL, NULL,
                                 err);
}

static void test_every_field_of_runc_options_is_taken(void **state)
{
    Runc__Options m = RUNC__OPTIONS__INIT;
    cleanup_oci_options struct oci_options o = {0};

    (void)state;
    m.no_pivot_root = true;
    m.no_new_keyring = true;
    m.systemd_cgroup = true;
    m.shim_cgroup = "/s";
    m.io_uid = 1;
    m.io_gid = 2;
    m.binary_name = "crun";
    m.root = "/r";
    m.criu_path = "/c";
    m.criu_image_path = "/i";
    m.criu_work_path = "/w";
    assert_int_equal(read_message(&m.base, &o, NULL), 0);
    assert_true(o.no_pivot_root && o.no_new_keyring && o.systemd_cgroup);
    assert_int_equal(o.io_uid, 1);
    assert_int_equal(o.io_gid, 2);
    assert_string_equal(o.shim_cgroup, "/s");
    assert_string_equal(o.binary_name, "crun");
    assert_string_equal(o.root, "/r");
    assert_string_equal(o.criu_path, "/c");
    assert_string_equal(o.criu_image_path, "/i");
    assert_string_equal(o.criu_work_path, "/w");
    assert_null(o.provider);
}

static void test_absent_options_are_the_defaults(void **state)
{
    struct oci_options o = {.io_uid = 7};

    (void)state;
    assert_int_equal(shim_options_from_any(NULL, NULL, 0, &o, NULL, NULL, NULL), 0);
    assert_int_equal(shim_options_from_any("", "junk", 4, &o, NULL, NULL, NULL), 0);
    assert_int_equal(o.io_uid, 7); /* untouched */
    assert_int_equal(
        shim_options_from_any("containerd.runc.v1.Options", NULL, 0, &o, NULL, NULL, NULL), 0);
    assert_null(o.binary_name);
    assert_int_equal(o.io_uid, 0);
}

static void test_a_prefixed_type_url_is_known_and_a_foreign_one_is_not(void **state)
{
    cleanup_oci_options struct oci_options o = {0};

    (void)state;
    assert_int_equal(shim_options_from_any("type.googleapis.com/containerd.runc.v1.Options",
                                           "\x48\x01", 2, &o, NULL, NULL, NULL),
                     0);
    assert_true(o.systemd_cgroup);
    assert_int_equal(
        shim_options_from_any("containerd.runhcs.v1.Options", "\xff", 1, &o, NULL, NULL, NULL), 1);
    assert_int_equal(
        shim_options_from_any("xcontainerd.runc.v1.Options", "\xff", 1, &o, NULL, NULL, NULL), 1);
}

static void count_unknown(const char *key, unsigned line, void *user)
{
    int *sum = user;

    assert_string_equal(key, "What");
    *sum += (int)line;
}

static void test_toml_comes_from_the_body(void **state)
{
    static const char value[] = "\x12\x05/none\x1a\x19Root='/r'\nWhat=1\nIoUid=5 ";
    cleanup_oci_options struct oci_options o = {0};
    int sum = 0;

    (void)state;
    assert_int_equal(
        shim_options_from_any(RUNTIME_URL, value, sizeof(value) - 1, &o, count_unknown, &sum, NULL),
        0);
    assert_string_equal(o.root, "/r");
    assert_int_equal(o.io_uid, 5);
    assert_int_equal(sum, 2);
}

static int read_path(const char *path, struct oci_options *o, struct shim_error *err)
{
    Runtimeoptions__Options m = RUNTIMEOPTIONS__OPTIONS__INIT;

    m.config_path = (char *)path;
    return read_message(&m.base, o, err);
}

static void test_toml_comes_from_the_file_where_there_is_no_body(void **state)
{
    char path[] = "/tmp/shim_options_test_XXXXXX";
    cleanup_oci_options struct oci_options o = {0};
    struct shim_error err = {0};
    cleanup_free char *message = NULL;
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "Provider='emulated'\n", 20), 20);
    assert_int_equal(read_path(path, &o, NULL), 0);
    assert_string_equal(o.provider, "emulated");

    assert_int_equal(write(fd, "Root", 4), 4);
    message = shim_strf("%s: line 2: expected = after the key", path);
    assert_int_equal(read_path(path, &o, &err), SHIM_E_INVALID);
    assert_string_equal(err.msg, message);

    assert_int_equal(ftruncate(fd, (off_t)OCI_OPTIONS_MAX_BYTES + 1), 0);
    assert_int_equal(read_path(path, &o, &err), SHIM_E_EXHAUSTED);
    assert_string_equal(o.provider, "emulated"); /* untouched by failures */
    unlink(path);
    close(fd);
}

static void test_neither_body_nor_file_are_the_defaults(void **state)
{
    struct oci_options o = {0};

    (void)state;
    assert_int_equal(shim_options_from_any(RUNTIME_URL, NULL, 0, &o, NULL, NULL, NULL), 0);
    assert_null(o.root);
}

static void test_broken_options_are_refused(void **state)
{
    struct oci_options o = {0};
    struct shim_error err = {0};

    (void)state;
    assert_int_equal(
        shim_options_from_any("containerd.runc.v1.Options", "\x0a", 1, &o, NULL, NULL, &err),
        SHIM_E_INVALID);
    assert_string_equal(err.msg, "value is no containerd.runc.v1.Options");
    assert_int_equal(shim_options_from_any(RUNTIME_URL, "\x0a", 1, &o, NULL, NULL, &err),
                     SHIM_E_INVALID);
    assert_string_equal(err.msg, "value is no runtimeoptions.v1.Options");
    assert_int_equal(shim_options_from_any(RUNTIME_URL, "\x1a\x06Root=1", 8, &o, NULL, NULL, &err),
                     SHIM_E_INVALID);
    assert_string_equal(err.msg, "config_body: line 1: Root is not a string");
    assert_int_equal(read_path("x.toml", &o, &err), SHIM_E_INVALID);
    assert_string_equal(err.msg, "config_path is not an absolute path: \"x.toml\"");
    assert_int_equal(read_path("/nonexistent/x.toml", &o, &err), SHIM_E_NOT_FOUND);
    assert_true(shim_starts_with(err.msg, "config_path: "));
}

/* --- stdin of start ------------------------------------------------------------------------- */

#define PARAMS                                                                                     \
    "0a0263311206746573746e7318fcffffffffffffffff012205322e342e302a0d2f632e736f636b2e747472706332" \
    "072f632e736f636b3a0f2f62696e2f636f6e7461696e65726442220a200a1a636f6e7461696e6572642e72756e63" \
    "2e76312e4f7074696f6e73120248014a112f72756e2f636f6e7461696e6572642f73"
#define OPTIONS_ANY "0a1a636f6e7461696e6572642e72756e632e76312e4f7074696f6e7312024801"

static int read_stdin(const char *hex, const char *id, const char *ns, struct shim_bootstrap *ret,
                      struct shim_error *err)
{
    cleanup_buf struct shim_buf data = from_hex(hex);

    return shim_options_from_stdin(data.data, data.len, id, ns, ret, err);
}

static void assert_systemd_option(const Pb__Any *any)
{
    assert_non_null(any);
    assert_string_equal(any->type_url, "containerd.runc.v1.Options");
    assert_int_equal(any->value.len, 2);
    assert_memory_equal(any->value.data, "\x48\x01", 2);
}

static void test_bootstrap_parameters_are_the_new_form(void **state)
{
    cleanup_shim_bootstrap struct shim_bootstrap b = {0};

    (void)state;
    assert_int_equal(read_stdin(PARAMS, "c1", "testns", &b, NULL), 0);
    assert_true(b.is_bootstrap);
    assert_true(b.debug);
    assert_string_equal(b.ttrpc_address, "/c.sock.ttrpc");
    assert_string_equal(b.grpc_address, "/c.sock");
    assert_string_equal(b.containerd_binary, "/bin/containerd");
    assert_string_equal(b.socket_dir, "/run/containerd/s");
    assert_systemd_option(b.options);
}

static void test_no_bytes_are_the_old_form_without_options(void **state)
{
    cleanup_shim_bootstrap struct shim_bootstrap b = {.debug = true};

    (void)state;
    assert_int_equal(shim_options_from_stdin(NULL, 0, "c1", "testns", &b, NULL), 0);
    assert_false(b.is_bootstrap || b.debug);
    assert_null(b.options);
}

static void test_an_any_is_the_old_form_though_it_decodes_as_parameters(void **state)
{
    cleanup_shim_bootstrap struct shim_bootstrap b = {0};

    (void)state;
    assert_int_equal(read_stdin(OPTIONS_ANY, "c1", "testns", &b, NULL), 0);
    assert_false(b.is_bootstrap || b.debug);
    assert_null(b.ttrpc_address);
    assert_systemd_option(b.options);
}

static void test_parameters_for_somebody_else_and_junk_are_refused(void **state)
{
    struct shim_bootstrap b = {0};
    struct shim_error err = {0};

    (void)state;
    assert_int_equal(read_stdin(PARAMS, "c2", "testns", &b, &err), SHIM_E_INVALID);
    assert_string_equal(
        err.msg, "stdin holds neither bootstrap parameters for c2 in namespace testns nor options");
    assert_int_equal(read_stdin(PARAMS, "c1", "other", &b, &err), SHIM_E_INVALID);
    assert_int_equal(read_stdin("ffffff", "c1", "testns", &b, &err), SHIM_E_INVALID);
    assert_false(b.is_bootstrap);
    assert_null(b.options);
}

static int read_params(Bootstrap__BootstrapParams *m, struct shim_bootstrap *ret)
{
    uint8_t data[512];

    m->instance_id = "c1";
    m->namespace_ = "ns";
    return shim_options_from_stdin(data, bootstrap__bootstrap_params__pack(m, data), "c1", "ns",
                                   ret, NULL);
}

static void test_debug_is_wanted_at_debug_and_finer_only(void **state)
{
    static const struct {
        int level;
        bool debug;
    } cases[] = {{-8, true}, {-5, true}, {-4, true}, {-3, false}, {0, false}, {12, false}};

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(cases); i++) {
        Bootstrap__BootstrapParams m = BOOTSTRAP__BOOTSTRAP_PARAMS__INIT;
        cleanup_shim_bootstrap struct shim_bootstrap b = {0};

        m.log_level = (Bootstrap__LogLevel)cases[i].level;
        assert_int_equal(read_params(&m, &b), 0);
        assert_int_equal(b.debug, cases[i].debug);
    }
}

static void test_options_are_found_among_other_extensions(void **state)
{
    Pb__Any other = PB__ANY__INIT, options = PB__ANY__INIT;
    Bootstrap__Extension empty = BOOTSTRAP__EXTENSION__INIT, first = BOOTSTRAP__EXTENSION__INIT,
                         second = BOOTSTRAP__EXTENSION__INIT;
    Bootstrap__Extension *all[] = {&empty, &first, &second};
    Bootstrap__BootstrapParams m = BOOTSTRAP__BOOTSTRAP_PARAMS__INIT;
    cleanup_shim_bootstrap struct shim_bootstrap found = {0}, none = {0};

    (void)state;
    other.type_url = "other.Extension";
    options.type_url = "x/" RUNTIME_URL;
    first.value = &other;
    second.value = &options;
    m.extensions = all;
    m.n_extensions = 3;
    assert_int_equal(read_params(&m, &found), 0);
    assert_string_equal(found.options->type_url, "x/" RUNTIME_URL);
    m.n_extensions = 2;
    assert_int_equal(read_params(&m, &none), 0);
    assert_true(none.is_bootstrap);
    assert_null(none.options);
    assert_null(none.socket_dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_field_of_runc_options_is_taken),
        cmocka_unit_test(test_absent_options_are_the_defaults),
        cmocka_unit_test(test_a_prefixed_type_url_is_known_and_a_foreign_one_is_not),
        cmocka_unit_test(test_toml_comes_from_the_body),
        cmocka_unit_test(test_toml_comes_from_the_file_where_there_is_no_body),
        cmocka_unit_test(test_neither_body_nor_file_are_the_defaults),
        cmocka_unit_test(test_broken_options_are_refused),
        cmocka_unit_test(test_bootstrap_parameters_are_the_new_form),
        cmocka_unit_test(test_no_bytes_are_the_old_form_without_options),
        cmocka_unit_test(test_an_any_is_the_old_form_though_it_decodes_as_parameters),
        cmocka_unit_test(test_parameters_for_somebody_else_and_junk_are_refused),
        cmocka_unit_test(test_debug_is_wanted_at_debug_and_finer_only),
        cmocka_unit_test(test_options_are_found_among_other_extensions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

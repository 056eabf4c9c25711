/* SPDX-License-Identifier: Apache-2.0 */
/* Runtime options from TOML: every key, its spellings, and what is refused. */
#include "base/buf.h"
#include "oci/options.h"
#include "tests/test.h"
#include <string.h>

static void log_unknown(const char *key, unsigned line, void *user)
{
    assert_true(shim_buf_appendf(user, "%u %s|", line, key));
}

static int read_options(const char *text, struct oci_options *o, struct shim_error *err)
{
    return oci_options_from_toml(text, strlen(text), o, NULL, NULL, err);
}

static void test_every_key_reaches_its_option(void **state)
{
    cleanup_oci_options struct oci_options o = {0};

    (void)state;
    assert_int_equal(read_options("BinaryName = 'crun'\nRoot = \"/r\"\nShimCgroup = '/s'\n"
                                  "CriuPath = '/c'\nCriuImagePath = '/i'\nCriuWorkPath = '/w'\n"
                                  "Provider = 'emulated'\nSystemdCgroup = true\n"
                                  "NoPivotRoot = true\nNoNewKeyring = true\n"
                                  "IoUid = 4294967295\nIoGid = 0x10\n",
                                  &o, NULL),
                     0);
    assert_string_equal(o.binary_name, "crun");
    assert_string_equal(o.root, "/r");
    assert_string_equal(o.shim_cgroup, "/s");
    assert_string_equal(o.criu_path, "/c");
    assert_string_equal(o.criu_image_path, "/i");
    assert_string_equal(o.criu_work_path, "/w");
    assert_string_equal(o.provider, "emulated");
    assert_true(o.systemd_cgroup && o.no_pivot_root && o.no_new_keyring);
    assert_int_equal(o.io_uid, UINT32_MAX);
    assert_int_equal(o.io_gid, 16);
}

static void test_case_and_underscores_do_not_matter(void **state)
{
    cleanup_oci_options struct oci_options o = {0};

    (void)state;
    assert_int_equal(read_options("binary_name='a'\nSYSTEMD_CGROUP=true\n\"io_uid\"=1", &o, NULL),
                     0);
    assert_string_equal(o.binary_name, "a");
    assert_true(o.systemd_cgroup);
    assert_int_equal(o.io_uid, 1);
}

static void test_what_was_set_before_stays_until_overwritten(void **state)
{
    cleanup_oci_options struct oci_options o = {.systemd_cgroup = true, .io_uid = 3};

    (void)state;
    assert_int_equal(read_options("Root='/a'\nBinaryName='b'", &o, NULL), 0);
    assert_int_equal(read_options("Root='/c'\nSystemdCgroup=false", &o, NULL), 0);
    assert_string_equal(o.root, "/c");
    assert_string_equal(o.binary_name, "b");
    assert_false(o.systemd_cgroup);
    assert_int_equal(o.io_uid, 3);
    assert_int_equal(read_options("Root=''", &o, NULL), 0);
    assert_null(o.root);
}

static void test_unknown_keys_are_reported_and_skipped(void **state)
{
    static const char text[] = "Roots='/x'\nRoo=1\na=[\n1]\n[Tbl]\nRoot='/in/a/table'\nx.y=1";
    cleanup_oci_options struct oci_options o = {0};
    cleanup_buf struct shim_buf log = {0};

    (void)state;
    assert_int_equal(oci_options_from_toml(text, sizeof(text) - 1, &o, log_unknown, &log, NULL), 0);
    assert_string_equal(shim_buf_str(&log), "1 Roots|2 Roo|3 a|5 Tbl|");
    assert_null(o.root);
}

static void assert_refused(const char *text, const char *message)
{
    cleanup_oci_options struct oci_options o = {0};
    struct shim_error err = {0};

    assert_int_equal(read_options(text, &o, &err), SHIM_E_INVALID);
    assert_string_equal(err.msg, message);
}

static void test_wrong_types_and_ranges_are_refused_with_their_line(void **state)
{
    (void)state;
    assert_refused("\nRoot=1", "line 2: Root is not a string");
    assert_refused("[Root]", "line 1: Root is not a string");
    assert_refused("Root.x='a'", "line 1: Root is not a string");
    assert_refused("SystemdCgroup='true'", "line 1: SystemdCgroup is not a boolean");
    assert_refused("IoUid=1.0", "line 1: IoUid is not an integer");
    assert_refused("IoUid=-1", "line 1: IoUid is not between 0 and 4294967295");
    assert_refused("io_gid=4294967296", "line 1: IoGid is not between 0 and 4294967295");
    assert_refused("Root='/a'\nroot='/b'", "line 2: Root is set twice");
    assert_refused("Root", "line 1: expected = after the key");
}

static void test_a_text_over_the_limit_is_refused(void **state)
{
    char *text = test_malloc(OCI_OPTIONS_MAX_BYTES + 1);
    struct oci_options o = {0};
    struct shim_error err = {0};

    (void)state;
    memset(text, ' ', OCI_OPTIONS_MAX_BYTES + 1);
    assert_int_equal(oci_options_from_toml(text, OCI_OPTIONS_MAX_BYTES, &o, NULL, NULL, NULL), 0);
    assert_int_equal(oci_options_from_toml(text, OCI_OPTIONS_MAX_BYTES + 1, &o, NULL, NULL, &err),
                     SHIM_E_EXHAUSTED);
    assert_string_equal(err.msg, "1048577 bytes are over the limit of 1048576");
    test_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_key_reaches_its_option),
        cmocka_unit_test(test_case_and_underscores_do_not_matter),
        cmocka_unit_test(test_what_was_set_before_stays_until_overwritten),
        cmocka_unit_test(test_unknown_keys_are_reported_and_skipped),
        cmocka_unit_test(test_wrong_types_and_ranges_are_refused_with_their_line),
        cmocka_unit_test(test_a_text_over_the_limit_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The provider's documents: what is read, and every way in which one is refused. */
#include "hcs/linux/document.h"
#include "tests/unit/hcs/linux/world.h"

static const char good[] =
    "{\"Owner\":\"containerd-shim-hcs-v1\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
    "\"ShouldTerminateOnLastHandleClosed\":false,\"Linux\":{\"Bundle\":\"/b\",\"Rootfs\":\"/r\","
    "\"Terminal\":true,\"Runtime\":{\"Path\":\"/usr/sbin/runc\",\"Root\":\"/run/x\","
    "\"SystemdCgroup\":true,\"NoPivotRoot\":false,\"NoNewKeyring\":true},\"Criu\":{\"Path\":"
    "\"criu\",\"ImagePath\":\"/i\",\"WorkPath\":\"/w\"},\"IoUid\":4294967295,\"IoGid\":7}}";

/* The good document with `from` replaced by `to`. */
static struct json_object *changed(const char *from, const char *to)
{
    const char *at = strstr(good, from);
    cleanup_free char *text = NULL;

    assert_non_null(at);
    text = shim_strf("%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    return parse(text);
}

static void test_every_member_is_read(void **state)
{
    struct json_object *o = changed("", "");
    cleanup_linux_document struct linux_document d = {0};

    (void)state;
    assert_ok(linux_document_read(o, &d, err));
    json_object_put(o);
    assert_string_equal(d.owner, "containerd-shim-hcs-v1");
    assert_string_equal(d.bundle, "/b");
    assert_string_equal(d.rootfs, "/r");
    assert_string_equal(d.runtime, "/usr/sbin/runc");
    assert_string_equal(d.root, "/run/x");
    assert_string_equal(d.criu, "criu");
    assert_string_equal(d.criu_image, "/i");
    assert_string_equal(d.criu_work, "/w");
    assert_true(d.terminal && d.systemd_cgroup && !d.no_pivot_root && d.no_new_keyring);
    assert_int_equal(d.io_uid, UINT32_MAX);
    assert_int_equal(d.io_gid, 7);
}

static void test_criu_can_be_left_out(void **state)
{
    struct json_object *o =
        changed("\"Criu\":{\"Path\":\"criu\",\"ImagePath\":\"/i\",\"WorkPath\":\"/w\"},", "");
    cleanup_linux_document struct linux_document d = {0};

    (void)state;
    assert_ok(linux_document_read(o, &d, err));
    json_object_put(o);
    assert_null(d.criu);
    assert_null(d.criu_image);
    assert_null(d.criu_work);
}

static void test_a_bad_member_is_named_by_its_path(void **state)
{
    static const struct {
        const char *from, *to, *message;
    } cases[] = {
        {"\"Owner\"", "\"Owners\"", "Owners: unknown member"},
        {"\"Root\":\"/run/x\",", "", "Linux.Runtime.Root: missing"},
        {"\"Root\"", "\"Rot\"", "Linux.Runtime.Rot: unknown member"},
        {"\"Terminal\":true", "\"Terminal\":1", "Linux.Terminal: not a boolean"},
        {"\"Terminal\":true", "\"Terminal\":null", "Linux.Terminal: not a boolean"},
        {"\"/b\"", "7", "Linux.Bundle: not a string"},
        {"\"/b\"", "\"b\"", "Linux.Bundle: \"b\" is not an absolute path"},
        {"\"/b\"", "\"/b\\u0000\"", "Linux.Bundle: NUL inside a string"},
        {"\"criu\"", "\"\"", "Linux.Criu.Path: empty"},
        {"\"IoGid\":7", "\"IoGid\":\"7\"", "Linux.IoGid: not an integer"},
        {"\"IoGid\":7", "\"IoGid\":-1", "Linux.IoGid: not between"},
        {"\"IoGid\":7", "\"IoGid\":4294967296", "Linux.IoGid: not between"},
        {"\"IoGid\":7", "\"IoGid\":18446744073709551616", "Linux.IoGid: not between"},
        {"\"Major\":2", "\"Major\":3", "SchemaVersion.Major: 3 is not supported"},
        {"\"Major\":2", "\"Major\":\"2\"", "SchemaVersion.Major: neither"},
        {"Closed\":false", "Closed\":true", "Closed: true is not supported"},
        {"{\"Major\":2,\"Minor\":1}", "[]", "SchemaVersion: not an object"},
        {"\"Runtime\":{\"Path\":\"/usr/sbin/runc\",\"Root\":\"/run/x\",\"SystemdCgroup\":true,"
         "\"NoPivotRoot\":false,\"NoNewKeyring\":true},",
         "", "Linux.Runtime: missing"},
    };

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(cases); i++) {
        struct json_object *o = changed(cases[i].from, cases[i].to);
        struct linux_document d = {0};

        assert_fails(SHIM_E_INVALID, cases[i].message, linux_document_read(o, &d, err));
        assert_null(d.bundle); /* untouched */
        json_object_put(o);
    }
}

static void test_what_is_no_object_is_refused(void **state)
{
    struct json_object *o = json_object_new_array();
    struct linux_document d = {0};
    struct linux_parameters p = {0};

    (void)state;
    assert_fails(SHIM_E_INVALID, "document: not an object", linux_document_read(o, &d, err));
    assert_fails(SHIM_E_INVALID, "document: not an object", linux_parameters_read(NULL, &p, err));
    json_object_put(o);
}

static void test_a_very_long_member_name_is_cut(void **state)
{
    struct json_object *o = json_object_new_object();
    struct linux_document d = {0};
    char name[1024];

    (void)state;
    memset(name, 'x', sizeof(name) - 1);
    name[sizeof(name) - 1] = 0;
    json_object_object_add(o, name, NULL);
    assert_fails(SHIM_E_INVALID, "xxx: unknown member", linux_document_read(o, &d, err));
    json_object_put(o);
}

static void test_parameters_carry_the_process_as_text(void **state)
{
    struct json_object *o = parse("{\"Terminal\":true,\"IoUid\":1,\"IoGid\":2,\"OciProcess\":"
                                  "{\"args\":[\"/bin/sh\"],\"cwd\":\"/\"}}");
    cleanup_linux_parameters struct linux_parameters p = {0};

    (void)state;
    assert_ok(linux_parameters_read(o, &p, err));
    assert_string_equal(p.process_json, "{\"args\":[\"/bin/sh\"],\"cwd\":\"/\"}");
    assert_true(p.terminal);
    assert_int_equal(p.io_uid, 1);
    assert_int_equal(p.io_gid, 2);
    json_object_object_add(o, "OciProcess", json_object_new_string("x"));
    assert_fails(SHIM_E_INVALID, "OciProcess: not an object", linux_parameters_read(o, &p, err));
    json_object_put(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_member_is_read),
        cmocka_unit_test(test_criu_can_be_left_out),
        cmocka_unit_test(test_a_bad_member_is_named_by_its_path),
        cmocka_unit_test(test_what_is_no_object_is_refused),
        cmocka_unit_test(test_a_very_long_member_name_is_cut),
        cmocka_unit_test(test_parameters_carry_the_process_as_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Any: the name it gets and the names it is known by. */
#include "shim/payload/any.h"
#include "shim/proto/options.pb-c.h"
#include "tests/test.h"

static void test_a_message_is_packed_under_its_bare_full_name(void **state)
{
    Runc__ProcessDetails m = RUNC__PROCESS_DETAILS__INIT;
    cleanup_any Pb__Any *any = NULL, *empty = NULL;

    (void)state;
    assert_int_equal(shim_any_pack(&m.base, &empty, NULL), 0);
    assert_int_equal(empty->value.len, 0);
    m.exec_id = "e1";
    assert_int_equal(shim_any_pack(&m.base, &any, NULL), 0);
    assert_string_equal(any->type_url, "containerd.runc.v1.ProcessDetails");
    assert_int_equal(any->value.len, 4);
    assert_memory_equal(any->value.data, "\x0a\x02\x65\x31", 4);
}

static void test_a_name_may_have_a_prefix_and_must_match_entirely(void **state)
{
    const ProtobufCMessageDescriptor *kind = &runc__options__descriptor;

    (void)state;
    assert_true(shim_any_names("containerd.runc.v1.Options", kind));
    assert_true(shim_any_names("type.googleapis.com/containerd.runc.v1.Options", kind));
    assert_true(shim_any_names("/containerd.runc.v1.Options", kind));
    assert_false(shim_any_names("xcontainerd.runc.v1.Options", kind));
    assert_false(shim_any_names("containerd.runc.v1.Option", kind));
    assert_false(shim_any_names("containerd.runc.v1.Options/", kind));
    assert_false(shim_any_names("", kind));
    assert_false(shim_any_names(NULL, kind));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_message_is_packed_under_its_bare_full_name),
        cmocka_unit_test(test_a_name_may_have_a_prefix_and_must_match_entirely),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

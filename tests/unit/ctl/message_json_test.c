/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as JSON: every kind of field that containerd's messages have. */
#include "base/compiler.h"
#include "shim/ctl/json.h"
#include "shim/ctl/message_json.h"
#include "shim/proto/cgroups2.pb-c.h"
#include "shim/proto/events.pb-c.h"
#include "shim/proto/task.pb-c.h"
#include "tests/test.h"
#include <string.h>

#define STYLE (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

static void same(struct json_object *j, const char *text)
{
    cleanup_json struct json_object *owned = j;

    assert_non_null(owned);
    assert_string_equal(json_object_to_json_string_ext(owned, STYLE), text);
}

static void test_scalars_enums_times_and_renamed_fields(void **state)
{
    Task__StateResponse m = TASK__STATE_RESPONSE__INIT;
    Pb__Timestamp t = PB__TIMESTAMP__INIT;

    (void)state;
    m.id = (char *)"c1";
    m.pid = 4294967295u;
    m.status = TASK__STATUS__PAUSED;
    m.stdout_path = (char *)"/out";
    m.terminal = true;
    t.seconds = 86400;
    t.nanos = 5000000;
    m.exited_at = &t;
    same(ctl_json_from_message(&m.base),
         "{\"id\":\"c1\",\"bundle\":\"\",\"pid\":4294967295,\"status\":\"PAUSED\",\"stdin\":\"\","
         "\"stdout\":\"/out\",\"stderr\":\"\",\"terminal\":true,\"exit_status\":0,"
         "\"exited_at\":\"1970-01-02T00:00:00.005000000Z\",\"exec_id\":\"\"}");
    m.status = (Task__Status)9;
    m.exited_at = NULL;
    same(ctl_json_from_message(&m.base),
         "{\"id\":\"c1\",\"bundle\":\"\",\"pid\":4294967295,\"status\":9,\"stdin\":\"\","
         "\"stdout\":\"/out\",\"stderr\":\"\",\"terminal\":true,\"exit_status\":0,"
         "\"exec_id\":\"\"}");
}

static void test_lists_and_large_numbers(void **state)
{
    Cgroups2__HugeTlbStat pages = CGROUPS2__HUGE_TLB_STAT__INIT;
    Cgroups2__HugeTlbStat *list[] = {&pages, &pages};
    Cgroups2__Metrics m = CGROUPS2__METRICS__INIT;

    (void)state;
    pages.max = UINT64_MAX;
    pages.pagesize = (char *)"2MB";
    m.hugetlb = list;
    m.n_hugetlb = 1;
    same(ctl_json_from_message(&m.base),
         "{\"hugetlb\":[{\"current\":0,\"max\":18446744073709551615,\"pagesize\":\"2MB\","
         "\"failcnt\":0}],\"network\":[]}");
}

static void test_an_any_of_a_known_type_is_its_message(void **state)
{
    Events__TaskStart m = EVENTS__TASK_START__INIT;
    Pb__Any any = PB__ANY__INIT;
    uint8_t packed[64];

    (void)state;
    m.container_id = (char *)"c1";
    m.pid = 7;
    any.value.len = events__task_start__pack(&m, packed);
    any.value.data = packed;
    any.type_url = (char *)"containerd.events.TaskStart";
    same(ctl_json_from_any(&any), "{\"container_id\":\"c1\",\"pid\":7}");
    any.type_url = (char *)"type.googleapis.com/containerd.events.TaskStart";
    same(ctl_json_from_any(&any), "{\"container_id\":\"c1\",\"pid\":7}");
}

static void test_an_any_that_is_not_understood_says_so(void **state)
{
    uint8_t cut[] = {0x0a, 9, 'x'};
    Pb__Any any = PB__ANY__INIT;

    (void)state;
    any.value.data = cut;
    any.value.len = sizeof(cut);
    any.type_url = (char *)"some.Type";
    same(ctl_json_from_any(&any), "{\"type_url\":\"some.Type\",\"value_bytes\":3}");
    any.type_url = (char *)"containerd.events.TaskStart";
    same(ctl_json_from_any(&any),
         "{\"type_url\":\"containerd.events.TaskStart\",\"value_bytes\":3}");
}

static void test_times_nobody_can_mean_are_0(void **state)
{
    static const struct {
        int64_t seconds;
        int32_t nanos;
    } rows[] = {{INT64_MAX, 0}, {-1, 0}, {0, -1}, {0, 1000000000}, {INT64_MIN, 0}};

    (void)state;
    assert_int_equal(ctl_timestamp_ns(NULL), 0);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(rows); i++) {
        Pb__Timestamp t = PB__TIMESTAMP__INIT;

        t.seconds = rows[i].seconds;
        t.nanos = rows[i].nanos;
        assert_int_equal(ctl_timestamp_ns(&t), 0);
    }
    same(ctl_json_from_time(0), "\"\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars_enums_times_and_renamed_fields),
        cmocka_unit_test(test_lists_and_large_numbers),
        cmocka_unit_test(test_an_any_of_a_known_type_is_its_message),
        cmocka_unit_test(test_an_any_that_is_not_understood_says_so),
        cmocka_unit_test(test_times_nobody_can_mean_are_0),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The one-call commands, against a task service in this process. */
#include "fake_shim.h"

struct scene {
    char *folder;
    struct fake_shim shim;
    struct ctl ctl;
};

static int begin(void **state)
{
    static struct scene s;
    static const struct ctl_flags no_flags;

    s.folder = folder_new();
    fake_shim_begin(&s.shim, s.folder, "containerd.task.v2.Task");
    s.ctl = (struct ctl){
        .ns = "ns1", .state_dir = s.folder, .address = s.shim.address, .flags = &no_flags};
    *state = &s;
    return 0;
}

static int end(void **state)
{
    struct scene *s = *state;

    fake_shim_end(&s->shim);
    folder_done(&s->folder);
    return 0;
}

static void test_kill_sends_the_named_signal(void **state)
{
    static const char *const argv[] = {"-s", "USR2", "c1", NULL};
    static const char *const none[] = {"-s", "NOPE", "c1", NULL};
    struct scene *s = *state;
    struct shim_error err;

    assert_int_equal(ctl_kill(&s->ctl, argv, NULL), 0);
    assert_int_equal(s->shim.killed_with, 12);
    assert_int_equal(ctl_kill(&s->ctl, none, &err), CTL_E_USAGE);
    assert_string_equal(err.msg, "\"NOPE\" is no signal");
}

static void test_wait_exits_as_the_process_did(void **state)
{
    static const char *const argv[] = {"c1", NULL};
    struct scene *s = *state;
    cleanup_free char *out = NULL;

    fake_end(&s->shim);
    s->ctl.json = true;
    assert_int_equal(fake_command(ctl_wait, &s->ctl, argv, &out, NULL), 143);
    assert_string_equal(out, "{\"id\":\"c1\",\"exit_status\":143,\"exited_at\":\"\"}\n");
}

static void test_resize_takes_what_a_terminal_can_be(void **state)
{
    static const char *const argv[] = {"c1", "132", "43", NULL};
    static const char *const large[] = {"c1", "70000", "43", NULL};
    struct scene *s = *state;

    assert_int_equal(ctl_resize(&s->ctl, argv, NULL), 0);
    assert_int_equal(s->shim.width, 132);
    assert_int_equal(ctl_resize(&s->ctl, large, NULL), CTL_E_USAGE);
}

static void test_update_sends_limits_or_a_document(void **state)
{
    static const char *const limits[] = {"--memory", "4096", "c1", NULL};
    static const char *const both[] = {"--pids", "1", "--resources", "x", "c1", NULL};
    static const char *const neither[] = {"c1", NULL};
    struct scene *s = *state;
    cleanup_free char *path = shim_strf("%s/r.json", s->folder);
    const char *const document[] = {"--resources", path, "c1", NULL};

    assert_int_equal(ctl_update(&s->ctl, limits, NULL), 0);
    assert_non_null(strstr(s->shim.document, "4096"));
    folder_write(s->folder, "r.json", "{\"pids\":{\"limit\":77}}");
    assert_int_equal(ctl_update(&s->ctl, document, NULL), 0);
    assert_non_null(strstr(s->shim.document, "77"));
    folder_write(s->folder, "r.json", "{\"pids\":");
    assert_int_equal(ctl_update(&s->ctl, document, NULL), SHIM_E_INVALID);
    assert_int_equal(ctl_update(&s->ctl, both, NULL), CTL_E_USAGE);
    assert_int_equal(ctl_update(&s->ctl, neither, NULL), CTL_E_USAGE);
}

static void test_words_are_counted(void **state)
{
    static const char *const none[] = {NULL};
    static const char *const two[] = {"a", "b", NULL};
    struct scene *s = *state;
    struct shim_error err;

    assert_int_equal(ctl_pause(&s->ctl, none, &err), CTL_E_USAGE);
    assert_string_equal(err.msg, "the ID is missing");
    assert_int_equal(ctl_resume(&s->ctl, two, &err), CTL_E_USAGE);
    assert_string_equal(err.msg, "\"b\" is too much");
    s->ctl.help = true;
    assert_int_equal(ctl_shutdown(&s->ctl, none, NULL), CTL_E_HELP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_kill_sends_the_named_signal, begin, end),
        cmocka_unit_test_setup_teardown(test_wait_exits_as_the_process_did, begin, end),
        cmocka_unit_test_setup_teardown(test_resize_takes_what_a_terminal_can_be, begin, end),
        cmocka_unit_test_setup_teardown(test_update_sends_limits_or_a_document, begin, end),
        cmocka_unit_test_setup_teardown(test_words_are_counted, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

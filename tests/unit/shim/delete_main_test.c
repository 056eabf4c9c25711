/* SPDX-License-Identifier: Apache-2.0 */
/* `delete`: idempotent, quiet, and never stopped by what it finds. */
#include "base/clock.h"
#include "shim/proto/task.pb-c.h"
#include "tests/unit/shim/program.h"
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Succeeds and tells of a process that was killed; what it complained of is malloc'ed. */
static char *delete_in(const char *cwd, const char *const *args)
{
    cleanup_run_result struct shim_run_result result = {0};
    Task__DeleteResponse *answer;

    if (program_run(cwd, NULL, 0, args, &result) != 0)
        fail_msg("%s", shim_buf_str(&result.error));
    answer = task__delete_response__unpack(NULL, result.output.len, result.output.data);
    assert_non_null(answer);
    assert_int_equal(answer->exit_status, 137);
    assert_int_equal(answer->pid, 0);
    assert_true(answer->exited_at->seconds >= shim_realtime_ns() / SHIM_NS_PER_S - 60);
    task__delete_response__free_unpacked(answer, NULL);
    return strdup(shim_buf_str(&result.error));
}

static void test_a_container_that_was_never_created_is_deleted(void **state)
{
    cleanup_folder char *bundle = folder_new();
    cleanup_free char *complaint =
        delete_in("/", PROGRAM_ARGS("-namespace", "ns1", "-id", "c1", "-bundle", bundle, "delete"));
    cleanup_free char *again =
        delete_in("/", PROGRAM_ARGS("-namespace", "ns1", "-id", "c1", "-bundle", bundle, "delete"));

    (void)state;
    assert_string_equal(complaint, "");
    assert_string_equal(again, "");
}

static void test_a_bundle_that_is_gone_is_no_obstacle(void **state)
{
    cleanup_free char *complaint =
        delete_in("/", PROGRAM_ARGS("-namespace", "ns1", "-id", "c1", "-bundle", "/nowhere/at/all",
                                    "delete"));

    (void)state;
    assert_string_equal(complaint, "");
}

static void test_a_record_that_cannot_be_read_is_complained_of(void **state)
{
    cleanup_folder char *bundle = folder_new();
    cleanup_free char *complaint = NULL, *unknown = NULL;

    (void)state;
    folder_write(bundle, "hcs.json", "{");
    complaint =
        delete_in("/", PROGRAM_ARGS("-namespace", "ns1", "-id", "c1", "-bundle", bundle, "delete"));
    assert_non_null(strstr(complaint, "hcs.json"));
    folder_write(bundle, "hcs.json",
                 "{\"Provider\":\"of-the-future\",\"Id\":\"c1\",\"Document\":{}}");
    unknown =
        delete_in("/", PROGRAM_ARGS("-namespace", "ns1", "-id", "c1", "-bundle", bundle, "delete"));
    assert_non_null(strstr(unknown, "provider of-the-future is unknown"));
}

/* containerd 1.x names no bundle and runs it in the sandbox's, whose siblings the others are. */
static void test_without_a_bundle_it_is_found_beside_the_current_folder(void **state)
{
    cleanup_folder char *folder = folder_new();
    cleanup_free char *own = shim_strf("%s/s1", folder), *other = shim_strf("%s/c1", folder);
    cleanup_free char *complaint = NULL, *about_own = NULL;

    (void)state;
    assert_int_equal(shim_dir_make(own, 0700, NULL), 0);
    assert_int_equal(shim_dir_make(other, 0700, NULL), 0);
    folder_write(other, "hcs.json", "{");
    complaint = delete_in(own, PROGRAM_ARGS("-namespace", "ns1", "-id", "c1", "delete"));
    assert_non_null(strstr(complaint, "c1/hcs.json"));
    about_own = delete_in(own, PROGRAM_ARGS("-namespace", "ns1", "-id", "s1", "delete"));
    assert_string_equal(about_own, "");
}

static void test_a_socket_that_nobody_serves_is_removed(void **state)
{
    cleanup_folder char *bundle = folder_new();
    cleanup_free char *path = shim_strf("%s/sock", bundle);
    cleanup_free char *address = shim_strf("unix://%s", path), *complaint = NULL;
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)state;
    strncpy(name.sun_path, path, sizeof(name.sun_path) - 1);
    assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
    close(fd);
    folder_write(bundle, "address", address);
    complaint =
        delete_in("/", PROGRAM_ARGS("-namespace", "ns1", "-id", "c1", "-bundle", bundle, "delete"));
    assert_string_equal(complaint, "");
    assert_false(shim_file_exists(path));
}

static void test_without_namespace_or_id_nothing_is_done(void **state)
{
    (void)state;
    program_expect_failure("/", PROGRAM_ARGS("-id", "c1", "delete"), 1, "namespace");
    program_expect_failure("/", PROGRAM_ARGS("-namespace", "ns1", "delete"), 1, "no container id");
    program_expect_failure("/", PROGRAM_ARGS("-namespace", "ns1", "-id", "../c1", "delete"), 1,
                           "no container id");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_container_that_was_never_created_is_deleted),
        cmocka_unit_test(test_a_bundle_that_is_gone_is_no_obstacle),
        cmocka_unit_test(test_a_record_that_cannot_be_read_is_complained_of),
        cmocka_unit_test(test_without_a_bundle_it_is_found_beside_the_current_folder),
        cmocka_unit_test(test_a_socket_that_nobody_serves_is_removed),
        cmocka_unit_test(test_without_namespace_or_id_nothing_is_done),
    };

    return program_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}

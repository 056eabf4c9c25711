/* SPDX-License-Identifier: Apache-2.0 */
/* The way from hcs.h to a provider, with a provider that can do next to nothing. */
#include "hcs/hcs.h"
#include "hcs/provider.h"
#include "hcs/stats.h"
#include "tests/test.h"
#include <fcntl.h>
#include <unistd.h>

struct small_system {
    struct hcs_system base;
    struct hcs_process init;
};

static unsigned freed;

static int small_new(struct hcs_system *s, struct json_object *document, struct shim_error *err)
{
    struct small_system *small = (struct small_system *)s;

    small->init.system = s;
    if (document)
        return shim_fail(err, SHIM_E_INVALID, "Linux: missing");
    return 0;
}

static void small_free(struct hcs_system *s)
{
    assert_non_null(s->id);
    freed++;
}

static struct hcs_process *small_init(struct hcs_system *s)
{
    return &((struct small_system *)s)->init;
}

static int small_start(struct hcs_system *s, struct shim_error *err)
{
    return shim_fail(err, SHIM_E_STATE, "start of %s", s->id);
}

static const struct hcs_ops small_ops = {
    .system_bytes = sizeof(struct small_system),
    .system_new = small_new,
    .system_free = small_free,
    .system_init = small_init,
    .system_start = small_start,
};
static const struct hcs_provider small = {.name = "small", .ops = &small_ops};

static struct hcs_system *new_system(void)
{
    static int system_user, init_user;
    struct hcs_system *s = NULL;

    assert_int_equal(hcs_system_new(&small, "box", NULL, NULL, &system_user, &init_user, &s, NULL),
                     0);
    assert_string_equal(s->id, "box");
    assert_ptr_equal(s->user, &system_user);
    assert_ptr_equal(s->init_user, &init_user);
    return s;
}

static void test_providers_are_found_by_name(void **state)
{
    (void)state;
    assert_string_equal(hcs_provider_name(hcs_provider_find("linux")), "linux");
    assert_string_equal(hcs_provider_name(hcs_provider_find("emulated")), "emulated");
    assert_null(hcs_provider_find("windows95"));
    assert_null(hcs_provider_find(""));
    assert_null(hcs_provider_find(NULL));
}

static void test_what_a_provider_lacks_is_unimplemented_and_named(void **state)
{
    struct hcs_system *s = new_system();
    struct hcs_process *p = hcs_system_init(s), *more;
    struct hcs_stdio io = HCS_STDIO_INIT;
    struct hcs_checkpoint c = {0};
    struct hcs_restore restore = {0};
    struct hcs_pids pids;
    struct hcs_stats stats;
    struct shim_error err;

    (void)state;
#define assert_cannot(what, call)                                                                  \
    err = (struct shim_error){0};                                                                  \
    assert_int_equal(call, SHIM_E_UNIMPLEMENTED);                                                  \
    assert_string_equal(err.msg, "provider small cannot " what)

    assert_cannot("create a system", hcs_system_create(s, NULL, &io, &err));
    assert_cannot("restore a system", hcs_system_create(s, &restore, &io, &err));
    assert_cannot("find a system again", hcs_system_attach(s, &err));
    assert_cannot("pause a system", hcs_system_pause(s, &err));
    assert_cannot("resume a system", hcs_system_resume(s, &err));
    assert_cannot("signal all processes of a system", hcs_system_signal_all(s, 9, &err));
    assert_cannot("terminate a system", hcs_system_terminate(s, &err));
    assert_cannot("delete a system", hcs_system_delete(s, &err));
    assert_cannot("update a system", hcs_system_update(s, "{}", &err));
    assert_cannot("checkpoint a system", hcs_system_checkpoint(s, &c, &err));
    assert_cannot("list the processes of a system", hcs_system_pids(s, &pids, &err));
    assert_cannot("tell a system's statistics", hcs_system_stats(s, &stats, &err));
    assert_cannot("run a further process", hcs_process_new(s, "x", NULL, NULL, &more, &err));
    assert_cannot("signal a process", hcs_process_signal(p, 9, &err));
    assert_cannot("resize a console", hcs_process_resize(p, 1, 1, &err));
    assert_cannot("mount storage", hcs_storage_mount(&small, NULL, 0, "/x", &err));
    assert_cannot("unmount storage", hcs_storage_unmount(&small, "/x", &err));
#undef assert_cannot
    hcs_system_cancel(s); /* nothing can hang */
    hcs_system_free(s);
}

static void test_without_facts_there_are_none(void **state)
{
    struct hcs_facts facts = {.runtime = (char[]){"x"}};
    char *features = (char[]){"x"};

    (void)state;
    assert_int_equal(hcs_provider_facts(&small, NULL, &facts, NULL), 0);
    assert_null(facts.runtime);
    assert_int_equal(hcs_provider_features(&small, "x", &features, NULL), 0);
    assert_null(features);
    hcs_facts_done(&facts);
}

static void test_an_operation_reaches_its_provider(void **state)
{
    cleanup_hcs_system struct hcs_system *s = new_system();
    struct shim_error err = {0};

    (void)state;
    assert_int_equal(hcs_system_start(s, &err), SHIM_E_STATE);
    assert_string_equal(err.msg, "start of box");
}

static void test_a_refused_document_frees_the_system_and_names_it(void **state)
{
    struct hcs_system *s = NULL;
    struct shim_error err = {0};
    struct json_object *document = (struct json_object *)&err; /* anything */
    unsigned before = freed;

    (void)state;
    assert_int_equal(hcs_system_new(&small, "box", document, NULL, NULL, NULL, &s, &err),
                     SHIM_E_INVALID);
    assert_string_equal(err.msg, "system box: Linux: missing");
    assert_null(s);
    assert_int_equal(freed, before + 1);
    hcs_system_free(NULL);
    hcs_process_free(NULL);
}

static void test_only_pipes_are_closed(void **state)
{
    struct hcs_stdio io = HCS_STDIO_INIT;
    int mine = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)state;
    io.in = (struct hcs_stream){HCS_STREAM_PIPE, open("/dev/null", O_RDWR | O_CLOEXEC)};
    io.out = (struct hcs_stream){HCS_STREAM_HANDLE, mine};
    hcs_stdio_close(&io);
    assert_int_equal(io.in.handle, SHIM_NO_HANDLE);
    assert_int_equal(fcntl(mine, F_GETFD), FD_CLOEXEC);
    hcs_stdio_close(&io); /* twice is fine */
    close(mine);
}

static void test_the_loop_is_lent(void **state)
{
    struct shim_loop *loop = (struct shim_loop *)&freed; /* never looked into */

    (void)state;
    assert_null(hcs_loop());
    hcs_use_loop(loop);
    assert_ptr_equal(hcs_loop(), loop);
    hcs_use_loop(NULL);
    assert_null(hcs_loop());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_providers_are_found_by_name),
        cmocka_unit_test(test_what_a_provider_lacks_is_unimplemented_and_named),
        cmocka_unit_test(test_without_facts_there_are_none),
        cmocka_unit_test(test_an_operation_reaches_its_provider),
        cmocka_unit_test(test_a_refused_document_frees_the_system_and_names_it),
        cmocka_unit_test(test_only_pipes_are_closed),
        cmocka_unit_test(test_the_loop_is_lent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

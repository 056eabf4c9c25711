/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a runtime, and what it says of itself. */
#include "tests/unit/hcs/linux/world.h"

static struct world w;
static const struct hcs_provider *provider;

static void make_program(const char *name, const char *script)
{
    write_text(below(w.dir, name), script);
    assert_int_equal(chmod(below(w.dir, name), 0755), 0);
}

static int setup(void **state)
{
    (void)state;
    provider = hcs_provider_find("linux");
    world_init(&w);
    assert_int_equal(setenv("PATH", w.dir, 1), 0);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_done(&w);
    return 0;
}

static void test_a_name_is_looked_up_in_path(void **state)
{
    cleanup_hcs_facts struct hcs_facts facts = {0};

    (void)state;
    make_program("kata", "");
    assert_ok(hcs_provider_facts(provider, "kata", &facts, err));
    assert_string_equal(facts.runtime, below(w.dir, "kata"));
}

static void test_entries_that_are_relative_or_no_programs_are_passed_over(void **state)
{
    cleanup_hcs_facts struct hcs_facts facts = {0};
    cleanup_free char *path = shim_strf(":.:%s:%s", w.bundle, w.dir);

    (void)state;
    make_program("kata", "");
    assert_int_equal(mkdir(below(w.bundle, "kata"), 0755), 0);
    assert_int_equal(setenv("PATH", path, 1), 0);
    assert_ok(hcs_provider_facts(provider, "kata", &facts, err));
    assert_string_equal(facts.runtime, below(w.dir, "kata"));
}

static void test_a_path_is_taken_as_it_is(void **state)
{
    cleanup_hcs_facts struct hcs_facts facts = {0}, relative = {0};
    cleanup_free char *wanted = NULL;

    (void)state;
    make_program("kata", "");
    wanted = strdup(below(w.dir, "kata"));
    assert_ok(hcs_provider_facts(provider, wanted, &facts, err));
    assert_string_equal(facts.runtime, wanted);
    assert_int_equal(chdir(w.dir), 0);
    assert_ok(hcs_provider_facts(provider, "./kata", &relative, err));
    assert_int_equal(relative.runtime[0], '/');
    assert_int_equal(chdir("/"), 0);
}

static void test_without_a_wish_it_is_runc_else_crun(void **state)
{
    struct hcs_facts facts = {0};

    (void)state;
    assert_fails(SHIM_E_NOT_FOUND, "neither \"runc\" nor \"crun\"",
                 hcs_provider_facts(provider, "", &facts, err));
    make_program("crun", "");
    assert_ok(hcs_provider_facts(provider, "", &facts, err));
    assert_string_equal(facts.runtime, below(w.dir, "crun"));
    hcs_facts_done(&facts);
    make_program("runc", "");
    assert_ok(hcs_provider_facts(provider, NULL, &facts, err));
    assert_string_equal(facts.runtime, below(w.dir, "runc"));
    hcs_facts_done(&facts);
}

static void test_what_is_not_there_is_named(void **state)
{
    struct hcs_facts facts = {0};

    (void)state;
    assert_fails(SHIM_E_NOT_FOUND, "exec: \"no-runc\": executable file not found in $PATH",
                 hcs_provider_facts(provider, "no-runc", &facts, err));
    assert_fails(SHIM_E_NOT_FOUND, "exec: \"/no/runc\": no such file",
                 hcs_provider_facts(provider, "/no/runc", &facts, err));
}

static void test_features_are_handed_on_where_there_are_any(void **state)
{
    cleanup_free char *features = NULL;

    (void)state;
    assert_int_equal(setenv("PATH", "/usr/bin:/bin", 1), 0);
    make_program("one",
                 "#!/bin/sh\n[ \"$*\" = features ] && echo '{\"ociVersionMin\":\"1.0.0\"}'\n");
    assert_ok(hcs_provider_features(provider, below(w.dir, "one"), &features, err));
    assert_string_equal(features, "{\"ociVersionMin\":\"1.0.0\"}\n");
    free(shim_take(features));

    make_program("two", "#!/bin/sh\necho unknown command features >&2; exit 1\n");
    assert_ok(hcs_provider_features(provider, below(w.dir, "two"), &features, err));
    assert_null(features);
    make_program("three", "#!/bin/sh\necho no json\n");
    assert_ok(hcs_provider_features(provider, below(w.dir, "three"), &features, err));
    assert_null(features);
    assert_fails(SHIM_E_NOT_FOUND, "none",
                 hcs_provider_features(provider, below(w.dir, "none"), &features, err));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_name_is_looked_up_in_path),
        TEST(test_entries_that_are_relative_or_no_programs_are_passed_over),
        TEST(test_a_path_is_taken_as_it_is),
        TEST(test_without_a_wish_it_is_runc_else_crun),
        TEST(test_what_is_not_there_is_named),
        TEST(test_features_are_handed_on_where_there_are_any),
    };

    if (shim_child_init(false, NULL) < 0 || shim_child_start_reaper(NULL) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

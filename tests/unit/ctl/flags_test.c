/* SPDX-License-Identifier: Apache-2.0 */
/* Flags in all their spellings, and what is refused. */
#include "base/str.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/flags.h"
#include "tests/test.h"

struct values {
    bool interactive, terminal, json;
    const char *signal;
    struct ctl_u64 memory;
    struct shim_strv env;
};

static int parse(struct values *v, bool stop_at_word, const char *const *argv,
                 struct ctl_words *ret, struct shim_error *err)
{
    const struct ctl_flag global[] = {{0, "json", CTL_FLAG_BOOL, &v->json}};
    const struct ctl_flags parent = {global, 1, NULL};
    const struct ctl_flag own[] = {
        {'i', "interactive", CTL_FLAG_BOOL, &v->interactive},
        {'t', "tty", CTL_FLAG_BOOL, &v->terminal},
        {'s', "signal", CTL_FLAG_TEXT, &v->signal},
        {'m', "memory", CTL_FLAG_U64, &v->memory},
        {'e', "env", CTL_FLAG_LIST, &v->env},
    };
    const struct ctl_flags flags = {own, SHIM_ARRAY_LEN(own), &parent};

    return ctl_flags_parse(&flags, stop_at_word, argv, ret, err);
}

static void test_every_spelling_of_a_flag_is_taken(void **state)
{
    static const char *const argv[] = {"-it",    "--signal=INT", "--memory", "4096", "-eA=1",
                                       "--json", "-e",           "B=2",      "id",   NULL};
    struct values v = {0};
    cleanup_words struct ctl_words words = {0};

    (void)state;
    assert_int_equal(parse(&v, false, argv, &words, NULL), 0);
    assert_true(v.interactive && v.terminal && v.json);
    assert_string_equal(v.signal, "INT");
    assert_true(v.memory.set);
    assert_int_equal(v.memory.value, 4096);
    assert_int_equal(v.env.n, 2);
    assert_string_equal(v.env.v[0], "A=1");
    assert_string_equal(v.env.v[1], "B=2");
    assert_int_equal(words.n, 1);
    assert_string_equal(words.v[0], "id");
    assert_null(words.v[1]);
    shim_strv_done(&v.env);
}

static void test_flags_stop_at_the_first_word_or_do_not(void **state)
{
    static const char *const argv[] = {"id", "-i", "--tty", "--nonsense", NULL};
    static const char *const known[] = {"id", "-i", "--tty", NULL};
    struct values v = {0};
    cleanup_words struct ctl_words stopped = {0};
    cleanup_words struct ctl_words all = {0};

    (void)state;
    assert_int_equal(parse(&v, true, argv, &stopped, NULL), 0);
    assert_int_equal(stopped.n, 4);
    assert_false(v.interactive || v.terminal);
    assert_int_equal(parse(&v, false, known, &all, NULL), 0);
    assert_int_equal(all.n, 1);
    assert_true(v.interactive && v.terminal);
}

static void test_two_dashes_end_the_flags(void **state)
{
    static const char *const argv[] = {"-i", "--", "-t", "-", NULL};
    struct values v = {0};
    cleanup_words struct ctl_words words = {0};

    (void)state;
    assert_int_equal(parse(&v, false, argv, &words, NULL), 0);
    assert_true(v.interactive);
    assert_false(v.terminal);
    assert_int_equal(words.n, 2);
    assert_string_equal(words.v[1], "-");
}

static void test_what_is_wrong_is_named(void **state)
{
    static const struct {
        const char *argv[3];
        const char *message;
    } rows[] = {
        {{"--nonsense=1"}, "unknown flag --nonsense"},
        {{"-ix"}, "unknown flag -x in \"-ix\""},
        {{"--signal"}, "--signal needs a value"},
        {{"-s"}, "-s needs a value"},
        {{"--tty=yes"}, "--tty takes no value"},
        {{"--memory", "4k"}, "--memory: \"4k\" is not a number"},
        {{"-m-1"}, "-m: \"-1\" is not a number"},
    };

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(rows); i++) {
        struct values v = {0};
        struct ctl_words words = {0};
        struct shim_error err = {0};

        assert_int_equal(parse(&v, false, rows[i].argv, &words, &err), CTL_E_USAGE);
        assert_string_equal(err.msg, rows[i].message);
        assert_null(words.v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_spelling_of_a_flag_is_taken),
        cmocka_unit_test(test_flags_stop_at_the_first_word_or_do_not),
        cmocka_unit_test(test_two_dashes_end_the_flags),
        cmocka_unit_test(test_what_is_wrong_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

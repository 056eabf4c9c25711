/* SPDX-License-Identifier: Apache-2.0 */
/* Takes flags out of a command line. Knows no command. */
#include "shim/ctl/flags.h"
#include "base/str.h"
#include "shim/ctl/ctl.h"
#include <string.h>

struct parser {
    const struct ctl_flags *flags;
    const char *const *argv; /* the rest */
    struct ctl_words *words;
    struct shim_error *err;
};

static const struct ctl_flag *find_name(const struct ctl_flags *flags, const char *name,
                                        size_t bytes)
{
    for (; flags; flags = flags->parent)
        for (size_t i = 0; i < flags->n; i++) {
            const struct ctl_flag *f = &flags->flag[i];

            if (f->name && strlen(f->name) == bytes && memcmp(f->name, name, bytes) == 0)
                return f;
        }
    return NULL;
}

static const struct ctl_flag *find_letter(const struct ctl_flags *flags, char letter)
{
    for (; flags; flags = flags->parent)
        for (size_t i = 0; i < flags->n; i++)
            if (flags->flag[i].letter == letter)
                return &flags->flag[i];
    return NULL;
}

static int set_value(const struct ctl_flag *f, const char *shown, const char *value,
                     struct shim_error *err)
{
    struct ctl_u64 *number = f->to;

    switch (f->kind) {
    case CTL_FLAG_BOOL:
        break;
    case CTL_FLAG_TEXT:
        *(const char **)f->to = value;
        break;
    case CTL_FLAG_U64:
        if (!shim_parse_u64(value, UINT64_MAX, &number->value))
            return shim_fail(err, CTL_E_USAGE, "%s: \"%s\" is not a number", shown, value);
        number->set = true;
        break;
    case CTL_FLAG_LIST:
        if (!shim_strv_add(f->to, value))
            return shim_fail_memory(err);
        break;
    }
    return 0;
}

/* `inlined` is the value that stands in the same word, NULL when there is none. */
static int take_flag(struct parser *p, const struct ctl_flag *f, const char *shown,
                     const char *inlined)
{
    if (f->kind == CTL_FLAG_BOOL) {
        if (inlined)
            return shim_fail(p->err, CTL_E_USAGE, "%s takes no value", shown);
        *(bool *)f->to = true;
        return 0;
    }
    if (!inlined) {
        if (!*p->argv)
            return shim_fail(p->err, CTL_E_USAGE, "%s needs a value", shown);
        inlined = *p->argv++;
    }
    return set_value(f, shown, inlined, p->err);
}

static int parse_long(struct parser *p, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t bytes = equals ? (size_t)(equals - word) - 2 : strlen(word) - 2;
    const struct ctl_flag *f = find_name(p->flags, word + 2, bytes);
    cleanup_free char *shown = shim_strf("%.*s", (int)bytes + 2, word);

    if (!shown)
        return shim_fail_memory(p->err);
    if (!f)
        return shim_fail(p->err, CTL_E_USAGE, "unknown flag %s", shown);
    return take_flag(p, f, shown, equals ? equals + 1 : NULL);
}

static int parse_letters(struct parser *p, const char *word)
{
    for (const char *at = word + 1; *at; at++) {
        const struct ctl_flag *f = find_letter(p->flags, *at);
        char shown[3] = {'-', *at, 0};
        int r;

        if (!f)
            return shim_fail(p->err, CTL_E_USAGE, "unknown flag %s in \"%s\"", shown, word);
        if (f->kind != CTL_FLAG_BOOL)
            return take_flag(p, f, shown, at[1] ? at + 1 : NULL);
        r = take_flag(p, f, shown, NULL);
        if (r < 0)
            return r;
    }
    return 0;
}

static int parse_all(struct parser *p, bool stop_at_word)
{
    bool flags_over = false;

    while (*p->argv) {
        const char *word = *p->argv++;
        int r = 0;

        if (!flags_over && strcmp(word, "--") == 0)
            flags_over = true;
        else if (!flags_over && shim_starts_with(word, "--"))
            r = parse_long(p, word);
        else if (!flags_over && word[0] == '-' && word[1])
            r = parse_letters(p, word);
        else {
            p->words->v[p->words->n++] = word;
            flags_over = flags_over || stop_at_word;
        }
        if (r < 0)
            return r;
    }
    p->words->v[p->words->n] = NULL;
    return 0;
}

int ctl_flags_parse(const struct ctl_flags *flags, bool stop_at_word, const char *const *argv,
                    struct ctl_words *ret, struct shim_error *err)
{
    cleanup_words struct ctl_words words = {0};
    struct parser p = {.flags = flags, .argv = argv, .words = &words, .err = err};
    size_t n = 0;
    int r;

    while (argv[n])
        n++;
    words.v = calloc(n + 1, sizeof(*words.v));
    if (!words.v)
        return shim_fail_memory(err);
    r = parse_all(&p, stop_at_word);
    if (r < 0)
        return r;
    *ret = words;
    words = (struct ctl_words){0};
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Flags of a command line. Pure. Threads: any. */
#pragma once
#include "base/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

enum ctl_flag_kind {
    CTL_FLAG_BOOL, /* bool */
    CTL_FLAG_TEXT, /* const char *, lent from argv */
    CTL_FLAG_U64,  /* struct ctl_u64 */
    CTL_FLAG_LIST, /* struct shim_strv: every time the flag comes adds one */
};
struct ctl_u64 {
    bool set;
    uint64_t value;
};
struct ctl_flag {
    char letter;      /* 0: none */
    const char *name; /* NULL: none */
    enum ctl_flag_kind kind;
    void *to;
};
struct ctl_flags {
    const struct ctl_flag *flag;
    size_t n;
    const struct ctl_flags *parent; /* looked into for what is not here; NULL: none */
};

/* What is left when the flags are taken out; the texts are lent from argv. */
struct ctl_words {
    const char **v; /* NULL-terminated once parsed */
    size_t n;
};
static inline void ctl_words_done(struct ctl_words *w)
{
    free(w->v);
    *w = (struct ctl_words){0};
}
#define cleanup_words SHIM_CLEANUP(ctl_words_done)

/**
 * Takes "--name value", "--name=value", "-n value", "-nvalue" and "-abc". "--" ends the flags, and
 * so does the first word with stop_at_word.
 *
 * @return 0; CTL_E_USAGE names the unknown flag, the missing or the wrong value.
 */
SHIM_MUST_USE int ctl_flags_parse(const struct ctl_flags *flags, bool stop_at_word,
                                  const char *const *argv, struct ctl_words *ret,
                                  struct shim_error *err);

/* SPDX-License-Identifier: Apache-2.0 */
/* What every command does with its words first. Pure. */
#include "shim/ctl/ctl.h"

int ctl_parse(struct ctl *c, const struct ctl_parse *how, const char *const *argv,
              struct ctl_words *ret, struct shim_error *err)
{
    const struct ctl_flags flags = {how->flag, how->n_flags, c->flags};
    cleanup_words struct ctl_words words = {0};
    int r = ctl_flags_parse(&flags, how->stop_at_word, argv, &words, err);

    if (r < 0)
        return r;
    if (c->help)
        return shim_fail(err, CTL_E_HELP, "help");
    if (words.n < how->min)
        return shim_fail(err, CTL_E_USAGE, words.n == 0 ? "the ID is missing" : "too few words");
    if (words.n > how->max)
        return shim_fail(err, CTL_E_USAGE, "\"%s\" is too much", words.v[how->max]);
    *ret = words;
    words = (struct ctl_words){0};
    return 0;
}

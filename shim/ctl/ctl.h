/* SPDX-License-Identifier: Apache-2.0 */
/* What all commands of shimctl share: the global flags and how a command is called. */
#pragma once
#include "base/error.h"
#include "shim/ctl/flags.h"
#include <stdbool.h>
#include <stddef.h>

struct ctl {
    const char *shim;      /* --shim; NULL: beside shimctl, else from PATH */
    const char *ns;        /* --namespace */
    const char *state_dir; /* --state; absolute once main has run */
    const char *address;   /* --address: a shim that somebody else started; NULL: by bundle */
    const char *provider;  /* --provider; NULL: the shim's own choice */
    bool json, debug, help;
    const struct ctl_flags *flags; /* the global ones, allowed after the command as well */
};

/* Beside enum shim_code: a command line that cannot be (exit status 2), and --help (status 0). */
#define CTL_E_USAGE (-100)
#define CTL_E_HELP  (-101)

/* Exit status of a command that answers with a container's, when shimctl itself fails. */
#define CTL_EXIT_OWN_FAILURE 125

/* Returns the exit status, or a negative code with `err` set. argv starts after the command. */
typedef int ctl_command(struct ctl *c, const char *const *argv, struct shim_error *err);

ctl_command ctl_run, ctl_exec, ctl_ps, ctl_state, ctl_kill, ctl_pause, ctl_resume, ctl_resize,
    ctl_update, ctl_stats, ctl_wait, ctl_delete, ctl_shutdown, ctl_checkpoint, ctl_events;

/**
 * Parses a command's words: its own flags and the global ones anywhere, or only up to the first
 * word (`stop_at_word`).
 *
 * @param ret  between min and max words; free with ctl_words_done().
 * @return     0, CTL_E_USAGE, CTL_E_HELP, SHIM_E_EXHAUSTED.
 */
struct ctl_parse {
    const struct ctl_flag *flag;
    size_t n_flags;
    bool stop_at_word;
    size_t min, max; /* words */
};
SHIM_MUST_USE int ctl_parse(struct ctl *c, const struct ctl_parse *how, const char *const *argv,
                            struct ctl_words *ret, struct shim_error *err);

/* Whether `name` may be a namespace, container or exec id: at most 76 bytes, letters and digits in
 * groups joined by single '.', '_' or '-'. SHIM_E_INVALID says which `what` is not. */
SHIM_MUST_USE int ctl_check_name(const char *what, const char *name, struct shim_error *err);

/* Around a step whose failure changes nothing for anybody. */
static inline void ctl_best_effort(int r)
{
    (void)r;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* shimctl: does for a shim what containerd does. Global flags and the table of commands. */
#include "base/child.h"
#include "base/str.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/output.h"
#include "shim/ctl/platform.h"
#include "shim/ctl/signals.h"
#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    ctl_command *run;
    bool watches_signals;
    bool exits_as_container; /* its exit status is the container's */
    const char *synopsis;
    const char *help;
};

static const struct command commands[] = {
    {"run", ctl_run, true, true,
     "[-it] [-d] [--rm] (--rootfs DIR | --config FILE) [--env K=V] [--cwd DIR] [--events] "
     "[--log-uri URI] [--runtime-config FILE] [--bootstrap] ID [ARGS…]",
     "start a shim, create and start a container"},
    {"exec", ctl_exec, true, true, "[-it] [--env K=V] [--cwd DIR] [--exec-id NAME] ID ARGS…",
     "run one more process in a container"},
    {"ps", ctl_ps, false, false, "[ID]", "list the containers, or a container's processes"},
    {"state", ctl_state, false, false, "[--exec-id NAME] ID", "show what a process is doing"},
    {"kill", ctl_kill, false, false, "[-s SIGNAL] [--all] [--exec-id NAME] ID",
     "send a signal (TERM)"},
    {"pause", ctl_pause, false, false, "ID", "stop the processes of a container for a while"},
    {"resume", ctl_resume, false, false, "ID", "let them go on"},
    {"resize", ctl_resize, false, false, "[--exec-id NAME] ID WIDTH HEIGHT",
     "change the size of a terminal"},
    {"update", ctl_update, false, false,
     "(--memory BYTES | --cpus N | --pids N | --resources FILE|-) ID", "change limits"},
    {"stats", ctl_stats, false, false, "ID", "show what a container uses"},
    {"wait", ctl_wait, false, true, "[--exec-id NAME] ID", "wait until a process ends"},
    {"checkpoint", ctl_checkpoint, false, false, "[--exit] ID DIR",
     "write an image of a container"},
    {"delete", ctl_delete, false, false, "[--force] ID", "take a container and its shim away"},
    {"shutdown", ctl_shutdown, false, false, "ID", "ask a shim without containers to end"},
    {"events", ctl_events, true, false, "[ID…]", "print events as shims bring them"},
};

static const char usage_head[] =
    "Usage: shimctl [FLAGS] COMMAND …\n\n"
    "Does for a containerd shim what containerd does: starts it, calls it, takes its events.\n\n"
    "  --shim PATH        the shim to start (containerd-shim-hcs-v1)\n"
    "  --namespace, -n NS containerd namespace (default)\n"
    "  --state DIR        where bundles are kept\n"
    "  --address ADDR     call the shim that listens there, whoever started it\n"
    "  --provider NAME    \"linux\" or \"emulated\" (no isolation, no privileges needed)\n"
    "  --json             one JSON object per line\n"
    "  --debug            debug log of the shim on standard error\n"
    "  --version\n\n";

static int print_usage(void)
{
    fputs(usage_head, stdout);
    for (size_t i = 0; i < SHIM_ARRAY_LEN(commands); i++)
        printf("  %-11s %s\n", commands[i].name, commands[i].help);
    fputs("\nshimctl COMMAND --help tells more.\n", stdout);
    return fflush(stdout) == 0 ? 0 : 1;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < SHIM_ARRAY_LEN(commands); i++)
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    return NULL;
}

/* What has to be there before any thread is. */
static int prepare(const struct command *command, struct shim_error *err)
{
    int r;

    if (command->watches_signals)
        ctl_signals_block();
    r = shim_child_init(false, err);
    return r < 0 ? r : shim_child_start_reaper(err);
}

/* Bundles tell which program to run and whom to talk to: they have to be the user's own. */
static int open_state_dir(struct ctl *c, char **ret_owned, struct shim_error *err)
{
    int r;

    if (c->state_dir)
        r = ctl_path_absolute(c->state_dir, ret_owned, err);
    else
        r = (*ret_owned = ctl_default_state_dir()) ? 0 : shim_fail_memory(err);
    c->state_dir = *ret_owned;
    return r < 0 ? r : ctl_dir_private(c->state_dir, err);
}

static int finish(const struct command *command, int r, const struct shim_error *err)
{
    if (r >= 0)
        return r;
    if (r == CTL_E_HELP) {
        printf("Usage: shimctl [FLAGS] %s %s\n\n%s\n", command->name, command->synopsis,
               command->help);
        return 0;
    }
    if (r == CTL_E_USAGE) {
        fprintf(stderr, "shimctl: %s: %s (see shimctl %s --help)\n", command->name, err->msg,
                command->name);
        return 2;
    }
    ctl_say("%s: %s", command->name, err->msg);
    return command->exits_as_container ? CTL_EXIT_OWN_FAILURE : 1;
}

static int run_command(struct ctl *c, const struct command *command, const char *const *argv)
{
    cleanup_free char *state_dir = NULL;
    struct shim_error err = {0};
    int r = ctl_check_name("namespace", c->ns, &err);

    if (r >= 0)
        r = prepare(command, &err);
    if (r >= 0 && !c->help)
        r = open_state_dir(c, &state_dir, &err);
    if (r >= 0)
        r = command->run(c, argv, &err);
    return finish(command, r, &err);
}

int main(int argc, char **argv)
{
    struct ctl c = {.ns = "default"};
    bool version = false;
    const struct ctl_flag flag[] = {
        {0, "shim", CTL_FLAG_TEXT, &c.shim},         {'n', "namespace", CTL_FLAG_TEXT, &c.ns},
        {0, "state", CTL_FLAG_TEXT, &c.state_dir},   {0, "address", CTL_FLAG_TEXT, &c.address},
        {0, "provider", CTL_FLAG_TEXT, &c.provider}, {0, "json", CTL_FLAG_BOOL, &c.json},
        {0, "debug", CTL_FLAG_BOOL, &c.debug},       {'h', "help", CTL_FLAG_BOOL, &c.help},
        {0, "version", CTL_FLAG_BOOL, &version},
    };
    const struct ctl_flags flags = {flag, SHIM_ARRAY_LEN(flag), NULL};
    cleanup_words struct ctl_words words = {0};
    const struct command *command;
    struct shim_error err;

    c.flags = &flags;
    if (argc < 1 ||
        ctl_flags_parse(&flags, true, (const char *const *)argv + 1, &words, &err) < 0) {
        fprintf(stderr, "shimctl: %s (see shimctl --help)\n", argc < 1 ? "no arguments" : err.msg);
        return 2;
    }
    if (version)
        return printf("shimctl %s\n", SHIM_VERSION) < 0;
    if (words.n == 0 && c.help)
        return print_usage();
    command = words.n ? find_command(words.v[0]) : NULL;
    if (!command) {
        fprintf(stderr, "shimctl: %s%s (see shimctl --help)\n",
                words.n ? "unknown command " : "a command is missing", words.n ? words.v[0] : "");
        return 2;
    }
    return run_command(&c, command, words.v + 1);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Parses our command line. Promises not to print and not to exit. */
#include "shim/cli.h"
#include <stddef.h>
#include <string.h>

const char shim_cli_usage[] =
    "usage: containerd-shim-hcs-v1 [flags] start|serve|delete\n"
    "\n"
    "A containerd shim; containerd runs it, `shimctl` does without containerd.\n"
    "\n"
    "  -namespace NS         containerd's namespace\n"
    "  -id ID                container id (serve: the id the shim is named by)\n"
    "  -address ADDR         address of containerd's gRPC endpoint\n"
    "  -publish-binary PATH  containerd itself, to publish events without ttrpc\n"
    "  -bundle DIR           the bundle (delete)\n"
    "  -socket ADDR          where to listen (serve)\n"
    "  -debug                log more\n"
    "  -info                 describe the runtime (protobuf on standard output)\n"
    "  -v, -version          print the version\n";

struct flag {
    const char *name;
    size_t at;
    bool is_bool;
};

#define TEXT(flag_name, field)                                                                     \
    {                                                                                              \
        flag_name, offsetof(struct shim_cli, field), false                                         \
    }
#define BOOL(flag_name, field)                                                                     \
    {                                                                                              \
        flag_name, offsetof(struct shim_cli, field), true                                          \
    }
static const struct flag flags[] = {
    TEXT("namespace", ns),    TEXT("id", id),
    TEXT("address", address), TEXT("publish-binary", publish_binary),
    TEXT("bundle", bundle),   TEXT("socket", socket),
    BOOL("debug", debug),     BOOL("v", version),
    BOOL("version", version), BOOL("info", info),
    BOOL("h", help),          BOOL("help", help),
};

static const struct flag *find_flag(const char *name, size_t name_bytes)
{
    for (size_t i = 0; i < SHIM_ARRAY_LEN(flags); i++)
        if (strlen(flags[i].name) == name_bytes && memcmp(flags[i].name, name, name_bytes) == 0)
            return &flags[i];
    return NULL;
}

/* The spellings that Go's flag package takes for a boolean. */
static int parse_bool(const char *value, bool *ret)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};

    for (size_t i = 0; i < SHIM_ARRAY_LEN(yes); i++) {
        if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
            *ret = strcmp(value, yes[i]) == 0;
            return 0;
        }
    }
    return SHIM_E_INVALID;
}

/* Takes the flag at argv[*at] with its value and moves *at behind it. */
static int parse_flag(int argc, char **argv, int *at, struct shim_cli *cli, struct shim_error *err)
{
    const char *word = argv[*at], *name = word + (word[1] == '-' ? 2 : 1);
    const char *value = strchr(name, '=');
    const struct flag *flag = find_flag(name, value ? (size_t)(value - name) : strlen(name));
    void *field;

    if (!flag)
        return shim_fail(err, SHIM_E_INVALID, "flag provided but not defined: %s", word);
    field = (char *)cli + flag->at;
    ++*at;
    if (value)
        value++;
    if (flag->is_bool) {
        *(bool *)field = true;
        if (value && parse_bool(value, field) < 0)
            return shim_fail(err, SHIM_E_INVALID, "invalid boolean value \"%s\" for -%s", value,
                             flag->name);
        return 0;
    }
    if (!value) {
        if (*at >= argc)
            return shim_fail(err, SHIM_E_INVALID, "flag needs an argument: -%s", flag->name);
        value = argv[(*at)++];
    }
    *(const char **)field = value;
    return 0;
}

static int parse_action(const char *word, enum shim_action *ret, struct shim_error *err)
{
    static const char *const words[] = {"", "start", "serve", "delete"};

    for (size_t i = 1; i < SHIM_ARRAY_LEN(words); i++) {
        if (strcmp(word, words[i]) == 0) {
            *ret = (enum shim_action)i;
            return 0;
        }
    }
    return shim_fail(err, SHIM_E_INVALID, "unknown action \"%s\": want start, serve or delete",
                     word);
}

int shim_cli_parse(int argc, char **argv, struct shim_cli *ret, struct shim_error *err)
{
    struct shim_cli cli = {
        .ns = "", .id = "", .address = "", .publish_binary = "", .bundle = "", .socket = ""};
    int at = 1, r;

    while (at < argc && argv[at][0] == '-' && argv[at][1]) {
        if (strcmp(argv[at], "--") == 0) {
            at++;
            break;
        }
        r = parse_flag(argc, argv, &at, &cli, err);
        if (r < 0)
            return r;
    }
    if (at < argc) {
        cli.action_word = argv[at++];
        r = parse_action(cli.action_word, &cli.action, err);
        if (r < 0)
            return r;
    }
    if (at < argc)
        return shim_fail(err, SHIM_E_INVALID, "unexpected argument \"%s\" after the action",
                         argv[at]);
    *ret = cli;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* containerd-shim-hcs-v1: finds out what is wanted and does it. */
#include "shim/shim.h"
#include <stdio.h>

static int print_version(const char *program)
{
    printf("%s:\n  Version:  %s\n\n", program, SHIM_VERSION);
    return 0;
}

int main(int argc, char **argv)
{
    struct shim_error err;
    struct shim_cli cli;

    if (shim_cli_parse(argc, argv, &cli, &err) < 0) {
        fprintf(stderr, "containerd-shim-hcs-v1: %s\n%s", err.msg, shim_cli_usage);
        return 2;
    }
    if (cli.help) {
        fputs(shim_cli_usage, stdout);
        return 0;
    }
    if (cli.version)
        return print_version("containerd-shim-hcs-v1");
    if (cli.info)
        return shim_info_main();
    switch (cli.action) {
    case SHIM_ACTION_START:
        return shim_start_main(&cli);
    case SHIM_ACTION_SERVE:
        return shim_serve_main(&cli);
    case SHIM_ACTION_DELETE:
        return shim_delete_main(&cli);
    case SHIM_ACTION_NONE:
        break;
    }
    fprintf(stderr, "containerd-shim-hcs-v1: no action: want start, serve or delete\n%s",
            shim_cli_usage);
    return 2;
}

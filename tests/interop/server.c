/* SPDX-License-Identifier: Apache-2.0 */
/* The echo service on our server, for Go's client. Usage: interop_server SOCKET; ends on
 * SIGTERM. */
#include "tests/unit/ttrpc/echo.h"
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static int serve(struct echo *echo, const char *socket, struct ttrpc_server **ret,
                 struct shim_error *err)
{
    static const struct ttrpc_server_config config = {.same_user_only = true};
    int r = ttrpc_server_new(&config, ret, err);

    if (r == 0)
        r = ttrpc_server_add(*ret, ECHO_NAME, &echo->service.base, err);
    if (r == 0)
        r = ttrpc_server_listen(*ret, socket, err);
    return r;
}

int main(int argc, char **argv)
{
    struct ttrpc_server *server = NULL;
    struct shim_error err = {0};
    struct echo echo;
    sigset_t term;
    int signal;

    if (argc != 2)
        return 2;
    sigemptyset(&term);
    sigaddset(&term, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &term, NULL);
    echo_init(&echo);
    if (serve(&echo, argv[1], &server, &err) < 0) {
        fprintf(stderr, "%s\n", err.msg);
        return 1;
    }
    printf("ready\n");
    fflush(stdout);
    sigwait(&term, &signal);
    ttrpc_server_close(server, 1000);
    echo_done(&echo);
    ttrpc_server_free(server);
    return 0;
}

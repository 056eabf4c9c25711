/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls the echo service of Go's ttrpc with our client. Prints a line for each case.
 * Usage: interop_client SOCKET PID-OF-THE-SERVER (which the last case ends).
 */
#include "ttrpc/client.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/thread.h"
#include "tests/unit/ttrpc/echo.pb-c.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define WAIT_NS (10 * SHIM_NS_PER_S)

static const char *address;
static int server_pid;
static struct ttrpc_client *client;

/* --- calls ---------------------------------------------------------------------------------- */

static int call_with(struct ttrpc_client *c, const ProtobufCServiceDescriptor *service,
                     const char *method, const char *text, const struct ttrpc_call_options *options,
                     char **ret, struct shim_error *err)
{
    Echo__Text request = ECHO__TEXT__INIT;
    ProtobufCMessage *answer = NULL;
    int r;

    request.value = (char *)text;
    r = ttrpc_client_call(c, service, method, &request.base, options, &answer, err);
    if (r < 0)
        return r;
    *ret = strdup(((Echo__Text *)answer)->value);
    protobuf_c_message_free_unpacked(answer, NULL);
    return *ret ? 0 : shim_fail_memory(err);
}

static int call(const char *method, const char *text, char **ret, struct shim_error *err)
{
    const struct ttrpc_call_options options = {.timeout_ns = WAIT_NS};

    return call_with(client, &echo__echo__descriptor, method, text, &options, ret, err);
}

/* Calls and compares; on a difference the error says what was expected. */
static int expect_answer(const char *method, const char *text, const char *want,
                         struct shim_error *err)
{
    cleanup_free char *got = NULL;
    int r = call(method, text, &got, err);

    if (r == 0 && strcmp(got, want) != 0)
        return shim_fail(err, SHIM_E_UNKNOWN, "got %.40s, expected %.40s", got, want);
    return r;
}

static int say(const char *text, struct shim_error *err)
{
    return expect_answer("Say", text, text, err);
}

/* Turns the error that was expected into success, and all else into a failure. */
static int expect_error(int r, int code, const char *message, struct shim_error *err)
{
    if (r == code && (!message || strcmp(err->msg, message) == 0))
        return 0;
    if (r == 0)
        return shim_fail(err, SHIM_E_UNKNOWN, "succeeded, expected code %d", code);
    return shim_wrap(err, SHIM_E_UNKNOWN, "code %d, expected %d %s", r, code,
                     message ? message : "");
}

/* --- cases ---------------------------------------------------------------------------------- */

static int unary(struct shim_error *err)
{
    cleanup_free char *text = malloc(100001);
    int r;

    memset(text, 'x', 100000);
    text[100000] = 0;
    r = say("hello", err);
    if (r == 0)
        r = say("", err);
    if (r == 0)
        r = say("caf\xc3\xa9 \xe4\xb8\x96", err);
    return r < 0 ? r : say(text, err);
}

static int status_codes(struct shim_error *err)
{
    int r = 0;

    for (int code = 1; code <= 16 && r == 0; code++) {
        char text[64], want[64];
        char *got;

        snprintf(text, sizeof(text), "%d detail %d: words", code, code);
        snprintf(want, sizeof(want), "detail %d: words", code);
        r = expect_error(call("Fail", text, &got, err), -code, want, err);
    }
    return r;
}

static int metadata(struct shim_error *err)
{
    const struct ttrpc_metadata pairs[] = {
        {"containerd-namespace-ttrpc", "k8s.io"}, {"many", "one"}, {"many", "two"}};
    const struct ttrpc_call_options options = {.metadata = pairs, .n_metadata = 3};
    cleanup_free char *ns = NULL, *many = NULL, *none = NULL;
    int r = call_with(client, &echo__echo__descriptor, "Meta", "containerd-namespace-ttrpc",
                      &options, &ns, err);

    if (r == 0)
        r = call_with(client, &echo__echo__descriptor, "Meta", "many", &options, &many, err);
    if (r < 0)
        return r;
    if (strcmp(ns, "k8s.io") != 0 || strcmp(many, "one") != 0)
        return shim_fail(err, SHIM_E_UNKNOWN, "got %s and %s", ns, many);
    return expect_error(call("Meta", "none", &none, err), SHIM_E_NOT_FOUND,
                        "no such metadata: not found", err);
}

static int unknown_names(struct shim_error *err)
{
    struct ttrpc_call_options options = {.service = "echo.Unheard"};
    char *got;
    int r = expect_error(call_with(client, &echo__echo__descriptor, "Say", "", &options, &got, err),
                         SHIM_E_UNIMPLEMENTED, "service echo.Unheard", err);

    options.service = "echo.Echo";
    if (r == 0) /* a method that only the other side does not know */
        r = expect_error(
            call_with(client, &echo__task__descriptor, "Connect", "", &options, &got, err),
            SHIM_E_UNIMPLEMENTED, "method Connect", err);
    return r;
}

/* The server's context ends as well: then nobody is parked any more. */
static int deadline(struct shim_error *err)
{
    const struct ttrpc_call_options options = {.timeout_ns = 50 * SHIM_NS_PER_MS};
    int64_t until_ns = shim_monotonic_ns() + WAIT_NS;
    char *got;
    int r =
        expect_error(call_with(client, &echo__echo__descriptor, "Park", "x", &options, &got, err),
                     SHIM_E_DEADLINE, "context deadline exceeded", err);

    if (r < 0)
        return r;
    do {
        r = expect_answer("Release", "", "0", err);
    } while (r < 0 && shim_monotonic_ns() < until_ns);
    return r;
}

struct count {
    struct shim_mutex lock;
    struct shim_cond changed;
    int done, ok;
    int last_code;
};

static void on_done(const ProtobufCMessage *answer, const struct shim_error *err, void *user)
{
    struct count *count = user;

    shim_lock(&count->lock);
    count->done++;
    if (answer)
        count->ok++;
    else
        count->last_code = err->code;
    shim_cond_broadcast(&count->changed);
    shim_unlock(&count->lock);
}

static int start(struct ttrpc_client *c, struct count *count, const char *method, const char *text,
                 uint32_t *ret_id, struct shim_error *err)
{
    Echo__Text request = ECHO__TEXT__INIT;

    request.value = (char *)text;
    return ttrpc_client_start(c, &echo__echo__descriptor, method, &request.base, NULL, on_done,
                              count, ret_id, err);
}

static int wait_done(struct count *count, int n, struct shim_error *err)
{
    int64_t until_ns = shim_monotonic_ns() + WAIT_NS;
    bool in_time = true;
    int done;

    shim_lock(&count->lock);
    while (count->done < n && in_time)
        in_time = shim_cond_wait_until(&count->changed, &count->lock, until_ns);
    done = count->done;
    shim_unlock(&count->lock);
    return done == n ? 0 : shim_fail(err, SHIM_E_DEADLINE, "%d of %d calls done", done, n);
}

static void count_init(struct count *count)
{
    *count = (struct count){.done = 0};
    shim_mutex_init(&count->lock);
    shim_cond_init(&count->changed);
}

/* Releases until n parked calls were answered: requests of one connection may overtake. */
static int release(int n, struct shim_error *err)
{
    int64_t until_ns = shim_monotonic_ns() + WAIT_NS;

    while (n > 0 && shim_monotonic_ns() < until_ns) {
        cleanup_free char *got = NULL;
        int r = call("Release", "", &got, err);

        if (r < 0)
            return r;
        n -= atoi(got);
    }
    return n == 0 ? 0 : shim_fail(err, SHIM_E_DEADLINE, "%d calls not released", n);
}

static int parked(struct shim_error *err)
{
    enum { N = 1000 };
    struct count count;
    int r = 0;

    count_init(&count);
    for (int i = 0; i < N && r == 0; i++)
        r = start(client, &count, "Park", "x", NULL, err);
    if (r == 0)
        r = say("not held up", err);
    if (r == 0)
        r = release(N, err);
    if (r == 0)
        r = wait_done(&count, N, err);
    if (r == 0 && count.ok != N)
        return shim_fail(err, count.last_code, "%d of %d calls failed", N - count.ok, N);
    return r;
}

static int burst(struct shim_error *err)
{
    enum { N = 10000 };
    struct count count;
    int r = 0;

    count_init(&count);
    for (int i = 0; i < N && r == 0; i++)
        r = start(client, &count, "Say", "in a burst", NULL, err);
    if (r == 0)
        r = wait_done(&count, N, err);
    if (r == 0 && count.ok != N)
        return shim_fail(err, count.last_code, "%d of %d calls failed", N - count.ok, N);
    return r;
}

static int cancellation(struct shim_error *err)
{
    struct count count;
    uint32_t id;
    int r;

    count_init(&count);
    r = start(client, &count, "Park", "x", &id, err);
    if (r < 0)
        return r;
    ttrpc_client_cancel(client, id);
    r = wait_done(&count, 1, err);
    if (r == 0 && count.last_code != SHIM_E_CANCELED)
        return shim_fail(err, count.last_code, "not canceled");
    return r < 0 ? r : release(1, err);
}

/* What is around a text without a deadline: service 11, method 5, payload and text 5 each. */
#define AROUND 26

static int say_long(size_t bytes, struct shim_error *err)
{
    cleanup_free char *text = malloc(bytes + 1), *got = NULL;
    int r;

    memset(text, 'x', bytes);
    text[bytes] = 0;
    r = call_with(client, &echo__echo__descriptor, "Say", text, NULL, &got, err);
    if (r == 0 && strcmp(got, text) != 0)
        return shim_fail(err, SHIM_E_UNKNOWN, "%zu bytes came back as %zu", bytes, strlen(got));
    return r;
}

static int longest_request(struct shim_error *err)
{
    return say_long(TTRPC_DATA_MAX_BYTES - AROUND, err);
}

static int oversized_request(struct shim_error *err)
{
    int r = expect_error(say_long(TTRPC_DATA_MAX_BYTES - AROUND + 1, err), SHIM_E_EXHAUSTED,
                         "message length 4194305 exceed maximum message size of 4194304", err);

    return r < 0 ? r : say("still here", err);
}

static int longest_answer(struct shim_error *err)
{
    cleanup_free char *got = NULL;
    int r = call("Repeat", "4194294", &got, err);

    if (r == 0 && strlen(got) != 4194294)
        return shim_fail(err, SHIM_E_UNKNOWN, "%zu bytes", strlen(got));
    return r;
}

static int oversized_answer(struct shim_error *err)
{
    char *got;
    int r = expect_error(call("Repeat", "4194295", &got, err), SHIM_E_EXHAUSTED,
                         "message length 4194305 exceed maximum message size of 4194304", err);

    return r < 0 ? r : say("still here", err);
}

static int many_connections(struct shim_error *err)
{
    const struct ttrpc_call_options options = {.timeout_ns = WAIT_NS};
    int r = 0;

    for (int i = 0; i < 20 && r == 0; i++) {
        struct ttrpc_client *other = NULL;
        cleanup_free char *got = NULL;

        r = ttrpc_client_connect(address, 5000, NULL, NULL, &other, err);
        if (r == 0)
            r = call_with(other, &echo__echo__descriptor, "Say", "each", &options, &got, err);
        ttrpc_client_free(other);
    }
    return r;
}

static void on_lost(void *user)
{
    on_done(NULL, &(struct shim_error){.code = SHIM_E_UNAVAILABLE}, user);
}

static int end_of_server(struct shim_error *err)
{
    struct ttrpc_client *other = NULL;
    struct count count;
    int r;

    count_init(&count);
    r = ttrpc_client_connect(address, 5000, on_lost, &count, &other, err);
    if (r < 0)
        return r;
    r = start(other, &count, "Park", "x", NULL, err);
    if (r == 0)
        kill(server_pid, SIGTERM);
    if (r == 0)
        r = wait_done(&count, 2, err); /* the call, and the connection */
    if (r == 0 && count.last_code != SHIM_E_UNAVAILABLE)
        r = shim_fail(err, SHIM_E_UNKNOWN, "the call ended with code %d", count.last_code);
    ttrpc_client_free(other);
    return r;
}

/* --- all of them ---------------------------------------------------------------------------- */

static const struct {
    const char *name;
    int (*run)(struct shim_error *err);
} cases[] = {
    {"unary calls", unary},
    {"status codes and messages", status_codes},
    {"metadata", metadata},
    {"unknown service and method", unknown_names},
    {"deadline, kept by both sides", deadline},
    {"cancellation", cancellation},
    {"1000 parked calls", parked},
    {"10000 calls at once", burst},
    {"request of exactly 4 MiB", longest_request},
    {"request over 4 MiB", oversized_request},
    {"answer of exactly 4 MiB", longest_answer},
    {"answer over 4 MiB", oversized_answer},
    {"20 connections", many_connections},
    {"end of the server", end_of_server},
};

int main(int argc, char **argv)
{
    struct shim_error err = {0};
    int failed = 0;

    if (argc != 3)
        return 2;
    address = argv[1];
    server_pid = atoi(argv[2]);
    if (ttrpc_client_connect(address, 5000, NULL, NULL, &client, &err) < 0) {
        printf("FAIL our client: %s\n", err.msg);
        return 1;
    }
    for (size_t i = 0; i < SHIM_ARRAY_LEN(cases); i++) {
        if (cases[i].run(&err) == 0) {
            printf("pass our client: %s\n", cases[i].name);
        } else {
            printf("FAIL our client: %s: %.300s\n", cases[i].name, err.msg);
            failed = 1;
        }
        fflush(stdout);
    }
    ttrpc_client_free(client);
    return failed;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Starts loggers, waits until they are ready, and ends them in the background. */
#include "shim/posix/logger.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "base/thread.h"
#include "shim/posix/fifo.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define STATUS_MS 1000 /* how long to wait for the exit status of a logger that failed */

struct shim_logger {
    char *path;
    unsigned drain_ms, term_ms;
    int64_t pid;
    unsigned refs; /* its user's and the reaper's */
    bool exited;
    uint32_t status;
};

static struct {
    struct shim_mutex lock; /* for all loggers; leaf */
    struct shim_cond cond;
    unsigned stopping;
    bool hurry; /* no more waiting: kill */
} all = {.lock = SHIM_MUTEX_INIT};

static void init_cond(void)
{
    shim_cond_init(&all.cond);
}

static void init_once(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, init_cond);
}

static void logger_free(struct shim_logger *l)
{
    free(l->path);
    free(l);
}

static void unref(struct shim_logger *l)
{
    bool last;

    shim_lock(&all.lock);
    last = --l->refs == 0;
    shim_unlock(&all.lock);
    if (last)
        logger_free(l);
}

static void unrefp(struct shim_logger **l)
{
    if (*l)
        unref(*l);
}

static void on_exit_of_logger(int64_t pid, const struct shim_exit *exit, void *user)
{
    struct shim_logger *l = user;

    (void)pid;
    shim_lock(&all.lock);
    l->exited = true;
    l->status = exit->status;
    shim_cond_broadcast(&all.cond);
    shim_unlock(&all.lock);
    unref(l);
}

/* True once it has ended; false after `ms` or when there is no time left for any logger. */
static bool wait_exit(struct shim_logger *l, unsigned ms)
{
    int64_t deadline_ns = shim_monotonic_ns() + (int64_t)ms * SHIM_NS_PER_MS;
    bool exited, in_time = true;

    shim_lock(&all.lock);
    while (!l->exited && !all.hurry && in_time)
        in_time = shim_cond_wait_until(&all.cond, &all.lock, deadline_ns);
    exited = l->exited;
    shim_unlock(&all.lock);
    return exited;
}

/* Already ended is what we want, so errors do not matter. */
static void send_signal(struct shim_logger *l, int signal)
{
    struct shim_error err;

    if (shim_child_kill(l->pid, signal, &err) < 0 && err.code != SHIM_E_NOT_FOUND)
        shim_log(SHIM_WARN, "logger %s: signal %d: %s", l->path, signal, err.msg);
}

struct channel {
    int read, write;
};

static int channel_open(struct channel *ret, struct shim_error *err)
{
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) < 0)
        return shim_fail_os(err, (uint32_t)errno, "make a pipe for the logger");
    *ret = (struct channel){fds[0], fds[1]};
    return 0;
}

static void channel_close(struct channel *c)
{
    shim_fd_close(&c->read);
    shim_fd_close(&c->write);
}
#define cleanup_channel SHIM_CLEANUP(channel_close)

static int build_command(const struct shim_logger_config *config, struct shim_strv *ret_argv,
                         struct shim_strv *ret_env, struct shim_error *err)
{
    bool ok = shim_strv_add(ret_argv, config->path);

    for (const char *const *arg = config->args; ok && arg && *arg; arg++)
        ok = shim_strv_add(ret_argv, *arg);
    ok = ok && shim_strv_addf(ret_env, "CONTAINER_ID=%s", config->id);
    ok = ok && shim_strv_addf(ret_env, "CONTAINER_NAMESPACE=%s", config->ns);
    return ok ? 0 : shim_fail_memory(err);
}

/* 3 and 4 are the outputs, 5 the pipe it says "ready" on. */
static int spawn(struct shim_logger *l, const struct shim_logger_config *config, int out, int error,
                 int ready, struct shim_error *err)
{
    cleanup_strv struct shim_strv argv = {0};
    cleanup_strv struct shim_strv env = {0};
    const struct shim_child_fd fds[] = {{out, 3}, {error, 4}, {ready, 5}};
    struct shim_spawn child = {.fds = fds, .n_fds = SHIM_ARRAY_LEN(fds)};
    int r;

    r = build_command(config, &argv, &env, err);
    if (r < 0)
        return r;
    child.argv = (const char *const *)argv.v;
    child.env = (const char *const *)env.v;
    l->refs++; /* the reaper's, before it can call */
    r = shim_child_spawn(&child, on_exit_of_logger, l, &l->pid, err);
    if (r < 0)
        l->refs--;
    return r;
}

static int not_ready(struct shim_logger *l, struct shim_error *err)
{
    if (wait_exit(l, STATUS_MS))
        return shim_fail(err, SHIM_E_UNAVAILABLE, "it ended with status %u before it was ready",
                         l->status);
    return shim_fail(err, SHIM_E_UNAVAILABLE, "it closed descriptor 5 without saying it is ready");
}

static int wait_ready(struct shim_logger *l, const struct shim_logger_config *config, int ready,
                      struct shim_error *err)
{
    int64_t deadline_ns = shim_monotonic_ns() + (int64_t)config->ready_ms * SHIM_NS_PER_MS;
    struct pollfd p = {.fd = ready, .events = POLLIN};
    int64_t left_ms;
    ssize_t n;
    char byte;

    do {
        left_ms = (deadline_ns - shim_monotonic_ns()) / SHIM_NS_PER_MS;
    } while (left_ms > 0 && poll(&p, 1, (int)left_ms) < 0 && errno == EINTR);
    if (!p.revents)
        return shim_fail(err, SHIM_E_DEADLINE, "not ready within %u ms", config->ready_ms);
    do {
        n = read(ready, &byte, 1);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return shim_fail_os(err, (uint32_t)errno, "read its ready pipe");
    return n == 0 && config->must_say_ready ? not_ready(l, err) : 0;
}

static struct shim_logger *logger_new(const struct shim_logger_config *config)
{
    struct shim_logger *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    *l = (struct shim_logger){
        .path = strdup(config->path),
        .drain_ms = config->drain_ms,
        .term_ms = config->term_ms,
        .refs = 1,
    };
    if (l->path)
        return l;
    logger_free(l);
    return NULL;
}

int shim_logger_start(const struct shim_logger_config *config, struct shim_logger **ret,
                      int *ret_out, int *ret_err, struct shim_error *err)
{
    SHIM_CLEANUP(unrefp) struct shim_logger *l = NULL;
    cleanup_channel struct channel out = {-1, -1};
    cleanup_channel struct channel error = {-1, -1};
    cleanup_channel struct channel ready = {-1, -1};
    int r;

    init_once();
    l = logger_new(config);
    if (!l)
        return shim_fail_memory(err);
    r = channel_open(&out, err);
    r = r < 0 ? r : channel_open(&error, err);
    r = r < 0 ? r : channel_open(&ready, err);
    r = r < 0 ? r : spawn(l, config, out.read, error.read, ready.write, err);
    if (r < 0)
        return shim_wrap(err, r, "start logger %s", config->path);
    shim_fd_close(&ready.write); /* or its end would never read as one */

    r = wait_ready(l, config, ready.read, err);
    if (r < 0) {
        send_signal(l, SIGKILL);
        wait_exit(l, STATUS_MS);
        return shim_wrap(err, r, "logger %s", config->path);
    }
    *ret_out = out.write;
    *ret_err = error.write;
    out.write = error.write = -1;
    *ret = shim_take(l);
    return 0;
}

static void stopped(struct shim_logger *l)
{
    unref(l);
    shim_lock(&all.lock);
    all.stopping--;
    shim_cond_broadcast(&all.cond);
    shim_unlock(&all.lock);
}

static void stop(void *arg)
{
    struct shim_logger *l = arg;

    if (!wait_exit(l, l->drain_ms))
        send_signal(l, SIGTERM);
    if (!wait_exit(l, l->term_ms)) {
        shim_log(SHIM_WARN, "logger %s has not ended, killing it", l->path);
        send_signal(l, SIGKILL);
    }
    stopped(l);
}

void shim_logger_stop(struct shim_logger *l)
{
    struct shim_thread thread;
    struct shim_error err;

    if (!l)
        return;
    shim_lock(&all.lock);
    all.stopping++;
    shim_unlock(&all.lock);
    if (shim_thread_start("shim-logger", 0, stop, l, &thread, &err) < 0) {
        shim_log(SHIM_WARN, "logger %s is killed at once: %s", l->path, err.msg);
        send_signal(l, SIGKILL);
        stopped(l);
        return;
    }
    shim_thread_detach(&thread);
}

void shim_loggers_finish(unsigned timeout_ms)
{
    int64_t deadline_ns = shim_monotonic_ns() + (int64_t)timeout_ms * SHIM_NS_PER_MS;
    bool in_time = true;

    init_once();
    shim_lock(&all.lock);
    while (all.stopping > 0 && in_time)
        in_time = shim_cond_wait_until(&all.cond, &all.lock, deadline_ns);
    all.hurry = true;
    shim_cond_broadcast(&all.cond);
    while (all.stopping > 0)
        shim_cond_wait(&all.cond, &all.lock);
    all.hurry = false;
    shim_unlock(&all.lock);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: puts the parts together, serves until told to end, and takes them apart. */
#include "base/child.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/str.h"
#include "hcs/hcs.h"
#include "shim/daemon.h"
#include "shim/shim.h"
#include "ttrpc/server.h"
#include <stdio.h>
#include <string.h>

enum {
    WORKERS_MAX = 64,
    WORKERS_URGENT = 9,     /* one of them for events */
    WORKERS_IDLE_MS = 1000, /* a thread costs 12 kB to keep and 40 µs to start */
    CLOSE_MS = 1000,        /* for replies to leave */
    EVENTS_MS = 3000,       /* for events to leave */
    DRAIN_MS = 2000,        /* for work under way */
    LOGGERS_MS = 1000,      /* for loggers whose input has ended; then they are killed */
    STARVED_MS = 200,       /* where no thread could be started: until the next attempt */
    LINGER_MS = 500,        /* after the last Delete, where a Shutdown came before */
};

static struct shim the_shim; /* static for SIGUSR1's sake */

/* --- ending --------------------------------------------------------------------------------- */

void shim_end(struct shim *shim)
{
    (void)shim;
    shim_daemon_stop();
}

/* A sandbox outlives its containers, each of which comes with a Shutdown of its own. */
static bool is_idle(struct shim *shim)
{
    return shim_tasks_empty(shim) && !shim_sandbox_is_live(shim->sandbox);
}

/* The last Delete's client commonly sends its own Shutdown next, and is to get a reply. */
static void end_unless_busy(struct shim_timer *timer)
{
    struct shim *shim = shim_container_of(timer, struct shim, linger);

    if (is_idle(shim))
        shim_end(shim);
}

static void end_soon(void *user)
{
    struct shim *shim = user;

    shim_timer_set(shim->loop, &shim->linger, LINGER_MS, end_unless_busy);
}

static void after_last_delete(void *user)
{
    struct shim *shim = user;

    if (!shim_loop_post(shim->loop, end_soon, shim))
        shim_end(shim);
}

static void after_shutdown(void *user)
{
    if (is_idle(user))
        shim_end(user);
}

void shim_end_wanted(struct shim *shim, struct ttrpc_call *call)
{
    shim_lock(&shim->tasks.lock);
    shim->tasks.shutdown_wanted = true;
    shim_unlock(&shim->tasks.lock);
    ttrpc_call_on_sent(call, after_shutdown, shim);
}

void shim_end_if_idle(struct shim *shim, struct ttrpc_call *call)
{
    bool wanted;

    shim_lock(&shim->tasks.lock);
    wanted = shim->tasks.shutdown_wanted;
    shim_unlock(&shim->tasks.lock);
    if (wanted && is_idle(shim))
        ttrpc_call_on_sent(call, after_last_delete, shim);
}

/* --- the state dump ------------------------------------------------------------------------- */

/* One line of text for each process, collected under the lock and logged without it. */
static bool describe_locked(struct shim_task *task, struct shim_strv *lines)
{
    bool ok = shim_strv_addf(lines, "task=%s pid=%u state=%s slot=%s", task->id, task->init->pid,
                             shim_state_name(task->init->state), task->busy ? "taken" : "free");

    for (struct shim_process *p = task->execs; p; p = p->next)
        ok &= shim_strv_addf(lines, "task=%s exec=%s pid=%u state=%s%s", task->id, p->exec_id,
                             p->pid, shim_state_name(p->state), p->starting ? " starting" : "");
    return ok;
}

static void dump_state(void)
{
    cleanup_strv struct shim_strv lines = {0};
    unsigned queued, dropped, tasks = 0;

    shim_lock(&the_shim.tasks.lock);
    for (struct shim_task *task = the_shim.tasks.list; task; task = task->next) {
        tasks++;
        if (!describe_locked(task, &lines))
            break;
    }
    shim_unlock(&the_shim.tasks.lock);
    shim_events_count(the_shim.events, &queued, &dropped);
    shim_log(SHIM_INFO, "state: %u tasks, %u events queued, %u dropped", tasks, queued, dropped);
    for (size_t i = 0; i < lines.n; i++)
        shim_log(SHIM_INFO, "state: %s", lines.v[i]);
}

/* --- work without a thread ------------------------------------------------------------------ */

static void retry(struct shim_timer *timer)
{
    shim_workers_retry(shim_container_of(timer, struct shim, starved)->workers);
}

static void retry_soon(void *user)
{
    struct shim *shim = user;

    shim_log(SHIM_WARN, "no thread could be started, work waits");
    shim_timer_set(shim->loop, &shim->starved, STARVED_MS, retry);
}

static void starved(void *user)
{
    struct shim *shim = user;

    if (!shim_loop_post(shim->loop, retry_soon, shim)) {
        /* Nor is there memory: whoever gives the next work tries again. */
    }
}

/* --- putting together ----------------------------------------------------------------------- */

static int add_services(struct shim *shim, struct shim_error *err)
{
    ProtobufCService *task = shim_task_service(shim);
    int r = ttrpc_server_add(shim->server, "containerd.task.v2.Task", task, err);

    if (r == 0)
        r = ttrpc_server_add(shim->server, "containerd.task.v3.Task", task, err);
    if (r == 0)
        r = shim_sandbox_new(shim, &shim->sandbox, err);
    if (r == 0)
        r = ttrpc_server_add(shim->server, "containerd.runtime.sandbox.v1.Sandbox",
                             shim_sandbox_service(shim->sandbox), err);
    return r;
}

static int choose_provider(struct shim *shim, struct shim_error *err)
{
    const char *name = getenv("CONTAINERD_SHIM_HCS_PROVIDER");
    cleanup_free char *runtime_dir = shim_runtime_dir();

    shim->find_provider = hcs_provider_find;
    shim->provider = shim_str_empty(name) ? "linux" : name;
    if (!shim->find_provider(shim->provider))
        return shim_fail(err, SHIM_E_INVALID,
                         "CONTAINERD_SHIM_HCS_PROVIDER=%s: there is no such provider",
                         shim->provider);
    shim->default_root = runtime_dir ? shim_strf("%s/runc", runtime_dir) : NULL;
    return shim->default_root ? 0 : shim_fail_memory(err);
}

static int set_up(struct shim *shim, const struct shim_cli *cli, struct shim_error *err)
{
    struct shim_events_config events = {.ns = cli->ns,
                                        .ttrpc_address = getenv("TTRPC_ADDRESS"),
                                        .publish_binary = cli->publish_binary,
                                        .grpc_address = cli->address};
    struct shim_workers_config workers = {.max_threads = WORKERS_MAX,
                                          .urgent_threads = WORKERS_URGENT,
                                          .idle_ms = WORKERS_IDLE_MS,
                                          .starved = starved,
                                          .user = shim};
    int r;

    ttrpc_limit_threads();
    shim->ns = cli->ns;
    shim_tasks_init(&shim->tasks);
    r = choose_provider(shim, err);
    if (r == 0)
        r = shim_loop_new("relay", &shim->loop, err);
    if (r == 0)
        r = shim_workers_new(&workers, &shim->workers, err);
    events.workers = shim->workers;
    if (r == 0)
        r = shim_events_new(&events, &shim->events, err);
    if (r == 0)
        r = ttrpc_server_new(&(struct ttrpc_server_config){.same_user_only = true}, &shim->server,
                             err);
    if (r == 0)
        r = add_services(shim, err);
    if (r < 0)
        return r;
    hcs_use_loop(shim->loop);
    return ttrpc_server_listen(shim->server, cli->socket, err);
}

/* The OS takes back what calls that are still parked hold; what matters is that replies, events
 * and the socket are dealt with. Work under way and the publish binary need a reaper still. */
static void take_apart(struct shim *shim)
{
    struct shim_error err;

    if (shim_child_start_reaper(&err) < 0)
        shim_log(SHIM_WARN, "child processes are not waited for any more: %s", err.msg);
    ttrpc_server_close(shim->server, CLOSE_MS);
    shim_workers_drain(shim->workers, DRAIN_MS);
    shim_io_finish_loggers(LOGGERS_MS);
    shim_events_stop(shim->events, EVENTS_MS);
}

static int check_cli(const struct shim_cli *cli, struct shim_error *err)
{
    if (!*cli->ns)
        return shim_fail(err, SHIM_E_INVALID, "serve: shim namespace cannot be empty");
    if (!*cli->socket)
        return shim_fail(err, SHIM_E_INVALID, "serve: -socket is missing");
    return 0;
}

int shim_serve_main(const struct shim_cli *cli)
{
    struct shim_error err;
    int r = check_cli(cli, &err);

    if (cli->debug)
        shim_log_set_level(SHIM_DEBUG);
    if (r == 0)
        r = shim_daemon_init(&err);
    if (r == 0)
        r = set_up(&the_shim, cli, &err);
    if (r < 0) {
        shim_daemon_say_ready(err.msg);
        shim_log(SHIM_ERROR, "shim %s: %s", cli->id, err.msg);
        return 1;
    }
    shim_log(SHIM_DEBUG, "shim %s serves %s", cli->id, cli->socket);
    shim_daemon_say_ready(NULL);
    shim_daemon_main(dump_state);
    take_apart(&the_shim);
    shim_log(SHIM_DEBUG, "shim %s ends", cli->id);
    return 0;
}

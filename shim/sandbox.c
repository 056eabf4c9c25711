/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A trivial sandbox service: the shim itself is the sandbox, so that containerd's `shim` sandboxer
 * finds what it asks for. It has no process of its own; its containers are ordinary tasks.
 */
#include "base/clock.h"
#include "base/str.h"
#include "shim/daemon.h"
#include "shim/payload/timestamp.h"
#include "shim/proto/sandbox.pb-c.h"
#include "shim/shim.h"
#include "shim/waiters.h"
#include "ttrpc/server.h"
#include <string.h>

struct shim_sandbox {
    Sandbox__Sandbox_Service service; /* first: methods get it */
    struct shim *shim;
    struct shim_mutex lock; /* a leaf */
    char *id;               /* NULL: none created */
    int64_t created_ns, exited_ns;
    bool started;
    struct shim_waiters waiters;
};

static struct shim_sandbox *of(Sandbox__Sandbox_Service *service)
{
    return shim_container_of(service, struct shim_sandbox, service);
}

/* Fails the call unless `id` is our sandbox. */
static bool known(struct shim_sandbox *s, const char *id, struct ttrpc_call *call)
{
    struct shim_error err;
    bool same;

    shim_lock(&s->lock);
    same = s->id && strcmp(s->id, id) == 0;
    shim_unlock(&s->lock);
    if (!same) {
        shim_fail(&err, SHIM_E_NOT_FOUND, "sandbox %s: not found", id);
        ttrpc_call_fail(call, err.code, err.msg);
    }
    return same;
}

/* --- waiting -------------------------------------------------------------------------------- */

static void answer_waits(struct shim_waiter *taken, int64_t exited_ns)
{
    Sandbox__WaitSandboxResponse answer = SANDBOX__WAIT_SANDBOX_RESPONSE__INIT;
    Pb__Timestamp at = shim_timestamp(exited_ns);

    answer.exited_at = &at;
    shim_waiters_answer(taken, &answer.base);
}

static void sandbox_wait_sandbox(Sandbox__Sandbox_Service *service,
                                 const Sandbox__WaitSandboxRequest *in,
                                 Sandbox__WaitSandboxResponse_Closure closure, void *data)
{
    struct shim_sandbox *s = of(service);
    struct shim_waiter *w;
    int64_t exited_ns;
    bool parked;

    if (!known(s, in->sandbox_id, data))
        return;
    w = shim_waiter_new(&s->waiters, data, (ProtobufCClosure)closure);
    if (!w) {
        ttrpc_call_fail(data, SHIM_E_EXHAUSTED, "out of memory");
        return;
    }
    shim_lock(&s->lock);
    exited_ns = s->exited_ns;
    parked = !exited_ns && shim_waiter_park_locked(w);
    shim_unlock(&s->lock);
    if (!parked)
        answer_waits(w, exited_ns);
}

/* The sandbox ends: everybody who waits for that is told. */
static void stop(struct shim_sandbox *s)
{
    struct shim_waiter *taken;
    int64_t exited_ns;

    shim_lock(&s->lock);
    if (!s->exited_ns)
        s->exited_ns = shim_realtime_ns();
    exited_ns = s->exited_ns;
    taken = shim_waiters_take_locked(&s->waiters);
    shim_unlock(&s->lock);
    answer_waits(taken, exited_ns);
}

/* --- the other methods ---------------------------------------------------------------------- */

static void sandbox_create_sandbox(Sandbox__Sandbox_Service *service,
                                   const Sandbox__CreateSandboxRequest *in,
                                   Sandbox__CreateSandboxResponse_Closure closure, void *data)
{
    Sandbox__CreateSandboxResponse answer = SANDBOX__CREATE_SANDBOX_RESPONSE__INIT;
    struct shim_sandbox *s = of(service);
    char *id = strdup(in->sandbox_id);
    bool exists;

    if (shim_str_empty(id)) {
        ttrpc_call_fail(data, id ? SHIM_E_INVALID : SHIM_E_EXHAUSTED,
                        id ? "create sandbox: no sandbox id: invalid argument" : "out of memory");
        free(id);
        return;
    }
    shim_lock(&s->lock);
    exists = s->id != NULL;
    if (!exists)
        s->id = shim_take(id);
    shim_unlock(&s->lock);
    free(id);
    if (exists)
        ttrpc_call_fail(data, SHIM_E_EXISTS, "this shim has a sandbox: already exists");
    else
        closure(&answer, data);
}

static void sandbox_start_sandbox(Sandbox__Sandbox_Service *service,
                                  const Sandbox__StartSandboxRequest *in,
                                  Sandbox__StartSandboxResponse_Closure closure, void *data)
{
    Sandbox__StartSandboxResponse answer = SANDBOX__START_SANDBOX_RESPONSE__INIT;
    Pb__Timestamp at;
    struct shim_sandbox *s = of(service);

    if (!known(s, in->sandbox_id, data))
        return;
    shim_lock(&s->lock);
    s->started = true;
    if (!s->created_ns)
        s->created_ns = shim_realtime_ns();
    at = shim_timestamp(s->created_ns);
    shim_unlock(&s->lock);
    answer.pid = shim_daemon_pid();
    answer.created_at = &at;
    closure(&answer, data);
}

static void sandbox_platform(Sandbox__Sandbox_Service *service, const Sandbox__PlatformRequest *in,
                             Sandbox__PlatformResponse_Closure closure, void *data)
{
    Sandbox__PlatformResponse answer = SANDBOX__PLATFORM_RESPONSE__INIT;
    Sandbox__Platform platform = SANDBOX__PLATFORM__INIT;

    (void)service;
    (void)in; /* also asked before the sandbox is created */
    platform.os = (char *)shim_os_name();
    platform.architecture = (char *)shim_architecture_name();
    answer.platform = &platform;
    closure(&answer, data);
}

static void sandbox_stop_sandbox(Sandbox__Sandbox_Service *service,
                                 const Sandbox__StopSandboxRequest *in,
                                 Sandbox__StopSandboxResponse_Closure closure, void *data)
{
    Sandbox__StopSandboxResponse answer = SANDBOX__STOP_SANDBOX_RESPONSE__INIT;

    if (!known(of(service), in->sandbox_id, data))
        return;
    stop(of(service));
    closure(&answer, data);
}

static void sandbox_sandbox_status(Sandbox__Sandbox_Service *service,
                                   const Sandbox__SandboxStatusRequest *in,
                                   Sandbox__SandboxStatusResponse_Closure closure, void *data)
{
    Sandbox__SandboxStatusResponse answer = SANDBOX__SANDBOX_STATUS_RESPONSE__INIT;
    Pb__Timestamp created, exited;
    struct shim_sandbox *s = of(service);
    bool ready;

    if (!known(s, in->sandbox_id, data))
        return;
    shim_lock(&s->lock);
    ready = s->started && !s->exited_ns;
    created = shim_timestamp(s->created_ns);
    exited = shim_timestamp(s->exited_ns);
    answer.created_at = s->created_ns ? &created : NULL;
    answer.exited_at = s->exited_ns ? &exited : NULL;
    shim_unlock(&s->lock);
    answer.sandbox_id = in->sandbox_id;
    answer.pid = shim_daemon_pid();
    answer.state = (char *)(ready ? "SANDBOX_READY" : "SANDBOX_NOTREADY");
    closure(&answer, data);
}

static void sandbox_ping_sandbox(Sandbox__Sandbox_Service *service, const Sandbox__PingRequest *in,
                                 Sandbox__PingResponse_Closure closure, void *data)
{
    Sandbox__PingResponse answer = SANDBOX__PING_RESPONSE__INIT;

    if (known(of(service), in->sandbox_id, data))
        closure(&answer, data);
}

static void sandbox_shutdown_sandbox(Sandbox__Sandbox_Service *service,
                                     const Sandbox__ShutdownSandboxRequest *in,
                                     Sandbox__ShutdownSandboxResponse_Closure closure, void *data)
{
    Sandbox__ShutdownSandboxResponse answer = SANDBOX__SHUTDOWN_SANDBOX_RESPONSE__INIT;
    struct shim_sandbox *s = of(service);

    (void)in; /* a sandbox that was never created is shut down too */
    stop(s);
    shim_end_wanted(s->shim, data);
    closure(&answer, data);
}

static void sandbox_sandbox_metrics(Sandbox__Sandbox_Service *service,
                                    const Sandbox__SandboxMetricsRequest *in,
                                    Sandbox__SandboxMetricsResponse_Closure closure, void *data)
{
    (void)closure;
    if (known(of(service), in->sandbox_id, data))
        ttrpc_call_fail(data, SHIM_E_UNIMPLEMENTED,
                        "SandboxMetrics: the sandbox has no process of its own: not implemented");
}

/* --- life ----------------------------------------------------------------------------------- */

int shim_sandbox_new(struct shim *shim, struct shim_sandbox **ret, struct shim_error *err)
{
    struct shim_sandbox *s = calloc(1, sizeof(*s));

    if (!s)
        return shim_fail_memory(err);
    s->service = (Sandbox__Sandbox_Service)SANDBOX__SANDBOX__INIT(sandbox_);
    s->shim = shim;
    shim_mutex_init(&s->lock);
    s->waiters.lock = &s->lock;
    *ret = s;
    return 0;
}

bool shim_sandbox_is_live(struct shim_sandbox *s)
{
    bool live;

    shim_lock(&s->lock);
    live = s->id && !s->exited_ns;
    shim_unlock(&s->lock);
    return live;
}

ProtobufCService *shim_sandbox_service(struct shim_sandbox *s)
{
    return &s->service.base;
}

void shim_sandbox_free(struct shim_sandbox *s)
{
    if (!s)
        return;
    shim_mutex_done(&s->lock);
    free(s->id);
    free(s);
}

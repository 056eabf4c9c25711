/* SPDX-License-Identifier: Apache-2.0 */
/* Connects to shims and makes calls. Knows no command line. */
#include "shim/ctl/client.h"
#include "base/clock.h"
#include "base/thread.h"
#include "shim/ctl/bundle.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/message_json.h"
#include "shim/ctl/output.h"
#include <stdlib.h>

#define CONNECT_TIMEOUT_MS  5000
#define SHUTDOWN_TIMEOUT_MS 3000 /* as containerd */
#define STATE_TIMEOUT_MS    2000 /* as containerd */

#define SERVICE_V2 "containerd.task.v2.Task"
#define SERVICE_V3 "containerd.task.v3.Task"

struct ctl_client {
    struct ttrpc_client *ttrpc;
    const char *service;
    struct ttrpc_metadata metadata;
    struct shim_mutex lock;
    struct shim_cond lost_cond;
    bool lost;
};

static void on_lost(void *user)
{
    struct ctl_client *c = user;

    shim_lock(&c->lock);
    c->lost = true;
    shim_cond_broadcast(&c->lost_cond);
    shim_unlock(&c->lock);
}

static struct ttrpc_call_options call_options(const struct ctl_client *c, unsigned timeout_ms)
{
    return (struct ttrpc_call_options){.service = c->service,
                                       .timeout_ns = (int64_t)timeout_ms * SHIM_NS_PER_MS,
                                       .metadata = &c->metadata,
                                       .n_metadata = 1};
}

/* Version 3 first where it was announced, as containerd does: Unimplemented means the other. */
static int find_service(struct ctl_client *c, int version, struct shim_error *err)
{
    Task__ConnectRequest request = TASK__CONNECT_REQUEST__INIT;
    int r;

    c->service = version == 3 ? SERVICE_V3 : SERVICE_V2;
    if (version == 2)
        return 0;
    r = ctl_call(c, "Connect", &request.base, CONNECT_TIMEOUT_MS, NULL, err);
    if (r != SHIM_E_UNIMPLEMENTED)
        return r;
    c->service = version == 3 ? SERVICE_V2 : SERVICE_V3;
    return ctl_call(c, "Connect", &request.base, CONNECT_TIMEOUT_MS, NULL, err);
}

int ctl_client_connect(const struct ctl *ctl, const struct ctl_endpoint *endpoint,
                       struct ctl_client **ret, struct shim_error *err)
{
    cleanup_client struct ctl_client *c = calloc(1, sizeof(*c));
    int r;

    if (!c)
        return shim_fail_memory(err);
    shim_mutex_init(&c->lock);
    shim_cond_init(&c->lost_cond);
    c->metadata = (struct ttrpc_metadata){"containerd-namespace-ttrpc", ctl->ns};
    r = ttrpc_client_connect(endpoint->address, CONNECT_TIMEOUT_MS, on_lost, c, &c->ttrpc, err);
    if (r >= 0)
        r = find_service(c, endpoint->version, err);
    if (r < 0)
        return shim_wrap(err, r, "connect to the shim at %s", endpoint->address);
    *ret = shim_take(c);
    return 0;
}

int ctl_client_open(const struct ctl *ctl, const char *id, struct ctl_client **ret,
                    struct shim_error *err)
{
    cleanup_endpoint struct ctl_endpoint endpoint = {0};
    cleanup_free char *bundle = NULL;
    int r = ctl_bundle_path(ctl, id, &bundle, err);

    if (r < 0)
        return r;
    if (ctl->address) {
        endpoint.address = shim_strdup0(ctl->address);
        return endpoint.address ? ctl_client_connect(ctl, &endpoint, ret, err)
                                : shim_fail_memory(err);
    }
    r = ctl_bundle_endpoint(bundle, &endpoint, err);
    if (r == SHIM_E_NOT_FOUND)
        return shim_fail(err, r, "no container \"%s\" in %s/%s", id, ctl->state_dir, ctl->ns);
    if (r < 0)
        return r;
    r = ctl_client_connect(ctl, &endpoint, ret, err);
    /* The socket goes with the shim. */
    return r == SHIM_E_NOT_FOUND ? shim_wrap(err, SHIM_E_UNAVAILABLE, "its shim is gone") : r;
}

void ctl_client_free(struct ctl_client *c)
{
    if (!c)
        return;
    ttrpc_client_free(c->ttrpc);
    shim_cond_done(&c->lost_cond);
    shim_mutex_done(&c->lock);
    free(c);
}

/* Ends `progress`. */
static int call(struct ctl_client *c, const char *method, const ProtobufCMessage *request,
                unsigned timeout_ms, struct ctl_progress *progress, ProtobufCMessage **ret,
                struct shim_error *err)
{
    struct ttrpc_call_options options = call_options(c, timeout_ms);
    int r =
        ttrpc_client_call(c->ttrpc, &task__task__descriptor, method, request, &options, ret, err);

    ctl_progress_end(progress);
    return r;
}

int ctl_call(struct ctl_client *c, const char *method, const ProtobufCMessage *request,
             unsigned timeout_ms, ProtobufCMessage **ret, struct shim_error *err)
{
    ProtobufCMessage *answer = NULL;
    int r = call(c, method, request, timeout_ms,
                 ctl_progress_begin("waiting for the shim to answer %s", method), &answer, err);

    if (r < 0)
        return r;
    if (ret)
        *ret = answer;
    else
        protobuf_c_message_free_unpacked(answer, NULL);
    return 0;
}

static void ignore_answer(const ProtobufCMessage *answer, const struct shim_error *err, void *user)
{
    (void)answer;
    (void)err;
    (void)user;
}

int ctl_call_start(struct ctl_client *c, const char *method, const ProtobufCMessage *request,
                   ttrpc_client_done *done, void *user, uint32_t *ret_id, struct shim_error *err)
{
    struct ttrpc_call_options options = call_options(c, 0);
    uint32_t unwanted_id;

    return ttrpc_client_start(c->ttrpc, &task__task__descriptor, method, request, &options,
                              done ? done : ignore_answer, user, ret_id ? ret_id : &unwanted_id,
                              err);
}

void ctl_call_cancel(struct ctl_client *c, uint32_t call_id)
{
    ttrpc_client_cancel(c->ttrpc, call_id);
}

bool ctl_client_wait_lost(struct ctl_client *c, unsigned timeout_ms)
{
    int64_t deadline_ns = shim_monotonic_ns() + (int64_t)timeout_ms * SHIM_NS_PER_MS;
    bool in_time = true;
    bool lost;

    shim_lock(&c->lock);
    while (!c->lost && in_time)
        in_time = shim_cond_wait_until(&c->lost_cond, &c->lock, deadline_ns);
    lost = c->lost;
    shim_unlock(&c->lock);
    return lost;
}

/* --- calls that several commands make ------------------------------------------------------- */

int ctl_call_delete(struct ctl_client *c, const char *id, const char *exec_id, unsigned timeout_ms,
                    struct ctl_exit *ret, struct shim_error *err)
{
    Task__DeleteRequest request = TASK__DELETE_REQUEST__INIT;
    cleanup_answer ProtobufCMessage *answer = NULL;
    const Task__DeleteResponse *m;
    int r;

    request.id = ctl_lend(id);
    request.exec_id = ctl_lend(exec_id);
    r = ctl_call(c, "Delete", &request.base, timeout_ms, &answer, err);
    if (r < 0)
        return r;
    m = (const Task__DeleteResponse *)answer;
    *ret = (struct ctl_exit){m->pid, m->exit_status, ctl_timestamp_ns(m->exited_at)};
    return 0;
}

int ctl_call_kill(struct ctl_client *c, const char *id, const char *exec_id, uint32_t signal,
                  bool all, struct shim_error *err)
{
    Task__KillRequest request = TASK__KILL_REQUEST__INIT;

    request.id = ctl_lend(id);
    request.exec_id = ctl_lend(exec_id);
    request.signal = signal;
    request.all = all;
    return ctl_call(c, "Kill", &request.base, 0, NULL, err);
}

int ctl_call_wait(struct ctl_client *c, const char *id, const char *exec_id, struct ctl_exit *ret,
                  struct shim_error *err)
{
    Task__WaitRequest request = TASK__WAIT_REQUEST__INIT;
    cleanup_answer ProtobufCMessage *answer = NULL;
    const Task__WaitResponse *m;
    int r;

    request.id = ctl_lend(id);
    request.exec_id = ctl_lend(exec_id);
    r = call(c, "Wait", &request.base, 0,
             ctl_progress_begin("waiting for %s to end", *exec_id ? exec_id : id), &answer, err);
    if (r < 0)
        return r;
    m = (const Task__WaitResponse *)answer;
    *ret = (struct ctl_exit){0, m->exit_status, ctl_timestamp_ns(m->exited_at)};
    return 0;
}

int ctl_call_shutdown(struct ctl_client *c, const char *id, struct shim_error *err)
{
    Task__ShutdownRequest request = TASK__SHUTDOWN_REQUEST__INIT;

    request.id = ctl_lend(id);
    return ctl_call(c, "Shutdown", &request.base, SHUTDOWN_TIMEOUT_MS, NULL, err);
}

int ctl_call_state(struct ctl_client *c, const char *id, const char *exec_id,
                   Task__StateResponse **ret, struct shim_error *err)
{
    Task__StateRequest request = TASK__STATE_REQUEST__INIT;
    ProtobufCMessage *answer;
    int r;

    request.id = ctl_lend(id);
    request.exec_id = ctl_lend(exec_id);
    r = ctl_call(c, "State", &request.base, STATE_TIMEOUT_MS, &answer, err);
    if (r < 0)
        return r;
    *ret = (Task__StateResponse *)answer;
    return 0;
}

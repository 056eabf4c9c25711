/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A shim in the test's own process, seen as containerd sees it: the task service on a real ttrpc
 * server, a client, an Events endpoint, and below all that the provider that runs nothing
 * (tests/fakes/hcs_fake.h). One at a time; main() begins with world_init().
 */
#pragma once
#include "shim/proto/task.pb-c.h"
#include "shim/shim.h"
#include "tests/fakes/events_fake.h"
#include "tests/fakes/hcs_fake.h"
#include "tests/folder.h"
#include "ttrpc/client.h"

struct world {
    struct shim shim;
    char *folder, *address;
    struct events_fake *containerd;
    struct ttrpc_client *client;
    struct shim_error err; /* of the last call that failed */

    struct shim_thread daemon; /* ends when the shim is to end */
    struct shim_mutex lock;
    struct shim_cond changed;
    bool ended;
};

/* First thing in main. */
int world_init(void);
struct world *world_new(void);
/* Deletes what is left, and checks that nothing of it stays. */
void world_free(struct world *w);

/* False after ten seconds. */
bool world_await_end(struct world *w);
bool world_has_ended(struct world *w);

/* --- calls ---------------------------------------------------------------------------------- */

/* *ret_answer (may be NULL) is freed with protobuf_c_message_free_unpacked(m, NULL). */
int world_call(struct world *w, const char *method, const ProtobufCMessage *request,
               ProtobufCMessage **ret_answer);

/* Folder of a container, made with a config.json if it is not there. Lent until the next call. */
const char *world_bundle(struct world *w, const char *id);

/* Each returns 0 or the code; w->err has the text. exec_id "" is init. */
int world_create(struct world *w, const char *id);
int world_create_from(struct world *w, const char *id, const char *checkpoint);
int world_start(struct world *w, const char *id, const char *exec_id);
int world_exec(struct world *w, const char *id, const char *exec_id);
int world_kill(struct world *w, const char *id, const char *exec_id, uint32_t signal);
int world_kill_all(struct world *w, const char *id, uint32_t signal);
int world_pause(struct world *w, const char *id);
int world_resume(struct world *w, const char *id);
int world_update(struct world *w, const char *id, const char *json);
int world_checkpoint(struct world *w, const char *id);
int world_shutdown(struct world *w);
/* The exit status, or the code. */
int world_wait(struct world *w, const char *id, const char *exec_id);
int world_delete(struct world *w, const char *id, const char *exec_id);
/* A Task__Status, or the code. */
int world_state(struct world *w, const char *id, const char *exec_id);
/* "1001 1002/e1": pids, and the execs they belong to; malloc'ed, NULL on failure. */
char *world_pids(struct world *w, const char *id);

/* The process ends, and the shim knows: an exit can be held back until Start has been answered. */
void world_exit(struct world *w, const char *id, const char *exec_id, uint32_t status);
/* Created and started, in the state that containers are in. */
void world_run(struct world *w, const char *id);
/* Exec and Start. */
void world_run_exec(struct world *w, const char *id, const char *exec_id);

/* --- calls that are not waited for ---------------------------------------------------------- */

struct world_pending {
    struct world *w;
    bool done;
    int r;                 /* 0, or the code */
    uint32_t exit_status;  /* of Wait and Delete */
    struct shim_error err; /* if r < 0 */
    uint32_t id;           /* for ttrpc_client_cancel */
};
void world_begin(struct world *w, const char *method, const ProtobufCMessage *request,
                 struct world_pending *ret);
void world_begin_create(struct world *w, const char *id, struct world_pending *ret);
void world_begin_start(struct world *w, const char *id, const char *exec_id,
                       struct world_pending *ret);
/* Parked, or answered, when this returns. */
void world_begin_wait(struct world *w, const char *id, const char *exec_id,
                      struct world_pending *ret);
void world_begin_delete(struct world *w, const char *id, struct world_pending *ret);
void world_begin_pause(struct world *w, const char *id, struct world_pending *ret);
void world_begin_resume(struct world *w, const char *id, struct world_pending *ret);
/* Its r; fails the test after ten seconds. */
int world_end(struct world_pending *p);
bool world_is_pending(struct world_pending *p);

/* --- looking inside ------------------------------------------------------------------------- */

/* So many requests are parked at the task's slot. False after ten seconds. */
bool world_await_parked(struct world *w, const char *id, unsigned n);

/* The events so far are these lines, once as many have come. */
void world_expect_events(struct world *w, const char *text);
#define assert_error(w, call, code, text)                                                          \
    do {                                                                                           \
        assert_int_equal((call), (code));                                                          \
        assert_non_null(strstr((w)->err.msg, (text)));                                             \
    } while (0)

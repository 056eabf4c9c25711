/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that show something: ps, state and stats. */
#include "shim/ctl/bundle.h"
#include "shim/ctl/client.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/json.h"
#include "shim/ctl/message_json.h"
#include "shim/ctl/output.h"
#include <string.h>

#define CONNECT_TIMEOUT_MS 2000

/* --- ps without an id: the containers of the state folder ----------------------------------- */

static const char *status_name(Task__Status status)
{
    const ProtobufCEnumValue *v =
        protobuf_c_enum_descriptor_get_value(&task__status__descriptor, (int)status);

    return v ? v->name : "UNKNOWN";
}

static bool add_state(struct json_object *row, const Task__StateResponse *state)
{
    bool stopped = state->status == TASK__STATUS__STOPPED;

    return ctl_json_add(row, "pid", json_object_new_int64(state->pid)) &&
           ctl_json_add(row, "status", json_object_new_string(status_name(state->status))) &&
           (!stopped ||
            ctl_json_add(row, "exit_status", json_object_new_int64(state->exit_status)));
}

static bool add_shim_pid(struct json_object *row, struct ctl_client *client, const char *id)
{
    Task__ConnectRequest request = TASK__CONNECT_REQUEST__INIT;
    cleanup_answer ProtobufCMessage *answer = NULL;

    request.id = ctl_lend(id);
    if (ctl_call(client, "Connect", &request.base, CONNECT_TIMEOUT_MS, &answer, NULL) < 0)
        return true; /* the state tells enough */
    return ctl_json_add(row, "shim_pid",
                        json_object_new_int64(((Task__ConnectResponse *)answer)->shim_pid));
}

/* What stands for a state that cannot be had. */
static const char *status_of_failure(int code)
{
    switch (code) {
    case SHIM_E_UNAVAILABLE:
        return "SHIM GONE";
    case SHIM_E_DEADLINE:
        return "NO ANSWER";
    case SHIM_E_NOT_FOUND:
        return "NO TASK";
    default:
        return "UNKNOWN";
    }
}

static bool fill_row(const struct ctl *c, const char *id, struct json_object *row)
{
    cleanup_client struct ctl_client *client = NULL;
    Task__StateResponse *state;
    bool done;
    int r = ctl_client_open(c, id, &client, NULL);

    if (r >= 0)
        r = ctl_call_state(client, id, "", &state, NULL);
    if (r < 0)
        return ctl_json_add(row, "status", json_object_new_string(status_of_failure(r)));
    done = add_state(row, state) && add_shim_pid(row, client, id);
    protobuf_c_message_free_unpacked(&state->base, NULL);
    return done;
}

static bool add_container(const struct ctl *c, const char *id, struct json_object *rows)
{
    struct json_object *row = json_object_new_object(); /* rows' once pushed */

    return ctl_json_push(rows, row) && ctl_json_add(row, "id", json_object_new_string(id)) &&
           fill_row(c, id, row);
}

static int list_containers(struct ctl *c, struct shim_error *err)
{
    static const struct ctl_column columns[] = {{"ID", "id"},
                                                {"PID", "pid"},
                                                {"STATUS", "status"},
                                                {"EXIT", "exit_status"},
                                                {"SHIM PID", "shim_pid"}};
    cleanup_strv struct shim_strv ids = {0};
    cleanup_json struct json_object *rows = json_object_new_array();
    int r = rows ? ctl_bundle_list(c, &ids, err) : shim_fail_memory(err);

    if (r < 0)
        return r;
    for (size_t i = 0; i < ids.n; i++)
        if (!add_container(c, ids.v[i], rows))
            return shim_fail_memory(err);
    return ctl_print_table(c->json, columns, SHIM_ARRAY_LEN(columns), rows, err);
}

/* --- ps with one: its processes ------------------------------------------------------------- */

static bool add_process(const Task__ProcessInfo *process, struct json_object *rows)
{
    struct json_object *row = json_object_new_object(); /* rows' once pushed */

    return ctl_json_push(rows, row) &&
           ctl_json_add(row, "pid", json_object_new_int64(process->pid)) &&
           (!process->info || ctl_json_add(row, "info", ctl_json_from_any(process->info)));
}

static int list_processes(struct ctl *c, const char *id, struct shim_error *err)
{
    static const struct ctl_column columns[] = {{"PID", "pid"}, {"INFO", "info"}};
    cleanup_client struct ctl_client *client = NULL;
    cleanup_answer ProtobufCMessage *answer = NULL;
    cleanup_json struct json_object *rows = json_object_new_array();
    Task__PidsRequest request = TASK__PIDS_REQUEST__INIT;
    const Task__PidsResponse *pids;
    int r = rows ? ctl_client_open(c, id, &client, err) : shim_fail_memory(err);

    request.id = ctl_lend(id);
    if (r >= 0)
        r = ctl_call(client, "Pids", &request.base, 0, &answer, err);
    if (r < 0)
        return r;
    pids = (const Task__PidsResponse *)answer;
    for (size_t i = 0; i < pids->n_processes; i++)
        if (!add_process(pids->processes[i], rows))
            return shim_fail_memory(err);
    return ctl_print_table(c->json, columns, SHIM_ARRAY_LEN(columns), rows, err);
}

int ctl_ps(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    const struct ctl_parse how = {.max = 1};
    cleanup_words struct ctl_words words = {0};
    int r = ctl_parse(c, &how, argv, &words, err);

    if (r < 0)
        return r;
    if (words.n == 1)
        return list_processes(c, words.v[0], err);
    if (c->address)
        return shim_fail(err, CTL_E_USAGE, "--address needs the ID of a container");
    return list_containers(c, err);
}

/* --- state, stats --------------------------------------------------------------------------- */

int ctl_state(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    const char *exec_id = "";
    const struct ctl_flag flags[] = {{0, "exec-id", CTL_FLAG_TEXT, &exec_id}};
    const struct ctl_parse how = {flags, SHIM_ARRAY_LEN(flags), .min = 1, .max = 1};
    cleanup_words struct ctl_words words = {0};
    cleanup_client struct ctl_client *client = NULL;
    cleanup_json struct json_object *shown = NULL;
    Task__StateResponse *state;
    int r = ctl_parse(c, &how, argv, &words, err);

    if (r >= 0)
        r = ctl_client_open(c, words.v[0], &client, err);
    if (r >= 0)
        r = ctl_call_state(client, words.v[0], exec_id, &state, err);
    if (r < 0)
        return r;
    shown = ctl_json_from_message(&state->base);
    protobuf_c_message_free_unpacked(&state->base, NULL);
    return shown ? ctl_print_fields(c->json, shown, err) : shim_fail_memory(err);
}

static bool is_blank(struct json_object *value)
{
    switch (json_object_get_type(value)) {
    case json_type_object:
        return json_object_object_length(value) == 0;
    case json_type_array:
        return json_object_array_length(value) == 0;
    case json_type_int:
        return json_object_get_uint64(value) == 0;
    default:
        return false;
    }
}

/* A person wants to see the figures that there are, not all that there could be. */
static void leave_out_zeros(struct json_object *object)
{
    json_object_object_foreach(object, key, value) /* allows to delete the current one */
    {
        if (json_object_is_type(value, json_type_object))
            leave_out_zeros(value);
        if (is_blank(value))
            json_object_object_del(object, key);
    }
}

int ctl_stats(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    const struct ctl_parse how = {.min = 1, .max = 1};
    cleanup_words struct ctl_words words = {0};
    cleanup_client struct ctl_client *client = NULL;
    cleanup_answer ProtobufCMessage *answer = NULL;
    cleanup_json struct json_object *shown = NULL;
    Task__StatsRequest request = TASK__STATS_REQUEST__INIT;
    const Pb__Any *any;
    int r = ctl_parse(c, &how, argv, &words, err);

    if (r >= 0)
        r = ctl_client_open(c, words.v[0], &client, err);
    if (r < 0)
        return r;
    request.id = ctl_lend(words.v[0]);
    r = ctl_call(client, "Stats", &request.base, 0, &answer, err);
    if (r < 0)
        return r;
    any = ((const Task__StatsResponse *)answer)->stats;
    if (!any)
        return shim_fail(err, SHIM_E_INVALID, "the shim answered without statistics");
    shown = ctl_json_from_any(any);
    if (!shown)
        return shim_fail_memory(err);
    if (!c->json)
        leave_out_zeros(shown);
    return ctl_print_fields(c->json, shown, err);
}

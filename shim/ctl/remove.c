/* SPDX-License-Identifier: Apache-2.0 */
/* Delete, Shutdown, the shim's delete command, the bundle; the command `delete`. */
#include "shim/ctl/remove.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "shim/ctl/bundle.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/events.h"
#include "shim/ctl/json.h"
#include "shim/ctl/message_json.h"
#include "shim/ctl/output.h"

#define CLEAN_UP_TIMEOUT_MS 5000 /* as containerd */
#define LAST_EVENTS_MS      2000 /* for the shim to bring its last events and go */
#define GOING_MS            200  /* for it to go, when nobody may take its events */

/* What containerd does once the task is gone: Shutdown, the delete command, the bundle. */
static int finish(const struct ctl_container *x, struct ctl_exit *ret, struct shim_error *err)
{
    cleanup_free char *shim = ctl_bundle_shim(x->bundle);
    cleanup_free char *events = ctl_events_address(x->ctl);
    struct ctl_launch launch = {.ctl = x->ctl, .id = x->id, .bundle = x->bundle, .events = events};
    int r = events ? 0 : shim_fail_memory(err);

    if (x->client && ctl_call_shutdown(x->client, x->id, NULL) >= 0)
        (void)ctl_client_wait_lost(x->client, x->takes_events ? LAST_EVENTS_MS : GOING_MS);
    if (r >= 0 && !shim)
        r = ctl_shim_path(x->ctl, &shim, err);
    if (r < 0)
        return r;
    launch.shim = shim;
    r = ctl_launch_delete(&launch, ret, err);
    return r < 0 ? r : ctl_bundle_remove(x->bundle, err);
}

int ctl_remove(const struct ctl_container *x, struct ctl_exit *ret, struct shim_error *err)
{
    struct ctl_exit unwanted;
    int r = ctl_call_delete(x->client, x->id, "", 0, ret, err);

    if (r == SHIM_E_NOT_FOUND || r == SHIM_E_UNAVAILABLE)
        return finish(x, ret, err);
    return r < 0 ? r : finish(x, &unwanted, err);
}

int ctl_clean_up(const struct ctl_container *x, struct ctl_exit *ret, struct shim_error *err)
{
    struct ctl_exit unwanted;

    if (x->client)
        ctl_best_effort(
            ctl_call_delete(x->client, x->id, "", CLEAN_UP_TIMEOUT_MS, &unwanted, NULL));
    return finish(x, ret, err);
}

int ctl_print_exit(const struct ctl *c, const char *id, const struct ctl_exit *exit,
                   struct shim_error *err)
{
    cleanup_json struct json_object *line = json_object_new_object();
    cleanup_free char *text = NULL;
    char at[SHIM_RFC3339_BYTES] = "an unknown time";

    if (!line || !ctl_json_add(line, "id", json_object_new_string(id)) ||
        !ctl_json_add(line, "exit_status", json_object_new_int64(exit->status)) ||
        !ctl_json_add(line, "exited_at", ctl_json_from_time(exit->at_ns)))
        return shim_fail_memory(err);
    if (c->json)
        return ctl_print_json(line, err);
    text = shim_strf("%s ended with status %u at %s", id, exit->status,
                     exit->at_ns ? shim_rfc3339(exit->at_ns, at) : at);
    return text ? ctl_print_line(text, err) : shim_fail_memory(err);
}

static int kill_and_wait(struct ctl_client *client, const char *id, struct shim_error *err)
{
    Task__StateResponse *state;
    struct ctl_exit exit;
    bool over;
    int r = ctl_call_state(client, id, "", &state, err);

    if (r < 0)
        return r == SHIM_E_NOT_FOUND ? 0 : r;
    over = state->status == TASK__STATUS__STOPPED;
    protobuf_c_message_free_unpacked(&state->base, NULL);
    if (over)
        return 0;
    r = ctl_call_kill(client, id, "", SHIM_SIGNAL_KILL, true, err);
    if (r < 0 && r != SHIM_E_NOT_FOUND)
        return r;
    return ctl_call_wait(client, id, "", &exit, err);
}

/* A shim that containerd started: its bundle and its end are containerd's business. */
static int delete_at_address(const struct ctl *c, const char *id, struct ctl_client *client,
                             struct shim_error *err)
{
    struct ctl_exit exit;
    int r = ctl_call_delete(client, id, "", 0, &exit, err);

    return r < 0 ? r : ctl_print_exit(c, id, &exit, err);
}

static int delete_by_bundle(struct ctl_container *x, bool shim_is_gone, struct shim_error *err)
{
    struct ctl_exit exit;
    int r;

    if (shim_is_gone)
        ctl_say("the shim of %s does not answer; cleaning up after it", x->id);
    r = shim_is_gone ? ctl_clean_up(x, &exit, err) : ctl_remove(x, &exit, err);
    return r < 0 ? r : ctl_print_exit(x->ctl, x->id, &exit, err);
}

int ctl_delete(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    bool force = false;
    const struct ctl_flag flags[] = {{'f', "force", CTL_FLAG_BOOL, &force}};
    const struct ctl_parse how = {flags, SHIM_ARRAY_LEN(flags), .min = 1, .max = 1};
    cleanup_words struct ctl_words words = {0};
    cleanup_client struct ctl_client *client = NULL;
    cleanup_free char *bundle = NULL;
    struct ctl_container x = {.ctl = c};
    bool gone;
    int r = ctl_parse(c, &how, argv, &words, err);

    if (r >= 0)
        r = ctl_bundle_path(c, words.v[0], &bundle, err);
    if (r < 0)
        return r;
    r = ctl_client_open(c, words.v[0], &client, err);
    gone = !c->address &&
           (r == SHIM_E_UNAVAILABLE || (r == SHIM_E_NOT_FOUND && shim_file_exists(bundle)));
    if (r < 0 && !gone)
        return r;
    if (!gone && force)
        r = kill_and_wait(client, words.v[0], err);
    if (!gone && r < 0)
        return r;
    if (c->address)
        return delete_at_address(c, words.v[0], client, err);
    x.id = words.v[0];
    x.bundle = bundle;
    x.client = client;
    return delete_by_bundle(&x, gone, err);
}

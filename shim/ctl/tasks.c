/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that are one call each: kill, pause, resume, resize, update, checkpoint, wait and
 * shutdown. */
#include "base/file.h"
#include "shim/ctl/client.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/json.h"
#include "shim/ctl/output.h"
#include "shim/ctl/platform.h"
#include "shim/ctl/remove.h"
#include "shim/ctl/signal_names.h"
#include "shim/ctl/spec.h"
#include "shim/proto/options.pb-c.h"

#define RESOURCES_URL "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"

/* Parses the command line and connects to the shim of the container it names first. */
static int begin(struct ctl *c, const struct ctl_parse *how, const char *const *argv,
                 struct ctl_words *ret_words, struct ctl_client **ret_client,
                 struct shim_error *err)
{
    int r = ctl_parse(c, how, argv, ret_words, err);

    return r < 0 ? r : ctl_client_open(c, ret_words->v[0], ret_client, err);
}

int ctl_kill(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    const char *name = "TERM";
    const char *exec_id = "";
    bool all = false;
    const struct ctl_flag flags[] = {
        {'s', "signal", CTL_FLAG_TEXT, &name},
        {'a', "all", CTL_FLAG_BOOL, &all},
        {0, "exec-id", CTL_FLAG_TEXT, &exec_id},
    };
    const struct ctl_parse how = {flags, SHIM_ARRAY_LEN(flags), .min = 1, .max = 1};
    cleanup_words struct ctl_words words = {0};
    cleanup_client struct ctl_client *client = NULL;
    uint32_t signal;
    int r = begin(c, &how, argv, &words, &client, err);

    if (r < 0)
        return r;
    signal = ctl_signal_number(name);
    if (signal == 0)
        return shim_fail(err, CTL_E_USAGE, "\"%s\" is no signal", name);
    return ctl_call_kill(client, words.v[0], exec_id, signal, all, err);
}

int ctl_pause(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    const struct ctl_parse how = {.min = 1, .max = 1};
    cleanup_words struct ctl_words words = {0};
    cleanup_client struct ctl_client *client = NULL;
    Task__PauseRequest request = TASK__PAUSE_REQUEST__INIT;
    int r = begin(c, &how, argv, &words, &client, err);

    if (r < 0)
        return r;
    request.id = ctl_lend(words.v[0]);
    return ctl_call(client, "Pause", &request.base, 0, NULL, err);
}

int ctl_resume(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    const struct ctl_parse how = {.min = 1, .max = 1};
    cleanup_words struct ctl_words words = {0};
    cleanup_client struct ctl_client *client = NULL;
    Task__ResumeRequest request = TASK__RESUME_REQUEST__INIT;
    int r = begin(c, &how, argv, &words, &client, err);

    if (r < 0)
        return r;
    request.id = ctl_lend(words.v[0]);
    return ctl_call(client, "Resume", &request.base, 0, NULL, err);
}

int ctl_resize(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    const char *exec_id = "";
    const struct ctl_flag flags[] = {{0, "exec-id", CTL_FLAG_TEXT, &exec_id}};
    const struct ctl_parse how = {flags, SHIM_ARRAY_LEN(flags), .min = 3, .max = 3};
    cleanup_words struct ctl_words words = {0};
    cleanup_client struct ctl_client *client = NULL;
    Task__ResizePtyRequest request = TASK__RESIZE_PTY_REQUEST__INIT;
    uint64_t width, height;
    int r = ctl_parse(c, &how, argv, &words, err);

    if (r < 0)
        return r;
    if (!shim_parse_u64(words.v[1], UINT16_MAX, &width) ||
        !shim_parse_u64(words.v[2], UINT16_MAX, &height))
        return shim_fail(err, CTL_E_USAGE, "\"%s\" by \"%s\" is no terminal size", words.v[1],
                         words.v[2]);
    r = ctl_client_open(c, words.v[0], &client, err);
    if (r < 0)
        return r;
    request.id = ctl_lend(words.v[0]);
    request.exec_id = ctl_lend(exec_id);
    request.width = (uint32_t)width;
    request.height = (uint32_t)height;
    return ctl_call(client, "ResizePty", &request.base, 0, NULL, err);
}

int ctl_wait(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    const char *exec_id = "";
    const struct ctl_flag flags[] = {{0, "exec-id", CTL_FLAG_TEXT, &exec_id}};
    const struct ctl_parse how = {flags, SHIM_ARRAY_LEN(flags), .min = 1, .max = 1};
    cleanup_words struct ctl_words words = {0};
    cleanup_client struct ctl_client *client = NULL;
    struct ctl_exit exit;
    int r = begin(c, &how, argv, &words, &client, err);

    if (r >= 0)
        r = ctl_call_wait(client, words.v[0], exec_id, &exit, err);
    if (r >= 0)
        r = ctl_print_exit(c, words.v[0], &exit, err);
    return r < 0 ? r : (int)(exit.status & 0xff);
}

int ctl_shutdown(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    const struct ctl_parse how = {.min = 1, .max = 1};
    cleanup_words struct ctl_words words = {0};
    cleanup_client struct ctl_client *client = NULL;
    int r = begin(c, &how, argv, &words, &client, err);

    return r < 0 ? r : ctl_call_shutdown(client, words.v[0], err);
}

int ctl_checkpoint(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    bool exit_after = false;
    const struct ctl_flag flags[] = {{0, "exit", CTL_FLAG_BOOL, &exit_after}};
    const struct ctl_parse how = {flags, SHIM_ARRAY_LEN(flags), .min = 2, .max = 2};
    cleanup_words struct ctl_words words = {0};
    cleanup_client struct ctl_client *client = NULL;
    cleanup_free char *path = NULL;
    Task__CheckpointTaskRequest request = TASK__CHECKPOINT_TASK_REQUEST__INIT;
    Runc__CheckpointOptions options = RUNC__CHECKPOINT_OPTIONS__INIT;
    uint8_t packed[64];
    Pb__Any any = PB__ANY__INIT;
    int r = begin(c, &how, argv, &words, &client, err);

    if (r >= 0)
        r = ctl_path_absolute(words.v[1], &path, err);
    if (r < 0)
        return r;
    options.exit = exit_after;
    any.type_url = ctl_lend(options.base.descriptor->name);
    any.value.data = packed;
    any.value.len = runc__checkpoint_options__pack(&options, packed);
    request.id = ctl_lend(words.v[0]);
    request.path = path;
    request.options = &any;
    return ctl_call(client, "Checkpoint", &request.base, 0, NULL, err);
}

/* --- update --------------------------------------------------------------------------------- */

struct update {
    struct ctl_u64 memory, pids;
    const char *cpus, *resources;
};

static int read_resources(const char *path, struct json_object **ret, struct shim_error *err)
{
    cleanup_buf struct shim_buf text = {0};
    bool from_stdin = path[0] == '-' && !path[1];
    int r = from_stdin ? shim_handle_read(shim_stdin(), OCI_SPEC_MAX_BYTES, &text, err)
                       : shim_file_read(path, OCI_SPEC_MAX_BYTES, &text, err);

    return r < 0 ? r
                 : oci_json_parse(from_stdin ? "standard input" : path, shim_buf_str(&text),
                                  text.len, ret, err);
}

static int make_resources(const struct update *u, struct json_object **ret, struct shim_error *err)
{
    bool limits = u->memory.set || u->pids.set || u->cpus;

    if (limits == (u->resources != NULL))
        return shim_fail(err, CTL_E_USAGE,
                         "either --memory, --cpus, --pids or --resources FILE is needed");
    if (u->resources)
        return read_resources(u->resources, ret, err);
    return ctl_spec_resources(&u->memory, u->cpus, &u->pids, ret, err);
}

static int send_update(struct ctl_client *client, const char *id, struct json_object *resources,
                       struct shim_error *err)
{
    Task__UpdateTaskRequest request = TASK__UPDATE_TASK_REQUEST__INIT;
    Pb__Any any = PB__ANY__INIT;
    size_t bytes;
    const char *text =
        json_object_to_json_string_length(resources, JSON_C_TO_STRING_NOSLASHESCAPE, &bytes);

    if (!text)
        return shim_fail_memory(err);
    any.type_url = ctl_lend(RESOURCES_URL);
    any.value.data = (uint8_t *)ctl_lend(text);
    any.value.len = bytes;
    request.id = ctl_lend(id);
    request.resources = &any;
    return ctl_call(client, "Update", &request.base, 0, NULL, err);
}

int ctl_update(struct ctl *c, const char *const *argv, struct shim_error *err)
{
    struct update update = {0};
    const struct ctl_flag flags[] = {
        {'m', "memory", CTL_FLAG_U64, &update.memory},
        {0, "pids", CTL_FLAG_U64, &update.pids},
        {0, "cpus", CTL_FLAG_TEXT, &update.cpus},
        {0, "resources", CTL_FLAG_TEXT, &update.resources},
    };
    const struct ctl_parse how = {flags, SHIM_ARRAY_LEN(flags), .min = 1, .max = 1};
    cleanup_words struct ctl_words words = {0};
    cleanup_client struct ctl_client *client = NULL;
    cleanup_json struct json_object *resources = NULL;
    int r = ctl_parse(c, &how, argv, &words, err);

    if (r >= 0)
        r = make_resources(&update, &resources, err);
    if (r >= 0)
        r = ctl_client_open(c, words.v[0], &client, err);
    return r < 0 ? r : send_update(client, words.v[0], resources, err);
}

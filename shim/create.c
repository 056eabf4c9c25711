/* SPDX-License-Identifier: Apache-2.0 */
/* Create: from containerd's request to a compute system, undone as a whole where a step fails. */
#include "base/log.h"
#include "base/str.h"
#include "oci/document.h"
#include "oci/spec.h"
#include "shim/bundle.h"
#include "shim/ops.h"
#include "shim/payload/options.h"
#include "shim/proto/events.pb-c.h"
#include "shim/shim.h"
#include <json-c/json.h>
#include <string.h>

/* --- callbacks of the compute system -------------------------------------------------------- */

static void oom(struct hcs_system *system, void *user)
{
    struct shim_task *task = user;
    Events__TaskOOM event = EVENTS__TASK_OOM__INIT;

    (void)system;
    event.container_id = task->id;
    shim_events_publish(task->shim->events, "/tasks/oom", &event.base);
}

const struct hcs_callbacks shim_hcs_callbacks = {.exited = shim_process_exited, .oom = oom};

/* --- streams -------------------------------------------------------------------------------- */

int shim_process_open_io(struct shim_process *p, struct hcs_stdio *ret_stdio,
                         struct shim_error *err)
{
    struct shim *shim = p->task->shim;
    struct shim_io_config config = {.loop = shim->loop,
                                    .ns = shim->ns,
                                    .id = *p->exec_id ? p->exec_id : p->task->id,
                                    .terminal = p->terminal,
                                    .stdin_path = p->stdin_path,
                                    .stdout_path = p->stdout_path,
                                    .stderr_path = p->stderr_path};
    struct shim_io *io = NULL, *before;
    int r = shim_io_open(&config, &io, ret_stdio, err);

    if (r < 0)
        return r;
    shim_lock(&shim->tasks.lock);
    before = p->io; /* of a start that failed */
    p->io = io;
    ret_stdio->width = p->width;
    ret_stdio->height = p->height;
    if (p->stdin_closed)
        shim_io_close_stdin(io);
    shim_unlock(&shim->tasks.lock);
    shim_io_free(before);
    return 0;
}

int shim_process_start_io(struct shim_process *p, struct hcs_stdio *stdio, struct shim_error *err)
{
    return shim_io_start(p->io, stdio, err);
}

/* --- the steps ------------------------------------------------------------------------------ */

static void unknown_option(const char *key, unsigned line, void *user)
{
    struct shim_task *task = user;

    shim_log(SHIM_WARN, "task=%s: runtime option %s (line %u) is unknown and ignored", task->id,
             key, line);
}

static int read_options(struct shim_task *task, const Pb__Any *any, struct shim_error *err)
{
    int r;

    if (!any)
        return 0;
    r = shim_options_from_any(any->type_url, any->value.data, any->value.len, &task->options,
                              unknown_option, task, err);
    if (r == 1)
        shim_log(SHIM_WARN, "task=%s: runtime options of type %s are unknown and ignored", task->id,
                 any->type_url);
    return r < 0 ? shim_wrap(err, r, "runtime options") : 0;
}

static int choose_provider(struct shim_task *task, struct json_object *spec, struct shim_error *err)
{
    const char *name = task->options.provider ? task->options.provider : task->shim->provider;

    task->provider = task->shim->find_provider(name);
    if (!task->provider)
        return shim_fail(err, SHIM_E_INVALID, "provider %s: there is none of that name", name);
    if (oci_is_windows(spec))
        return shim_fail(
            err, SHIM_E_UNIMPLEMENTED,
            "a spec with a windows section needs Windows, or the emulated provider "
            "(CONTAINERD_SHIM_HCS_PROVIDER=emulated) with a linux spec: not implemented");
    if (strcmp(name, "emulated") == 0)
        shim_log(SHIM_WARN, "task=%s: the emulated provider gives no isolation", task->id);
    return 0;
}

static int make_document(struct shim_task *task, struct json_object *spec, struct json_object **ret,
                         struct shim_error *err)
{
    cleanup_hcs_facts struct hcs_facts facts = {0};
    struct oci_linux_input input = {.bundle = task->bundle,
                                    .ns = task->shim->ns,
                                    .default_root = task->shim->default_root,
                                    .terminal = task->init->terminal,
                                    .options = &task->options};
    int r = hcs_provider_facts(task->provider, task->options.binary_name, &facts, err);

    if (r < 0) /* a missing runtime must not read as a missing container */
        return shim_wrap(err, r == SHIM_E_NOT_FOUND ? SHIM_E_UNKNOWN : r,
                         "OCI runtime create failed");
    input.runtime = facts.runtime;
    return oci_linux_document(spec, &input, ret, err);
}

static int mount_rootfs(struct shim_task *task, const Task__CreateTaskRequest *request,
                        struct shim_error *err)
{
    cleanup_free struct hcs_mount *mounts = calloc(request->n_rootfs + 1, sizeof(*mounts));
    cleanup_free const char **options = NULL;
    size_t n_options = 0;
    int r;

    if (request->n_rootfs == 0)
        return 0;
    for (size_t i = 0; i < request->n_rootfs; i++)
        n_options += request->rootfs[i]->n_options + 1;
    options = calloc(n_options, sizeof(*options));
    if (!mounts || !options)
        return shim_fail_memory(err);
    n_options = 0;
    for (size_t i = 0; i < request->n_rootfs; i++) {
        const Task__Mount *m = request->rootfs[i];

        mounts[i] = (struct hcs_mount){.type = m->type,
                                       .source = m->source,
                                       .target = m->target,
                                       .options = options + n_options};
        for (size_t j = 0; j < m->n_options; j++)
            options[n_options++] = m->options[j];
        options[n_options++] = NULL;
    }
    r = hcs_storage_mount(task->provider, mounts, request->n_rootfs, task->rootfs, err);
    task->rootfs_mounted = r == 0;
    return r;
}

static int make_system(struct shim_task *task, struct json_object *document, struct shim_error *err)
{
    struct hcs_system *system = NULL;
    int r = hcs_system_new(task->provider, task->id, document, &shim_hcs_callbacks, task,
                           task->init, &system, err);

    if (r < 0)
        return r;
    shim_lock(&task->shim->tasks.lock);
    task->system = system;
    shim_unlock(&task->shim->tasks.lock);
    return 0;
}

/* Everything up to the existing init process; a restore stops before it, which is for Start. */
static int create_system(struct shim_task *task, const Task__CreateTaskRequest *request,
                         struct shim_error *err)
{
    cleanup_json struct json_object *spec = NULL, *document = NULL;
    int r = oci_spec_load(task->bundle, &spec, err);

    if (r == 0)
        r = read_options(task, request->options, err);
    if (r == 0)
        r = choose_provider(task, spec, err);
    if (r == 0)
        r = make_document(task, spec, &document, err);
    if (r == 0)
        r = shim_bundle_write_record(task->bundle, hcs_provider_name(task->provider), task->id,
                                     document, err);
    if (r == 0)
        r = mount_rootfs(task, request, err);
    if (r == 0)
        r = make_system(task, document, err);
    if (r == 0)
        r = shim_process_open_io(task->init, &task->stdio, err);
    if (r < 0)
        return r;
    task->private_pids = oci_private_pid_namespace(spec);
    if (*task->checkpoint)
        return 0;
    shim_exit_expect(task->init);
    r = hcs_system_create(task->system, NULL, &task->stdio, err);
    if (r < 0) {
        shim_exit_forget(task->init);
        return r;
    }
    shim_process_set_hcs(task->init, hcs_system_init(task->system));
    r = shim_process_start_io(task->init, &task->stdio, err);
    if (r < 0 && hcs_system_delete(task->system, NULL) < 0)
        shim_log(SHIM_WARN, "task=%s: not deleted after its streams failed", task->id);
    return r;
}

static void undo(struct shim_task *task)
{
    struct shim_error err;

    if (task->init->io)
        shim_io_finish(task->init->io, 0);
    if (task->rootfs_mounted && hcs_storage_unmount(task->provider, task->rootfs, &err) < 0)
        shim_log(SHIM_WARN, "task=%s: rootfs not unmounted after a failed create: %s", task->id,
                 err.msg);
}

/* --- the call ------------------------------------------------------------------------------- */

static int check_request(const Task__CreateTaskRequest *request, struct shim_error *err)
{
    if (shim_str_empty(request->id))
        return shim_fail(err, SHIM_E_INVALID, "create: no container id: invalid argument");
    if (request->bundle[0] != '/')
        return shim_fail(err, SHIM_E_INVALID, "create %s: bundle \"%s\" is not absolute",
                         request->id, request->bundle);
    if (strchr(request->id, '/') || request->id[0] == '-' || request->id[0] == '.')
        return shim_fail(err, SHIM_E_INVALID, "create: \"%s\" is no container id", request->id);
    return 0;
}

static void announce(struct shim_task *task, const Task__CreateTaskRequest *request)
{
    Events__TaskIO io = EVENTS__TASK_IO__INIT;
    Events__TaskCreate event = EVENTS__TASK_CREATE__INIT;

    io.stdin_path = request->stdin_path;
    io.stdout_path = request->stdout_path;
    io.stderr_path = request->stderr_path;
    io.terminal = request->terminal;
    event.container_id = request->id;
    event.bundle = request->bundle;
    event.rootfs = request->rootfs;
    event.n_rootfs = request->n_rootfs;
    event.io = &io;
    event.checkpoint = request->checkpoint;
    event.pid = task->init->pid;
    shim_start_done(task->init, SHIM_CREATED, "/tasks/create", &event.base);
}

int shim_create(struct shim *shim, const Task__CreateTaskRequest *request, uint32_t *ret_pid,
                struct shim_error *err)
{
    struct shim_process_config init = {.exec_id = "",
                                       .terminal = request->terminal,
                                       .stdin_path = request->stdin_path,
                                       .stdout_path = request->stdout_path,
                                       .stderr_path = request->stderr_path};
    cleanup_task struct shim_task *task = NULL;
    int r = check_request(request, err);

    if (r == 0)
        r = shim_task_add(shim, request->id, request->bundle, &init, &task, err);
    if (r == 0)
        r = shim_start_begin(task->init, SHIM_CREATING, err);
    if (r < 0)
        return r;
    free(task->checkpoint);
    task->checkpoint = shim_strdup0(request->checkpoint);
    r = task->checkpoint ? create_system(task, request, err) : shim_fail_memory(err);
    if (r < 0) {
        undo(task);
        shim_task_remove(task);
        shim_start_failed(task->init);
        return r;
    }
    announce(task, request);
    *ret_pid = task->init->pid;
    shim_slot_release(task);
    return 0;
}

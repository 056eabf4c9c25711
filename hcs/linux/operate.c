/* SPDX-License-Identifier: Apache-2.0 */
/* Operations on a container that exists: mostly one command of the runtime each. */
#include "hcs/linux/figures.h"
#include "hcs/linux/runtime.h"
#include "hcs/linux/system.h"
#include <stdlib.h>

int linux_system_run_command(struct linux_system *s, struct linux_command *command,
                             struct shim_error *err)
{
    struct linux_call call;
    int r;

    linux_call_begin(&s->calls, &call);
    command->call = &call;
    r = linux_runtime_run(&s->doc, command, err);
    command->call = NULL;
    linux_call_end(&s->calls, &call);
    return r;
}

int linux_system_run(struct linux_system *s, const char *verb, const char *word, const char *option,
                     const char *last, int64_t timeout_ms, struct shim_error *err)
{
    cleanup_strv struct shim_strv args = {0};
    struct linux_command command = {
        .verb = verb,
        .args = &args,
        .capture = true,
        .timeout_ms = timeout_ms,
    };
    int r = linux_args_simple(word, option, s->base.id, last, &args, err);

    return r < 0 ? r : linux_system_run_command(s, &command, err);
}

bool linux_system_is_created(struct linux_system *s)
{
    bool created;

    shim_lock(&s->lock);
    created = s->created;
    shim_unlock(&s->lock);
    return created;
}

const struct linux_cgroup *linux_system_cgroup(struct linux_system *s)
{
    bool has;

    shim_lock(&s->lock);
    has = s->has_cgroup;
    shim_unlock(&s->lock);
    return has ? &s->cgroup : NULL;
}

static int check_alive(struct linux_system *s, const char *verb, struct shim_error *err)
{
    if (!linux_system_is_created(s))
        return shim_fail(err, SHIM_E_STATE, "cannot %s: the container was not created", verb);
    if (linux_process_has_ended(&s->init))
        return shim_fail(err, SHIM_E_STATE, "cannot %s: the container's init process has ended",
                         verb);
    return 0;
}

static int run_on_living(struct hcs_system *base, const char *verb, const char *option,
                         struct shim_error *err)
{
    struct linux_system *s = linux_system_of(base);
    int r = check_alive(s, verb, err);

    return r < 0 ? r : linux_system_run(s, verb, verb, option, NULL, 0, err);
}

int linux_system_start(struct hcs_system *s, struct shim_error *err)
{
    return run_on_living(s, "start", NULL, err);
}

int linux_system_pause(struct hcs_system *s, struct shim_error *err)
{
    return run_on_living(s, "pause", NULL, err);
}

int linux_system_resume(struct hcs_system *s, struct shim_error *err)
{
    return run_on_living(s, "resume", NULL, err);
}

int linux_system_update(struct hcs_system *base, const char *resources_json, struct shim_error *err)
{
    struct linux_system *s = linux_system_of(base);
    cleanup_strv struct shim_strv args = {0};
    struct linux_command command = {
        .verb = "update",
        .args = &args,
        .input = resources_json,
        .capture = true,
    };
    int r = check_alive(s, "update", err);

    if (r == 0)
        r = linux_args_simple("update", "--resources=-", base->id, NULL, &args, err);
    return r < 0 ? r : linux_system_run_command(s, &command, err);
}

void linux_system_cancel(struct hcs_system *s)
{
    linux_calls_cancel(&linux_system_of(s)->calls);
}

/* Where no control group is known: init, for as long as it lives. */
static int only_init(struct linux_system *s, struct hcs_pids *ret, struct shim_error *err)
{
    if (linux_process_has_ended(&s->init))
        return 0;
    ret->pid = malloc(sizeof(*ret->pid));
    if (!ret->pid)
        return shim_fail_memory(err);
    ret->pid[0] = linux_process_pid(&s->init.base);
    ret->n = 1;
    return 0;
}

int linux_system_pids(struct hcs_system *base, struct hcs_pids *ret, struct shim_error *err)
{
    struct linux_system *s = linux_system_of(base);
    const struct linux_cgroup *cg = linux_system_cgroup(s);

    if (!linux_system_is_created(s))
        return shim_fail(err, SHIM_E_NOT_FOUND, "container %s does not exist", base->id);
    return cg ? linux_cgroup_pids(cg, ret, err) : only_init(s, ret, err);
}

/* The figures kept. SHIM_E_NOT_FOUND when there are none. */
static int last_figures(struct linux_system *s, struct hcs_stats *ret, struct shim_error *err)
{
    int r;

    shim_lock(&s->lock);
    if (s->has_last)
        r = linux_figures_dup(&s->last, ret, err);
    else
        r = shim_fail(err, SHIM_E_NOT_FOUND, "no statistics of container %s are known", s->base.id);
    shim_unlock(&s->lock);
    return r;
}

/* Those of this moment, and a copy kept of them: init can end before anybody reads them again. */
static int fresh_figures(struct linux_system *s, const struct linux_cgroup *cg,
                         struct hcs_stats *ret)
{
    struct hcs_stats copy;
    int r = linux_figures_read(cg, ret, NULL);

    if (r == 0 && linux_figures_dup(ret, &copy, NULL) == 0)
        linux_keep_figures(s, &copy, false);
    return r;
}

int linux_system_stats(struct hcs_system *base, struct hcs_stats *ret, struct shim_error *err)
{
    struct linux_system *s = linux_system_of(base);
    const struct linux_cgroup *cg = linux_system_cgroup(s);
    int r = SHIM_E_NOT_FOUND;

    if (cg && !linux_process_has_ended(&s->init))
        r = fresh_figures(s, cg, ret);
    return r < 0 ? last_figures(s, ret, err) : r;
}

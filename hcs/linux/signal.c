/* SPDX-License-Identifier: Apache-2.0 */
/* Signals: through the runtime where it answers, and SIGKILL whether it does or not. */
#include "base/str.h"
#include "hcs/linux/system.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define KILL_TIMEOUT_MS  2000 /* for a runtime to deliver SIGKILL before we do */
#define EMPTY_TIMEOUT_MS 2000 /* for killed processes to go */

static int already_finished(struct shim_error *err)
{
    return shim_fail(err, SHIM_E_NOT_FOUND, "process already finished");
}

/* Whether it is dead, by the kernel's account: the reaper may not have got to it yet. */
static bool is_dead(int64_t pid)
{
    cleanup_free char *path = shim_strf("/proc/%lld/stat", (long long)pid);
    cleanup_buf struct shim_buf text = {0};
    const char *state;

    if (!path || shim_file_read(path, 4096, &text, NULL) < 0)
        return path != NULL;
    state = strrchr(shim_buf_str(&text), ')'); /* a name can hold anything but is the only one */
    return state && state[1] && (state[2] == 'Z' || state[2] == 'X');
}

static bool init_has_ended(struct linux_system *s)
{
    return linux_process_has_ended(&s->init) || is_dead(linux_process_pid(&s->init.base));
}

static int signal_exec(struct linux_process *p, uint32_t signal, struct shim_error *err)
{
    int64_t pid = linux_process_pid(&p->base);
    int r;

    if (pid == 0)
        return shim_fail(err, SHIM_E_STATE, "process not started");
    if (linux_process_has_ended(p))
        return already_finished(err);
    r = shim_child_kill(pid, (int)signal, err);
    return r == SHIM_E_NOT_FOUND ? already_finished(err) : r;
}

/* The runtime did not do it: it hangs, or cannot. SIGKILL needs nobody's help. */
static int kill_init(struct linux_system *s, struct shim_error *err)
{
    int r;

    linux_calls_cancel(&s->calls);
    r = shim_child_kill(linux_process_pid(&s->init.base), SIGKILL, err);
    return r == SHIM_E_NOT_FOUND ? already_finished(err) : r;
}

/* The runtime's own account, where the process still looks alive to us: its callers take nothing
 * but "not found" for the end of a container. */
static bool says_finished(const struct shim_error *err)
{
    static const char *const texts[] = {"process already finished", "container not running",
                                        "no such process", "esrch", "does not exist"};

    for (size_t i = 0; i < SHIM_ARRAY_LEN(texts); i++)
        if (strcasestr(err->msg, texts[i]))
            return true;
    return false;
}

static int signal_init(struct linux_system *s, uint32_t signal, struct shim_error *err)
{
    const struct linux_cgroup *cg = linux_system_cgroup(s);
    struct shim_error why = {0};
    char number[16];
    int r;

    if (!linux_system_is_created(s))
        return shim_fail(err, SHIM_E_STATE, "process not created");
    if (linux_process_has_ended(&s->init))
        return already_finished(err);
    snprintf(number, sizeof(number), "%u", signal);
    r = linux_system_run(s, "kill", "kill", NULL, number, signal == SIGKILL ? KILL_TIMEOUT_MS : 0,
                         &why);
    if (r < 0 && (init_has_ended(s) || (signal != SIGKILL && says_finished(&why))))
        return already_finished(err);
    if (r < 0 && signal != SIGKILL)
        return shim_fail(err, why.code, "%s", why.msg);
    if (r < 0)
        r = kill_init(s, err);
    if (r == 0 && signal == SIGKILL && cg)
        linux_cgroup_thaw(cg);
    return r;
}

int linux_process_signal(struct hcs_process *p, uint32_t signal, struct shim_error *err)
{
    struct linux_system *s = linux_system_of(p->system);

    if (p == &s->init.base)
        return signal_init(s, signal, err);
    return signal_exec(linux_process_of(p), signal, err);
}

/* True where the list of processes says that there is nobody. */
static bool is_empty(const struct linux_cgroup *cg)
{
    cleanup_hcs_pids struct hcs_pids pids = {0};

    return cg && linux_cgroup_pids(cg, &pids, NULL) == 0 && pids.n == 0;
}

static int kill_all(struct linux_system *s, const struct linux_cgroup *cg, int r,
                    struct shim_error *err)
{
    if (r < 0)
        linux_calls_cancel(&s->calls); /* a hung exec must not bring in anybody new */
    if (!cg)
        return r < 0 ? kill_init(s, err) : 0;
    if (!linux_cgroup_kill(cg, EMPTY_TIMEOUT_MS))
        return shim_fail(err, SHIM_E_DEADLINE, "processes in %s outlive SIGKILL", cg->dir);
    return 0;
}

int linux_system_signal_all(struct hcs_system *base, uint32_t signal, struct shim_error *err)
{
    struct linux_system *s = linux_system_of(base);
    const struct linux_cgroup *cg = linux_system_cgroup(s);
    struct shim_error why = {0};
    char number[16];
    int r;

    if (!linux_system_is_created(s))
        return shim_fail(err, SHIM_E_STATE, "container not created");
    if (is_empty(cg))
        return already_finished(err);
    snprintf(number, sizeof(number), "%u", signal);
    r = linux_system_run(s, "killall", "kill", "--all", number,
                         signal == SIGKILL ? KILL_TIMEOUT_MS : 0, &why);
    if (signal == SIGKILL)
        return kill_all(s, cg, r, err);
    if (r >= 0)
        return 0;
    if (r != SHIM_E_CANCELED && cg && linux_cgroup_signal(cg, (int)signal) > 0)
        return 0;
    if (init_has_ended(s) || says_finished(&why))
        return already_finished(err);
    return shim_fail(err, why.code, "%s", why.msg);
}

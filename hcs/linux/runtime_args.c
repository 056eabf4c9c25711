/* SPDX-License-Identifier: Apache-2.0 */
/* The arguments of each command, in the order the runtimes' callers have always used. */
#include "hcs/hcs.h"
#include "hcs/linux/runtime.h"

/* Adds every word, or none when the switch is off. */
static bool add(struct shim_strv *args, bool on, const char *option, const char *value)
{
    if (!on)
        return true;
    return shim_strv_add(args, option) && (!value || shim_strv_add(args, value));
}

int linux_args_create(const struct linux_document *doc, const char *id, const char *console,
                      struct shim_strv *ret, struct shim_error *err)
{
    bool ok = shim_strv_add(ret, "create") && add(ret, true, "--bundle", doc->bundle) &&
              shim_strv_add(ret, "--pid-file") && shim_strv_addf(ret, "%s/init.pid", doc->bundle) &&
              add(ret, console, "--console-socket", console) &&
              add(ret, doc->no_pivot_root, "--no-pivot", NULL) &&
              add(ret, doc->no_new_keyring, "--no-new-keyring", NULL) && shim_strv_add(ret, id);

    return ok ? 0 : shim_fail_memory(err);
}

/* A parent image is not named: the image itself links to it since its checkpoint. */
int linux_args_restore(const struct linux_document *doc, const char *id, const char *image_path,
                       const char *work_path, const char *console, struct shim_strv *ret,
                       struct shim_error *err)
{
    bool ok = shim_strv_add(ret, "restore") && add(ret, true, "--image-path", image_path) &&
              add(ret, true, "--work-path", work_path) && add(ret, true, "--bundle", doc->bundle) &&
              shim_strv_add(ret, "--pid-file") && shim_strv_addf(ret, "%s/init.pid", doc->bundle) &&
              add(ret, true, "--detach", NULL) && add(ret, true, "--no-subreaper", NULL) &&
              add(ret, console, "--console-socket", console) &&
              add(ret, doc->no_pivot_root, "--no-pivot", NULL) && shim_strv_add(ret, id);

    return ok ? 0 : shim_fail_memory(err);
}

int linux_args_exec(const char *id, const char *process_path, const char *pid_path,
                    const char *console, struct shim_strv *ret, struct shim_error *err)
{
    bool ok = shim_strv_add(ret, "exec") && add(ret, true, "--process", process_path) &&
              add(ret, console, "--console-socket", console) && add(ret, true, "--detach", NULL) &&
              add(ret, true, "--pid-file", pid_path) && shim_strv_add(ret, id);

    return ok ? 0 : shim_fail_memory(err);
}

static bool add_namespaces(struct shim_strv *args, const char *const *names)
{
    for (; names && *names; names++)
        if (!add(args, true, "--empty-ns", *names))
            return false;
    return true;
}

int linux_args_checkpoint(const char *id, const struct hcs_checkpoint *c, const char *image_path,
                          const char *work_path, struct shim_strv *ret, struct shim_error *err)
{
    bool ok =
        shim_strv_add(ret, "checkpoint") && add(ret, true, "--image-path", image_path) &&
        add(ret, !shim_str_empty(c->parent_path), "--parent-path", c->parent_path) &&
        add(ret, true, "--work-path", work_path) && add(ret, !c->exit, "--leave-running", NULL) &&
        add(ret, c->open_tcp, "--tcp-established", NULL) &&
        add(ret, c->external_unix_sockets, "--ext-unix-sk", NULL) &&
        add(ret, c->terminal, "--shell-job", NULL) &&
        add(ret, c->file_locks, "--file-locks", NULL) && add_namespaces(ret, c->empty_namespaces) &&
        add(ret, !shim_str_empty(c->cgroups_mode), "--manage-cgroups-mode", c->cgroups_mode) &&
        shim_strv_add(ret, id);

    return ok ? 0 : shim_fail_memory(err);
}

int linux_args_simple(const char *word, const char *option, const char *id, const char *last,
                      struct shim_strv *ret, struct shim_error *err)
{
    bool ok = shim_strv_add(ret, word) && add(ret, option, option, NULL) &&
              shim_strv_add(ret, id) && add(ret, last, last, NULL);

    return ok ? 0 : shim_fail_memory(err);
}

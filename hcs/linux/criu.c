/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoint and restore: where images and logs lie, and what a runtime without them answers. */
#include "base/str.h"
#include "hcs/linux/runtime.h"
#include "hcs/linux/system.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define LOG_LIMIT_BYTES ((size_t)64 * 1024 * 1024)

/* The bundle's link to persistent storage where there is one, else the bundle. */
static char *scratch(const struct linux_system *s)
{
    char *work = shim_strf("%s/work", s->doc.bundle);

    if (!work || shim_file_exists(work))
        return work;
    free(work);
    return shim_strdup0(s->doc.bundle);
}

/* The first that is not empty; malloc'ed, NULL when out of memory or there is none. */
static char *choose(const char *first, const char *second)
{
    const char *chosen = shim_str_empty(first) ? second : first;

    return chosen ? shim_strdup0(chosen) : NULL;
}

static int fail_no_image(struct shim_error *err)
{
    return shim_fail(err, SHIM_E_INVALID, "no image path was given");
}

int linux_restore_paths(const struct linux_system *s, const struct hcs_restore *restore,
                        char **ret_image, char **ret_work, struct shim_error *err)
{
    cleanup_free char *image = NULL, *work = NULL;

    if (shim_str_empty(restore->image_path) && !s->doc.criu_image)
        return fail_no_image(err);
    image = choose(restore->image_path, s->doc.criu_image);
    work = s->doc.criu_work ? shim_strdup0(s->doc.criu_work) : scratch(s);
    if (!image || !work)
        return shim_fail_memory(err);
    *ret_image = shim_take(image);
    *ret_work = shim_take(work);
    return 0;
}

static int copy_file(const char *from, const char *to, struct shim_error *err)
{
    cleanup_buf struct shim_buf text = {0};
    int r = shim_file_read(from, LOG_LIMIT_BYTES, &text, err);

    return r < 0 ? r : shim_file_write(to, text.data, text.len, err);
}

/* criu says more in its log than it lets the runtime say; the folder of work may go. */
static int explain(const struct linux_system *s, const char *work, int r, struct shim_error *err)
{
    cleanup_free char *from = shim_strf("%s/dump.log", work);
    cleanup_free char *to = shim_strf("%s/criu-dump.log", s->doc.bundle);

    if (from && to && copy_file(from, to, NULL) == 0)
        return shim_wrap(err, r, "criu's log is in %s", to);
    return r;
}

/* A folder of criu's logs, which holds no further folders. */
static void remove_folder(const char *path)
{
    DIR *d = opendir(path);

    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_type != DT_DIR)
            unlinkat(dirfd(d), e->d_name, 0);
    if (d)
        closedir(d);
    rmdir(path);
}

static int run_checkpoint(struct linux_system *s, const struct hcs_checkpoint *c, const char *image,
                          const char *work, struct shim_error *err)
{
    cleanup_strv struct shim_strv args = {0};
    struct linux_command command = {.verb = "checkpoint", .args = &args, .capture = true};
    int r = linux_args_checkpoint(s->base.id, c, image, work, &args, err);

    if (r < 0)
        return r;
    r = linux_system_run_command(s, &command, err);
    if (r == SHIM_E_UNKNOWN && !linux_runtime_knows(&s->doc, "checkpoint"))
        return shim_fail(err, SHIM_E_UNIMPLEMENTED, "runtime %s cannot checkpoint containers",
                         s->doc.runtime);
    return r == SHIM_E_UNKNOWN ? explain(s, work, r, err) : r;
}

int linux_system_checkpoint(struct hcs_system *base, const struct hcs_checkpoint *c,
                            struct shim_error *err)
{
    struct linux_system *s = linux_system_of(base);
    cleanup_free char *image = choose(c->image_path, s->doc.criu_image), *folder = scratch(s);
    cleanup_free char *work = choose(c->work_path, s->doc.criu_work);
    bool own_work = !work;
    int r;

    if (shim_str_empty(c->image_path) && !s->doc.criu_image)
        return fail_no_image(err);
    if (!work && folder)
        work = shim_strf("%s/criu-work", folder);
    if (!image || !work)
        return shim_fail_memory(err);
    if (!linux_system_is_created(s) || linux_process_has_ended(&s->init))
        return shim_fail(err, SHIM_E_STATE, "cannot checkpoint: the container does not run");
    r = run_checkpoint(s, c, image, work, err);
    if (own_work)
        remove_folder(work);
    return r;
}

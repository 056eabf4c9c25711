/* SPDX-License-Identifier: Apache-2.0 */
/* One mount with everything its type and options ask for. */
#include "hcs/linux/mount.h"
#include "base/child.h"
#include "base/thread.h"
#include "hcs/hcs.h"
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define HELPER_OUTPUT_BYTES ((size_t)4096)
#define NEAR_A_PAGE_BYTES   ((size_t)512)

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static int fail_mount(const struct hcs_mount *m, const char *source, const char *target, int os,
                      struct shim_error *err)
{
    return shim_fail_os(err, (uint32_t)os, "mount type \"%s\" source \"%s\" target \"%s\"", m->type,
                        source, target);
}

/* --- the call itself, from another folder where the data would be too long ------------------ */

struct attempt {
    const char *source, *target, *type, *data;
    unsigned long flags;
    const char *folder; /* to change into first; NULL: none */
    int os;             /* errno of the outcome */
};

static void try_mount(void *user)
{
    struct attempt *a = user;

    if (a->folder && (unshare(CLONE_FS) != 0 || chdir(a->folder) != 0))
        a->os = errno;
    else
        a->os = mount(a->source, a->target, a->type, a->flags, a->data) == 0 ? 0 : errno;
}

/* A thread's folder can be its own; ours belongs to everybody. */
static int mount_from(struct attempt *a, struct shim_error *err)
{
    struct shim_thread thread;
    int r = shim_thread_start("mount", 0, try_mount, a, &thread, err);

    if (r == 0)
        shim_thread_join(&thread);
    return r;
}

/* Shortens overlay's data to names below the common parent of its lower folders; *ret_folder stays
 * NULL where there is none. */
static int shorten(struct linux_mount_options *o, char **ret_folder, struct shim_error *err)
{
    const char *lowerdir = linux_mount_value(o, "lowerdir");
    cleanup_free char *parent = NULL, *joined = NULL;
    cleanup_strv struct shim_strv dirs = {0};
    int r;

    if (!lowerdir)
        return 0;
    r = linux_lowerdirs_split(lowerdir, &dirs, err);
    if (r < 0)
        return r;
    parent = linux_lowerdirs_parent(&dirs);
    if (!parent)
        return 0;
    r = linux_lowerdirs_join(&dirs, parent, "", &joined, err);
    if (r == 0)
        r = linux_mount_set_value(o, "lowerdir", joined, err);
    if (r == 0)
        *ret_folder = shim_take(parent);
    return r;
}

static int mount_with(const struct hcs_mount *m, struct linux_mount_options *o, const char *source,
                      const char *target, unsigned long flags, struct shim_error *err)
{
    cleanup_free char *data = linux_mount_data(o), *folder = NULL;
    struct attempt a = {.source = source, .target = target, .type = m->type, .flags = flags};
    int r = 0;

    if (data && strcmp(m->type, "overlay") == 0 &&
        strlen(data) >= page_bytes() - NEAR_A_PAGE_BYTES) {
        free(data);
        data = NULL;
        r = shorten(o, &folder, err);
        if (r == 0)
            data = linux_mount_data(o);
    }
    if (r < 0)
        return r;
    if (!data)
        return shim_fail_memory(err);
    if (strlen(data) >= page_bytes())
        return shim_fail(err, SHIM_E_INVALID,
                         "mount type \"%s\" target \"%s\": its options have %zu bytes, more than a "
                         "page",
                         m->type, target, strlen(data));
    a.data = data;
    a.folder = folder;
    if (folder)
        r = mount_from(&a, err);
    else
        try_mount(&a);
    if (r == 0 && a.os != 0)
        r = fail_mount(m, source, target, a.os, err);
    return r;
}

/* --- binds ---------------------------------------------------------------------------------- */

static bool in_user_namespace(void)
{
    cleanup_buf struct shim_buf map = {0};
    unsigned first, host, size;

    return shim_file_read("/proc/self/uid_map", 65536, &map, NULL) == 0 &&
           sscanf(shim_buf_str(&map), "%u %u %u", &first, &host, &size) == 3 &&
           (first != 0 || host != 0 || size != UINT32_MAX);
}

/* Flags that a mount from outside keeps: a remount inside a user namespace must repeat them. */
static unsigned long locked_flags(const char *target)
{
    static const struct {
        unsigned long st;
        unsigned long ms;
    } flags[] = {
        {ST_RDONLY, MS_RDONLY},         {ST_NODEV, MS_NODEV},     {ST_NOEXEC, MS_NOEXEC},
        {ST_NOSUID, MS_NOSUID},         {ST_NOATIME, MS_NOATIME}, {ST_RELATIME, MS_RELATIME},
        {ST_NODIRATIME, MS_NODIRATIME},
    };
    struct statvfs st;
    unsigned long ret = 0;

    if (!in_user_namespace() || statvfs(target, &st) != 0)
        return 0;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(flags); i++)
        if (st.f_flag & flags[i].st)
            ret |= flags[i].ms;
    return ret;
}

/* The kernel ignores "read only" when it makes a bind. */
static int make_read_only(const struct hcs_mount *m, const char *target, unsigned long flags,
                          struct shim_error *err)
{
    if (mount("", target, "", flags | locked_flags(target) | MS_REMOUNT, "") != 0)
        return fail_mount(m, m->source, target, errno, err);
    return 0;
}

/* --- owners mapped -------------------------------------------------------------------------- */

/* A temporary mount of overlay's lower folders with their owners mapped. */
struct mapped_lower {
    char path[32];
    bool made, mounted;
};

static void mapped_lower_done(struct mapped_lower *l)
{
    /* The overlay has mounts of its own of what it needs, so this one is not busy. */
    if (!l->mounted || linux_unmount_one(l->path, NULL) == 0)
        (void)(l->made && rmdir(l->path));
}

static int map_lower(struct linux_mount_options *o, intptr_t userns, struct mapped_lower *ret,
                     struct shim_error *err)
{
    const char *lowerdir = linux_mount_value(o, "lowerdir");
    cleanup_free char *parent = NULL, *prefix = NULL, *joined = NULL;
    cleanup_strv struct shim_strv dirs = {0};
    int r = linux_lowerdirs_split(lowerdir ? lowerdir : "", &dirs, err);

    if (r < 0)
        return r;
    parent = linux_lowerdirs_parent(&dirs);
    if (!parent)
        return shim_fail(err, SHIM_E_UNIMPLEMENTED,
                         "map owners of an overlay whose lower folders have no common parent");
    strcpy(ret->path, "/tmp/ovl-idmappedXXXXXX");
    if (!mkdtemp(ret->path))
        return shim_fail_os(err, (uint32_t)errno, "make a folder in /tmp");
    ret->made = true;
    r = linux_idmap_bind(parent, ret->path, false, true, userns, err);
    if (r < 0)
        return r;
    ret->mounted = true;
    prefix = shim_strf("%s/", ret->path);
    if (!prefix)
        return shim_fail_memory(err);
    r = linux_lowerdirs_join(&dirs, parent, prefix, &joined, err);
    return r < 0 ? r : linux_mount_set_value(o, "lowerdir", joined, err);
}

static int mount_mapped(const struct hcs_mount *m, struct linux_mount_options *o,
                        const char *source, const char *target, unsigned *layers,
                        struct shim_error *err)
{
    __attribute__((cleanup(mapped_lower_done))) struct mapped_lower lower = {0};
    bool overlay = strcmp(m->type, "overlay") == 0;
    cleanup_handle intptr_t userns = SHIM_NO_HANDLE;
    int r = linux_userns_open(o->uidmap, o->gidmap, &userns, err);

    if (r == 0 && overlay)
        r = map_lower(o, userns, &lower, err);
    if (r == 0)
        r = mount_with(m, o, source, target, o->flags, err);
    if (r < 0)
        return r;
    *layers = 1;
    if (overlay)
        return 0;
    r = linux_idmap_bind(target, target, o->flags & MS_REC, o->flags & MS_RDONLY, userns, err);
    if (r == 0)
        *layers = 2;
    return r;
}

/* --- helpers of FUSE ------------------------------------------------------------------------ */

static int run_helper(const struct hcs_mount *m, const char *helper, const char *subtype,
                      const char *target, struct shim_error *err)
{
    cleanup_run_result struct shim_run_result result = {0};
    cleanup_strv struct shim_strv argv = {0};
    struct shim_run run = {.output_limit_bytes = HELPER_OUTPUT_BYTES};
    bool ok = shim_strv_add(&argv, helper) && shim_strv_add(&argv, m->source) &&
              shim_strv_add(&argv, target);
    int r;

    for (const char *const *o = m->options; ok && o && *o; o++)
        ok = shim_strv_add(&argv, "-o") && shim_strv_add(&argv, *o);
    if (!ok || !shim_strv_add(&argv, "-t") || !shim_strv_add(&argv, subtype))
        return shim_fail_memory(err);
    run.spawn.argv = (const char *const *)argv.v;
    r = shim_child_run(&run, &result, err);
    if (r == 0 && result.exit.status != 0)
        r = shim_fail(err, SHIM_E_UNKNOWN, "%s: exit status %u: %s%s", helper, result.exit.status,
                      shim_buf_str(&result.error), shim_buf_str(&result.output));
    if (r < 0)
        return shim_wrap(err, r, "mount type \"%s\" source \"%s\" target \"%s\"", m->type,
                         m->source, target);
    return 0;
}

/* --- one mount ------------------------------------------------------------------------------ */

static int mount_kernel(const struct hcs_mount *m, struct linux_mount_options *o,
                        const char *target, unsigned *layers, struct shim_error *err)
{
    const unsigned long read_only_bind = MS_BIND | MS_RDONLY;
    cleanup_handle intptr_t loop = SHIM_NO_HANDLE;
    const char *source = m->source;
    char device[32];
    int r = 0;

    if (o->loop) {
        r = linux_loop_attach(source, o->flags & MS_RDONLY, o->direct_io, device, &loop, err);
        source = device;
    }
    if (r < 0)
        return shim_wrap(err, r, "mount type \"%s\" target \"%s\"", m->type, target);
    if (o->uidmap)
        return mount_mapped(m, o, source, target, layers, err);
    r = mount_with(m, o, source, target, o->flags, err);
    if (r < 0)
        return r;
    *layers = o->flags & MS_REMOUNT ? 0 : 1;
    if ((o->flags & read_only_bind) == read_only_bind)
        r = make_read_only(m, target, o->flags, err);
    return r;
}

int linux_mount_one(const struct hcs_mount *m, const char *target, unsigned *ret_layers,
                    struct shim_error *err)
{
    cleanup_mount_options struct linux_mount_options options = {0};
    unsigned layers = 0;
    int r;

    *ret_layers = 0;
    if (shim_starts_with(m->type, "fuse3.")) {
        r = run_helper(m, "mount.fuse3", m->type + strlen("fuse3."), target, err);
        layers = 1;
    } else if (shim_starts_with(m->type, "fuse.")) {
        r = run_helper(m, "mount.fuse", m->type + strlen("fuse."), target, err);
        layers = 1;
    } else {
        r = linux_mount_options_parse(m->options, &options, err);
        if (r == 0)
            r = mount_kernel(m, &options, target, &layers, err);
    }
    if (r == 0) {
        *ret_layers = layers;
        return 0;
    }
    for (; layers > 0; layers--) {
        struct shim_error why = {0};

        if (linux_unmount_one(target, &why) < 0)
            return shim_wrap(err, r, "(left behind: %s)", why.msg);
    }
    return r;
}

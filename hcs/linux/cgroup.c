/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a container's control group: which folder, below which mount. Changes nothing. */
#include "hcs/linux/cgroup.h"
#include "base/file.h"
#include "base/posix/mountinfo.h"
#include "base/str.h"
#include <string.h>

#define TEXT_LIMIT_BYTES ((size_t)4 * 1024 * 1024)

static const char *const controller_names[LINUX_CONTROLLERS] = {
    [LINUX_CPU] = "cpu",         [LINUX_CPUACCT] = "cpuacct", [LINUX_MEMORY] = "memory",
    [LINUX_PIDS] = "pids",       [LINUX_BLKIO] = "blkio",     [LINUX_FREEZER] = "freezer",
    [LINUX_DEVICES] = "devices", [LINUX_HUGETLB] = "hugetlb", [LINUX_RDMA] = "rdma",
};

/* Whether `word` is one of the comma-separated words of list[0..len). */
static bool has_word(const char *list, size_t len, const char *word)
{
    size_t word_len = strlen(word);

    while (len > 0) {
        const char *comma = memchr(list, ',', len);
        size_t n = comma ? (size_t)(comma - list) : len;

        if (n == word_len && memcmp(list, word, n) == 0)
            return true;
        n += comma != NULL;
        list += n;
        len -= n;
    }
    return false;
}

/* The path in the line "N:…,controller,…:path" (v2: "0::path", controller NULL); malloc'ed. */
static char *path_in(const char *proc_cgroup, const char *controller)
{
    for (const char *line = proc_cgroup; line && *line;) {
        const char *end = strchrnul(line, '\n');
        const char *names = memchr(line, ':', (size_t)(end - line));
        const char *path = names ? memchr(names + 1, ':', (size_t)(end - names - 1)) : NULL;

        if (path && (controller ? has_word(names + 1, (size_t)(path - names - 1), controller)
                                : path == names + 1))
            return strndup(path + 1, (size_t)(end - path - 1));
        line = *end ? end + 1 : end;
    }
    return NULL;
}

/* Whether `path` is `above` itself or lies below it. */
static bool is_below(const char *path, const char *above)
{
    size_t len = strlen(above);

    if (strcmp(above, "/") == 0)
        return true;
    return strncmp(path, above, len) == 0 && (path[len] == 0 || path[len] == '/');
}

/* Where the hierarchy is mounted so that `path` can be seen; malloc'ed folder of the group. */
static char *below_mount(const char *mountinfo, const char *controller, const char *path)
{
    cleanup_free char *text = strdup(mountinfo);
    struct shim_mountinfo m;
    char *at = text;

    while (shim_mountinfo_next(&at, &m)) {
        const char *type = controller ? "cgroup" : "cgroup2";

        if (strcmp(m.type, type) != 0 || !is_below(path, m.root) ||
            (controller && !has_word(m.super_options, strlen(m.super_options), controller)))
            continue;
        path += strcmp(m.root, "/") == 0 ? 0 : strlen(m.root);
        return shim_strf("%s%s", m.mount_point, path);
    }
    return NULL;
}

static char *own_group(const char *of_pid, const char *of_self, const char *mountinfo,
                       const char *controller)
{
    cleanup_free char *path = path_in(of_pid, controller), *ours = path_in(of_self, controller);

    if (!path || (ours && is_below(ours, path)) || strstr(path, "/../") ||
        shim_ends_with(path, "/.."))
        return NULL;
    return below_mount(mountinfo, controller, path);
}

static int find_v1(struct linux_cgroup *cg, struct shim_error *err)
{
    /* Which hierarchy says what processes there are: the ones that every runtime joins come first.
     */
    static const enum linux_controller lists[] = {LINUX_DEVICES, LINUX_PIDS, LINUX_FREEZER,
                                                  LINUX_MEMORY, LINUX_CPU};

    for (size_t i = 0; i < SHIM_ARRAY_LEN(lists) && !cg->dir; i++)
        if (cg->dirs[lists[i]]) {
            cg->dir = strdup(cg->dirs[lists[i]]);
            if (!cg->dir)
                return shim_fail_memory(err);
        }
    return 0;
}

int linux_cgroup_parse(const char *of_pid, const char *of_self, const char *mountinfo,
                       struct linux_cgroup *ret, struct shim_error *err)
{
    cleanup_cgroup struct linux_cgroup cg = {0};
    int r;

    for (size_t i = 0; i < LINUX_CONTROLLERS; i++)
        cg.dirs[i] = own_group(of_pid, of_self, mountinfo, controller_names[i]);
    r = find_v1(&cg, err);
    if (r < 0)
        return r;
    if (!cg.dir) {
        cg.unified = true;
        cg.dir = own_group(of_pid, of_self, mountinfo, NULL);
    }
    if (!cg.dir)
        return shim_fail(err, SHIM_E_NOT_FOUND, "the process is in no control group of its own");
    *ret = cg;
    cg = (struct linux_cgroup){0};
    return 0;
}

int linux_cgroup_find(int64_t pid, struct linux_cgroup *ret, struct shim_error *err)
{
    cleanup_free char *path = shim_strf("/proc/%lld/cgroup", (long long)pid);
    cleanup_buf struct shim_buf of_pid = {0}, of_self = {0}, mountinfo = {0};
    int r;

    if (!path)
        return shim_fail_memory(err);
    r = shim_file_read(path, TEXT_LIMIT_BYTES, &of_pid, err);
    if (r == 0)
        r = shim_file_read("/proc/self/cgroup", TEXT_LIMIT_BYTES, &of_self, err);
    if (r == 0)
        r = shim_file_read("/proc/self/mountinfo", TEXT_LIMIT_BYTES, &mountinfo, err);
    if (r == 0)
        r = linux_cgroup_parse(shim_buf_str(&of_pid), shim_buf_str(&of_self),
                               shim_buf_str(&mountinfo), ret, err);
    return r < 0 ? shim_wrap(err, r, "control group of process %lld", (long long)pid) : 0;
}

void linux_cgroup_done(struct linux_cgroup *cg)
{
    free(cg->dir);
    for (size_t i = 0; i < LINUX_CONTROLLERS; i++)
        free(cg->dirs[i]);
    *cg = (struct linux_cgroup){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What statistics of both cgroup versions share: numbers in texts, arrays, hugetlb and rdma. */
#include "hcs/linux/figures.h"
#include "base/file.h"
#include "base/str.h"
#include "hcs/linux/cgroup.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define FILE_LIMIT_BYTES ((size_t)1024 * 1024)

uint64_t linux_text_number(const char *text)
{
    if (strncmp(text, "max", 3) == 0)
        return HCS_STATS_MAX;
    if (*text < '0' || *text > '9')
        return 0;
    return strtoull(text, NULL, 10);
}

void linux_text_fill(const char *text, const struct linux_figure *figures, size_t n, void *into)
{
    while (*text) {
        const char *end = strchrnul(text, '\n');
        const char *space = memchr(text, ' ', (size_t)(end - text));

        for (size_t i = 0; space && i < n; i++) {
            size_t len = strlen(figures[i].key);

            if (len != (size_t)(space - text) || memcmp(figures[i].key, text, len) != 0)
                continue;
            *(uint64_t *)(void *)((char *)into + figures[i].offset) = linux_text_number(space + 1);
        }
        text = *end ? end + 1 : end;
    }
}

uint64_t linux_text_value(const char *text, const char *key)
{
    const struct linux_figure figure = {key, 0};
    uint64_t value = 0;

    linux_text_fill(text, &figure, 1, &value);
    return value;
}

const char *linux_figures_file(const char *dir, const char *name, struct shim_buf *ret)
{
    cleanup_free char *path = dir ? shim_strf("%s/%s", dir, name) : NULL;

    ret->len = 0;
    if (!path || shim_file_read(path, FILE_LIMIT_BYTES, ret, NULL) < 0)
        return "";
    return shim_buf_str(ret);
}

uint64_t linux_figures_number(const char *dir, const char *name)
{
    cleanup_buf struct shim_buf text = {0};

    return linux_text_number(linux_figures_file(dir, name, &text));
}

void *linux_figures_grow(void *array, size_t n, size_t element_bytes)
{
    void *more;

    memcpy(&more, array, sizeof(more));
    more = reallocarray(more, n + 1, element_bytes);
    if (!more)
        return NULL;
    memcpy(array, &more, sizeof(more));
    return memset((char *)more + n * element_bytes, 0, element_bytes);
}

/* "hugetlb.2MB.current" with suffix "current": copies 2MB. */
static bool page_size_in(const char *name, const char *suffix, char ret[16])
{
    static const char prefix[] = "hugetlb.";
    const char *size = name + sizeof(prefix) - 1, *dot;

    if (!shim_starts_with(name, prefix))
        return false;
    dot = strchr(size, '.');
    if (!dot || strcmp(dot + 1, suffix) != 0 || dot - size >= 16)
        return false;
    snprintf(ret, 16, "%.*s", (int)(dot - size), size);
    return true;
}

int linux_hugetlb_sizes(const char *dir, const char *suffix, struct hcs_stats *s,
                        struct shim_error *err)
{
    DIR *d = dir ? opendir(dir) : NULL;
    struct hcs_hugetlb *entry = NULL;
    char size[16];
    int r = 0;

    for (struct dirent *e; r == 0 && d && (e = readdir(d));) {
        if (!page_size_in(e->d_name, suffix, size))
            continue;
        entry = linux_figures_grow(&s->hugetlb, s->n_hugetlb, sizeof(*entry));
        if (entry)
            s->n_hugetlb++;
        else
            r = shim_fail_memory(err);
        if (entry)
            memcpy(entry->pagesize, size, sizeof(size));
    }
    if (d)
        closedir(d);
    return r;
}

static uint32_t rdma_value(const char *line, const char *end, const char *key)
{
    const char *at = memmem(line, (size_t)(end - line), key, strlen(key));
    uint64_t value = at ? linux_text_number(at + strlen(key)) : 0;

    return value > UINT32_MAX ? UINT32_MAX : (uint32_t)value;
}

/* "mlx4_0 hca_handle=2 hca_object=max" */
int linux_rdma_parse(const char *text, bool is_limit, struct hcs_stats *s, struct shim_error *err)
{
    while (*text) {
        const char *end = strchrnul(text, '\n');
        const char *space = memchr(text, ' ', (size_t)(end - text));
        struct hcs_rdma *entry;

        if (space) {
            entry = linux_figures_grow(&s->rdma, s->n_rdma, sizeof(*entry));
            if (!entry)
                return shim_fail_memory(err);
            s->n_rdma++;
            snprintf(entry->device, sizeof(entry->device), "%.*s", (int)(space - text), text);
            entry->is_limit = is_limit;
            entry->hca_handles = rdma_value(space, end, "hca_handle=");
            entry->hca_objects = rdma_value(space, end, "hca_object=");
        }
        text = *end ? end + 1 : end;
    }
    return 0;
}

int linux_figures_read(const struct linux_cgroup *cg, struct hcs_stats *ret, struct shim_error *err)
{
    struct hcs_stats s = {.kind = cg->unified ? HCS_STATS_CGROUP2 : HCS_STATS_CGROUP1};
    int r;

    r = cg->unified ? linux_stats2_read(cg->dir, &s, err) : linux_stats1_read(cg, &s, err);
    if (r == 0 && !shim_file_exists(cg->dir)) /* half of the figures may be missing */
        r = shim_fail(err, SHIM_E_NOT_FOUND, "control group %s has gone", cg->dir);
    if (r < 0) {
        hcs_stats_done(&s);
        return r;
    }
    *ret = s;
    return 0;
}

/* False when out of memory; *at is then NULL, so that the copy can be freed. */
static bool dup_array(const void *from, size_t n, size_t element_bytes, void *at)
{
    void *copy = n > 0 ? reallocarray(NULL, n, element_bytes) : NULL;

    if (copy)
        memcpy(copy, from, n * element_bytes);
    memcpy(at, &copy, sizeof(copy));
    return copy || n == 0;
}

int linux_figures_dup(const struct hcs_stats *s, struct hcs_stats *ret, struct shim_error *err)
{
    struct hcs_stats copy = *s;
    bool ok = dup_array(s->hugetlb, s->n_hugetlb, sizeof(*s->hugetlb), &copy.hugetlb);

    ok = dup_array(s->rdma, s->n_rdma, sizeof(*s->rdma), &copy.rdma) && ok;
    if (s->kind == HCS_STATS_CGROUP1) {
        ok = dup_array(s->v1.blkio, s->v1.n_blkio, sizeof(*s->v1.blkio), &copy.v1.blkio) && ok;
        ok = dup_array(s->v1.cpu.per_cpu, s->v1.cpu.n_per_cpu, sizeof(*s->v1.cpu.per_cpu),
                       &copy.v1.cpu.per_cpu) &&
             ok;
    } else {
        ok = dup_array(s->v2.io, s->v2.n_io, sizeof(*s->v2.io), &copy.v2.io) && ok;
    }
    if (!ok) {
        hcs_stats_done(&copy);
        return shim_fail_memory(err);
    }
    *ret = copy;
    return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Reads mount options: flags for the kernel, words for us, the rest for the file system. Pure. */
#include "hcs/linux/mount.h"
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>

struct word {
    const char *name;
    bool clear;
    unsigned long flags;
};

static const struct word words[] = {
    {"async", true, MS_SYNCHRONOUS},
    {"atime", true, MS_NOATIME},
    {"bind", false, MS_BIND},
    {"defaults", false, 0},
    {"dev", true, MS_NODEV},
    {"diratime", true, MS_NODIRATIME},
    {"dirsync", false, MS_DIRSYNC},
    {"exec", true, MS_NOEXEC},
    {"mand", false, MS_MANDLOCK},
    {"noatime", false, MS_NOATIME},
    {"nodev", false, MS_NODEV},
    {"nodiratime", false, MS_NODIRATIME},
    {"noexec", false, MS_NOEXEC},
    {"nomand", true, MS_MANDLOCK},
    {"norelatime", true, MS_RELATIME},
    {"nostrictatime", true, MS_STRICTATIME},
    {"nosuid", false, MS_NOSUID},
    {"rbind", false, MS_BIND | MS_REC},
    {"relatime", false, MS_RELATIME},
    {"remount", false, MS_REMOUNT},
    {"ro", false, MS_RDONLY},
    {"rw", true, MS_RDONLY},
    {"strictatime", false, MS_STRICTATIME},
    {"suid", true, MS_NOSUID},
    {"sync", false, MS_SYNCHRONOUS},
};

static bool parse_flag(const char *option, unsigned long *flags)
{
    for (size_t i = 0; i < SHIM_ARRAY_LEN(words); i++) {
        if (strcmp(words[i].name, option) != 0)
            continue;
        *flags = words[i].clear ? *flags & ~words[i].flags : *flags | words[i].flags;
        return true;
    }
    return false;
}

/* "0:100000:65536[,…]" */
static bool is_map(const char *map)
{
    for (;;) {
        for (int i = 0; i < 3; i++) {
            char number[24];
            uint64_t value;
            size_t len = strspn(map, "0123456789");

            if (len == 0 || len >= sizeof(number))
                return false;
            memcpy(number, map, len);
            number[len] = 0;
            map += len;
            if (!shim_parse_u64(number, UINT32_MAX, &value) || (i < 2 && *map++ != ':'))
                return false;
        }
        if (*map == 0)
            return true;
        if (*map++ != ',')
            return false;
    }
}

static int parse_map(const char *option, char **ret, struct shim_error *err)
{
    const char *map = strchr(option, '=') + 1;

    if (!is_map(map))
        return shim_fail(err, SHIM_E_INVALID, "mount option %s: not container:host:size", option);
    free(*ret);
    *ret = strdup(map);
    return *ret ? 0 : shim_fail_memory(err);
}

static int parse_option(const char *option, struct linux_mount_options *o, struct shim_error *err)
{
    if (parse_flag(option, &o->flags))
        return 0;
    if (strcmp(option, "loop") == 0)
        o->loop = true;
    else if (strcmp(option, "direct-io") == 0)
        o->direct_io = true;
    else if (shim_starts_with(option, "uidmap="))
        return parse_map(option, &o->uidmap, err);
    else if (shim_starts_with(option, "gidmap="))
        return parse_map(option, &o->gidmap, err);
    else if (shim_starts_with(option, "X-containerd."))
        return shim_fail(err, SHIM_E_INVALID,
                         "mount option %s is for containerd's mount manager, not for a mount",
                         option);
    else if (!shim_strv_add(&o->data, option))
        return shim_fail_memory(err);
    return 0;
}

int linux_mount_options_parse(const char *const *options, struct linux_mount_options *ret,
                              struct shim_error *err)
{
    cleanup_mount_options struct linux_mount_options o = {0};

    for (; options && *options; options++) {
        int r = parse_option(*options, &o, err);

        if (r < 0)
            return r;
    }
    if (!o.uidmap != !o.gidmap)
        return shim_fail(err, SHIM_E_INVALID, "mount options have %s without %s",
                         o.uidmap ? "uidmap" : "gidmap", o.uidmap ? "gidmap" : "uidmap");
    *ret = o;
    o = (struct linux_mount_options){0};
    return 0;
}

void linux_mount_options_done(struct linux_mount_options *o)
{
    free(o->uidmap);
    free(o->gidmap);
    shim_strv_done(&o->data);
    *o = (struct linux_mount_options){0};
}

char *linux_mount_data(const struct linux_mount_options *o)
{
    cleanup_buf struct shim_buf text = {0};

    for (size_t i = 0; i < o->data.n; i++)
        if (!shim_buf_appendf(&text, "%s%s", i > 0 ? "," : "", o->data.v[i]))
            return NULL;
    return text.data ? shim_buf_take(&text) : shim_strdup0("");
}

static size_t find_value(const struct linux_mount_options *o, const char *name)
{
    size_t len = strlen(name), i = 0;

    while (i < o->data.n && (strncmp(o->data.v[i], name, len) != 0 || o->data.v[i][len] != '='))
        i++;
    return i;
}

const char *linux_mount_value(const struct linux_mount_options *o, const char *name)
{
    size_t at = find_value(o, name);

    return at < o->data.n ? o->data.v[at] + strlen(name) + 1 : NULL;
}

int linux_mount_set_value(struct linux_mount_options *o, const char *name, const char *value,
                          struct shim_error *err)
{
    size_t at = find_value(o, name);
    char *option = shim_strf("%s=%s", name, value);

    if (!option)
        return shim_fail_memory(err);
    if (at < o->data.n) {
        free(o->data.v[at]);
        o->data.v[at] = option;
    } else {
        free(option);
    }
    return 0;
}

/* --- overlay's lower folders ---------------------------------------------------------------- */

int linux_lowerdirs_split(const char *lowerdir, struct shim_strv *ret, struct shim_error *err)
{
    for (const char *start = lowerdir, *at = lowerdir;; at++) {
        if (*at == '\\' && at[1]) {
            at++;
            continue;
        }
        if (*at != ':' && *at != 0)
            continue;
        if (!shim_strv_addf(ret, "%.*s", (int)(at - start), start))
            return shim_fail_memory(err);
        if (*at == 0)
            return 0;
        start = at + 1;
    }
}

/* How much of both is the same. */
static size_t common(const char *a, const char *b, size_t at_most)
{
    size_t n = 0;

    while (n < at_most && a[n] && a[n] == b[n])
        n++;
    return n;
}

char *linux_lowerdirs_parent(const struct shim_strv *dirs)
{
    size_t len;

    if (dirs->n == 0 || dirs->v[0][0] != '/')
        return NULL;
    len = strlen(dirs->v[0]);
    for (size_t i = 1; i < dirs->n; i++)
        len = common(dirs->v[0], dirs->v[i], len);
    /* Back to where a component of every one of them begins. */
    for (size_t i = 0; i < dirs->n; i++)
        while (len > 0 && dirs->v[i][len] != '/')
            len--;
    if (memchr(dirs->v[0], '\\', len))
        return NULL; /* an escaped name means something else outside of the option */
    return len > 0 ? strndup(dirs->v[0], len) : NULL;
}

int linux_lowerdirs_join(const struct shim_strv *dirs, const char *parent, const char *instead,
                         char **ret, struct shim_error *err)
{
    cleanup_buf struct shim_buf text = {0};
    size_t skip = strlen(parent) + 1;

    for (size_t i = 0; i < dirs->n; i++)
        if (!shim_buf_appendf(&text, "%s%s%s", i > 0 ? ":" : "", instead, dirs->v[i] + skip))
            return shim_fail_memory(err);
    *ret = shim_buf_take(&text);
    return *ret ? 0 : shim_fail_memory(err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the provider's documents by tables of their members; whatever no table names is an
 * error. */
#include "hcs/linux/document.h"
#include "base/str.h"
#include <json-c/json.h>
#include <stddef.h>
#include <string.h>

enum kind {
    KIND_TEXT,  /* char *, not empty */
    KIND_PATH,  /* char *, absolute */
    KIND_BOOL,  /* bool */
    KIND_U32,   /* uint32_t */
    KIND_FIXED, /* nothing is stored: an integer or bool that must be `want` */
    KIND_JSON,  /* char *, the text of an object */
    KIND_SUB,   /* an object with members of its own, stored into the same struct */
};

struct member {
    const char *name;
    enum kind kind;
    bool optional;
    int want;
    size_t offset;
    const struct member *sub; /* ended by one without a name */
};

/* "Linux.Runtime" + "Path", in a fixed buffer since names come from our tables or get cut. */
struct path {
    char text[256];
};

static struct path path_join(const char *parent, const char *name)
{
    struct path p;
    size_t parent_len = strlen(parent);

    if (parent_len > sizeof(p.text) / 2)
        parent_len = sizeof(p.text) / 2;
    memcpy(p.text, parent, parent_len);
    if (parent_len > 0)
        p.text[parent_len++] = '.';
    strncpy(p.text + parent_len, name, sizeof(p.text) - parent_len - 1);
    p.text[sizeof(p.text) - 1] = 0;
    return p;
}

static int read_text(struct json_object *value, const char *path, bool absolute, char **ret,
                     struct shim_error *err)
{
    const char *text = json_object_get_string(value);

    if (!json_object_is_type(value, json_type_string))
        return shim_fail(err, SHIM_E_INVALID, "%s: not a string", path);
    if (strlen(text) != (size_t)json_object_get_string_len(value))
        return shim_fail(err, SHIM_E_INVALID, "%s: NUL inside a string", path);
    if (absolute && text[0] != '/')
        return shim_fail(err, SHIM_E_INVALID, "%s: \"%s\" is not an absolute path", path, text);
    if (!*text)
        return shim_fail(err, SHIM_E_INVALID, "%s: empty", path);
    *ret = strdup(text);
    return *ret ? 0 : shim_fail_memory(err);
}

static int read_bool(struct json_object *value, const char *path, bool *ret, struct shim_error *err)
{
    if (!json_object_is_type(value, json_type_boolean))
        return shim_fail(err, SHIM_E_INVALID, "%s: not a boolean", path);
    *ret = json_object_get_boolean(value);
    return 0;
}

static int read_u32(struct json_object *value, const char *path, uint32_t *ret,
                    struct shim_error *err)
{
    int64_t number = json_object_get_int64(value);

    if (!json_object_is_type(value, json_type_int))
        return shim_fail(err, SHIM_E_INVALID, "%s: not an integer", path);
    if (number < 0 || number > UINT32_MAX)
        return shim_fail(err, SHIM_E_INVALID, "%s: not between 0 and 4294967295", path);
    *ret = (uint32_t)number;
    return 0;
}

static int check_fixed(struct json_object *value, const char *path, int want,
                       struct shim_error *err)
{
    if (!json_object_is_type(value, json_type_int) &&
        !json_object_is_type(value, json_type_boolean))
        return shim_fail(err, SHIM_E_INVALID, "%s: neither an integer nor a boolean", path);
    if (json_object_get_int64(value) != want)
        return shim_fail(err, SHIM_E_INVALID, "%s: %s is not supported", path,
                         json_object_get_string(value));
    return 0;
}

static int read_json(struct json_object *value, const char *path, char **ret,
                     struct shim_error *err)
{
    if (!json_object_is_type(value, json_type_object))
        return shim_fail(err, SHIM_E_INVALID, "%s: not an object", path);
    *ret = shim_strdup0(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN |
                                                                  JSON_C_TO_STRING_NOSLASHESCAPE));
    return *ret ? 0 : shim_fail_memory(err);
}

static int read_object(struct json_object *object, const char *path, const struct member *members,
                       void *into, struct shim_error *err);

static int read_member(struct json_object *value, const char *path, const struct member *m,
                       void *into, struct shim_error *err)
{
    void *at = (char *)into + m->offset;

    switch (m->kind) {
    case KIND_TEXT:
    case KIND_PATH:
        return read_text(value, path, m->kind == KIND_PATH, at, err);
    case KIND_BOOL:
        return read_bool(value, path, at, err);
    case KIND_U32:
        return read_u32(value, path, at, err);
    case KIND_FIXED:
        return check_fixed(value, path, m->want, err);
    case KIND_JSON:
        return read_json(value, path, at, err);
    case KIND_SUB:
        return read_object(value, path, m->sub, into, err);
    }
    return shim_fail(err, SHIM_E_INTERNAL, "%s: a member of no kind", path);
}

static int check_unknown(struct json_object *object, const char *path, const struct member *members,
                         struct shim_error *err)
{
    struct json_object_iterator it = json_object_iter_begin(object);
    struct json_object_iterator end = json_object_iter_end(object);

    for (; !json_object_iter_equal(&it, &end); json_object_iter_next(&it)) {
        const char *name = json_object_iter_peek_name(&it);
        const struct member *m = members;

        while (m->name && strcmp(m->name, name) != 0)
            m++;
        if (!m->name)
            return shim_fail(err, SHIM_E_INVALID, "%s: unknown member", path_join(path, name).text);
    }
    return 0;
}

static int read_object(struct json_object *object, const char *path, const struct member *members,
                       void *into, struct shim_error *err)
{
    int r;

    if (!json_object_is_type(object, json_type_object))
        return shim_fail(err, SHIM_E_INVALID, "%s: not an object", *path ? path : "document");
    r = check_unknown(object, path, members, err);
    for (const struct member *m = members; r == 0 && m->name; m++) {
        struct path at = path_join(path, m->name);
        struct json_object *value;

        if (json_object_object_get_ex(object, m->name, &value))
            r = read_member(value, at.text, m, into, err);
        else if (!m->optional)
            r = shim_fail(err, SHIM_E_INVALID, "%s: missing", at.text);
    }
    return r;
}

#define AT(field)      .offset = offsetof(struct linux_document, field)
#define AT_EXEC(field) .offset = offsetof(struct linux_parameters, field)

static const struct member version_members[] = {
    {"Major", KIND_FIXED, .want = 2},
    {"Minor", KIND_FIXED, .want = 1},
    {0},
};
static const struct member runtime_members[] = {
    {"Path", KIND_PATH, AT(runtime)},
    {"Root", KIND_PATH, AT(root)},
    {"SystemdCgroup", KIND_BOOL, AT(systemd_cgroup)},
    {"NoPivotRoot", KIND_BOOL, AT(no_pivot_root)},
    {"NoNewKeyring", KIND_BOOL, AT(no_new_keyring)},
    {0},
};
static const struct member criu_members[] = {
    {"Path", KIND_TEXT, true, AT(criu)},
    {"ImagePath", KIND_TEXT, true, AT(criu_image)},
    {"WorkPath", KIND_TEXT, true, AT(criu_work)},
    {0},
};
static const struct member linux_members[] = {
    {"Bundle", KIND_PATH, AT(bundle)},
    {"Rootfs", KIND_PATH, AT(rootfs)},
    {"Terminal", KIND_BOOL, AT(terminal)},
    {"Runtime", KIND_SUB, .sub = runtime_members},
    {"Criu", KIND_SUB, .optional = true, .sub = criu_members},
    {"IoUid", KIND_U32, AT(io_uid)},
    {"IoGid", KIND_U32, AT(io_gid)},
    {0},
};
static const struct member document_members[] = {
    {"Owner", KIND_TEXT, AT(owner)},
    {"SchemaVersion", KIND_SUB, .sub = version_members},
    /* A container outlives the handles of its shim; nothing here could end it with them. */
    {"ShouldTerminateOnLastHandleClosed", KIND_FIXED, .want = false},
    {"Linux", KIND_SUB, .sub = linux_members},
    {0},
};
static const struct member parameters_members[] = {
    {"Terminal", KIND_BOOL, AT_EXEC(terminal)},
    {"IoUid", KIND_U32, AT_EXEC(io_uid)},
    {"IoGid", KIND_U32, AT_EXEC(io_gid)},
    {"OciProcess", KIND_JSON, AT_EXEC(process_json)},
    {0},
};

int linux_document_read(struct json_object *document, struct linux_document *ret,
                        struct shim_error *err)
{
    cleanup_linux_document struct linux_document d = {0};
    int r = read_object(document, "", document_members, &d, err);

    if (r < 0)
        return r;
    *ret = d;
    d = (struct linux_document){0};
    return 0;
}

void linux_document_done(struct linux_document *d)
{
    free(d->owner);
    free(d->bundle);
    free(d->rootfs);
    free(d->runtime);
    free(d->root);
    free(d->criu);
    free(d->criu_image);
    free(d->criu_work);
    *d = (struct linux_document){0};
}

int linux_parameters_read(struct json_object *parameters, struct linux_parameters *ret,
                          struct shim_error *err)
{
    cleanup_linux_parameters struct linux_parameters p = {0};
    int r = read_object(parameters, "", parameters_members, &p, err);

    if (r < 0)
        return r;
    *ret = p;
    p = (struct linux_parameters){0};
    return 0;
}

void linux_parameters_done(struct linux_parameters *p)
{
    free(p->process_json);
    *p = (struct linux_parameters){0};
}

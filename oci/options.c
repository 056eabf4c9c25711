/* SPDX-License-Identifier: Apache-2.0 */
/* Maps the keys of flat TOML to runtime options; the reading itself is in toml.c. */
#include "oci/options.h"
#include "base/str.h"
#include "oci/toml.h"
#include <ctype.h>
#include <string.h>

struct known_key {
    const char *name;
    enum oci_toml_type type;
    size_t offset; /* in struct oci_options */
};
#define KEY(name, type, member)                                                                    \
    {                                                                                              \
        name, OCI_TOML_##type, offsetof(struct oci_options, member)                                \
    }

static const struct known_key known_keys[] = {
    KEY("BinaryName", STRING, binary_name),
    KEY("Root", STRING, root),
    KEY("ShimCgroup", STRING, shim_cgroup),
    KEY("CriuPath", STRING, criu_path),
    KEY("CriuImagePath", STRING, criu_image_path),
    KEY("CriuWorkPath", STRING, criu_work_path),
    KEY("Provider", STRING, provider),
    KEY("SystemdCgroup", BOOL, systemd_cgroup),
    KEY("NoPivotRoot", BOOL, no_pivot_root),
    KEY("NoNewKeyring", BOOL, no_new_keyring),
    KEY("IoUid", INTEGER, io_uid),
    KEY("IoGid", INTEGER, io_gid),
};

struct reading {
    struct oci_options *options;
    bool seen[SHIM_ARRAY_LEN(known_keys)];
    oci_unknown_key *unknown;
    void *user;
};

void oci_options_done(struct oci_options *o)
{
    free(o->binary_name);
    free(o->root);
    free(o->shim_cgroup);
    free(o->criu_path);
    free(o->criu_image_path);
    free(o->criu_work_path);
    free(o->provider);
    *o = (struct oci_options){0};
}

/* Whether key is name but for case and underscores. */
static bool is_key(const char *name, const char *key)
{
    for (; *key; key++)
        if (*key != '_' && tolower((unsigned char)*name++) != tolower((unsigned char)*key))
            return false;
    return !*name;
}

static const struct known_key *find_key(const char *key)
{
    for (size_t i = 0; i < SHIM_ARRAY_LEN(known_keys); i++)
        if (is_key(known_keys[i].name, key))
            return &known_keys[i];
    return NULL;
}

/* An empty string says "the default", as it does in the protobuf form. */
static int set_string(char **at, const char *value, struct shim_error *err)
{
    char *copy = *value ? strdup(value) : NULL;

    if (*value && !copy)
        return shim_fail_memory(err);
    free(*at);
    *at = copy;
    return 0;
}

static int set(const struct known_key *key, const struct oci_toml_value *value, unsigned line,
               struct oci_options *o, struct shim_error *err)
{
    void *at = (char *)o + key->offset;

    switch (key->type) {
    case OCI_TOML_STRING:
        return set_string(at, value->string, err);
    case OCI_TOML_BOOL:
        *(bool *)at = value->boolean;
        return 0;
    default:
        if (value->integer < 0 || value->integer > UINT32_MAX)
            return shim_fail(err, SHIM_E_INVALID, "line %u: %s is not between 0 and %u", line,
                             key->name, UINT32_MAX);
        *(uint32_t *)at = (uint32_t)value->integer;
        return 0;
    }
}

static int take_entry(const char *name, const struct oci_toml_value *value, unsigned line,
                      void *user, struct shim_error *err)
{
    static const char *const types[] = {"a string", "a boolean", "an integer"};
    struct reading *reading = user;
    const struct known_key *key = find_key(name);

    if (!key) {
        if (reading->unknown)
            reading->unknown(name, line, reading->user);
        return 0;
    }
    if (reading->seen[key - known_keys])
        return shim_fail(err, SHIM_E_INVALID, "line %u: %s is set twice", line, key->name);
    reading->seen[key - known_keys] = true;
    if (value->type != key->type)
        return shim_fail(err, SHIM_E_INVALID, "line %u: %s is not %s", line, key->name,
                         types[key->type]);
    return set(key, value, line, reading->options, err);
}

int oci_options_from_toml(const char *text, size_t bytes, struct oci_options *o,
                          oci_unknown_key *unknown, void *user, struct shim_error *err)
{
    struct reading reading = {.options = o, .unknown = unknown, .user = user};

    if (bytes > OCI_OPTIONS_MAX_BYTES)
        return shim_fail(err, SHIM_E_EXHAUSTED, "%zu bytes are over the limit of %zu", bytes,
                         OCI_OPTIONS_MAX_BYTES);
    return oci_toml_parse(text, bytes, take_entry, &reading, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Builds OCI documents from templates and a user's wishes. */
#include "shim/ctl/spec.h"
#include "shim/ctl/json.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CAPABILITIES                                                                               \
    "[\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FSETID\",\"CAP_FOWNER\",\"CAP_MKNOD\","             \
    "\"CAP_NET_RAW\",\"CAP_SETGID\",\"CAP_SETUID\",\"CAP_SETFCAP\",\"CAP_SETPCAP\","               \
    "\"CAP_NET_BIND_SERVICE\",\"CAP_SYS_CHROOT\",\"CAP_KILL\",\"CAP_AUDIT_WRITE\"]"

#define PATH_ENV "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char process_template[] =
    "{\"terminal\":false,\"user\":{\"uid\":0,\"gid\":0},\"args\":[],"
    "\"env\":[\"" PATH_ENV "\"],\"cwd\":\"/\","
    "\"capabilities\":{\"bounding\":" CAPABILITIES ",\"effective\":" CAPABILITIES
    ",\"permitted\":" CAPABILITIES "},"
    "\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"hard\":1024,\"soft\":1024}],"
    "\"noNewPrivileges\":true}";

static const char spec_template[] =
    "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"\",\"readonly\":false},"
    "\"mounts\":["
    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\","
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","
    "\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","
    "\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\"]},"
    "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\","
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]},"
    "{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\","
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"
    "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\","
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]}],"
    "\"linux\":{\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"ipc\"},{\"type\":\"uts\"},"
    "{\"type\":\"mount\"},{\"type\":\"network\"}],"
    "\"maskedPaths\":[\"/proc/acpi\",\"/proc/asound\",\"/proc/kcore\",\"/proc/keys\","
    "\"/proc/latency_stats\",\"/proc/timer_list\",\"/proc/timer_stats\",\"/proc/sched_debug\","
    "\"/sys/firmware\",\"/proc/scsi\"],"
    "\"readonlyPaths\":[\"/proc/bus\",\"/proc/fs\",\"/proc/irq\",\"/proc/sys\","
    "\"/proc/sysrq-trigger\"]}}";

static int parse_template(const char *text, struct json_object **ret, struct shim_error *err)
{
    return oci_json_parse("template", text, strlen(text), ret, err);
}

static bool add_id_mapping(struct json_object *linux_part, const char *key, uint32_t host_id)
{
    cleanup_json struct json_object *list = json_object_new_array();
    struct json_object *map = json_object_new_object(); /* list's once pushed */

    if (!list || !ctl_json_push(list, map))
        return false;
    return ctl_json_add(map, "containerID", json_object_new_int(0)) &&
           ctl_json_add(map, "hostID", json_object_new_int64(host_id)) &&
           ctl_json_add(map, "size", json_object_new_int(1)) &&
           ctl_json_add(linux_part, key, shim_take(list));
}

/* An unprivileged user becomes root of a user namespace, and cannot make cgroups. */
static bool add_user_namespace(struct json_object *linux_part, const struct ctl_spec_owner *owner)
{
    struct json_object *namespaces = json_object_object_get(linux_part, "namespaces");
    struct json_object *user = json_object_new_object(); /* namespaces' once pushed */

    return ctl_json_push(namespaces, user) &&
           ctl_json_add(user, "type", json_object_new_string("user")) &&
           add_id_mapping(linux_part, "uidMappings", owner->uid) &&
           add_id_mapping(linux_part, "gidMappings", owner->gid);
}

/* A cgroup of its own in the way containerd's clients name it, and no devices but the runtime's. */
static bool add_cgroup(struct json_object *linux_part, const struct ctl_spec_owner *owner)
{
    static const char devices[] = "{\"devices\":[{\"allow\":false,\"access\":\"rwm\"}]}";
    cleanup_free char *path = shim_strf("/%s/%s", owner->ns, owner->id);

    return path && ctl_json_add(linux_part, "cgroupsPath", json_object_new_string(path)) &&
           ctl_json_add(linux_part, "resources", json_tokener_parse(devices));
}

int ctl_spec_default(const struct ctl_spec_owner *owner, struct json_object **ret,
                     struct shim_error *err)
{
    cleanup_json struct json_object *spec = NULL;
    struct json_object *process = NULL;
    struct json_object *linux_part;
    int r = parse_template(spec_template, &spec, err);

    if (r < 0)
        return r;
    r = parse_template(process_template, &process, err);
    if (r < 0)
        return r;
    linux_part = json_object_object_get(spec, "linux");
    if (!ctl_json_add(spec, "process", process) ||
        !ctl_json_add(spec, "hostname", json_object_new_string(owner->id)) ||
        !(owner->uid == 0 ? add_cgroup(linux_part, owner) : add_user_namespace(linux_part, owner)))
        return shim_fail_memory(err);
    *ret = shim_take(spec);
    return 0;
}

static bool same_key(const char *a, const char *b, size_t key_bytes)
{
    return strncmp(a, b, key_bytes) == 0 && a[key_bytes] == '=';
}

/* Replaces the entry of the same name or adds one. */
static int set_env(struct json_object *env, const char *word, struct shim_error *err)
{
    const char *equals = strchr(word, '=');
    size_t n = json_object_array_length(env);
    size_t at = 0;
    struct json_object *text;

    if (!equals || equals == word)
        return shim_fail(err, SHIM_E_INVALID, "environment \"%s\": expected NAME=VALUE", word);
    while (at < n) {
        const char *old = json_object_get_string(json_object_array_get_idx(env, at));

        if (old && same_key(old, word, (size_t)(equals - word)))
            break;
        at++;
    }
    text = json_object_new_string(word);
    if (!text || json_object_array_put_idx(env, at, text) != 0) {
        json_object_put(text);
        return shim_fail_memory(err);
    }
    return 0;
}

static int apply_env(struct json_object *process, const struct shim_strv *words,
                     struct shim_error *err)
{
    struct json_object *env = json_object_object_get(process, "env");

    if (!json_object_is_type(env, json_type_array)) {
        env = json_object_new_array();
        if (!ctl_json_add(process, "env", env))
            return shim_fail_memory(err);
    }
    for (size_t i = 0; words && i < words->n; i++) {
        int r = set_env(env, words->v[i], err);

        if (r < 0)
            return r;
    }
    return 0;
}

static bool set_args(struct json_object *process, const char *const *args)
{
    cleanup_json struct json_object *list = json_object_new_array();

    for (; list && *args; args++)
        if (!ctl_json_push(list, json_object_new_string(*args)))
            return false;
    return list && ctl_json_add(process, "args", shim_take(list));
}

static int apply_process(struct json_object *process, const struct ctl_process_wishes *wishes,
                         struct shim_error *err)
{
    struct json_object *args;

    if (!ctl_json_add(process, "terminal", json_object_new_boolean(wishes->terminal)) ||
        (wishes->cwd && !ctl_json_add(process, "cwd", json_object_new_string(wishes->cwd))) ||
        (wishes->args && *wishes->args && !set_args(process, wishes->args)))
        return shim_fail_memory(err);
    args = json_object_object_get(process, "args");
    if (!json_object_is_type(args, json_type_array) || json_object_array_length(args) == 0)
        return shim_fail(err, SHIM_E_INVALID, "no program to run: no arguments given");
    return apply_env(process, wishes->env, err);
}

int ctl_spec_apply(struct json_object *spec, const struct ctl_spec_wishes *wishes,
                   struct shim_error *err)
{
    struct json_object *root = ctl_json_member(spec, "root");
    struct json_object *process = ctl_json_member(spec, "process");

    if (!root || !process ||
        (wishes->rootfs && !ctl_json_add(root, "path", json_object_new_string(wishes->rootfs))))
        return shim_fail_memory(err);
    if (!*ctl_json_text(root, "path"))
        return shim_fail(err, SHIM_E_INVALID, "no root file system: root.path is missing");
    return apply_process(process, &wishes->process, err);
}

int ctl_spec_exec(struct json_object *spec, const struct ctl_process_wishes *wishes,
                  struct json_object **ret, struct shim_error *err)
{
    cleanup_json struct json_object *process = NULL;
    struct json_object *base = spec ? json_object_object_get(spec, "process") : NULL;
    int r = 0;

    if (!json_object_is_type(base, json_type_object))
        r = parse_template(process_template, &process, err);
    else if (json_object_deep_copy(base, &process, NULL) != 0)
        r = shim_fail_memory(err);
    if (r < 0)
        return r;
    r = apply_process(process, wishes, err);
    if (r < 0)
        return r;
    *ret = shim_take(process);
    return 0;
}

#define CPU_PERIOD_US 100000

static int add_cpus(struct json_object *resources, const char *cpus, struct shim_error *err)
{
    struct json_object *cpu = ctl_json_member(resources, "cpu");
    char *end;
    double n;

    errno = 0;
    n = strtod(cpus, &end);
    if (errno || end == cpus || *end || !isfinite(n) || n < 0.01 || n > 100000)
        return shim_fail(err, SHIM_E_INVALID, "--cpus: \"%s\" is not a number of CPUs", cpus);
    if (!cpu ||
        !ctl_json_add(cpu, "quota", json_object_new_int64((int64_t)(n * CPU_PERIOD_US + 0.5))) ||
        !ctl_json_add(cpu, "period", json_object_new_int64(CPU_PERIOD_US)))
        return shim_fail_memory(err);
    return 0;
}

static int add_limit(struct json_object *resources, const char *part, const struct ctl_u64 *limit,
                     struct shim_error *err)
{
    struct json_object *object = ctl_json_member(resources, part);

    if (limit->value > INT64_MAX)
        return shim_fail(err, SHIM_E_INVALID, "--%s: %llu is too large", part,
                         (unsigned long long)limit->value);
    if (!object || !ctl_json_add(object, "limit", json_object_new_int64((int64_t)limit->value)))
        return shim_fail_memory(err);
    return 0;
}

int ctl_spec_resources(const struct ctl_u64 *memory_bytes, const char *cpus,
                       const struct ctl_u64 *pids, struct json_object **ret, struct shim_error *err)
{
    cleanup_json struct json_object *resources = json_object_new_object();
    int r = resources ? 0 : shim_fail_memory(err);

    if (r >= 0 && memory_bytes->set)
        r = add_limit(resources, "memory", memory_bytes, err);
    if (r >= 0 && cpus)
        r = add_cpus(resources, cpus, err);
    if (r >= 0 && pids->set)
        r = add_limit(resources, "pids", pids, err);
    if (r < 0)
        return r;
    *ret = shim_take(resources);
    return 0;
}

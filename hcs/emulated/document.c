/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of the documents, and their way into plain structs. */
#include "hcs/emulated/document.h"
#include "hcs/emulated/schema.h"
#include <stdlib.h>
#include <string.h>

#define OBJECT(list)                                                                               \
    {                                                                                              \
        .type = json_type_object, .members = (list), .n_members = SHIM_ARRAY_LEN(list)             \
    }
#define ARRAY_OF(element)                                                                          \
    {                                                                                              \
        .type = json_type_array, .each = (element)                                                 \
    }
#define MAP_OF(element)                                                                            \
    {                                                                                              \
        .type = json_type_object, .each = (element)                                                \
    }
#define NUMBER(low, high)                                                                          \
    {                                                                                              \
        .type = json_type_int, .min = (low), .max = (high)                                         \
    }

static const struct schema_type any = {.type = json_type_null};
static const struct schema_type boolean = {.type = json_type_boolean};
static const struct schema_type text = {.type = json_type_string};
static const struct schema_type some_text = {.type = json_type_string, .text = SCHEMA_SOME_TEXT};
static const struct schema_type absolute = {.type = json_type_string, .text = SCHEMA_ABSOLUTE_PATH};
static const struct schema_type variable = {.type = json_type_string, .text = SCHEMA_ENVIRONMENT};
static const struct schema_type number_i64 = NUMBER(INT64_MIN, INT64_MAX);
static const struct schema_type number_u64 = NUMBER(0, UINT64_MAX);
static const struct schema_type number_u32 = NUMBER(0, UINT32_MAX);
static const struct schema_type number_u16 = NUMBER(0, UINT16_MAX);
static const struct schema_type limit_i64 = NUMBER(-1, INT64_MAX);

static const struct schema_type texts = ARRAY_OF(&text);
static const struct schema_type numbers_u32 = ARRAY_OF(&number_u32);
static const struct schema_type variables = ARRAY_OF(&variable);
static const struct schema_type arguments = {
    .type = json_type_array, .min_items = 1, .each = &text};

/* --- the compute system --------------------------------------------------------------------- */

static const struct schema_type version_major = NUMBER(2, 2);
static const struct schema_type version_minor = NUMBER(1, 5);
static const struct schema_member version_members[] = {
    SCHEMA_REQUIRED("Major", &version_major),
    SCHEMA_REQUIRED("Minor", &version_minor),
};
static const struct schema_type version = OBJECT(version_members);

static const struct schema_member runtime_members[] = {
    SCHEMA_REQUIRED("Path", &absolute),         SCHEMA_REQUIRED("Root", &absolute),
    SCHEMA_REQUIRED("SystemdCgroup", &boolean), SCHEMA_REQUIRED("NoPivotRoot", &boolean),
    SCHEMA_REQUIRED("NoNewKeyring", &boolean),
};
static const struct schema_type runtime = OBJECT(runtime_members);

static const struct schema_member criu_members[] = {
    SCHEMA_OPTIONAL("Path", &text),
    SCHEMA_OPTIONAL("ImagePath", &text),
    SCHEMA_OPTIONAL("WorkPath", &text),
};
static const struct schema_type criu = OBJECT(criu_members);

static const struct schema_member linux_members[] = {
    SCHEMA_REQUIRED("Bundle", &absolute),  SCHEMA_REQUIRED("Rootfs", &absolute),
    SCHEMA_REQUIRED("Terminal", &boolean), SCHEMA_OPTIONAL("Runtime", &runtime),
    SCHEMA_OPTIONAL("Criu", &criu),        SCHEMA_REQUIRED("IoUid", &number_u32),
    SCHEMA_REQUIRED("IoGid", &number_u32),
};
static const struct schema_type linux_part = OBJECT(linux_members);

/* The kinds of system exclude each other; the emulated service runs one of them. */
static const struct schema_member document_members[] = {
    SCHEMA_REQUIRED("Owner", &some_text),
    SCHEMA_REQUIRED("SchemaVersion", &version),
    SCHEMA_OPTIONAL("ShouldTerminateOnLastHandleClosed", &boolean),
    {.name = "Linux", .type = &linux_part, .alternative = 1},
    {.name = "Container", .type = &any, .optional = true, .alternative = 1},
    {.name = "HostedSystem", .type = &any, .optional = true, .alternative = 1},
    {.name = "VirtualMachine", .type = &any, .optional = true, .alternative = 1},
};
static const struct schema_type document_type = OBJECT(document_members);

/* --- processes ------------------------------------------------------------------------------ */

static const struct schema_member size_members[] = {
    SCHEMA_REQUIRED("height", &number_u16),
    SCHEMA_REQUIRED("width", &number_u16),
};
static const struct schema_type console_size = OBJECT(size_members);

static const struct schema_member user_members[] = {
    SCHEMA_OPTIONAL("uid", &number_u32),   SCHEMA_OPTIONAL("gid", &number_u32),
    SCHEMA_OPTIONAL("umask", &number_u32), SCHEMA_OPTIONAL("additionalGids", &numbers_u32),
    SCHEMA_OPTIONAL("username", &text),
};
static const struct schema_type user = OBJECT(user_members);

static const struct schema_member capability_members[] = {
    SCHEMA_OPTIONAL("bounding", &texts),    SCHEMA_OPTIONAL("effective", &texts),
    SCHEMA_OPTIONAL("inheritable", &texts), SCHEMA_OPTIONAL("permitted", &texts),
    SCHEMA_OPTIONAL("ambient", &texts),
};
static const struct schema_type capabilities = OBJECT(capability_members);

static const struct schema_member rlimit_members[] = {
    SCHEMA_REQUIRED("type", &some_text),
    SCHEMA_REQUIRED("hard", &number_u64),
    SCHEMA_REQUIRED("soft", &number_u64),
};
static const struct schema_type rlimit = OBJECT(rlimit_members);
static const struct schema_type rlimits = ARRAY_OF(&rlimit);

static const struct schema_member scheduler_members[] = {
    SCHEMA_REQUIRED("policy", &some_text),    SCHEMA_OPTIONAL("nice", &number_i64),
    SCHEMA_OPTIONAL("priority", &number_i64), SCHEMA_OPTIONAL("flags", &texts),
    SCHEMA_OPTIONAL("runtime", &number_u64),  SCHEMA_OPTIONAL("deadline", &number_u64),
    SCHEMA_OPTIONAL("period", &number_u64),
};
static const struct schema_type scheduler = OBJECT(scheduler_members);

static const struct schema_member io_priority_members[] = {
    SCHEMA_REQUIRED("class", &some_text),
    SCHEMA_OPTIONAL("priority", &number_i64),
};
static const struct schema_type io_priority = OBJECT(io_priority_members);

static const struct schema_member affinity_members[] = {
    SCHEMA_OPTIONAL("initial", &text),
    SCHEMA_OPTIONAL("final", &text),
};
static const struct schema_type affinity = OBJECT(affinity_members);

static const struct schema_type oom_score = NUMBER(-1000, 1000);
static const struct schema_member process_members[] = {
    {.name = "args", .type = &arguments, .alternative = 1},
    {.name = "commandLine", .type = &text, .optional = true, .alternative = 1},
    SCHEMA_REQUIRED("cwd", &absolute),
    SCHEMA_OPTIONAL("env", &variables),
    SCHEMA_OPTIONAL("terminal", &boolean),
    SCHEMA_OPTIONAL("consoleSize", &console_size),
    SCHEMA_OPTIONAL("user", &user),
    SCHEMA_OPTIONAL("capabilities", &capabilities),
    SCHEMA_OPTIONAL("rlimits", &rlimits),
    SCHEMA_OPTIONAL("noNewPrivileges", &boolean),
    SCHEMA_OPTIONAL("apparmorProfile", &text),
    SCHEMA_OPTIONAL("oomScoreAdj", &oom_score),
    SCHEMA_OPTIONAL("selinuxLabel", &text),
    SCHEMA_OPTIONAL("scheduler", &scheduler),
    SCHEMA_OPTIONAL("ioPriority", &io_priority),
    SCHEMA_OPTIONAL("execCPUAffinity", &affinity),
};
static const struct schema_type process = OBJECT(process_members);

static const struct schema_member parameter_members[] = {
    SCHEMA_REQUIRED("Terminal", &boolean),
    SCHEMA_REQUIRED("IoUid", &number_u32),
    SCHEMA_REQUIRED("IoGid", &number_u32),
    {.name = "OciProcess", .type = &process, .alternative = 1},
    {.name = "CommandLine", .type = &any, .optional = true, .alternative = 1},
    {.name = "CommandArgs", .type = &any, .optional = true, .alternative = 1},
};
static const struct schema_type parameters_type = OBJECT(parameter_members);

/* --- config.json: what is used of it -------------------------------------------------------- */

static const struct schema_member config_process_members[] = {
    SCHEMA_REQUIRED("args", &arguments),
    SCHEMA_REQUIRED("cwd", &absolute),
    SCHEMA_OPTIONAL("env", &variables),
    SCHEMA_OPTIONAL("consoleSize", &console_size),
};
static const struct schema_type config_process = {.type = json_type_object,
                                                  .members = config_process_members,
                                                  .n_members =
                                                      SHIM_ARRAY_LEN(config_process_members),
                                                  .open = true};
static const struct schema_member config_limit_members[] = {
    SCHEMA_OPTIONAL("limit", &limit_i64),
};
static const struct schema_type config_limit = {
    .type = json_type_object, .members = config_limit_members, .n_members = 1, .open = true};
static const struct schema_member config_resource_members[] = {
    SCHEMA_OPTIONAL("memory", &config_limit),
    SCHEMA_OPTIONAL("pids", &config_limit),
};
static const struct schema_type config_resources = {
    .type = json_type_object, .members = config_resource_members, .n_members = 2, .open = true};
static const struct schema_member config_linux_members[] = {
    SCHEMA_OPTIONAL("resources", &config_resources),
};
static const struct schema_type config_linux = {
    .type = json_type_object, .members = config_linux_members, .n_members = 1, .open = true};
static const struct schema_member config_members[] = {
    SCHEMA_REQUIRED("process", &config_process),
    SCHEMA_OPTIONAL("linux", &config_linux),
};
static const struct schema_type config_type = {
    .type = json_type_object, .members = config_members, .n_members = 2, .open = true};

/* --- resources ------------------------------------------------------------------------------ */

static const struct schema_member cpu_members[] = {
    SCHEMA_OPTIONAL("shares", &number_u64),
    SCHEMA_OPTIONAL("quota", &number_i64),
    SCHEMA_OPTIONAL("burst", &number_u64),
    SCHEMA_OPTIONAL("period", &number_u64),
    SCHEMA_OPTIONAL("realtimeRuntime", &number_i64),
    SCHEMA_OPTIONAL("realtimePeriod", &number_u64),
    SCHEMA_OPTIONAL("cpus", &text),
    SCHEMA_OPTIONAL("mems", &text),
    SCHEMA_OPTIONAL("idle", &number_i64),
};
static const struct schema_type cpu = OBJECT(cpu_members);

static const struct schema_member memory_members[] = {
    SCHEMA_OPTIONAL("limit", &limit_i64),
    SCHEMA_OPTIONAL("reservation", &limit_i64),
    SCHEMA_OPTIONAL("swap", &limit_i64),
    SCHEMA_OPTIONAL("kernel", &limit_i64),
    SCHEMA_OPTIONAL("kernelTCP", &limit_i64),
    SCHEMA_OPTIONAL("swappiness", &number_u64),
    SCHEMA_OPTIONAL("disableOOMKiller", &boolean),
    SCHEMA_OPTIONAL("useHierarchy", &boolean),
    SCHEMA_OPTIONAL("checkBeforeUpdate", &boolean),
};
static const struct schema_type memory = OBJECT(memory_members);

static const struct schema_member pids_members[] = {SCHEMA_REQUIRED("limit", &limit_i64)};
static const struct schema_type pids = OBJECT(pids_members);

static const struct schema_member weight_members[] = {
    SCHEMA_REQUIRED("major", &number_i64),
    SCHEMA_REQUIRED("minor", &number_i64),
    SCHEMA_OPTIONAL("weight", &number_u16),
    SCHEMA_OPTIONAL("leafWeight", &number_u16),
};
static const struct schema_type weight = OBJECT(weight_members);
static const struct schema_type weights = ARRAY_OF(&weight);

static const struct schema_member throttle_members[] = {
    SCHEMA_REQUIRED("major", &number_i64),
    SCHEMA_REQUIRED("minor", &number_i64),
    SCHEMA_REQUIRED("rate", &number_u64),
};
static const struct schema_type throttle = OBJECT(throttle_members);
static const struct schema_type throttles = ARRAY_OF(&throttle);

static const struct schema_member block_io_members[] = {
    SCHEMA_OPTIONAL("weight", &number_u16),
    SCHEMA_OPTIONAL("leafWeight", &number_u16),
    SCHEMA_OPTIONAL("weightDevice", &weights),
    SCHEMA_OPTIONAL("throttleReadBpsDevice", &throttles),
    SCHEMA_OPTIONAL("throttleWriteBpsDevice", &throttles),
    SCHEMA_OPTIONAL("throttleReadIOPSDevice", &throttles),
    SCHEMA_OPTIONAL("throttleWriteIOPSDevice", &throttles),
};
static const struct schema_type block_io = OBJECT(block_io_members);

static const struct schema_member hugepage_members[] = {
    SCHEMA_REQUIRED("pageSize", &some_text),
    SCHEMA_REQUIRED("limit", &number_u64),
};
static const struct schema_type hugepage = OBJECT(hugepage_members);
static const struct schema_type hugepages = ARRAY_OF(&hugepage);

static const struct schema_member priority_members[] = {
    SCHEMA_REQUIRED("name", &some_text),
    SCHEMA_REQUIRED("priority", &number_u32),
};
static const struct schema_type priority = OBJECT(priority_members);
static const struct schema_type priorities = ARRAY_OF(&priority);
static const struct schema_member network_members[] = {
    SCHEMA_OPTIONAL("classID", &number_u32),
    SCHEMA_OPTIONAL("priorities", &priorities),
};
static const struct schema_type network = OBJECT(network_members);

static const struct schema_member rdma_members[] = {
    SCHEMA_OPTIONAL("hcaHandles", &number_u32),
    SCHEMA_OPTIONAL("hcaObjects", &number_u32),
};
static const struct schema_type rdma_device = OBJECT(rdma_members);
static const struct schema_type rdma = MAP_OF(&rdma_device);
static const struct schema_type unified = MAP_OF(&text);

static const struct schema_member device_members[] = {
    SCHEMA_REQUIRED("allow", &boolean),    SCHEMA_OPTIONAL("type", &text),
    SCHEMA_OPTIONAL("major", &number_i64), SCHEMA_OPTIONAL("minor", &number_i64),
    SCHEMA_OPTIONAL("access", &text),
};
static const struct schema_type device = OBJECT(device_members);
static const struct schema_type devices = ARRAY_OF(&device);

static const struct schema_member resource_members[] = {
    SCHEMA_OPTIONAL("cpu", &cpu),
    SCHEMA_OPTIONAL("memory", &memory),
    SCHEMA_OPTIONAL("pids", &pids),
    SCHEMA_OPTIONAL("blockIO", &block_io),
    SCHEMA_OPTIONAL("hugepageLimits", &hugepages),
    SCHEMA_OPTIONAL("network", &network),
    SCHEMA_OPTIONAL("rdma", &rdma),
    SCHEMA_OPTIONAL("unified", &unified),
    SCHEMA_OPTIONAL("devices", &devices),
};
static const struct schema_type resources_type = OBJECT(resource_members);

/* --- from checked JSON to structs: members that are there have the right type --------------- */

static struct json_object *member(struct json_object *object, const char *name)
{
    struct json_object *value = NULL;

    if (object)
        json_object_object_get_ex(object, name, &value);
    return value;
}

static bool add_texts(struct shim_strv *list, struct json_object *array)
{
    size_t n = array ? json_object_array_length(array) : 0;

    for (size_t i = 0; i < n; i++)
        if (!shim_strv_add(list, json_object_get_string(json_object_array_get_idx(array, i))))
            return false;
    return true;
}

static int fill_plan(struct json_object *from, struct emu_plan *ret, struct shim_error *err)
{
    struct json_object *size = member(from, "consoleSize");

    ret->cwd = strdup(json_object_get_string(member(from, "cwd")));
    if (!ret->cwd || !add_texts(&ret->args, member(from, "args")) ||
        !add_texts(&ret->env, member(from, "env")))
        return shim_fail_memory(err);
    if (size) {
        ret->width = (uint16_t)json_object_get_int64(member(size, "width"));
        ret->height = (uint16_t)json_object_get_int64(member(size, "height"));
    }
    return 0;
}

static void fill_limit(struct json_object *resource, uint64_t *limit)
{
    struct json_object *value = member(resource, "limit");

    if (value) /* -1, and for the kernel also 0, is "none" */
        *limit = json_object_get_int64(value) > 0 ? json_object_get_uint64(value) : UINT64_MAX;
}

static void fill_limits(struct json_object *resources, struct emu_limits *limits)
{
    fill_limit(member(resources, "memory"), &limits->memory_bytes);
    fill_limit(member(resources, "pids"), &limits->pids);
}

int emu_document_read(struct json_object *document, struct emu_document *ret,
                      struct shim_error *err)
{
    struct json_object *part;
    int r = schema_check(document, &document_type, "document", err);

    if (r < 0)
        return r;
    part = member(document, "Linux");
    ret->bundle = strdup(json_object_get_string(member(part, "Bundle")));
    ret->rootfs = strdup(json_object_get_string(member(part, "Rootfs")));
    return ret->bundle && ret->rootfs ? 0 : shim_fail_memory(err);
}

void emu_document_done(struct emu_document *d)
{
    free(shim_take(d->bundle));
    free(shim_take(d->rootfs));
}

int emu_parameters_read(struct json_object *parameters, struct emu_plan *ret,
                        struct shim_error *err)
{
    int r = schema_check(parameters, &parameters_type, "process parameters", err);

    return r < 0 ? r : fill_plan(member(parameters, "OciProcess"), ret, err);
}

void emu_plan_done(struct emu_plan *p)
{
    shim_strv_done(&p->args);
    shim_strv_done(&p->env);
    free(shim_take(p->cwd));
}

int emu_config_read(const char *json, size_t bytes, struct emu_plan *ret,
                    struct emu_limits *ret_limits, struct shim_error *err)
{
    cleanup_json struct json_object *config = NULL;
    int r = schema_parse(json, bytes, "config.json", &config, err);

    if (r == 0)
        r = schema_check(config, &config_type, "config.json", err);
    if (r < 0)
        return r;
    fill_limits(member(member(config, "linux"), "resources"), ret_limits);
    return fill_plan(member(config, "process"), ret, err);
}

int emu_resources_read(const char *json, size_t bytes, struct emu_limits *limits, char **ret_text,
                       struct shim_error *err)
{
    cleanup_json struct json_object *resources = NULL;
    cleanup_free char *plain = NULL;
    int r = schema_parse(json, bytes, "resources", &resources, err);

    if (r == 0)
        r = schema_check(resources, &resources_type, "resources", err);
    if (r < 0)
        return r;
    plain = strdup(json_object_to_json_string_ext(resources, JSON_C_TO_STRING_PLAIN));
    if (!plain)
        return shim_fail_memory(err);
    fill_limits(resources, limits);
    *ret_text = shim_take(plain);
    return 0;
}

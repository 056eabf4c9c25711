/* SPDX-License-Identifier: Apache-2.0 */
/* The text of a record and back. Whoever can write in the folder is trusted: it is our user. */
#include "hcs/emulated/record.h"
#include "base/file.h"
#include "base/str.h"
#include "hcs/emulated/schema.h"
#include "hcs/emulated/statedir.h"
#include "hcs/hresult.h"
#include <inttypes.h>
#include <string.h>

#define ID_MAX_BYTES     200
#define RECORD_MAX_BYTES ((size_t)64 * 1024 * 1024)

/* --- what a record looks like --------------------------------------------------------------- */

static const struct schema_type text = {.type = json_type_string};
static const struct schema_type object = {.type = json_type_object, .open = true};
static const struct schema_type pid = {.type = json_type_int, .min = 1, .max = INT32_MAX};
static const struct schema_type ticks = {.type = json_type_int, .max = UINT64_MAX};
static const struct schema_member process_members[] = {SCHEMA_REQUIRED("Pid", &pid),
                                                       SCHEMA_REQUIRED("StartTime", &ticks)};
static const struct schema_type process = {
    .type = json_type_object, .members = process_members, .n_members = 2};
static const struct schema_type processes = {.type = json_type_array, .each = &process};
static const struct schema_member record_members[] = {
    SCHEMA_REQUIRED("Id", &text),
    SCHEMA_REQUIRED("Boot", &text),
    SCHEMA_REQUIRED("Owner", &process),
    SCHEMA_REQUIRED("State", &text),
    SCHEMA_REQUIRED("Document", &object),
    SCHEMA_REQUIRED("Resources", &object),
    SCHEMA_REQUIRED("Processes", &processes),
};
static const struct schema_type record_type = {.type = json_type_object,
                                               .members = record_members,
                                               .n_members = SHIM_ARRAY_LEN(record_members)};

/* --- writing -------------------------------------------------------------------------------- */

int emu_record_path(const char *id, char **ret, struct shim_error *err)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._-";
    size_t bytes = strlen(id);
    cleanup_free char *folder = NULL;
    int r;

    if (bytes == 0 || bytes > ID_MAX_BYTES || *id == '.' || strspn(id, allowed) != bytes)
        return hcs_fail(err, HRESULT_INVALID_ARGUMENT, "\"%.*s\" cannot be the id of a system",
                        ID_MAX_BYTES, id);
    r = emu_state_folder(&folder, err);
    if (r < 0)
        return r;
    *ret = shim_strf("%s/%s.json", folder, id);
    return *ret ? 0 : shim_fail_memory(err);
}

static bool append_processes(struct shim_buf *b, const struct emu_roots *roots)
{
    for (size_t i = 0; i < roots->n; i++)
        if (!shim_buf_appendf(b, "%s{\"Pid\":%" PRId64 ",\"StartTime\":%" PRIu64 "}", i ? "," : "",
                              roots->v[i].pid, roots->v[i].start))
            return false;
    return true;
}

int emu_owner_read(struct emu_owner *ret, struct shim_error *err)
{
    struct emu_proc self;
    int r = emu_proc_self(&self, err);

    if (r < 0)
        return r;
    ret->self = (struct emu_root){.pid = self.pid, .start = self.start};
    return emu_boot_id(&ret->boot, err);
}

void emu_owner_done(struct emu_owner *o)
{
    free(shim_take(o->boot));
}

int emu_record_format(const struct emu_record_data *data, struct shim_buf *ret,
                      struct shim_error *err)
{
    const struct emu_root *self = &data->owner->self;

    if (!shim_buf_appendf(ret,
                          "{\"Id\":\"%s\",\"Boot\":\"%s\",\"Owner\":{\"Pid\":%" PRId64
                          ",\"StartTime\":%" PRIu64 "},\"State\":\"%s\",\"Document\":",
                          data->id, data->owner->boot, self->pid, self->start, data->state) ||
        !shim_buf_append_str(ret, data->document) || !shim_buf_append_str(ret, ",\"Resources\":") ||
        !shim_buf_append_str(ret, data->resources) ||
        !shim_buf_append_str(ret, ",\"Processes\":[") || !append_processes(ret, data->roots) ||
        !shim_buf_append_str(ret, "]}\n"))
        return shim_fail_memory(err);
    return 0;
}

/* --- reading -------------------------------------------------------------------------------- */

static struct emu_root root_of(struct json_object *from)
{
    return (struct emu_root){
        .pid = json_object_get_int64(json_object_object_get(from, "Pid")),
        .start = json_object_get_uint64(json_object_object_get(from, "StartTime")),
    };
}

static int same_boot(struct json_object *record, bool *ret, struct shim_error *err)
{
    cleanup_free char *boot = NULL;
    int r = emu_boot_id(&boot, err);

    if (r < 0)
        return r;
    *ret = !strcmp(boot, json_object_get_string(json_object_object_get(record, "Boot")));
    return 0;
}

static int parse_record(const char *path, struct json_object **ret, struct shim_error *err)
{
    cleanup_buf struct shim_buf file = {0};
    cleanup_json struct json_object *record = NULL;
    int r = shim_file_read(path, RECORD_MAX_BYTES, &file, err);

    if (r == SHIM_E_NOT_FOUND)
        return hcs_fail(err, HRESULT_SYSTEM_NOT_FOUND, "no such compute system");
    if (r < 0)
        return r;
    if (schema_parse(shim_buf_str(&file), file.len, path, &record, err) < 0 ||
        schema_check(record, &record_type, path, err) < 0)
        return shim_wrap(err, SHIM_E_DATA_LOSS, "damaged record of a system");
    *ret = shim_take(record);
    return 0;
}

int emu_record_load(const char *path, struct emu_roots *ret_roots, bool *ret_owned,
                    struct shim_error *err)
{
    cleanup_json struct json_object *record = NULL;
    struct json_object *list;
    struct emu_root owner;
    struct emu_proc now;
    bool this_boot = false;
    int r = parse_record(path, &record, err);

    if (r == 0)
        r = same_boot(record, &this_boot, err);
    if (r < 0)
        return r;
    owner = root_of(json_object_object_get(record, "Owner"));
    if (ret_owned)
        *ret_owned = this_boot && emu_proc_read(owner.pid, &now, NULL) == 0 &&
                     now.start == owner.start && now.state != 'Z';
    list = json_object_object_get(record, "Processes");
    for (size_t i = 0; this_boot && i < json_object_array_length(list); i++) {
        struct emu_root root = root_of(json_object_array_get_idx(list, i));

        if (!emu_roots_add(ret_roots, &root))
            return shim_fail_memory(err);
    }
    return 0;
}

/* --- claiming an id ------------------------------------------------------------------------- */

/* SHIM_E_EXISTS while anybody could still use the system of this record. */
static int check_unused(const char *path, struct shim_error *err)
{
    cleanup_emu_roots struct emu_roots roots = {0};
    cleanup_emu_procs struct emu_procs members = {0};
    bool owned = false;
    int r = emu_record_load(path, &roots, &owned, err);

    if (r == SHIM_E_NOT_FOUND)
        return 0;
    if (r == 0)
        r = emu_procs_of(&roots, &members, err);
    if (r < 0)
        return r;
    if (owned || members.n)
        return hcs_fail(err, HRESULT_SYSTEM_ALREADY_EXISTS, "the id is in use (%s)", path);
    return 0;
}

int emu_record_claim(const char *path, const struct shim_buf *record, struct shim_error *err)
{
    cleanup_handle intptr_t lock = SHIM_NO_HANDLE;
    int r = emu_state_lock(path, &lock, err);

    if (r == 0)
        r = check_unused(path, err);
    return r < 0 ? r : shim_file_write(path, record->data, record->len, err);
}

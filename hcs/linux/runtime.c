/* SPDX-License-Identifier: Apache-2.0 */
/* Runs an OCI runtime and turns its failure into one message. Decides nothing from its text. */
#include "hcs/linux/runtime.h"
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_TAIL_BYTES     ((off_t)64 * 1024)
#define OUTPUT_LIMIT_BYTES ((size_t)4 * 1024)
#define PROBE_TIMEOUT_MS   5000

static char *error_of_line(const char *line)
{
    struct json_object *entry = json_tokener_parse(line), *level, *msg;
    char *ret = NULL;

    if (json_object_is_type(entry, json_type_object) &&
        json_object_object_get_ex(entry, "level", &level) &&
        json_object_object_get_ex(entry, "msg", &msg) &&
        shim_str_equal(json_object_get_string(level), "error"))
        ret = shim_strdup0(json_object_get_string(msg));
    json_object_put(entry);
    return ret;
}

char *linux_log_last_error(const char *text)
{
    cleanup_free char *copy = strdup(text);
    char *found = NULL;

    /* From the end, so that one line is parsed where the error is the last, as it nearly always is.
     */
    while (copy && *copy && !found) {
        char *line = strrchr(copy, '\n');

        found = error_of_line(line ? line + 1 : copy);
        *(line ? line : copy) = 0;
    }
    return found;
}

static off_t log_size(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? st.st_size : 0;
}

/* What was appended to the log since it had `from` bytes (the last 64 KiB of that). */
static char *log_error_since(const char *path, off_t from)
{
    cleanup_handle intptr_t fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    cleanup_buf struct shim_buf text = {0};
    off_t size = log_size(path);

    if (fd < 0)
        return NULL;
    if (size < from)
        from = 0; /* the runtime wrote it anew */
    if (size - from > LOG_TAIL_BYTES)
        from = size - LOG_TAIL_BYTES;
    if (lseek((int)fd, from, SEEK_SET) < 0 ||
        shim_handle_read(fd, (size_t)LOG_TAIL_BYTES * 2, &text, NULL) < 0)
        return NULL;
    return linux_log_last_error(shim_buf_str(&text));
}

static bool add_prefix(const struct linux_document *doc, const char *log, struct shim_strv *argv)
{
    return shim_strv_add(argv, doc->runtime) && shim_strv_add(argv, "--root") &&
           shim_strv_add(argv, doc->root) && shim_strv_add(argv, "--log") &&
           shim_strv_add(argv, log) && shim_strv_add(argv, "--log-format") &&
           shim_strv_add(argv, "json") &&
           (!doc->systemd_cgroup || shim_strv_add(argv, "--systemd-cgroup"));
}

static bool add_args(const struct shim_strv *args, struct shim_strv *argv)
{
    for (size_t i = 0; i < args->n; i++)
        if (!shim_strv_add(argv, args->v[i]))
            return false;
    return true;
}

/* Only checkpoint and restore ask for criu; the option is global and not every runtime has it. */
static bool add_criu(const struct linux_document *doc, const struct shim_strv *args,
                     struct shim_strv *argv)
{
    bool asks = doc->criu &&
                (shim_str_equal(args->v[0], "checkpoint") || shim_str_equal(args->v[0], "restore"));

    return !asks || (shim_strv_add(argv, "--criu") && shim_strv_add(argv, doc->criu));
}

static void trim(struct shim_buf *text)
{
    while (text->len > 0 && strchr(" \t\r\n", text->data[text->len - 1]))
        text->data[--text->len] = 0;
}

static int fail_status(const struct linux_command *command, struct shim_run_result *result,
                       const char *logged, struct shim_error *err)
{
    trim(&result->output);
    trim(&result->error);
    if (logged)
        return shim_fail(err, SHIM_E_UNKNOWN, "OCI runtime %s failed: %s", command->verb, logged);
    return shim_fail(err, SHIM_E_UNKNOWN, "OCI runtime %s failed: exit status %u%s%s%s%s",
                     command->verb, result->exit.status, result->error.len ? ": " : "",
                     shim_buf_str(&result->error), result->output.len ? ": " : "",
                     shim_buf_str(&result->output));
}

/* A missing runtime must not read as a missing container. */
static int fail_run(const struct linux_command *command, int r, struct shim_error *err)
{
    if (r != SHIM_E_CANCELED && r != SHIM_E_DEADLINE)
        r = SHIM_E_UNKNOWN;
    return shim_wrap(err, r, "OCI runtime %s failed", command->verb);
}

int linux_runtime_run(const struct linux_document *doc, const struct linux_command *command,
                      struct shim_error *err)
{
    cleanup_free char *log = shim_strf("%s/log.json", doc->bundle), *logged = NULL;
    cleanup_run_result struct shim_run_result result = {0};
    cleanup_strv struct shim_strv argv = {0};
    struct shim_run run = {
        .spawn = {.fds = command->fds, .n_fds = command->n_fds},
        .input = command->input,
        .input_bytes = command->input ? strlen(command->input) : 0,
        .output_limit_bytes = command->capture ? OUTPUT_LIMIT_BYTES : 0,
        .stopper = command->call ? &command->call->stopper : NULL,
        .timeout_ms = command->timeout_ms,
    };
    off_t log_from;
    int r;

    if (!log || !add_prefix(doc, log, &argv) || !add_criu(doc, command->args, &argv) ||
        !add_args(command->args, &argv))
        return shim_fail_memory(err);
    run.spawn.argv = (const char *const *)argv.v;
    log_from = log_size(log);

    r = shim_child_run(&run, &result, err);
    if (r < 0)
        return fail_run(command, r, err);
    if (result.exit.status == 0)
        return 0;
    logged = log_error_since(log, log_from);
    return fail_status(command, &result, logged, err);
}

bool linux_runtime_knows(const struct linux_document *doc, const char *command)
{
    const char *argv[] = {doc->runtime, command, "--help", NULL};
    cleanup_run_result struct shim_run_result result = {0};
    struct shim_run run = {.spawn = {.argv = argv}, .timeout_ms = PROBE_TIMEOUT_MS};

    return shim_child_run(&run, &result, NULL) < 0 || result.exit.status == 0;
}

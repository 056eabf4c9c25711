/* SPDX-License-Identifier: Apache-2.0 */
/* What only the machine can tell: where an OCI runtime is and what it says it can do. */
#include "base/child.h"
#include "base/str.h"
#include "hcs/linux/system.h"
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_PATH         "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define FEATURES_LIMIT_BYTES ((size_t)1024 * 1024)
#define FEATURES_TIMEOUT_MS  5000

static bool is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* malloc'ed, NULL when it is nowhere (or out of memory). */
static char *find_in_path(const char *name)
{
    const char *path = getenv("PATH");

    if (shim_str_empty(path))
        path = DEFAULT_PATH;
    while (*path) {
        size_t len = strcspn(path, ":");
        char *candidate = shim_strf("%.*s/%s", (int)len, path, name);

        /* Relative entries are passed over: the daemon's folder is no place to take programs from.
         */
        if (candidate && *path == '/' && is_program(candidate))
            return candidate;
        free(candidate);
        path += len + (path[len] == ':');
    }
    return NULL;
}

/* malloc'ed and absolute. Links stay: a wrapper may look at the name it was called by. */
static char *find_program(const char *wanted)
{
    cleanup_free char *folder = NULL;

    if (!strchr(wanted, '/'))
        return find_in_path(wanted);
    if (!is_program(wanted))
        return NULL;
    if (wanted[0] == '/')
        return shim_strdup0(wanted);
    folder = getcwd(NULL, 0);
    return folder ? shim_strf("%s/%s", folder, wanted) : NULL;
}

int linux_facts(const char *wanted, struct hcs_facts *ret, struct shim_error *err)
{
    bool any = shim_str_empty(wanted);

    ret->runtime = find_program(any ? "runc" : wanted);
    if (!ret->runtime && any)
        ret->runtime = find_program("crun");
    if (ret->runtime)
        return 0;
    if (any)
        return shim_fail(err, SHIM_E_NOT_FOUND,
                         "exec: neither \"runc\" nor \"crun\": executable file not found in $PATH");
    return shim_fail(err, SHIM_E_NOT_FOUND, "exec: \"%s\": %s", wanted,
                     strchr(wanted, '/') ? "no such file, or not executable"
                                         : "executable file not found in $PATH");
}

int linux_features(const char *runtime, char **ret_json, struct shim_error *err)
{
    const char *argv[] = {runtime, "features", NULL};
    cleanup_run_result struct shim_run_result result = {0};
    struct shim_run run = {
        .spawn = {.argv = argv},
        .output_limit_bytes = FEATURES_LIMIT_BYTES,
        .timeout_ms = FEATURES_TIMEOUT_MS,
    };
    struct json_object *features;
    int r = shim_child_run(&run, &result, err);

    if (r < 0)
        return shim_wrap(err, r, "ask %s for its features", runtime);
    if (result.exit.status != 0)
        return 0; /* it does not know the command */
    features = json_tokener_parse(shim_buf_str(&result.output));
    if (json_object_is_type(features, json_type_object))
        *ret_json = shim_buf_take(&result.output);
    json_object_put(features);
    return 0;
}

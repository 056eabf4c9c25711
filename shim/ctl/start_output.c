/* SPDX-License-Identifier: Apache-2.0 */
/* The three forms of a start reply. */
#include "shim/ctl/start_output.h"
#include "base/str.h"
#include "shim/ctl/json.h"
#include "shim/proto/bootstrap.pb-c.h"
#include <ctype.h>
#include <string.h>
#include <strings.h>

static int set_endpoint(int64_t version, const char *address, const char *protocol,
                        struct ctl_endpoint *ret, struct shim_error *err)
{
    char *copy;

    if (version < 2 || version > 3)
        return shim_fail(err, SHIM_E_INVALID, "unsupported shim version %lld", (long long)version);
    if (strcasecmp(protocol, "ttrpc") != 0)
        return shim_fail(err, SHIM_E_INVALID, "unexpected protocol \"%s\"", protocol);
    if (!*address)
        return shim_fail(err, SHIM_E_INVALID, "no address");
    copy = shim_strdup0(address);
    if (!copy)
        return shim_fail_memory(err);
    *ret = (struct ctl_endpoint){.version = (int)version, .address = copy};
    return 0;
}

/* 1 when it was JSON of the newer kind; 0 when the text is to be taken as an address. */
static int try_json(const char *text, struct ctl_endpoint *ret, struct shim_error *err)
{
    cleanup_json struct json_object *j = NULL;
    struct json_object *version = NULL;
    int r;

    if (*text != '{' || oci_json_parse("start reply", text, strlen(text), &j, NULL) < 0)
        return 0;
    json_object_object_get_ex(j, "version", &version);
    r = set_endpoint(json_object_get_int64(version), ctl_json_text(j, "address"),
                     ctl_json_text(j, "protocol"), ret, err);
    return r < 0 ? r : 1;
}

static int parse_text(const char *text, struct ctl_endpoint *ret, struct shim_error *err)
{
    int r = try_json(text, ret, err);

    if (r != 0)
        return r < 0 ? r : 0;
    for (const char *at = text; *at; at++)
        if (isspace((unsigned char)*at) || !isprint((unsigned char)*at))
            return shim_fail(err, SHIM_E_INVALID, "not an address: \"%.200s\"", text);
    return set_endpoint(2, text, "ttrpc", ret, err);
}

static char *trimmed(const char *data, size_t bytes)
{
    while (bytes > 0 && isspace((unsigned char)data[bytes - 1]))
        bytes--;
    while (bytes > 0 && isspace((unsigned char)*data)) {
        data++;
        bytes--;
    }
    return strndup(data, bytes);
}

int ctl_start_output_parse(const void *data, size_t bytes, struct ctl_endpoint *ret,
                           struct shim_error *err)
{
    Bootstrap__BootstrapResult *m;
    cleanup_free char *text = NULL;
    int r;

    if (bytes == 0)
        return shim_fail(err, SHIM_E_INVALID, "nothing was printed");
    m = bootstrap__bootstrap_result__unpack(NULL, bytes, data);
    if (m && m->version != 0) {
        r = set_endpoint(m->version, m->address, m->protocol, ret, err);
        bootstrap__bootstrap_result__free_unpacked(m, NULL);
        return r;
    }
    if (m)
        bootstrap__bootstrap_result__free_unpacked(m, NULL);
    text = trimmed(data, bytes);
    if (!text)
        return shim_fail_memory(err);
    if (!*text)
        return shim_fail(err, SHIM_E_INVALID, "nothing was printed");
    return parse_text(text, ret, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A shim that is half a shell script (start, delete) and half a task service in this process. */
#pragma once
#include "fake_shim.h"
#include <sys/stat.h>

/* What the script's `delete` prints: pid 42, status 137. */
#define STAND_IN_EXIT "\\010\\052\\020\\211\\001"

struct stand_in {
    char *folder, *path;
    struct fake_shim shim;
    struct ctl ctl;
};

static inline void stand_in_begin(struct stand_in *s)
{
    static const struct ctl_flags no_flags;
    cleanup_free char *script = NULL;

    *s = (struct stand_in){.folder = folder_new()};
    s->path = shim_strf("%s/shim", s->folder);
    fake_shim_begin(&s->shim, s->folder, "containerd.task.v2.Task");
    script = shim_strf("#!/bin/sh\ncase \"$*\" in\n*start) echo %s ;;\n"
                       "*delete) printf '%s'; echo x >>%s/deletes ;;\nesac\n",
                       s->shim.address, STAND_IN_EXIT, s->folder);
    folder_write(s->folder, "shim", script);
    assert_int_equal(chmod(s->path, 0700), 0);
    s->ctl = (struct ctl){
        .ns = "ns1", .state_dir = s->folder, .shim = s->path, .json = true, .flags = &no_flags};
}

/* How often the script's `delete` was run. */
static inline size_t stand_in_deletes(const struct stand_in *s)
{
    cleanup_free char *path = shim_strf("%s/deletes", s->folder);
    cleanup_free char *text = NULL;

    if (!shim_file_exists(path))
        return 0;
    text = folder_read(s->folder, "deletes");
    return strlen(text) / 2;
}

static inline bool stand_in_has_bundle(const struct stand_in *s, const char *id)
{
    cleanup_free char *path = shim_strf("%s/ns1/%s", s->folder, id);

    return shim_file_exists(path);
}

static inline void stand_in_end(struct stand_in *s)
{
    fake_shim_end(&s->shim);
    folder_done(&s->folder);
    free(s->path);
}

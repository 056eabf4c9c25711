/* SPDX-License-Identifier: Apache-2.0 */
/* A folder for one test, gone with everything in it afterwards. */
#pragma once
#include "base/file.h"
#include "base/str.h"
#include "shim/ctl/ctl.h"
#include "shim/ctl/platform.h"
#include "tests/test.h"
#include <string.h>

static inline char *folder_new(void)
{
    char *path;

    assert_int_equal(ctl_dir_temporary("/tmp", &path, NULL), 0);
    return path;
}

static inline void folder_done(char **path)
{
    assert_int_equal(ctl_tree_remove(*path, NULL), 0);
    free(*path);
}
#define cleanup_folder SHIM_CLEANUP(folder_done)

static inline void folder_write(const char *folder, const char *name, const char *text)
{
    cleanup_free char *path = shim_strf("%s/%s", folder, name);

    assert_int_equal(shim_file_write(path, text, strlen(text), NULL), 0);
}

/* malloc'ed text of a file. */
static inline char *folder_read(const char *folder, const char *name)
{
    cleanup_free char *path = shim_strf("%s/%s", folder, name);
    cleanup_buf struct shim_buf b = {0};

    assert_int_equal(shim_file_read(path, 1 << 20, &b, NULL), 0);
    return shim_strdup0(shim_buf_str(&b));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A folder for one test, gone with everything in it afterwards. */
#pragma once
#include "base/file.h"
#include "base/str.h"
#include "tests/test.h"
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static inline char *folder_new(void)
{
    char *path = strdup("/tmp/shim-test-XXXXXX");

    assert_non_null(mkdtemp(path));
    return path;
}

static inline int folder_remove_one(const char *path, const struct stat *st, int type,
                                    struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

/* What is mounted in it stays. */
static inline int folder_remove(const char *path)
{
    return nftw(path, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static inline void folder_done(char **path)
{
    if (*path)
        assert_int_equal(folder_remove(*path), 0);
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

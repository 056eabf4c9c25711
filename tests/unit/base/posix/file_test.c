/* SPDX-License-Identifier: Apache-2.0 */
/* Small files: limits on reading, whole or not at all on writing, and standard error that never
 * waits. */
#include "base/file.h"
#include "base/str.h"
#include "base/thread.h"
#include "tests/test.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static char *path_of(const char *name)
{
    static char path[4][256];
    static unsigned next;
    char *p = path[next++ % 4];

    snprintf(p, sizeof(path[0]), "%s/%s", folder, name);
    return p;
}

static void put(const char *name, const char *text)
{
    assert_int_equal(shim_file_write(path_of(name), text, strlen(text), NULL), 0);
}

static unsigned count_files(void)
{
    DIR *dir = opendir(folder);
    struct dirent *entry;
    unsigned n = 0;

    assert_non_null(dir);
    while ((entry = readdir(dir)))
        n += entry->d_name[0] != '.';
    closedir(dir);
    return n;
}

static void test_a_file_is_read_behind_what_is_there(void **state)
{
    cleanup_buf struct shim_buf b = {0};

    (void)state;
    put("a", "text");
    assert_true(shim_buf_append_str(&b, "old "));
    assert_int_equal(shim_file_read(path_of("a"), 4, &b, NULL), 0);
    assert_string_equal(shim_buf_str(&b), "old text");
}

static void test_an_empty_file_is_an_empty_text(void **state)
{
    cleanup_buf struct shim_buf b = {0};

    (void)state;
    put("empty", "");
    assert_int_equal(shim_file_read(path_of("empty"), 0, &b, NULL), 0);
    assert_string_equal(shim_buf_str(&b), "");
}

static void test_a_file_over_the_limit_is_refused(void **state)
{
    cleanup_buf struct shim_buf b = {0};
    struct shim_error err;

    (void)state;
    put("five", "12345");
    assert_int_equal(shim_file_read(path_of("five"), 4, &b, &err), SHIM_E_EXHAUSTED);
    assert_non_null(strstr(err.msg, "/five: more than the limit of 4 bytes"));
}

static void test_an_endless_file_is_refused_too(void **state)
{
    cleanup_buf struct shim_buf b = {0};

    (void)state;
    assert_int_equal(shim_file_read("/dev/zero", 100000, &b, NULL), SHIM_E_EXHAUSTED);
    assert_true(b.len < 300000);
}

static void test_files_of_size_0_are_read_to_their_end(void **state)
{
    cleanup_buf struct shim_buf b = {0};

    (void)state;
    assert_int_equal(shim_file_read("/proc/self/status", 1 << 20, &b, NULL), 0);
    assert_non_null(strstr(shim_buf_str(&b), "\nPid:\t"));
}

static void test_what_cannot_be_read_says_why(void **state)
{
    cleanup_buf struct shim_buf b = {0};
    struct shim_error err;

    (void)state;
    assert_int_equal(shim_file_read(path_of("absent"), 10, &b, &err), SHIM_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, "/absent: No such file or directory"));
    assert_int_not_equal(shim_file_read(folder, 10, &b, &err), 0);
    assert_int_equal(err.os, EISDIR);
    assert_non_null(strstr(err.msg, folder));
}

static void test_a_write_replaces_the_file_for_its_owner_only(void **state)
{
    cleanup_buf struct shim_buf b = {0};
    struct stat st;

    (void)state;
    put("w", "a long first version");
    put("w", "second");
    assert_int_equal(shim_file_read(path_of("w"), 100, &b, NULL), 0);
    assert_string_equal(shim_buf_str(&b), "second");
    assert_int_equal(stat(path_of("w"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
}

static void test_a_failed_write_leaves_nothing(void **state)
{
    unsigned before = count_files();
    struct shim_error err;

    (void)state;
    assert_int_equal(mkdir(path_of("taken"), 0700), 0);
    assert_int_not_equal(shim_file_write(path_of("taken"), "x", 1, &err), 0);
    assert_non_null(strstr(err.msg, "/taken: rename to it: Is a directory"));
    assert_int_equal(rmdir(path_of("taken")), 0);
    assert_int_equal(count_files(), before);
    assert_int_equal(shim_file_write(path_of("no/folder"), "x", 1, &err), SHIM_E_NOT_FOUND);
    assert_non_null(strstr(err.msg, "/no/folder"));
}

#define WRITERS 4

static void write_often(void *path)
{
    for (int i = 0; i < 50; i++)
        assert_int_equal(shim_file_write(path, "the whole text", 14, NULL), 0);
}

static void test_writers_of_one_file_do_not_meet(void **state)
{
    cleanup_buf struct shim_buf b = {0};
    struct shim_thread threads[WRITERS];
    char *path = path_of("shared");
    unsigned before = count_files();

    (void)state;
    for (size_t i = 0; i < WRITERS; i++)
        assert_int_equal(shim_thread_start("writer", 0, write_often, path, &threads[i], NULL), 0);
    for (size_t i = 0; i < WRITERS; i++)
        shim_thread_join(&threads[i]);
    assert_int_equal(shim_file_read(path, 100, &b, NULL), 0);
    assert_string_equal(shim_buf_str(&b), "the whole text");
    assert_int_equal(count_files(), before + 1);
}

static void test_removing_what_is_absent_is_fine(void **state)
{
    struct shim_error err;

    (void)state;
    put("r", "x");
    assert_true(shim_file_exists(path_of("r")));
    assert_int_equal(shim_file_remove(path_of("r"), NULL), 0);
    assert_false(shim_file_exists(path_of("r")));
    assert_int_equal(shim_file_remove(path_of("r"), NULL), 0);
    assert_int_not_equal(shim_file_remove(folder, &err), 0);
    assert_non_null(strstr(err.msg, "remove /"));
}

static void test_folders_are_made_with_their_parents(void **state)
{
    struct shim_error err;
    struct stat st;

    (void)state;
    assert_int_equal(shim_dir_make_all(path_of("d/e/f"), 0711, NULL), 0);
    assert_int_equal(shim_dir_make_all(path_of("d/e/f/"), 0711, NULL), 0);
    assert_int_equal(shim_dir_make(path_of("d"), 0711, NULL), 0);
    assert_int_equal(stat(path_of("d/e/f"), &st), 0);
    assert_int_equal(st.st_mode & 07777, 0711);
    put("plain", "");
    assert_int_equal(shim_dir_make(path_of("plain"), 0700, &err), SHIM_E_EXISTS);
    assert_int_not_equal(shim_dir_make_all(path_of("plain/below"), 0700, &err), 0);
    assert_int_equal(shim_dir_make_all("", 0700, &err), SHIM_E_NOT_FOUND);
    assert_int_equal(symlink("nowhere", path_of("dangling")), 0);
    assert_int_equal(shim_dir_make(path_of("dangling"), 0700, &err), SHIM_E_EXISTS);
}

static void test_closing_leaves_no_handle_behind(void **state)
{
    intptr_t handle = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int fd = (int)handle;

    (void)state;
    shim_handle_close(&handle);
    assert_int_equal(handle, SHIM_NO_HANDLE);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    shim_handle_close(&handle);
}

/* ---- streams ---- */

static void write_a_lot(void *write_end)
{
    static char text[300000];

    memset(text, 'x', sizeof(text));
    assert_int_equal(shim_handle_write(*(int *)write_end, text, sizeof(text), NULL), 0);
    close(*(int *)write_end);
}

static void test_non_blocking_streams_are_waited_for(void **state)
{
    cleanup_buf struct shim_buf b = {0};
    struct shim_thread thread;
    int ends[2];

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    assert_int_equal(shim_thread_start("writer", 0, write_a_lot, &ends[1], &thread, NULL), 0);
    assert_int_equal(shim_handle_read(ends[0], 300000, &b, NULL), 0);
    shim_thread_join(&thread);
    assert_int_equal(b.len, 300000);
    close(ends[0]);
}

static void test_a_broken_stream_is_an_error(void **state)
{
    cleanup_buf struct shim_buf b = {0};
    struct shim_error err;

    (void)state;
    assert_int_not_equal(shim_handle_write(900, "x", 1, &err), 0);
    assert_string_equal(err.msg, "write: Bad file descriptor");
    assert_int_not_equal(shim_handle_read(900, 1, &b, &err), 0);
    assert_string_equal(err.msg, "read: Bad file descriptor");
}

/* Lines into a pipe that nobody reads: whole ones until it is full, then none, and no waiting. */
static size_t fill_stderr(int flags)
{
    static const char line[] = "a line that does not divide the size of a pipe\n";
    cleanup_buf struct shim_buf b = {0};
    int ends[2], saved = dup(STDERR_FILENO);

    assert_int_equal(pipe2(ends, O_CLOEXEC | flags), 0);
    assert_int_equal(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    for (int i = 0; i < 5000; i++)
        shim_write_stderr(line, sizeof(line) - 1);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    close(saved);
    close(ends[1]);
    assert_int_equal(shim_handle_read(ends[0], 1 << 20, &b, NULL), 0);
    close(ends[0]);
    assert_int_equal(b.len % (sizeof(line) - 1), 0);
    for (size_t at = 0; at < b.len; at += sizeof(line) - 1)
        assert_memory_equal(b.data + at, line, sizeof(line) - 1);
    return b.len;
}

static void test_a_full_standard_error_drops_whole_lines(void **state)
{
    size_t non_blocking = fill_stderr(O_NONBLOCK), blocking = fill_stderr(0);

    (void)state;
    assert_true(non_blocking > 50000 && non_blocking <= 65536);
    assert_true(blocking > 50000 && blocking <= 65536);
}

static void test_standard_streams_have_their_numbers(void **state)
{
    (void)state;
    assert_int_equal(shim_stdin(), 0);
    assert_int_equal(shim_stdout(), 1);
}

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/shim-file-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"a", "empty", "five", "w", "shared", "plain", "dangling"};

    (void)state;
    for (size_t i = 0; i < SHIM_ARRAY_LEN(names); i++)
        unlink(path_of(names[i]));
    rmdir(path_of("d/e/f"));
    rmdir(path_of("d/e"));
    rmdir(path_of("d"));
    return rmdir(folder); /* fails when a test left something else */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_file_is_read_behind_what_is_there),
        cmocka_unit_test(test_an_empty_file_is_an_empty_text),
        cmocka_unit_test(test_a_file_over_the_limit_is_refused),
        cmocka_unit_test(test_an_endless_file_is_refused_too),
        cmocka_unit_test(test_files_of_size_0_are_read_to_their_end),
        cmocka_unit_test(test_what_cannot_be_read_says_why),
        cmocka_unit_test(test_a_write_replaces_the_file_for_its_owner_only),
        cmocka_unit_test(test_a_failed_write_leaves_nothing),
        cmocka_unit_test(test_writers_of_one_file_do_not_meet),
        cmocka_unit_test(test_removing_what_is_absent_is_fine),
        cmocka_unit_test(test_folders_are_made_with_their_parents),
        cmocka_unit_test(test_closing_leaves_no_handle_behind),
        cmocka_unit_test(test_non_blocking_streams_are_waited_for),
        cmocka_unit_test(test_a_broken_stream_is_an_error),
        cmocka_unit_test(test_a_full_standard_error_drops_whole_lines),
        cmocka_unit_test(test_standard_streams_have_their_numbers),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

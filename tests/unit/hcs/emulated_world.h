/* SPDX-License-Identifier: Apache-2.0 */
/* A temporary folder with a rootfs made of busybox, bundles in it, and exits that can be waited
 * for. Everything works without privileges. */
#pragma once
#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "base/thread.h"
#include "hcs/hcs.h"
#include "hcs/hresult.h"
#include "tests/folder.h"
#include "tests/test.h"
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORLD_WAIT_NS (15 * SHIM_NS_PER_S)

static char world[64]; /* the folder; rootfs, state and the bundles lie in it */

static inline char *world_path(const char *name)
{
    char *path = shim_strf("%s/%s", world, name);

    assert_non_null(path);
    return path;
}

static inline void world_write(const char *name, const char *text)
{
    cleanup_free char *path = world_path(name);

    assert_int_equal(shim_file_write(path, text, strlen(text), NULL), 0);
}

static inline void world_folder(const char *name)
{
    cleanup_free char *path = world_path(name);

    assert_int_equal(shim_dir_make_all(path, 0755, NULL), 0);
}

static inline void world_link(const char *target, const char *name)
{
    cleanup_free char *path = world_path(name);

    assert_int_equal(symlink(target, path), 0);
}

static inline void world_copy_program(const char *from, const char *name)
{
    cleanup_buf struct shim_buf bytes = {0};
    cleanup_free char *path = world_path(name);

    assert_int_equal(shim_file_read(from, 64U << 20, &bytes, NULL), 0);
    assert_int_equal(shim_file_write(path, bytes.data, bytes.len, NULL), 0);
    assert_int_equal(chmod(path, 0755), 0);
}

/* Group setup. Its reaper is this process's only one. */
static inline int world_open(void **state)
{
    cleanup_free char *folder = NULL;

    (void)state;
    if (access("/bin/busybox", X_OK) != 0)
        skip_test("no /bin/busybox");
    strcpy(world, "/tmp/emulated.XXXXXX");
    assert_non_null(mkdtemp(world));
    folder = world_path("state");
    setenv("CONTAINERD_SHIM_HCS_EMULATED_STATE", folder, 1);
    world_folder("rootfs/bin");
    world_copy_program("/bin/busybox", "rootfs/bin/busybox");
    world_link("busybox", "rootfs/bin/sh");
    world_link("busybox", "rootfs/bin/sleep");
    world_link("busybox", "rootfs/bin/cat");
    world_link("busybox", "rootfs/bin/stty");
    assert_int_equal(shim_child_start_reaper(NULL), 0);
    return 0;
}

static inline int world_close(void **state)
{
    (void)state;
    return *world ? folder_remove(world) : 0;
}

/* --- exits ---------------------------------------------------------------------------------- */

/* What is given as a process's user; static or on the stack until it ended. */
struct watcher {
    int exits;
    uint32_t status;
    int64_t at_ns;
    unsigned order; /* of the report among all */
};

static struct shim_mutex world_lock = SHIM_MUTEX_INIT;
static struct shim_cond world_changed;
static unsigned world_reports;

static inline void world_exited(struct hcs_process *p, const struct hcs_exit *e, void *user)
{
    struct watcher *w = user;

    (void)p;
    shim_lock(&world_lock);
    w->exits++;
    w->status = e->status;
    w->at_ns = e->at_ns;
    w->order = ++world_reports;
    shim_cond_broadcast(&world_changed);
    shim_unlock(&world_lock);
}

static const struct hcs_callbacks world_callbacks = {.exited = world_exited};

/* Waits for the exit; a second one would be noticed at the next look. */
static inline uint32_t world_wait(struct watcher *w)
{
    int64_t deadline = shim_monotonic_ns() + WORLD_WAIT_NS;
    bool there = true;
    uint32_t status;
    int exits;

    shim_lock(&world_lock);
    while (there && !w->exits)
        there = shim_cond_wait_until(&world_changed, &world_lock, deadline);
    exits = w->exits;
    status = w->status;
    shim_unlock(&world_lock);
    assert_int_equal(exits, 1);
    return status;
}

static inline int world_main_setup(void)
{
    shim_cond_init(&world_changed);
    return shim_child_init(false, NULL);
}

/* --- bundles and documents ------------------------------------------------------------------ */

static inline struct json_object *world_process(const char *const argv[])
{
    struct json_object *process = json_object_new_object(), *args = json_object_new_array();
    struct json_object *env = json_object_new_array();

    for (; *argv; argv++)
        json_object_array_add(args, json_object_new_string(*argv));
    json_object_array_add(env, json_object_new_string("PATH=/bin"));
    json_object_array_add(env, json_object_new_string("GIVEN=yes"));
    json_object_object_add(process, "args", args);
    json_object_object_add(process, "env", env);
    json_object_object_add(process, "cwd", json_object_new_string("/"));
    return process;
}

/* Writes <id>/config.json and returns the document that names it. */
static inline struct json_object *world_bundle(const char *id, const char *const argv[])
{
    struct json_object *config = json_object_new_object(), *document;
    cleanup_free char *name = shim_strf("%s/config.json", id);
    cleanup_free char *text =
        shim_strf("{\"Owner\":\"test\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},\"Linux\":{"
                  "\"Bundle\":\"%s/%s\",\"Rootfs\":\"%s/rootfs\",\"Terminal\":false,\"IoUid\":0,"
                  "\"IoGid\":0}}",
                  world, id, world);

    json_object_object_add(config, "process", world_process(argv));
    world_folder(id);
    world_write(name, json_object_to_json_string(config));
    json_object_put(config);
    document = json_tokener_parse(text);
    assert_non_null(document);
    return document;
}

static inline struct json_object *world_parameters(const char *const argv[])
{
    struct json_object *parameters =
        json_tokener_parse("{\"Terminal\":false,\"IoUid\":0,\"IoGid\":0}");

    json_object_object_add(parameters, "OciProcess", world_process(argv));
    return parameters;
}

#define ARGV(...)     ((const char *const[]){__VA_ARGS__, NULL})
#define SHELL(script) ARGV("sh", "-c", script)

/* A system whose init is argv; not created yet. */
static inline struct hcs_system *world_system(const char *id, const char *const argv[],
                                              struct watcher *init)
{
    struct json_object *document = world_bundle(id, argv);
    struct hcs_system *s = NULL;
    struct shim_error err = {0};

    if (hcs_system_new(hcs_provider_find("emulated"), id, document, &world_callbacks, NULL, init,
                       &s, &err) != 0)
        fail_msg("%s", err.msg);
    json_object_put(document);
    return s;
}

static inline void world_create(struct hcs_system *s, struct hcs_stdio *io)
{
    struct hcs_stdio none = HCS_STDIO_INIT;
    struct shim_error err = {0};

    if (hcs_system_create(s, NULL, io ? io : &none, &err) != 0)
        fail_msg("%s", err.msg);
}

static inline void world_start(struct hcs_system *s)
{
    struct shim_error err = {0};

    if (hcs_system_start(s, &err) != 0)
        fail_msg("%s", err.msg);
}

/* Created and started, without streams. */
static inline struct hcs_system *world_run(const char *id, const char *const argv[],
                                           struct watcher *init)
{
    struct hcs_system *s = world_system(id, argv, init);

    world_create(s, NULL);
    world_start(s);
    return s;
}

static inline void world_delete(struct hcs_system *s)
{
    struct shim_error err = {0};

    if (hcs_system_delete(s, &err) != 0)
        fail_msg("%s", err.msg);
    hcs_system_free(s);
}

static inline struct hcs_process *world_exec_new(struct hcs_system *s, const char *const argv[],
                                                 struct watcher *w)
{
    struct json_object *parameters = world_parameters(argv);
    struct hcs_process *p = NULL;
    struct shim_error err = {0};

    if (hcs_process_new(s, "exec", parameters, w, &p, &err) != 0)
        fail_msg("%s", err.msg);
    json_object_put(parameters);
    return p;
}

static inline struct hcs_process *world_exec(struct hcs_system *s, const char *const argv[],
                                             struct watcher *w, struct hcs_stdio *io)
{
    struct hcs_process *p = world_exec_new(s, argv, w);
    struct hcs_stdio none = HCS_STDIO_INIT;
    struct shim_error err = {0};

    if (hcs_process_start(p, io ? io : &none, &err) != 0)
        fail_msg("%s", err.msg);
    return p;
}

/* --- streams -------------------------------------------------------------------------------- */

/* Reads until `wanted` is in what came (NULL: until the end), whether the handle blocks or not. */
static inline void world_expect(intptr_t fd, const char *wanted, struct shim_buf *got)
{
    for (;;) {
        struct pollfd p = {.fd = (int)fd, .events = POLLIN};
        char piece[4096];
        ssize_t n;

        if (wanted && strstr(shim_buf_str(got), wanted))
            return;
        if (poll(&p, 1, 15000) != 1)
            fail_msg("no \"%s\" in time, only \"%s\"", wanted ? wanted : "end", shim_buf_str(got));
        n = read((int)fd, piece, sizeof(piece));
        if (n <= 0 && !wanted)
            return;
        if (n <= 0)
            fail_msg("no \"%s\", only \"%s\"", wanted, shim_buf_str(got));
        assert_true(shim_buf_append(got, piece, (size_t)n));
    }
}

/* Whether a process is there that has not ended. */
static inline bool world_lives(uint32_t pid)
{
    cleanup_free char *path = shim_strf("/proc/%u/stat", pid);
    cleanup_buf struct shim_buf text = {0};
    const char *after;

    if (shim_file_read(path, 4096, &text, NULL) < 0)
        return false;
    after = strrchr(shim_buf_str(&text), ')');
    return after && after[2] != 'Z' && after[2] != 'X';
}

static inline char world_state_of(uint32_t pid)
{
    cleanup_free char *path = shim_strf("/proc/%u/stat", pid);
    cleanup_buf struct shim_buf text = {0};

    assert_int_equal(shim_file_read(path, 4096, &text, NULL), 0);
    return strrchr(shim_buf_str(&text), ')')[2];
}

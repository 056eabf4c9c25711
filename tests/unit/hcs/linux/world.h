/* SPDX-License-Identifier: Apache-2.0 */
/* What tests of the Linux provider share: a temporary bundle, its document, and callbacks that can
 * be waited for. */
#pragma once
#include "base/buf.h"
#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "base/thread.h"
#include "hcs/hcs.h"
#include "tests/folder.h"
#include "tests/test.h"
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_NS (20 * SHIM_NS_PER_S)

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        struct shim_error e_ = {0};                                                                \
        struct shim_error *err = &e_;                                                              \
        if ((call) != 0)                                                                           \
            fail_msg("%s: %d %s", #call, e_.code, e_.msg);                                         \
    } while (0)
#define assert_fails(code_, part, call)                                                            \
    do {                                                                                           \
        struct shim_error e_ = {0};                                                                \
        struct shim_error *err = &e_;                                                              \
        int r_ = (call);                                                                           \
        if (r_ != (code_) || e_.code != (code_) || !strstr(e_.msg, (part)))                        \
            fail_msg("%s: %d \"%s\", wanted %d \"%s\"", #call, r_, e_.msg, (code_), (part));       \
    } while (0)

static inline void assert_took(int64_t since_ns, int64_t min_s, int64_t max_s)
{
    int64_t took_ns = shim_monotonic_ns() - since_ns;

    if (took_ns < min_s * SHIM_NS_PER_S || took_ns > max_s * SHIM_NS_PER_S)
        fail_msg("took %lld ms", (long long)(took_ns / SHIM_NS_PER_MS));
}

struct world {
    char dir[64];    /* of its own, below /tmp */
    char bundle[96]; /* dir/bundle */
    char root[96];   /* dir/state: the runtime's */
    char rootfs[96]; /* dir/rootfs */
};

static inline void world_done(struct world *w)
{
    (void)folder_remove(w->dir);
}

static inline void world_init(struct world *w)
{
    snprintf(w->dir, sizeof(w->dir), "/tmp/hcs-linux-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->bundle, sizeof(w->bundle), "%s/bundle", w->dir);
    snprintf(w->root, sizeof(w->root), "%s/state", w->dir);
    snprintf(w->rootfs, sizeof(w->rootfs), "%s/rootfs", w->dir);
    assert_int_equal(mkdir(w->bundle, 0700), 0);
    assert_int_equal(mkdir(w->root, 0700), 0);
    assert_int_equal(mkdir(w->rootfs, 0755), 0);
}

/* A path below a world, lent until the next call. */
static inline const char *below(const char *dir, const char *name)
{
    static char path[512];

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static inline void write_text(const char *path, const char *text)
{
    assert_ok(shim_file_write(path, text, strlen(text), err));
}

/* Owned by the caller. */
static inline char *read_text(const char *path)
{
    cleanup_buf struct shim_buf text = {0};

    if (shim_file_read(path, 1 << 20, &text, NULL) < 0)
        return strdup("");
    return text.data ? shim_buf_take(&text) : strdup("");
}

static inline struct json_object *parse(const char *text)
{
    struct json_object *o = json_tokener_parse(text);

    assert_non_null(o);
    return o;
}

static inline struct json_object *world_document(const struct world *w, const char *runtime,
                                                 bool terminal)
{
    cleanup_free char *text = shim_strf(
        "{\"Owner\":\"test\",\"SchemaVersion\":{\"Major\":2,\"Minor\":1},"
        "\"ShouldTerminateOnLastHandleClosed\":false,\"Linux\":{\"Bundle\":\"%s\",\"Rootfs\":"
        "\"%s\",\"Terminal\":%s,\"Runtime\":{\"Path\":\"%s\",\"Root\":\"%s\",\"SystemdCgroup\":"
        "false,\"NoPivotRoot\":false,\"NoNewKeyring\":false},\"IoUid\":0,\"IoGid\":0}}",
        w->bundle, w->rootfs, terminal ? "true" : "false", runtime, w->root);

    return parse(text);
}

/* --- callbacks ------------------------------------------------------------------------------ */

struct story {
    struct shim_mutex lock;
    struct shim_cond changed;
    struct hcs_exit exit;
    unsigned exits, ooms;
    bool oom_first; /* a notice came before the exit */
};

static inline void story_init(struct story *s)
{
    *s = (struct story){0};
    shim_mutex_init(&s->lock);
    shim_cond_init(&s->changed);
}

static inline void story_exited(struct hcs_process *process, const struct hcs_exit *exit,
                                void *user)
{
    struct story *s = user;

    (void)process;
    shim_lock(&s->lock);
    s->exit = *exit;
    s->exits++;
    s->oom_first = s->ooms > 0;
    shim_cond_broadcast(&s->changed);
    shim_unlock(&s->lock);
}

static inline void story_oom(struct hcs_system *system, void *user)
{
    struct story *s = user;

    (void)system;
    shim_lock(&s->lock);
    s->ooms++;
    shim_cond_broadcast(&s->changed);
    shim_unlock(&s->lock);
}

static const struct hcs_callbacks story_callbacks __attribute__((unused)) = {
    .exited = story_exited,
    .oom = story_oom,
};

/* The status of the one exit there was. */
static inline uint32_t story_await_exit(struct story *s)
{
    int64_t deadline_ns = shim_monotonic_ns() + WAIT_NS;
    bool in_time = true;

    shim_lock(&s->lock);
    while (s->exits == 0 && in_time)
        in_time = shim_cond_wait_until(&s->changed, &s->lock, deadline_ns);
    shim_unlock(&s->lock);
    assert_int_equal(s->exits, 1);
    return s->exit.status;
}

/* --- streams -------------------------------------------------------------------------------- */

/* Reads (a non-blocking handle) until `part` has come or its end. Owned by the caller. */
static inline char *read_until(intptr_t handle, const char *part)
{
    cleanup_buf struct shim_buf text = {0};
    int64_t deadline_ns = shim_monotonic_ns() + WAIT_NS;

    while (shim_monotonic_ns() < deadline_ns && (!part || !strstr(shim_buf_str(&text), part))) {
        struct pollfd p = {.fd = (int)handle, .events = POLLIN};
        char chunk[512];
        ssize_t n;

        poll(&p, 1, 1000);
        n = read((int)handle, chunk, sizeof(chunk));
        if (n < 0 && errno == EAGAIN)
            continue;
        if (n <= 0)
            break;
        assert_true(shim_buf_append(&text, chunk, (size_t)n));
    }
    return text.data ? shim_buf_take(&text) : strdup("");
}

/* How many descriptors this process has open. */
static inline unsigned open_descriptors(void)
{
    unsigned n = 0;

    for (int fd = 0; fd < 1024; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An OCI runtime of a few lines of shell: it writes down how it was called, keeps a folder as its
 * state and a sleeping process as its container, and does first what a test put into `on-VERB`.
 */
#pragma once
#include "tests/unit/hcs/linux/world.h"
#include <sched.h>
#include <signal.h>

struct standin {
    struct world world;
    struct story init, exec;
    char runtime[96];
    struct hcs_system *system;
    struct hcs_stdio io;
    unsigned descriptors;
};

static const char standin_script[] =
    "#!/bin/sh\n"
    "dir=$(dirname \"$0\")\n"
    "echo \"$*\" >>\"$dir/calls\"\n"
    "case $1 in --root) root=$2; log=$4; shift 6;; esac\n"
    "[ \"$1\" = --systemd-cgroup ] && shift\n"
    "[ \"$1\" = --criu ] && shift 2\n"
    "verb=$1\n"
    "shift\n"
    "all=\"$*\"\n"
    "pids() { cat \"$root/$id/pid\"; }\n"
    "error() { echo '{\"level\":\"error\",\"msg\":\"'\"$1\"'\",\"time\":\"now\"}' >>\"$log\"; }\n"
    "while [ $# -gt 0 ]; do\n"
    "  case $1 in --pid-file) pid_file=$2;; --process) process=$2;; esac\n"
    "  case $1 in box) id=box; signal=$2;; esac\n"
    "  shift\n"
    "done\n"
    "[ -f \"$dir/on-$verb\" ] && . \"$dir/on-$verb\"\n"
    "case $verb in\n"
    "create|restore) mkdir \"$root/$id\"; sleep 1000 & echo $! >\"$root/$id/pid\"\n"
    "  echo $! >\"$pid_file\";;\n"
    "exec) cat \"$process\" >>\"$dir/process\"; sleep 1000 & echo $! >\"$pid_file\";;\n"
    "kill) kill -$signal $(pids);;\n"
    "delete) [ -d \"$root/$id\" ] || { error \"container does not exist\"; exit 1; }\n"
    "  kill -9 $(pids) 2>/dev/null; rm -rf \"$root/$id\";;\n"
    "update) cat >\"$dir/resources\";;\n"
    "esac\n"
    "exit 0\n";

/* What `verb` does before (or, with exit, instead of) what it always does. */
static inline void standin_on(struct standin *s, const char *verb, const char *shell)
{
    char name[32];

    snprintf(name, sizeof(name), "on-%s", verb);
    if (shell)
        write_text(below(s->world.dir, name), shell);
    else
        unlink(below(s->world.dir, name));
}

/* Whether the runtime was called with exactly these words after its usual prefix; %s is the bundle
 * wherever it occurs. */
static inline bool standin_called(struct standin *s, const char *words)
{
    cleanup_free char *calls = read_text(below(s->world.dir, "calls"));
    cleanup_buf struct shim_buf line = {0};
    const char *bundle = s->world.bundle;

    assert_true(shim_buf_appendf(&line, "\n--root %s --log %s/log.json --log-format json ",
                                 s->world.root, bundle));
    for (const char *hole; (hole = strstr(words, "%s")); words = hole + 2)
        assert_true(shim_buf_append(&line, words, (size_t)(hole - words)) &&
                    shim_buf_append_str(&line, bundle));
    assert_true(shim_buf_appendf(&line, "%s\n", words));
    if (strncmp(calls, shim_buf_str(&line) + 1, line.len - 1) == 0 ||
        strstr(calls, shim_buf_str(&line)))
        return true;
    print_message("wanted:%scalls:\n%s", shim_buf_str(&line), calls);
    return false;
}

/* How often the runtime was called at all. */
static inline unsigned standin_calls(struct standin *s)
{
    cleanup_free char *calls = read_text(below(s->world.dir, "calls"));
    unsigned n = 0;

    for (const char *c = calls; (c = strchr(c, '\n')); c++)
        n++;
    return n;
}

/* A system whose document has `more` (e.g. "\"Criu\":{…},") in its Linux part. */
static inline struct hcs_system *standin_system(struct standin *s, const char *more)
{
    struct json_object *document = world_document(&s->world, s->runtime, false);
    struct json_object *extra = more ? parse(more) : NULL, *linux_part;
    struct hcs_system *system = NULL;

    assert_true(json_object_object_get_ex(document, "Linux", &linux_part));
    if (extra) {
        json_object_object_foreach(extra, key, value)
            json_object_object_add(linux_part, key, json_object_get(value));
        json_object_put(extra);
    }
    assert_ok(hcs_system_new(hcs_provider_find("linux"), "box", document, &story_callbacks,
                             &s->init, &s->init, &system, err));
    json_object_put(document);
    return system;
}

static inline void standin_create(struct standin *s)
{
    s->system = standin_system(s, NULL);
    assert_ok(hcs_system_create(s->system, NULL, &s->io, err));
}

static inline struct hcs_process *standin_exec(struct standin *s, const char *id)
{
    struct json_object *parameters = parse("{\"Terminal\":false,\"IoUid\":0,\"IoGid\":0,"
                                           "\"OciProcess\":{\"args\":[\"/bin/true\"]}}");
    struct hcs_process *p = NULL;

    assert_ok(hcs_process_new(s->system, id, parameters, &s->exec, &p, err));
    json_object_put(parameters);
    return p;
}

static inline int standin_setup(void **state)
{
    static struct standin s;

    s = (struct standin){.io = HCS_STDIO_INIT, .descriptors = open_descriptors()};
    world_init(&s.world);
    snprintf(s.runtime, sizeof(s.runtime), "%s/standin", s.world.dir);
    write_text(s.runtime, standin_script);
    assert_int_equal(chmod(s.runtime, 0755), 0);
    story_init(&s.init);
    story_init(&s.exec);
    *state = &s;
    return 0;
}

/* Nothing may be left: no state, no process, no descriptor. */
static inline int standin_teardown(void **state)
{
    struct standin *s = *state;

    if (s->system) {
        assert_ok(hcs_system_terminate(s->system, err));
        hcs_system_free(s->system);
        hcs_stdio_close(&s->io);
    }
    assert_false(shim_file_exists(below(s->world.root, "box")));
    world_done(&s->world);
    assert_int_equal(open_descriptors(), s->descriptors);
    return 0;
}

static inline int standin_main(const char *name, const struct CMUnitTest *tests, size_t n)
{
    if (shim_child_init(true, NULL) < 0 || shim_child_start_reaper(NULL) < 0)
        return 1;
    return _cmocka_run_group_tests(name, tests, n, NULL, NULL);
}

/* --- a call made on a thread of its own, to be cut short ------------------------------------ */

struct background {
    int (*call)(struct standin *s, struct shim_error *err);
    struct standin *s;
    struct shim_thread thread;
    struct shim_error err;
    int r;
};

static inline void background_run(void *user)
{
    struct background *b = user;

    b->r = b->call(b->s, &b->err);
}

/* Returns once the stand-in's snippet has made the file `began`. */
static inline void background_start(struct background *b, struct standin *s,
                                    int (*call)(struct standin *s, struct shim_error *err))
{
    int64_t deadline_ns = shim_monotonic_ns() + WAIT_NS;

    *b = (struct background){.call = call, .s = s};
    assert_ok(shim_thread_start("background", 0, background_run, b, &b->thread, err));
    while (!shim_file_exists(below(s->world.dir, "began"))) {
        assert_true(shim_monotonic_ns() < deadline_ns);
        sched_yield();
    }
}
/* For `on-VERB`: says that it is there, then hangs. */
#define STANDIN_HANGS ": >\"$dir/began\"; sleep 1000\n"

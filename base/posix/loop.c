/* SPDX-License-Identifier: Apache-2.0 */
/* The epoll thread. Promises that a removed watch is not called, also within one batch. */
#include "base/posix/loop.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "base/thread.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define BATCH 32

struct post {
    struct post *next;
    void (*fn)(void *user);
    void *user;
};

struct shim_loop {
    intptr_t epoll, wake; /* the latter an eventfd, known to epoll by the loop's own address */
    struct shim_thread thread;

    struct shim_mutex lock; /* of the rest of this paragraph */
    struct post *posts, **posts_end;
    bool stopping;

    /* The loop's thread only. */
    struct shim_timer *timers; /* the earliest first */
    struct epoll_event batch[BATCH];
    int batch_at, batch_n;
};

static void wake(struct shim_loop *loop)
{
    ssize_t n = write((int)loop->wake, &(uint64_t){1}, sizeof(uint64_t));

    (void)n; /* fails only while a huge count is pending already */
}

bool shim_loop_post(struct shim_loop *loop, void (*fn)(void *user), void *user)
{
    struct post *post = malloc(sizeof(*post));

    if (!post)
        return false;
    *post = (struct post){.fn = fn, .user = user};
    shim_lock(&loop->lock);
    *loop->posts_end = post;
    loop->posts_end = &post->next;
    shim_unlock(&loop->lock);
    wake(loop);
    return true;
}

static struct post *take_posts(struct shim_loop *loop, bool *ret_stopping)
{
    struct post *posts;

    shim_lock(&loop->lock);
    posts = shim_take(loop->posts);
    loop->posts_end = &loop->posts;
    *ret_stopping = loop->stopping;
    shim_unlock(&loop->lock);
    return posts;
}

/* Runs what was posted so far; at the end all of it, then returns false. */
static bool run_posts(struct shim_loop *loop)
{
    bool stopping, ran;

    do {
        struct post *posts = take_posts(loop, &stopping);

        ran = posts != NULL;
        while (posts) {
            struct post *post = posts;

            posts = post->next;
            post->fn(post->user);
            free(post);
        }
    } while (stopping && ran);
    return !stopping;
}

/* For epoll_wait, rounded up so that a timer is never looked at too early and again and again. */
static int until_first_timer_ms(const struct shim_loop *loop)
{
    int64_t ns, ms;

    if (!loop->timers)
        return -1;
    ns = loop->timers->at_ns - shim_monotonic_ns();
    if (ns <= 0)
        return 0;
    ms = (ns + SHIM_NS_PER_MS - 1) / SHIM_NS_PER_MS;
    return ms < INT_MAX ? (int)ms : INT_MAX;
}

static void fire_timers(struct shim_loop *loop)
{
    int64_t now = shim_monotonic_ns();

    while (loop->timers && loop->timers->at_ns <= now) {
        struct shim_timer *timer = loop->timers;

        shim_timer_clear(timer);
        timer->fire(timer);
    }
}

static void drain_wake(struct shim_loop *loop)
{
    uint64_t count;
    ssize_t n = read((int)loop->wake, &count, sizeof(count));

    (void)n; /* the posts are looked at in any case */
}

/* A callback may remove watches and change what others wait for. */
static void run_batch(struct shim_loop *loop)
{
    for (loop->batch_at = 0; loop->batch_at < loop->batch_n; loop->batch_at++) {
        struct epoll_event *event = &loop->batch[loop->batch_at];
        struct shim_watch *watch = event->data.ptr;
        uint32_t wanted;

        if (event->data.ptr == loop) {
            drain_wake(loop);
        } else if (watch && watch->events != 0) {
            wanted = event->events & (watch->events | EPOLLERR | EPOLLHUP);
            if (wanted != 0)
                watch->ready(watch, wanted);
        }
    }
    loop->batch_n = 0;
}

static void run_loop(void *arg)
{
    struct shim_loop *loop = arg;

    while (run_posts(loop)) {
        int n = epoll_wait((int)loop->epoll, loop->batch, BATCH, until_first_timer_ms(loop));

        loop->batch_n = n > 0 ? n : 0;
        run_batch(loop);
        fire_timers(loop);
    }
}

static void free_loop(struct shim_loop *loop)
{
    shim_handle_close(&loop->wake);
    shim_handle_close(&loop->epoll);
    shim_mutex_done(&loop->lock);
    free(loop);
}

static int start_loop(struct shim_loop *loop, const char *thread_name, struct shim_error *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = loop};

    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0)
        return shim_fail_os(err, (uint32_t)errno, "make an epoll descriptor");
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->wake < 0)
        return shim_fail_os(err, (uint32_t)errno, "make an eventfd");
    if (epoll_ctl((int)loop->epoll, EPOLL_CTL_ADD, (int)loop->wake, &event) != 0)
        return shim_fail_os(err, (uint32_t)errno, "watch an eventfd");
    return shim_thread_start(thread_name, 0, run_loop, loop, &loop->thread, err);
}

int shim_loop_new(const char *thread_name, struct shim_loop **ret, struct shim_error *err)
{
    struct shim_loop *loop = calloc(1, sizeof(*loop));
    int r;

    if (!loop)
        return shim_fail_memory(err);
    loop->epoll = loop->wake = SHIM_NO_HANDLE;
    loop->posts_end = &loop->posts;
    shim_mutex_init(&loop->lock);
    r = start_loop(loop, thread_name, err);
    if (r < 0) {
        free_loop(loop);
        return r;
    }
    *ret = loop;
    return 0;
}

void shim_loop_free(struct shim_loop *loop)
{
    if (!loop)
        return;
    shim_lock(&loop->lock);
    loop->stopping = true;
    shim_unlock(&loop->lock);
    wake(loop);
    shim_thread_join(&loop->thread);
    free_loop(loop);
}

int shim_watch_add(struct shim_loop *loop, struct shim_watch *w, int fd, uint32_t events,
                   void (*ready)(struct shim_watch *, uint32_t), struct shim_error *err)
{
    /* Hang-ups are always reported; edge-triggered, those of a silent watch come once. */
    struct epoll_event event = {.events = events ? events : EPOLLET, .data.ptr = w};

    *w = (struct shim_watch){.fd = -1};
    if (epoll_ctl((int)loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return shim_fail_os(err, (uint32_t)errno, "watch descriptor %d", fd);
    *w = (struct shim_watch){.fd = fd, .events = events, .ready = ready, .loop = loop};
    return 0;
}

void shim_watch_set(struct shim_watch *w, uint32_t events)
{
    struct epoll_event event = {.events = events ? events : EPOLLET, .data.ptr = w};

    if (w->events == events)
        return;
    w->events = events;
    epoll_ctl((int)w->loop->epoll, EPOLL_CTL_MOD, w->fd, &event);
}

void shim_watch_remove(struct shim_watch *w)
{
    struct shim_loop *loop = w->loop;

    if (!loop || w->fd < 0)
        return;
    epoll_ctl((int)loop->epoll, EPOLL_CTL_DEL, w->fd, NULL);
    for (int i = loop->batch_at; i < loop->batch_n; i++)
        if (loop->batch[i].data.ptr == w)
            loop->batch[i].data.ptr = NULL;
    w->fd = -1;
}

void shim_timer_set(struct shim_loop *loop, struct shim_timer *t, int64_t delay_ms,
                    void (*fire)(struct shim_timer *t))
{
    struct shim_timer **at = &loop->timers;

    shim_timer_clear(t);
    *t = (struct shim_timer){
        .at_ns = shim_monotonic_ns() + delay_ms * SHIM_NS_PER_MS, .fire = fire, .loop = loop};
    while (*at && (*at)->at_ns <= t->at_ns)
        at = &(*at)->next;
    t->next = *at;
    t->prev = at;
    if (t->next)
        t->next->prev = &t->next;
    *at = t;
}

void shim_timer_clear(struct shim_timer *t)
{
    if (t->at_ns == 0)
        return;
    *t->prev = t->next;
    if (t->next)
        t->next->prev = t->prev;
    t->at_ns = 0;
    t->next = NULL;
    t->prev = NULL;
}

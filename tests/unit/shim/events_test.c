/* SPDX-License-Identifier: Apache-2.0 */
/* The event queue against an endpoint like containerd's, and against the publish binary. */
#include "base/child.h"
#include "base/clock.h"
#include "shim/events.h"
#include "shim/proto/events.pb-c.h"
#include "tests/fakes/events_fake.h"
#include "tests/folder.h"
#include "tests/unit/base/posix/deny.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define NO_TIME_MS   50
#define MUCH_TIME_MS 20000

struct setting {
    char *folder, *address;
    struct events_fake *containerd; /* NULL while it was not started */
    struct shim_workers *workers;
    struct shim_events *events;
};

static void start_events(struct setting *s, struct shim_events_config config)
{
    struct shim_workers_config workers = {.max_threads = 1};

    assert_int_equal(shim_workers_new(&workers, &s->workers, NULL), 0);
    config.workers = s->workers;
    assert_int_equal(shim_events_new(&config, &s->events, NULL), 0);
}

static void begin(struct setting *s, bool served)
{
    struct shim_events_config config = {.ns = "ns1"};

    *s = (struct setting){.folder = folder_new()};
    s->address = shim_strf("unix://%s/events.sock", s->folder);
    config.ttrpc_address = s->address;
    if (served)
        s->containerd = events_fake_new(s->address);
    start_events(s, config);
}

static void begin_with_binary(struct setting *s, const char *script)
{
    struct shim_events_config config = {.ns = "ns1", .grpc_address = "/run/c.sock"};
    cleanup_free char *binary = NULL;

    *s = (struct setting){.folder = folder_new()};
    binary = shim_strf("%s/containerd", s->folder);
    folder_write(s->folder, "containerd", script);
    assert_int_equal(chmod(binary, 0700), 0);
    config.publish_binary = binary;
    assert_int_equal(setenv("DIR", s->folder, 1), 0);
    start_events(s, config);
}

static void stop_events(struct setting *s, unsigned timeout_ms)
{
    shim_events_stop(s->events, timeout_ms);
}

static void end(struct setting *s)
{
    shim_workers_free(s->workers);
    shim_events_free(s->events);
    events_fake_free(s->containerd);
    free(s->address);
    folder_done(&s->folder);
}

/* The number is the pid of a start event. */
static void publish(struct setting *s, unsigned number)
{
    Events__TaskStart event = EVENTS__TASK_START__INIT;

    event.container_id = (char *)"c1";
    event.pid = number;
    shim_events_publish(s->events, "/tasks/start", &event.base);
}

static void test_events_arrive_in_order_with_the_namespace(void **state)
{
    struct setting s;

    (void)state;
    begin(&s, true);
    for (unsigned i = 0; i < 4; i++)
        publish(&s, i);
    assert_true(events_fake_await(s.containerd, 4));
    assert_string_equal(events_fake_text(s.containerd),
                        "start c1 0\nstart c1 1\nstart c1 2\nstart c1 3\n");
    assert_string_equal(events_fake_namespace(s.containerd), "ns1");
    stop_events(&s, MUCH_TIME_MS);
    end(&s);
}

static void test_each_event_wakes_the_publisher_that_rests(void **state)
{
    struct setting s;

    (void)state;
    begin(&s, true);
    for (unsigned i = 0; i < 200; i++) {
        publish(&s, i);
        assert_true(events_fake_await(s.containerd, i + 1));
    }
    stop_events(&s, MUCH_TIME_MS);
    end(&s);
}

/* An event whose answer went down with the connection comes twice: nobody can know that it
 * arrived. */
static void assert_text_but_for_repeats(const char *text, const char *want)
{
    size_t before = 0;

    while (*text) {
        size_t line = strcspn(text, "\n") + 1;

        if (before == line && memcmp(text - before, text, line) == 0) {
            text += line;
            continue;
        }
        assert_memory_equal(text, want, line);
        before = line;
        text += line;
        want += line;
    }
    assert_string_equal(want, "");
}

static void test_events_wait_for_a_containerd_that_is_away(void **state)
{
    struct setting s;

    (void)state;
    begin(&s, false);
    publish(&s, 1);
    publish(&s, 2);
    s.containerd = events_fake_new(s.address);
    assert_true(events_fake_await(s.containerd, 2));
    events_fake_go_away(s.containerd);
    publish(&s, 3);
    publish(&s, 4);
    events_fake_come_back(s.containerd);
    stop_events(&s, MUCH_TIME_MS);
    assert_text_but_for_repeats(events_fake_text(s.containerd),
                                "start c1 1\nstart c1 2\nstart c1 3\nstart c1 4\n");
    end(&s);
}

static void test_the_oldest_are_dropped_and_publishing_does_not_wait(void **state)
{
    int64_t begun_ns = shim_monotonic_ns();
    unsigned queued, dropped;
    struct setting s;

    (void)state;
    begin(&s, true);
    events_fake_keep_waiting(s.containerd, true);
    publish(&s, 0);
    assert_true(events_fake_await_waiting(s.containerd, 1));
    for (unsigned i = 1; i <= SHIM_EVENTS_QUEUED_MAX + 2; i++)
        publish(&s, i);
    shim_events_count(s.events, &queued, &dropped);
    assert_int_equal(queued, SHIM_EVENTS_QUEUED_MAX);
    assert_int_equal(dropped, 2);
    assert_true(shim_monotonic_ns() - begun_ns < 4 * SHIM_NS_PER_S); /* no call timed out */

    events_fake_keep_waiting(s.containerd, false);
    stop_events(&s, MUCH_TIME_MS);
    assert_int_equal(events_fake_count(s.containerd), 1 + SHIM_EVENTS_QUEUED_MAX);
    assert_true(
        shim_starts_with(events_fake_text(s.containerd), "start c1 0\nstart c1 3\nstart c1 4\n"));
    end(&s);
}

static void test_an_event_that_is_refused_is_not_sent_again(void **state)
{
    struct setting s;

    (void)state;
    begin(&s, true);
    events_fake_refuse(s.containerd, SHIM_E_INVALID);
    publish(&s, 1);
    assert_true(events_fake_await_refused(s.containerd, 1));
    events_fake_refuse(s.containerd, 0);
    publish(&s, 2);
    stop_events(&s, MUCH_TIME_MS);
    assert_string_equal(events_fake_text(s.containerd), "start c1 2\n");
    end(&s);
}

static void test_an_error_of_unknown_meaning_does_not_hold_up_the_rest_for_ever(void **state)
{
    struct setting s;

    (void)state;
    begin(&s, true);
    events_fake_refuse(s.containerd, SHIM_E_UNKNOWN);
    publish(&s, 1);
    assert_true(events_fake_await_refused(s.containerd, 5));
    events_fake_refuse(s.containerd, 0);
    publish(&s, 2);
    stop_events(&s, MUCH_TIME_MS);
    assert_string_equal(events_fake_text(s.containerd), "start c1 2\n");
    end(&s);
}

static void test_stopping_waits_for_what_is_queued(void **state)
{
    struct setting s;

    (void)state;
    begin(&s, true);
    for (unsigned i = 0; i < 50; i++)
        publish(&s, i);
    stop_events(&s, MUCH_TIME_MS);
    assert_int_equal(events_fake_count(s.containerd), 50);
    end(&s);
}

static void assert_stops_in_time(struct setting *s)
{
    int64_t begun_ns = shim_monotonic_ns();

    stop_events(s, NO_TIME_MS);
    assert_true(shim_monotonic_ns() - begun_ns < 4 * SHIM_NS_PER_S);
}

static void test_stopping_gives_up_on_a_containerd_that_does_not_answer(void **state)
{
    struct setting s;

    (void)state;
    begin(&s, true);
    events_fake_keep_waiting(s.containerd, true);
    publish(&s, 1);
    publish(&s, 2);
    assert_true(events_fake_await_waiting(s.containerd, 1));
    assert_stops_in_time(&s);
    assert_int_equal(events_fake_count(s.containerd), 0);
    end(&s);
}

static void test_stopping_gives_up_on_a_containerd_that_is_away(void **state)
{
    unsigned queued, dropped;
    struct setting s;

    (void)state;
    begin(&s, false);
    publish(&s, 1);
    publish(&s, 2);
    assert_stops_in_time(&s);
    publish(&s, 3); /* too late, and no harm */
    shim_events_count(s.events, &queued, &dropped);
    assert_true(queued >= 1);
    end(&s);
}

static void test_the_publish_binary_serves_where_no_address_was_given(void **state)
{
    cleanup_free char *args = NULL, *input_path = NULL;
    cleanup_buf struct shim_buf input = {0};
    Events__TaskStart *event;
    struct setting s;
    Pb__Any *any;

    (void)state;
    begin_with_binary(&s, "#!/bin/sh\necho \"$@\" > $DIR/args\ncat > $DIR/input\n");
    publish(&s, 77);
    stop_events(&s, MUCH_TIME_MS);
    args = folder_read(s.folder, "args");
    assert_string_equal(args,
                        "--address /run/c.sock publish --topic /tasks/start --namespace ns1\n");
    input_path = shim_strf("%s/input", s.folder);
    assert_int_equal(shim_file_read(input_path, 4096, &input, NULL), 0);
    any = pb__any__unpack(NULL, input.len, input.data);
    assert_non_null(any);
    assert_string_equal(any->type_url, "containerd.events.TaskStart");
    event = events__task_start__unpack(NULL, any->value.len, any->value.data);
    assert_int_equal(event->pid, 77);
    events__task_start__free_unpacked(event, NULL);
    pb__any__free_unpacked(any, NULL);
    end(&s);
}

static void test_a_publish_binary_that_fails_is_run_five_times(void **state)
{
    cleanup_free char *runs = NULL;
    struct setting s;

    (void)state;
    begin_with_binary(&s, "#!/bin/sh\necho run >> $DIR/runs\nexit 3\n");
    publish(&s, 1);
    stop_events(&s, MUCH_TIME_MS);
    runs = folder_read(s.folder, "runs");
    assert_string_equal(runs, "run\nrun\nrun\nrun\nrun\n");
    end(&s);
}

static void test_a_publish_binary_that_hangs_is_ended_with_the_rest(void **state)
{
    cleanup_free char *fifo = NULL;
    char byte;
    int reader;
    struct setting s;

    (void)state;
    begin_with_binary(&s, "#!/bin/sh\necho > $DIR/fifo\nexec sleep 1000\n");
    fifo = shim_strf("%s/fifo", s.folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    publish(&s, 1);
    reader = open(fifo, O_RDONLY | O_CLOEXEC);
    assert_int_equal(read(reader, &byte, 1), 1); /* it runs */
    close(reader);
    assert_stops_in_time(&s);
    end(&s);
}

static void test_without_anywhere_to_publish_to_nothing_is_kept(void **state)
{
    struct setting s = {0};

    (void)state;
    start_events(&s, (struct shim_events_config){.ns = "ns1"});
    publish(&s, 1);
    stop_events(&s, MUCH_TIME_MS);
    end(&s);
}

static void count_starved(void *user)
{
    ++*(unsigned *)user;
}

static void publish_one(void *user)
{
    publish(user, 1);
}

static void test_stopping_gives_up_where_no_thread_can_be_started(void **state)
{
    unsigned starved = 0;
    struct shim_workers_config workers = {
        .max_threads = 1, .starved = count_starved, .user = &starved};
    struct shim_events_config config = {.ns = "ns1"};
    struct setting s = {0};

    (void)state;
    assert_int_equal(shim_workers_new(&workers, &s.workers, NULL), 0);
    config.workers = s.workers;
    assert_int_equal(shim_events_new(&config, &s.events, NULL), 0);
    with_denied(DENY_THREADS, ENOMEM, publish_one, &s);
    assert_int_equal(starved, 1);
    assert_stops_in_time(&s);
    end(&s); /* what starved runs now and finds all over */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_arrive_in_order_with_the_namespace),
        cmocka_unit_test(test_each_event_wakes_the_publisher_that_rests),
        cmocka_unit_test(test_events_wait_for_a_containerd_that_is_away),
        cmocka_unit_test(test_the_oldest_are_dropped_and_publishing_does_not_wait),
        cmocka_unit_test(test_an_event_that_is_refused_is_not_sent_again),
        cmocka_unit_test(test_an_error_of_unknown_meaning_does_not_hold_up_the_rest_for_ever),
        cmocka_unit_test(test_stopping_waits_for_what_is_queued),
        cmocka_unit_test(test_stopping_gives_up_on_a_containerd_that_does_not_answer),
        cmocka_unit_test(test_stopping_gives_up_on_a_containerd_that_is_away),
        cmocka_unit_test(test_the_publish_binary_serves_where_no_address_was_given),
        cmocka_unit_test(test_a_publish_binary_that_fails_is_run_five_times),
        cmocka_unit_test(test_a_publish_binary_that_hangs_is_ended_with_the_rest),
        cmocka_unit_test(test_without_anywhere_to_publish_to_nothing_is_kept),
        cmocka_unit_test(test_stopping_gives_up_where_no_thread_can_be_started),
    };

    if (shim_child_init(false, NULL) < 0 || shim_child_start_reaper(NULL) < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}

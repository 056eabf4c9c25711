/* SPDX-License-Identifier: Apache-2.0 */
/* Parked calls: every order in which a call's answer and its caller's going can come. The three
 * functions of ttrpc's that are used are ours here. */
#include "base/error.h"
#include "shim/waiters.h"
#include "tests/test.h"
#include "ttrpc/server.h"

struct ttrpc_call {
    bool released;
    void (*gone)(struct ttrpc_call *call, void *user);
    void *user;
    int answers, failures;
    const ProtobufCMessage *answer;
};

void ttrpc_call_release_request(struct ttrpc_call *call)
{
    call->released = true;
}

void ttrpc_call_on_gone(struct ttrpc_call *call, void (*gone)(struct ttrpc_call *, void *user),
                        void *user)
{
    call->gone = gone;
    call->user = user;
}

void ttrpc_call_fail(struct ttrpc_call *call, int code, const char *message)
{
    assert_int_equal(code, SHIM_E_CANCELED);
    assert_non_null(message);
    call->failures++;
}

static void reply(const ProtobufCMessage *answer, void *data)
{
    struct ttrpc_call *call = data;

    call->answers++;
    call->answer = answer;
}

struct owner {
    struct shim_mutex lock;
    struct shim_waiters waiters;
    int ended;
};

static void count_end(struct shim_waiters *waiters)
{
    struct owner *o = shim_container_of(waiters, struct owner, waiters);

    shim_lock(&o->lock); /* deadlocks where it is held */
    o->ended++;
    shim_unlock(&o->lock);
}

static void owner_init(struct owner *o)
{
    *o = (struct owner){.waiters = {.lock = &o->lock, .ended = count_end}};
    shim_mutex_init(&o->lock);
}

static bool park(struct owner *o, struct shim_waiter *w)
{
    bool parked;

    shim_lock(&o->lock);
    parked = shim_waiter_park_locked(w);
    shim_unlock(&o->lock);
    return parked;
}

static struct shim_waiter *take(struct owner *o)
{
    struct shim_waiter *taken;

    shim_lock(&o->lock);
    taken = shim_waiters_take_locked(&o->waiters);
    shim_unlock(&o->lock);
    return taken;
}

static void test_all_that_are_parked_are_answered_once(void **state)
{
    ProtobufCMessage answer;
    struct ttrpc_call calls[3] = {{0}};
    struct owner o;

    (void)state;
    owner_init(&o);
    for (size_t i = 0; i < 3; i++) {
        struct shim_waiter *w = shim_waiter_new(&o.waiters, &calls[i], reply);

        assert_non_null(w);
        assert_true(calls[i].released);
        assert_true(park(&o, w));
    }
    shim_waiters_answer(take(&o), &answer);
    assert_null(take(&o));
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(calls[i].answers, 1);
        assert_ptr_equal(calls[i].answer, &answer);
        assert_int_equal(calls[i].failures, 0);
    }
    assert_int_equal(o.ended, 3);
}

static void test_one_whose_caller_goes_leaves_the_others(void **state)
{
    ProtobufCMessage answer;
    struct ttrpc_call calls[3] = {{0}};
    struct owner o;

    (void)state;
    owner_init(&o);
    for (size_t i = 0; i < 3; i++)
        assert_true(park(&o, shim_waiter_new(&o.waiters, &calls[i], reply)));
    calls[1].gone(&calls[1], calls[1].user);
    assert_int_equal(calls[1].failures, 1);
    assert_int_equal(o.ended, 1);
    shim_waiters_answer(take(&o), &answer);
    assert_int_equal(calls[0].answers, 1);
    assert_int_equal(calls[1].answers, 0);
    assert_int_equal(calls[2].answers, 1);
    assert_int_equal(o.ended, 3);
}

static void test_a_caller_that_goes_first_leaves_the_answer_to_who_parks(void **state)
{
    ProtobufCMessage answer;
    struct ttrpc_call call = {0};
    struct shim_waiter *w;
    struct owner o;

    (void)state;
    owner_init(&o);
    w = shim_waiter_new(&o.waiters, &call, reply);
    call.gone(&call, call.user);
    assert_int_equal(call.failures, 0);
    assert_false(park(&o, w));
    shim_waiters_answer(w, &answer);
    assert_int_equal(call.answers, 1);
    assert_int_equal(o.ended, 1);
}

static void test_a_caller_that_goes_during_the_answer_leaves_it_to_who_answers(void **state)
{
    ProtobufCMessage answer;
    struct ttrpc_call call = {0};
    struct shim_waiter *taken;
    struct owner o;

    (void)state;
    owner_init(&o);
    assert_true(park(&o, shim_waiter_new(&o.waiters, &call, reply)));
    taken = take(&o);
    call.gone(&call, call.user);
    assert_int_equal(call.failures, 0);
    shim_waiters_answer(taken, &answer);
    assert_int_equal(call.answers, 1);
    assert_int_equal(o.ended, 1);
}

static void test_nothing_parked_is_nothing_to_answer(void **state)
{
    struct owner o;

    (void)state;
    owner_init(&o);
    o.waiters.ended = NULL;
    shim_waiters_answer(take(&o), NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_that_are_parked_are_answered_once),
        cmocka_unit_test(test_one_whose_caller_goes_leaves_the_others),
        cmocka_unit_test(test_a_caller_that_goes_first_leaves_the_answer_to_who_parks),
        cmocka_unit_test(test_a_caller_that_goes_during_the_answer_leaves_it_to_who_answers),
        cmocka_unit_test(test_nothing_parked_is_nothing_to_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

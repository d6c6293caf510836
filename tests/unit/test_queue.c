#include "base/queue.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static bool readable(struct queue *queue)
{
    struct pollfd wait = {.fd = queue_fd(queue), .events = POLLIN};

    return poll(&wait, 1, 0) == 1;
}

static struct queue *queue_of(size_t most)
{
    struct queue *queue;

    assert_int_equal(queue_new(&queue, most), 0);
    return queue;
}

static void items_come_out_in_the_order_they_went_in(void **state)
{
    (void)state;
    struct queue *queue = queue_of(3);
    int items[5];

    for (int round = 0; round < 5; round++) { /* so that the ring wraps */
        assert_int_equal(queue_give(queue, &items[0]), 0);
        assert_int_equal(queue_give(queue, &items[1]), 0);
        assert_ptr_equal(queue_take(queue), &items[0]);
        assert_ptr_equal(queue_take(queue), &items[1]);
        assert_null(queue_take(queue));
    }
    queue_free(queue);
}

static void a_full_queue_leaves_the_item_with_its_owner(void **state)
{
    (void)state;
    struct queue *queue = queue_of(1);
    int first, second;

    assert_int_equal(queue_give(queue, &first), 0);
    assert_int_equal(queue_give(queue, &second), QUEUE_E_FULL);
    assert_ptr_equal(queue_take(queue), &first);
    assert_null(queue_take(queue));
    queue_free(queue);
}

static void the_descriptor_is_readable_while_something_waits(void **state)
{
    (void)state;
    struct queue *queue = queue_of(2);
    int item;

    assert_false(readable(queue));
    queue_give(queue, &item);
    queue_give(queue, &item);
    assert_true(readable(queue));
    queue_take(queue);
    assert_true(readable(queue));
    queue_take(queue);
    assert_false(readable(queue));
    queue_free(queue);
}

static void what_is_gathered_shows_only_when_it_is_enough(void **state)
{
    (void)state;
    struct queue *queue = queue_of(3);
    int item;

    assert_int_equal(queue_gather(queue, &item, 2), 0);
    assert_false(readable(queue));
    assert_int_equal(queue_gather(queue, &item, 2), 0);
    assert_true(readable(queue));
    queue_take(queue);
    assert_true(readable(queue));
    queue_take(queue);
    assert_false(readable(queue));
    queue_free(queue);
}

static void what_is_gathered_shows_with_what_is_given_behind_it(void **state)
{
    (void)state;
    struct queue *queue = queue_of(2);
    int first, second;

    queue_gather(queue, &first, 9);
    queue_give(queue, &second);
    assert_true(readable(queue));
    assert_ptr_equal(queue_take(queue), &first);
    assert_ptr_equal(queue_take(queue), &second);
    assert_false(readable(queue));
    queue_free(queue);
}

static void what_is_gathered_can_be_taken_unshown(void **state)
{
    (void)state;
    struct queue *queue = queue_of(1);
    int item;

    queue_gather(queue, &item, 9);
    assert_ptr_equal(queue_take(queue), &item);
    assert_false(readable(queue));
    queue_free(queue);
}

static void what_is_gathered_shows_when_it_is_rung_for(void **state)
{
    (void)state;
    struct queue *queue = queue_of(1);
    int item;

    queue_ring(queue);
    assert_false(readable(queue));
    queue_gather(queue, &item, 9);
    queue_ring(queue);
    assert_true(readable(queue));
    assert_ptr_equal(queue_take(queue), &item);
    assert_false(readable(queue));
    queue_free(queue);
}

enum { MANY = 20000 };

static void *give_many(void *arg)
{
    struct queue *queue = arg;

    for (uintptr_t i = 1; i <= MANY; i++)
        while (queue_give(queue, (void *)i) == QUEUE_E_FULL)
            ;
    return NULL;
}

static void nothing_is_lost_between_threads(void **state)
{
    (void)state;
    struct queue *queue = queue_of(8);
    pthread_t givers[2];
    uint64_t sum = 0;

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&givers[i], NULL, give_many, queue), 0);
    for (int taken = 0; taken < 2 * MANY;) {
        struct pollfd wait = {.fd = queue_fd(queue), .events = POLLIN};
        void *item;

        assert_int_equal(poll(&wait, 1, 60000), 1);
        for (; (item = queue_take(queue)); taken++)
            sum += (uintptr_t)item;
    }
    for (int i = 0; i < 2; i++)
        pthread_join(givers[i], NULL);
    assert_int_equal(sum, (uint64_t)MANY * (MANY + 1));
    assert_false(readable(queue));
    queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(items_come_out_in_the_order_they_went_in),
        cmocka_unit_test(a_full_queue_leaves_the_item_with_its_owner),
        cmocka_unit_test(the_descriptor_is_readable_while_something_waits),
        cmocka_unit_test(what_is_gathered_shows_only_when_it_is_enough),
        cmocka_unit_test(what_is_gathered_shows_with_what_is_given_behind_it),
        cmocka_unit_test(what_is_gathered_can_be_taken_unshown),
        cmocka_unit_test(what_is_gathered_shows_when_it_is_rung_for),
        cmocka_unit_test(nothing_is_lost_between_threads),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

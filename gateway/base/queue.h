/*
 * Queue: a bounded hand-over of pointers between threads, with a descriptor to wait on.
 *
 * Any thread may give and take. What is given is given away. The descriptor (an eventfd)
 * is readable while something waits, so that a poll loop or libevent can sleep on it. What was
 * gathered can be taken at once, but shows only with what comes after it, or when it is rung
 * for.
 */
#ifndef JOBGATE_BASE_QUEUE_H
#define JOBGATE_BASE_QUEUE_H

#include <stddef.h>

struct queue;

enum { QUEUE_E_FULL = 1 };

int queue_new(struct queue **ret,
              size_t most);           /* negative errno when the machine has no more */
void queue_free(struct queue *queue); /* must be empty: the queue owns no item */
int queue_give(struct queue *queue,
               void *item); /* 0, or QUEUE_E_FULL and the item stays the caller's */
/* The same, and nobody is woken for it before `enough` items lie in the queue. */
int queue_gather(struct queue *queue, void *item, size_t enough);
void queue_ring(struct queue *queue);  /* shows what was gathered, if it was not taken yet */
void *queue_take(struct queue *queue); /* NULL when nothing waits */
int queue_fd(const struct queue *queue);

#endif

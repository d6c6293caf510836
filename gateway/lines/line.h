/*
 * Line: one serial bus or one TCP endpoint, one thread, one item at work and one waiting.
 *
 * The loop gives work and takes it back; the line's thread is the only one that touches the
 * port. It decides nothing: what goes next, whether to try again, whom to skip is the loop's.
 * A work item belongs to whoever holds it: giving it gives it away, and it comes back through
 * line_take() exactly once, whatever happened (line_close hands back what is left, unsent).
 *
 * A line whose port cannot be opened is tried again by its thread with a growing pause, 1 to
 * 30 s; work given meanwhile comes back at once as ANSWER_LINE_DOWN. Each change between up and
 * down comes out through line_take() as an item with `state_changed` set and no operation.
 */
#ifndef JOBGATE_LINES_LINE_H
#define JOBGATE_LINES_LINE_H

#include "adapters/adapter.h"

struct work {
    uint64_t number; /* the loop's own, to find the task again */
    size_t device;   /* index in the site; the line does not look at it */
    uint64_t turn;   /* likewise: names this hand-over, whatever becomes of the indexes */
    struct operation operation;
    struct limits limits;
    struct answer answer;
    bool state_changed; /* not work: the line went up or down */
    bool up;
    char why[160]; /* state_changed and down: why, for people */
};

struct line;

enum { LINE_E_FULL = 1 };

/* Starts the thread, which opens the port. The settings are copied. */
int line_open(struct line **ret, const struct adapter *adapter,
              const struct adapter_settings *settings);
/* Ends the thread at a frame's end (at most 300 ms for a pending answer), closes the port.
   What was given and not taken can be taken until line_free(). */
void line_close(struct line *line);
/* The same without waiting for longer than that: false, it has not ended yet and is asked again
   later. Nothing may be given meanwhile. */
bool line_leave(struct line *line, int patience_ms);
void line_free(struct line *line); /* frees what was not taken too */

/* 0; or LINE_E_FULL: two were given and not taken back, and the item stays the caller's. */
int line_give(struct line *line, struct work *work);
struct work *line_take(struct line *line); /* NULL when nothing came back */
/* Takes the waiting item back, if its pause has not begun; NULL when there is none. */
struct work *line_recall(struct line *line);
/* Readable when line_take() has something, some milliseconds later where the line has more to
   do: whoever is awake may look at lines that do not show yet. */
int line_fd(const struct line *line);
/* How long ago the thread should have moved on; 0: it works, or has nothing to do. A device
   that is silent, a port that is gone and a name that is looked up are in its time. */
int64_t line_overdue_us(struct line *line);

struct work *work_new(void);
void work_free(struct work *work);

#endif

/*
 * Scan: who answers on a line, and at which settings. Asks each wanted unit for one register or
 * bit, which changes nothing on a device; what is silent or garbled is asked once more at the
 * end, with more patience.
 *
 * One thread opens the line by its adapter, as the gateway's own thread of a line does, so the
 * same lock keeps two programs off one bus. The scan knows no site: what a unit is asked for
 * and which one is expected is told beforehand, what was seen is judged afterwards
 * (scan_judge.h). It prints nothing.
 */
#ifndef JOBGATE_COMMANDS_SCAN_H
#define JOBGATE_COMMANDS_SCAN_H

#include "adapters/adapter.h"

enum { SCAN_UNITS = 256, SCAN_WAYS_MOST = 64 };

/* One way to speak on a serial line; all zero where there is but one. */
struct scan_way {
    unsigned baud;
    char parity;
    uint8_t stop_bits;
};

/* What a unit is asked, the same at all settings. */
struct scan_ask {
    bool wanted;
    bool expected; /* the site has a device there */
    struct operation probe;
    int64_t configured_us; /* the time-out that the gateway would give it */
};

/* What was seen of a unit at some settings: how many of its askings came to what. */
struct scan_unit {
    unsigned asked, answered; /* a refusal is an answer */
    unsigned garbled;         /* bytes came that are no answer, */
    unsigned broken;          /* and of these, some that begin as its answer does */
    unsigned absent;          /* the gateway before it says that nobody is there (10, 11) */
    bool followed;            /* after its answer came more, */
    bool looked;              /* so it was asked again for that, */
    bool doubled;             /* and more came each time */
    int64_t took_us;          /* of its fastest answer, from the request's first byte on */
    int exception;            /* of its last answer; 0: none */
    uint16_t word;            /* what it read, where it was no refusal */
    char text[120];           /* what was odd about it, in the adapter's words */
};

/* One pass over the units at some settings. */
struct scan_try {
    struct scan_way way;
    unsigned asked, heard; /* askings; units of which something came that is an answer's */
    bool babble;           /* the line was never silent: it was given up */
    char why[160];         /* it was not begun: the port does not take the settings; or "" */
    struct scan_unit units[SCAN_UNITS];
};

struct scan {
    const struct adapter *adapter;
    struct adapter_settings settings; /* of the site; the ways replace what they hold */
    int64_t least_us;                 /* a learned time-out is not shorter */
    int64_t gap_us;
    int64_t first_us; /* the first time-out; 0: learned */
    bool all;         /* goes on to the other ways where somebody was heard */
    int wake_fd;      /* readable: end after the present frame */
    struct scan_ask asks[SCAN_UNITS];
    struct scan_try *tries; /* one for each way, in the order in which they are tried */
    size_t try_count;
    /* After each asking, with the unit; `again`: for the second time. */
    void (*asked)(void *ctx, const struct scan *scan, unsigned unit, bool again);
    void *ctx;

    size_t now;           /* the try that goes on, or went on last */
    size_t chosen;        /* the first one at which somebody was heard; else 0 */
    unsigned left, total; /* askings of the present pass */
    bool stopped;         /* by wake_fd */
    bool down;            /* the line went away meanwhile, */
    char why[160];        /* because of this */
};

/* 0: it went on as far as it could, see `stopped` and `down`; or negative errno, the line could
   not be opened, and `why` of the scan says it. */
int scan_run(struct scan *scan);

#endif

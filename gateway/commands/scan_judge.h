/*
 * Judge: what a scan comes to: each unit's result, and what is to be said of the line. Pure.
 */
#ifndef JOBGATE_COMMANDS_SCAN_JUDGE_H
#define JOBGATE_COMMANDS_SCAN_JUDGE_H

#include "commands/scan.h"

enum scan_result {
    SCAN_NOT_ASKED,
    SCAN_SILENT,
    SCAN_ANSWERS,
    SCAN_GARBLED, /* bytes came each time, and never an answer, or now and then none */
    SCAN_DOUBLE,  /* two answers, one after the other */
};

const char *scan_result_name(enum scan_result result); /* as shown: "silent" */
enum scan_result scan_result_of(const struct scan_unit *unit);

/* Counts of one try. "Of the site" are the units that are expected. */
struct scan_sum {
    unsigned wanted, asked;          /* units */
    unsigned site, site_well;        /* of the site; of these, those that answer well */
    unsigned site_silent, site_left; /* left: not asked */
    unsigned strange;                /* answer well, and are not of the site */
    unsigned garbled, doubled;       /* of all */
    bool noisy;    /* bytes came for so many units that it is the line, not a unit */
    bool everyone; /* the endpoint answers for whatever unit it is asked */
};

void scan_sum(const struct scan *scan, const struct scan_try *one, struct scan_sum *sum);
bool scan_found_any(const struct scan_sum *sum);

#endif

/*
 * Time of a scan: how long each asking waits, and what the whole takes. Pure.
 */
#ifndef JOBGATE_COMMANDS_SCAN_TIME_H
#define JOBGATE_COMMANDS_SCAN_TIME_H

#include "commands/scan.h"

/* The response time-out of a unit's first asking, and of the one with patience. `slowest_us`:
   of those that have answered at these settings; -1: nobody did. */
int64_t scan_first_us(const struct scan *scan, const struct scan_ask *ask,
                      const struct scan_way *way, int64_t slowest_us);
int64_t scan_patient_us(const struct scan *scan, const struct scan_ask *ask,
                        const struct scan_way *way, int64_t slowest_us);

/* How long a try takes: on the wire at the least (requests, silences and answers, without the
   devices' own time), and where nobody answers. `expected_only`: as at further settings, where
   all are asked only if one of the site's answers, and nobody twice. */
struct scan_time {
    unsigned units;
    int64_t least_us, silent_us;
};
struct scan_time scan_time_of(const struct scan *scan, const struct scan_way *way,
                              bool expected_only);

struct adapter_settings scan_settings_of(const struct scan *scan, const struct scan_way *way);
bool scan_expects_any(const struct scan *scan); /* of the site, among the wanted */

#endif

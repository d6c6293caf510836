/*
 * Device call: read, write and call, which differ only in what they ask. Through the gateway
 * that runs, or, where none does, on the device's own line.
 */
#ifndef JOBGATE_COMMANDS_DEVICE_CALL_H
#define JOBGATE_COMMANDS_DEVICE_CALL_H

#include "commands/options.h"
#include "lines/plan.h"

struct device_call {
    const char *device_id;
    struct action action; /* the call's to free */
    unsigned timeout_s;   /* 0: the gateway's default */
};

/* Asks, prints the answer, frees the action; the exit status. */
int device_call_run(const struct options *options, struct device_call *call);

/* What a person typed: JSON if it parses, else text. NULL: no memory. */
json_t *value_of_text(const char *text);

#endif

/* What trouble on the wire means for a step: another try, or the end. */
#include "jobs/run_private.h"

#include <stdio.h>

/* A busy device (exceptions 5 and 6) is left alone for a moment. */
#define BUSY_PAUSE_US INT64_C(200000)

#define REST_MOST_US INT64_C(500000)

enum trouble trouble_of(const struct answer *answer)
{
    switch (answer->result) {
    case ANSWER_DONE:
        return TROUBLE_NONE;
    case ANSWER_EXCEPTION:
        if (answer->exception == 6 || answer->exception == 10)
            return TROUBLE_BUSY;
        if (answer->exception == 4 || answer->exception == 5 || answer->exception == 11)
            return TROUBLE_MAYBE;
        return TROUBLE_REFUSED;
    case ANSWER_SILENT:
        return TROUBLE_SILENT;
    case ANSWER_BAD_REPLY:
        return TROUBLE_GARBLED;
    case ANSWER_LINE_DOWN:
        return TROUBLE_DOWN;
    case ANSWER_NOT_SENT:
        return TROUBLE_UNSENT;
    }
    return TROUBLE_UNSENT;
}

enum code trouble_code(enum trouble trouble, bool reached)
{
    switch (trouble) {
    case TROUBLE_NONE:
    case TROUBLE_UNSENT:
        return CODE_NONE;
    case TROUBLE_REFUSED:
    case TROUBLE_BUSY:
    case TROUBLE_MAYBE:
        return CODE_DEVICE_EXCEPTION;
    case TROUBLE_SILENT:
        return CODE_DEVICE_TIMEOUT;
    case TROUBLE_GARBLED:
        return CODE_BAD_REPLY;
    case TROUBLE_DOWN:
        return reached ? CODE_DEVICE_TIMEOUT : CODE_LINE_DOWN;
    }
    return CODE_NONE;
}

/* What is said of a written point when its write came to this trouble for good. */
enum result trouble_result(enum trouble trouble, bool reached)
{
    switch (trouble) {
    case TROUBLE_NONE:
        return RESULT_WRITTEN;
    case TROUBLE_REFUSED:
        return RESULT_REFUSED;
    case TROUBLE_BUSY:
        return reached ? RESULT_UNKNOWN : RESULT_REFUSED;
    case TROUBLE_SILENT:
        return RESULT_NO_ANSWER;
    case TROUBLE_MAYBE:
    case TROUBLE_GARBLED:
        return RESULT_UNKNOWN;
    case TROUBLE_UNSENT:
    case TROUBLE_DOWN:
        return reached ? RESULT_UNKNOWN : RESULT_NOT_SENT;
    }
    return RESULT_UNKNOWN;
}

/* Another try after a rest, in which a late answer may come and be dropped; or the end. */
void run_again_or_fail(struct run *run, const struct facts *facts, const struct answer *answer,
                       enum result result, struct moment now)
{
    enum trouble trouble = trouble_of(answer);
    unsigned allowed = facts->known_dead ? 1 : facts->tries;
    int64_t rest = facts->timeout_us / 4;
    char text[300];

    bool sent = answer->started_us > 0 || answer->reached;

    /* The engine holds it back until the line is up, or too late. */
    if (trouble == TROUBLE_DOWN && !sent && (!facts->urgent || run_pays_back(run))) {
        run->due_us = now.boot_us;
        return;
    }
    run->tries++;
    if (run->tries > run->attempts)
        run->attempts = run->tries;
    bool lost = trouble == TROUBLE_DOWN && facts->urgent && !run_pays_back(run);
    if (trouble != TROUBLE_REFUSED && !lost && run->tries < allowed) {
        if (trouble == TROUBLE_BUSY || trouble == TROUBLE_MAYBE)
            rest = BUSY_PAUSE_US;
        run->due_us = now.boot_us + (rest < REST_LEAST_US  ? REST_LEAST_US
                                     : rest > REST_MOST_US ? REST_MOST_US
                                                           : rest);
        return;
    }
    struct operation operation = {0};
    run_operation(run, &operation);
    operation.unit = run->site->devices[run->device].unit;
    sentence_trouble(text, sizeof(text), run->site, run->device, &operation, answer, run->tries,
                     run->waited_least_us, run->waited_most_us);
    run_fail(run, trouble_code(trouble, run->reached), result, text, now);
}

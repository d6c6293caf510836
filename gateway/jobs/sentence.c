/* Sentences that tell a technician what happened on the wire. */
#include "jobs/run.h"

#include <stdio.h>

static const char *verb(const struct operation *operation)
{
    return operation->kind == OPERATION_READ ? "a read of" : "a write to";
}

void sentence_trouble(char *text, size_t size, const struct site *site, size_t device,
                      const struct operation *operation, const struct answer *answer,
                      unsigned tries, int64_t timeout_us)
{
    const struct device *at = &site->devices[device];
    const char *line = site->lines[at->line].name;
    char where[48];
    char times[24] = "";

    point_where(&(struct point){.table = operation->table, .address = operation->address},
                where, sizeof(where));
    if (tries > 1)
        snprintf(times, sizeof(times), ", %u tries", tries);

    switch (answer->result) {
    case ANSWER_SILENT:
        snprintf(text, size, "unit %u on line %s did not answer in %lld ms%s", at->unit, line,
                 (long long)(timeout_us / 1000), times);
        return;
    case ANSWER_BAD_REPLY:
        snprintf(text, size, "unit %u on line %s gave no valid answer to %s %s: %s%s", at->unit,
                 line, verb(operation), where, answer->text, times);
        return;
    case ANSWER_EXCEPTION:
        snprintf(text, size, "unit %u on line %s answered %s %s with exception %u, %s%s",
                 at->unit, line, verb(operation), where, answer->exception,
                 adapter_exception_words(answer->exception), times);
        return;
    case ANSWER_LINE_DOWN:
        snprintf(text, size, "line %s is down: %s", line, answer->text);
        return;
    case ANSWER_DONE:
    case ANSWER_NOT_SENT:
        break;
    }
    snprintf(text, size, "unit %u on line %s: %s", at->unit, line, answer->text);
}

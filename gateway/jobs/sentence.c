/* Sentences that tell a technician what happened on the wire. */
#include "jobs/run_private.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

static const char *verb(const struct operation *operation)
{
    return operation->kind == OPERATION_READ ? "a read of" : "a write to";
}

void sentence_trouble(char *text, size_t size, const struct site *site, size_t device,
                      const struct operation *operation, const struct answer *answer,
                      unsigned tries, int64_t least_us, int64_t most_us)
{
    const struct device *at = &site->devices[device];
    const char *line = site->lines[at->line].name;
    char where[48];
    char times[24] = "", waited[32] = "";

    point_where(&(struct point){.table = operation->table, .address = operation->address},
                where, sizeof(where));
    if (tries > 1)
        snprintf(times, sizeof(times), ", %u tries", tries);

    switch (answer->result) {
    case ANSWER_SILENT:
        if (least_us / 1000 != most_us / 1000)
            snprintf(waited, sizeof(waited), "%lld to ", (long long)(least_us / 1000));
        snprintf(text, size, "unit %u on line %s did not answer in %s%lld ms%s", at->unit, line,
                 waited, (long long)(most_us / 1000), times);
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
        if (answer->reached) {
            snprintf(text, size, "line %s went down before unit %u answered: %s%s", line,
                     at->unit, answer->text, times);
            return;
        }
        snprintf(text, size, "line %s is down: %s", line, answer->text);
        return;
    case ANSWER_DONE:
    case ANSWER_NOT_SENT:
        break;
    }
    snprintf(text, size, "unit %u on line %s: %s", at->unit, line, answer->text);
}

__attribute__((format(printf, 4, 5))) static void append(char *text, size_t size, size_t *used,
                                                         const char *format, ...)
{
    va_list args;

    if (*used >= size)
        return;
    va_start(args, format);
    int n = vsnprintf(text + *used, size - *used, format, args);
    va_end(args);
    *used += n > 0 ? (size_t)n : 0;
}

/* "write setpoint, mode", "wait 2.0 s": a step in the words of the profile. */
static void append_step(char *text, size_t size, size_t *used, const struct run *run,
                        const struct plan_step *step)
{
    static const char *const verbs[] = {
        [PLAN_WRITE] = "write",   [PLAN_READ] = "read", [PLAN_BEFORE] = "read",
        [PLAN_EXPECT] = "expect", [PLAN_WAIT] = "wait", [PLAN_RETURN] = "write back"};

    append(text, size, used, "%s", verbs[step->kind]);
    if (step->kind == PLAN_WAIT)
        append(text, size, used, " %.1f s", step->wait_ms / 1000.0);
    for (size_t i = 0; i < step->item_count; i++)
        append(text, size, used, "%s%s", i ? " and " : " ",
               run_point(run, step->items[i].point)->name);
}

void sentence_stopped(char *text, size_t size, const struct run *run)
{
    size_t used = 0, done = 0;

    append(text, size, &used, "%s; done: ", run->stop.after);
    for (size_t i = 0; i < run->step && i < run->plan->step_count; i++) {
        if (run->plan->steps[i].kind == PLAN_BEFORE)
            continue;
        append(text, size, &used, "%s", done++ ? ", " : "");
        append_step(text, size, &used, run, &run->plan->steps[i]);
    }
    if (done == 0)
        append(text, size, &used, "nothing");
    text_clip(text);
}

/* A line that is asked for more polls than its wire can carry: how much is asked, how late the
   polls come, and when that is told. */
#include "base/log.h"
#include "jobs/engine_private.h"

/* What a device is taken to think until it was met. */
#define USUAL_TURNAROUND_US INT64_C(5000)
#define LOOK_US             INT64_C(10000000)

enum {
    ASKED_MOST = 100, /* percent of the line's time */
    ASKED_WELL = 95,  /* and that is over again */
    LATE_MUCH = 50,   /* percent of their interval, on the average */
    LATE_WEIGHT = 16, /* polls that the average looks back on */
};

/* The silence before it and gap_ms included. */
static int64_t read_us(const struct engine *engine, size_t device, const struct poll_read *read)
{
    const struct device *at = &engine->site->devices[device];
    const struct line_config *config = &engine->site->lines[at->line];
    const struct profile *profile = &engine->site->profiles[at->profile];
    int64_t slowest_us = device_slowest_us(engine, device);
    struct operation operation = {.kind = OPERATION_READ,
                                  .unit = at->unit,
                                  .table = read->table,
                                  .address = read->address,
                                  .count = read->count};
    struct frame_cost cost = {0};

    config->adapter->frame(&config->settings, &operation, &cost);
    return cost.least_us + (profile->gap_us >= 0 ? profile->gap_us : config->gap_us) +
           (slowest_us >= 0 ? slowest_us : USUAL_TURNAROUND_US);
}

static double share_of(const struct engine *engine, size_t device)
{
    size_t profile = engine->site->devices[device].profile;
    const struct poll_plan *plan = &engine->poll_plans[profile];
    const struct poll_state *polls = engine->devices[device].polls;
    double share = 0;

    for (size_t block = 0; polls && block < plan->block_count; block++) {
        struct poll_read read;

        for (size_t nth = 0; poll_plan_read(plan, &engine->site->profiles[profile], block,
                                            (enum poll_level)polls[block].level, nth, &read);
             nth++)
            share += (double)read_us(engine, device, &read) /
                     ((double)plan->blocks[block].poll_ms * 1000);
    }
    return share;
}

unsigned engine_poll_percent(const struct engine *engine, size_t index)
{
    const struct line_state *line = &engine->lines[index];
    double share = 0;

    for (size_t i = 0; i < line->device_count; i++)
        share += share_of(engine, line->devices[i]);
    return share < 100 ? (unsigned)(share * 100 + 0.5) : 9999;
}

bool engine_is_overloaded(const struct engine *engine, size_t index)
{
    return engine->lines[index].overloaded;
}

unsigned overload_late_percent(const struct line_state *line)
{
    return line->late / LATE_WEIGHT;
}

void overload_open(struct engine *engine, size_t index)
{
    engine->lines[index].overloaded = engine_poll_percent(engine, index) > ASKED_MOST;
}

/* Once on each change: asked for too much, and really late; or no longer asked for too much. */
static void look(struct engine *engine, size_t index)
{
    struct line_state *line = &engine->lines[index];
    const char *name = engine->site->lines[index].name;
    unsigned asked = engine_poll_percent(engine, index), late = overload_late_percent(line);

    if (!line->overloaded && asked > ASKED_MOST && late > LATE_MUCH) {
        line->overloaded = true;
        log_warning(
            "line %s: its polls ask for %u %% of what the wire can carry, so all of them "
            "come late, by %u %% of their interval; make the intervals of `poll` longer",
            name, asked, late);
    } else if (line->overloaded && asked <= ASKED_WELL) {
        line->overloaded = false;
        log_info(
            "line %s: its polls ask for %u %% of what the wire can carry, and come in time",
            name, asked);
    }
}

void overload_polled(struct engine *engine, size_t index, int64_t late_us, int64_t interval_us,
                     struct moment now)
{
    struct line_state *line = &engine->lines[index];
    int64_t percent = late_us > 0 ? late_us * 100 / interval_us : 0;

    if (percent > 100000)
        percent = 100000;
    line->late += (unsigned)percent - line->late / LATE_WEIGHT;
    if (now.boot_us < line->load_us)
        return;
    line->load_us = now.boot_us + LOOK_US;
    look(engine, index);
}

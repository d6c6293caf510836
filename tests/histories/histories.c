/*
 * Histories: the engine in a simulated world, driven by a seed: jobs, calls, patches, cancels,
 * redeliveries, dead devices, lost answers, others' hands on a device, lines that go down,
 * clocks that jump, sites that change, by a reload or while the gateway is off, and power that
 * goes at any moment. In some a job over the line begins with a broadcast, in some the point
 * wears. What was not safe in the store is gone then; the frame on the wire was obeyed or not.
 * The broker comes and goes, and what it has not acknowledged is told again.
 *
 * After each history the outcomes are compared with what the devices saw. A seed that fails
 * ends the program and prints its story: the same seed tells the same story again.
 *
 *     histories [--seeds N] [--first SEED] [--story]
 */
#include "sites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DEVICES_MOST = 6, JOBS_MOST = 12, EVENTS = 40, VALUE_FIRST = 1000, PULSE_VALUE = 77 };
enum { FOREIGN_FIRST = 20000, SAFE_US = 500000, SECOND_STEP_MS = 4000, ENDING_US = 3000000 };
enum { UNDERWAY_MOST = 64 };

enum what { METHOD_STATE, METHOD_TRIGGER, METHOD_PULSE, METHOD_RESTORE, METHOD_COUNT };

struct asked {
    char id[16];
    bool patch, safe;
    int64_t cancelled_us;          /* 0: it was not, or that was lost with the power */
    uint16_t value;                /* that no other job writes */
    unsigned obeyed[DEVICES_MOST]; /* frames with this value that the device obeyed */
    char *told[DEVICES_MOST];      /* its outcome, as it was told first */
    char *arrived[DEVICES_MOST];   /* ... and as the back end has it */
    char *share;                   /* the last one, as the back end has it */
    bool lost[DEVICES_MOST];       /* what it held before went with the power */
    int64_t told_us[DEVICES_MOST], first_us[DEVICES_MOST], obeyed_us[DEVICES_MOST];
};

/* The link to the broker: what it has taken lies in memory, as many as it has room for, and
   goes with the power. What it lets go it asks for. As gateway/links/broker.c. */
struct link {
    struct delivery *underway[UNDERWAY_MOST];
    char *bodies[UNDERWAY_MOST];
    size_t count, room;
    uint64_t taken;
    bool behind, away;
};

struct history {
    struct world world; /* first: the callbacks get a pointer to it */
    uint64_t seed, state;
    enum what method;
    size_t devices;
    struct asked jobs[JOBS_MOST];
    size_t job_count;
    struct link link;
    struct sites sites;
    bool left_on[DEVICES_MOST];       /* its pulse ended in doubt with its device */
    uint64_t number;                  /* of the last end that arrived for the first time */
    int64_t foreign_us[DEVICES_MOST]; /* when somebody else moved its setpoint last */
    int64_t cut_us;                   /* when the power went last */
    uint16_t foreign;                 /* his values, which no job writes */
    bool jumped, rebooted;            /* the clock; the machine */
    unsigned cuts, again;
    unsigned wears[DEVICES_MOST]; /* frames that wrote to the point that wears */
    FILE *story;
    char *text; /* of the story, where it is not told aloud */
    size_t size;
};

static struct history *playing; /* for tell_unfinished() */

struct counts {
    unsigned long histories, cuts, sites, tasks, unknown, gone, completed, again;
};

/* splitmix64 (public domain, S. Vigna) */
static uint64_t draw(struct history *history, uint64_t below)
{
    uint64_t z = (history->state += 0x9E3779B97F4A7C15u);

    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return (z ^ (z >> 31)) % below;
}

__attribute__((format(printf, 2, 3))) static void tell(struct history *history,
                                                       const char *format, ...)
{
    va_list arguments;

    fprintf(history->story, "%10.3f s  ",
            (double)(history->world.now.boot_us - 1000 * SECONDS) / 1e6);
    va_start(arguments, format);
    vfprintf(history->story, format, arguments);
    va_end(arguments);
    fputc('\n', history->story);
}

static void wrong(struct history *history, const char *what, const char *job, size_t device)
{
    fflush(history->story);
    printf("%s\nseed %llu: job %s, device d%zu: %s\n", history->text ? history->text : "",
           (unsigned long long)history->seed, job, device, what);
    fflush(stdout);
    _exit(1);
}

/* --- what the world saw --- */

/* No other job has seen this one's value, to write it back in the end. */
static bool is_alone(const struct history *history, const struct asked *asked, size_t device)
{
    for (size_t i = 0; i < history->job_count; i++) {
        const struct asked *other = &history->jobs[i];

        if (other != asked && !other->patch &&
            (!other->told[device] || other->told_us[device] > asked->first_us[device]))
            return false;
    }
    return true;
}

/* Where what a point held before is known, an interrupted write leaves alone what somebody else
   has made of it since. */
static void obeyed(struct history *history, struct asked *asked, size_t device)
{
    int64_t foreign_us = history->foreign_us[device];

    if (history->method == METHOD_RESTORE && !asked->patch && asked->obeyed[device] == 1 &&
        asked->obeyed_us[device] < foreign_us && foreign_us < history->cut_us &&
        asked->obeyed_us[device] + SAFE_US < history->cut_us && !asked->lost[device] &&
        is_alone(history, asked, device))
        wrong(history, "a foreign change was overwritten after an interruption", asked->id,
              device);
    if (asked->obeyed[device]++ == 0)
        asked->first_us[device] = history->world.now.boot_us;
    asked->obeyed_us[device] = history->world.now.boot_us;
}

static void on_obeyed(struct world *world, size_t device, const struct operation *operation)
{
    struct history *history = (struct history *)(void *)world;

    tell(history, "d%zu obeys: address %u = %u", device, operation->address,
         operation->words[0]);
    history->wears[device] += operation->address == 100;
    for (size_t i = 0; i < history->job_count; i++) {
        for (uint16_t k = 0; k < operation->count; k++) {
            struct asked *asked = &history->jobs[i];

            if (operation->words[k] != asked->value)
                continue;
            obeyed(history, asked, device);
            if (operation->address == 120 && asked->cancelled_us > 0 &&
                asked->cancelled_us + ENDING_US < world->now.boot_us)
                wrong(history, "a step began after the cancel", asked->id, device);
        }
    }
}

static struct asked *asked_of(struct history *history, const char *id)
{
    for (size_t i = 0; id && i < history->job_count; i++) {
        if (strcmp(history->jobs[i].id, id) == 0)
            return &history->jobs[i];
    }
    return NULL;
}

/* --- the way to the back end --- */

static void link_cut(struct link *link)
{
    for (size_t i = 0; i < link->count; i++) {
        delivery_free(link->underway[i]);
        free(link->bodies[i]);
    }
    link->count = 0;
    link->taken = 0;
    link->behind = true;
}

static void link_take(struct history *history, const struct report *report)
{
    struct link *link = &history->link;

    if (report->number <= link->taken || (link->behind && !report->again))
        return;
    if (link->count >= link->room) {
        link->behind = true;
        return;
    }
    link->taken = report->number;
    link->bodies[link->count] = strdup(report->body);
    link->underway[link->count++] = delivery_of(report);
}

/* Of the ends that were told and kept as told, none comes again. */
static void check_untold(struct history *history, const struct report *report)
{
    const struct world *world = &history->world;
    enum record_kind kind = report->kind == REPORT_SHARE ? RECORD_SHARED : RECORD_TOLD;

    history->again++;
    for (size_t i = 0; i < world->log_count; i++) {
        const struct record *record = world->log[i];

        if (record->kind == kind && strcmp(record->job_id, report->job_id) == 0 &&
            (kind == RECORD_SHARED || strcmp(record->device_id, report->device_id) == 0))
            wrong(history, "it is told again, and is known to have arrived", report->job_id,
                  kind == RECORD_SHARED ? 0 : strtoul(report->device_id + 1, NULL, 10));
    }
}

static void on_report(struct world *world, const struct report *report)
{
    struct history *history = (struct history *)(void *)world;
    struct asked *asked = asked_of(history, report->job_id);

    if (asked && report->kind == REPORT_ANSWER && report->code == CODE_NONE)
        asked->safe = true;
    if (asked && report_must_arrive(report)) {
        if (report->again)
            check_untold(history, report);
        link_take(history, report);
    }
    if (!asked || report->kind != REPORT_OUTCOME)
        return;
    size_t device = strtoul(report->device_id + 1, NULL, 10);
    tell(history, "outcome of %s: %s", report->job_id, report->body);
    if (!asked->told[device]) {
        asked->told[device] = strdup(report->body);
        asked->told_us[device] = world->now.boot_us;
    } else if (strcmp(asked->told[device], report->body) != 0) {
        tell(history, "before it was: %s", asked->told[device]);
        wrong(history, "it has two outcomes", asked->id, device);
    }
}

/* The broker has the oldest: the back end reads it. */
static void arrive(struct history *history)
{
    struct link *link = &history->link;
    struct delivery *delivery = link->underway[0];
    char *body = link->bodies[0], **place;
    struct asked *asked = asked_of(history, delivery->job_id);
    size_t device = delivery->device_id ? strtoul(delivery->device_id + 1, NULL, 10) : 0;

    link->count--;
    memmove(link->underway, link->underway + 1, link->count * sizeof(*link->underway));
    memmove(link->bodies, link->bodies + 1, link->count * sizeof(*link->bodies));
    tell(history, "arrived: %s", body);
    place = delivery->kind == REPORT_SHARE ? &asked->share : &asked->arrived[device];
    if (*place && strcmp(*place, body) != 0)
        wrong(history, "it has arrived before, with other words", asked->id, device);
    if (!*place && delivery->number <= history->number)
        wrong(history, "it comes behind one that ended later", asked->id, device);
    if (!*place)
        history->number = delivery->number;
    free(*place);
    *place = body;
    engine_delivered(history->world.engine, delivery);
    delivery_free(delivery);
}

/* As many as there is time for; then it asks for what it has not taken. */
static void link_run(struct history *history, size_t most)
{
    struct link *link = &history->link;

    while (!link->away && link->count > 0 && most-- > 0)
        arrive(history);
    if (link->behind && link->count <= link->room / 2)
        link->behind = engine_tell_untold(history->world.engine, link->taken);
    world_run(&history->world, 0);
}

/* --- what happens --- */

static void make_method(struct history *history)
{
    struct world *world = &history->world;
    struct fixture *fixture = &world->fixture;
    struct step *step;

    history->method = (enum what)draw(history, METHOD_COUNT);
    fixture->method.repeatable = history->method != METHOD_TRIGGER &&
                                 (history->method != METHOD_PULSE || draw(history, 2));
    switch (history->method) {
    case METHOD_TRIGGER:
        fixture_argument(fixture, WORLD_CONTROL, "n", NULL);
        fixture_step(fixture, STEP_WAIT, 0)->duration_ms = 500;
        step = fixture_step(fixture, STEP_EXPECT, WORLD_STATE);
        step->value = json_integer(1);
        step->within_ms = 3000;
        return;
    case METHOD_PULSE:
        step = fixture_step(fixture, STEP_PULSE, WORLD_MODE);
        step->value = json_integer(PULSE_VALUE);
        step->duration_ms = 700;
        fixture_argument(fixture, WORLD_SETPOINT, "n", NULL);
        return;
    case METHOD_RESTORE:
        fixture->method.restore = true;
        fixture_argument(fixture, WORLD_SETPOINT, "n", NULL);
        step = fixture_step(fixture, STEP_EXPECT, WORLD_STATE);
        step->value = json_integer((json_int_t)draw(history, 2));
        step->within_ms = 1000;
        return;
    case METHOD_STATE:
    case METHOD_COUNT:
        fixture_argument(fixture, WORLD_SETPOINT, "n", NULL);
        if (draw(history, 2))
            return;
        fixture_step(fixture, STEP_WAIT, 0)->duration_ms = SECOND_STEP_MS;
        fixture_argument(fixture, WORLD_MODE, "n", NULL);
        return;
    }
}

static void make_point(struct history *history)
{
    struct world *world = &history->world;
    struct point *point = &world->fixture.points[WORLD_SETPOINT];

    switch (draw(history, 4)) {
    case 0:
        point->broadcast = true;
        world->site->lines[0].broadcast_us = 50000;
        return;
    case 1:
        point->if_different = true;
        point->max_writes_per_day = (uint32_t)(1 + draw(history, 6));
        return;
    default:
        return;
    }
}

static void submit(struct history *history, const struct asked *asked)
{
    char json[600];

    if (asked->patch)
        snprintf(json, sizeof(json),
                 "{\"type\":\"scheduleUpdateTwin\",\"updateTwin\":{\"properties\":{\"desired\":"
                 "{\"setpoint\":%u}}},\"queryCondition\":\"*\"}",
                 asked->value);
    else
        snprintf(json, sizeof(json),
                 "{\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{\"methodName\":"
                 "\"go\",\"payload\":{\"n\":%u}},\"queryCondition\":\"*\"}",
                 asked->value);
    tell(history, "submit %s, value %u", asked->id, asked->value);
    world_job(&history->world, LINK_BROKER, asked->id, json);
}

static void ask(struct history *history)
{
    struct asked *asked = &history->jobs[history->job_count];

    if (history->job_count == JOBS_MOST)
        return;
    snprintf(asked->id, sizeof(asked->id), "job%zu", history->job_count);
    asked->value = (uint16_t)(VALUE_FIRST + history->job_count);
    asked->patch = draw(history, 3) == 0;
    history->job_count++;
    submit(history, asked);
}

static void change_site(struct history *history)
{
    char text[200];

    sites_change(&history->sites, draw(history, UINT64_MAX));
    sites_tell(&history->sites, text, sizeof(text));
    tell(history, "another site: %s", text);
}

static void cut(struct history *history)
{
    bool obeyed = draw(history, 2);

    tell(history, "the power goes; the frame on the wire is %s; safe up to %llu of %llu",
         obeyed ? "obeyed" : "lost", (unsigned long long)history->world.safe,
         (unsigned long long)history->world.kept);
    history->world.cut_keeps = draw(history, history->world.kept - history->world.safe + 1);
    for (size_t i = 0; i < history->job_count; i++) {
        struct asked *asked = &history->jobs[i];

        if (asked->cancelled_us + SAFE_US > history->world.now.boot_us)
            asked->cancelled_us = 0;
        for (size_t device = 0; device < history->devices; device++)
            asked->lost[device] |=
                asked->obeyed[device] > 0 &&
                asked->obeyed_us[device] + SAFE_US > history->world.now.boot_us;
    }
    link_cut(&history->link);
    if (draw(history, 3) == 0) {
        history->world.other_boot = !history->world.other_boot;
        history->rebooted = true;
    }
    if (draw(history, 4) == 0)
        change_site(history);
    sites_cut(&history->sites, obeyed);
    history->cut_us = history->world.now.boot_us; /* the frame on the wire was before it */
    history->cuts++;
    /* The broker delivers again what was not acknowledged, and at times what was. */
    for (size_t i = 0; i < history->job_count; i++) {
        if (!history->jobs[i].safe || draw(history, 4) == 0)
            submit(history, &history->jobs[i]);
    }
}

/* By up to a day in either direction: no job starts, ends or expires by it. */
static void jump(struct history *history)
{
    int64_t ms = (int64_t)draw(history, 2 * 86400000) - 86400000;

    tell(history, "the clock jumps by %lld s", (long long)ms / 1000);
    history->world.now.wall_ms += ms;
    history->jumped = true;
}

static void event(struct history *history)
{
    struct world *world = &history->world;
    struct world_device *device = &world->devices[draw(history, history->devices)];
    struct asked *asked;

    switch (draw(history, 19)) {
    case 0:
    case 1:
        ask(history);
        return;
    case 2:
    case 3:
    case 4:
        cut(history);
        return;
    case 5:
        if (history->job_count == 0)
            return;
        asked = &history->jobs[draw(history, history->job_count)];
        tell(history, "cancel %s", asked->id);
        if (asked->cancelled_us == 0)
            asked->cancelled_us = world->now.boot_us;
        world_cancel(world, LINK_BROKER, asked->id);
        return;
    case 6:
        device->dead = !device->dead;
        tell(history, "%s is %s", device->id, device->dead ? "dead" : "alive");
        return;
    case 7:
        if (draw(history, 3) > 0)
            return;
        tell(history, "the line goes down for a moment");
        world_line(world, 0, false, "unplugged");
        world_run(world, (int64_t)draw(history, 3 * SECONDS));
        world_line(world, 0, true, "");
        return;
    case 8:
        world->store_us = (int64_t)draw(history, 150000);
        tell(history, "a flush takes %lld us", (long long)world->store_us);
        return;
    case 9:
        history->link.away = !history->link.away;
        tell(history, "the broker is %s", history->link.away ? "away" : "back");
        return;
    case 10:
        device->aloof = !device->aloof;
        tell(history, "%s %s broadcasts", device->id, device->aloof ? "ignores" : "hears");
        return;
    case 11:
        device->mute = !device->mute;
        tell(history, "%s's answers %s", device->id, device->mute ? "are lost" : "are heard");
        return;
    case 12:
        device->setpoint = ++history->foreign;
        history->foreign_us[device - world->devices] = world->now.boot_us;
        tell(history, "somebody else sets %s to %u", device->id, device->setpoint);
        return;
    case 13:
        jump(history);
        return;
    case 14:
    case 15:
        change_site(history);
        sites_reload(&history->sites);
        return;
    default:
        return;
    }
}

/* --- what must be true --- */

/* Was a patch accepted after this one? */
static bool has_newer(const struct history *history, const struct asked *asked)
{
    char accepted[40];

    snprintf(accepted, sizeof(accepted), "%s",
             world_job_said(&history->world, asked->id, "createdTime"));
    for (size_t i = 0; i < history->job_count; i++) {
        const struct asked *other = &history->jobs[i];

        if (other != asked && other->patch && history->jumped)
            return true; /* the times tell nothing */
        if (other != asked && other->patch &&
            strcmp(world_job_said(&history->world, other->id, "createdTime"), accepted) >= 0)
            return true;
    }
    return false;
}

/* Its devices are those that the site had when it was accepted. */
static bool is_member(const struct history *history, const struct asked *asked, size_t device)
{
    const struct world *world = &history->world;
    char name[40];

    snprintf(name, sizeof(name), "\"%s\"", world->devices[device].id);
    for (size_t i = world->log_count; i-- > 0;) {
        if (world->log[i]->kind == RECORD_TASKS &&
            strcmp(world->log[i]->job_id, asked->id) == 0)
            return strstr(world->log[i]->text, name);
    }
    return true;
}

static void judge(struct history *history, const struct asked *asked, size_t device,
                  struct counts *counts)
{
    const char *told = asked->told[device];
    unsigned obeyed = asked->obeyed[device];

    if (!is_member(history, asked, device)) {
        /* What is sent to all is heard by whom the site does not have, too. */
        bool heard = history->world.fixture.points[WORLD_SETPOINT].broadcast;
        if (told || (obeyed > 0 && !heard))
            wrong(history, "it is no matter of this device", asked->id, device);
        return;
    }
    if (!told) {
        wrong(history, "an accepted task has no outcome", asked->id, device);
        return;
    }
    if (!asked->arrived[device] || strcmp(asked->arrived[device], told) != 0)
        wrong(history, "its outcome has not arrived as it is", asked->id, device);
    if (!asked->share)
        wrong(history, "its last share has not arrived", asked->id, device);
    bool completed = strstr(told, "\"status\":\"completed\"");
    bool unknown = strstr(told, "\"OutcomeUnknown\"");
    bool trigger = history->method == METHOD_TRIGGER && !asked->patch;

    counts->tasks++;
    counts->completed += completed;
    counts->unknown += unknown;
    if (trigger && obeyed > 1)
        wrong(history, "a trigger was obeyed twice", asked->id, device);
    if (completed && obeyed == 0)
        wrong(history, "a success that was never written", asked->id, device);
    if (obeyed > 0 && (strstr(told, "\"Canceled\"") || strstr(told, "\"Expired\"")))
        wrong(history, "it is said not to have begun, and was obeyed", asked->id, device);
    if (strstr(told, "\"Expired\"") && !(history->jumped && history->rebooted))
        wrong(history, "it expired, and had an hour", asked->id, device);
    if (strstr(told, "\"Overridden\"") && history->foreign_us[device] == 0)
        wrong(history, "it was overridden by nobody", asked->id, device);
    if (strstr(told, "\"Superseded\"") && !has_newer(history, asked))
        wrong(history, "it was superseded by nothing", asked->id, device);
    bool gone = strstr(told, "\"UnknownDevice\"");
    counts->gone += gone;
    bool heard = history->world.fixture.points[WORLD_SETPOINT].broadcast; /* with the others */
    if (gone && obeyed > 0 && !heard && (trigger || !strstr(told, "on record")))
        wrong(history, "it is said to have gone before it began, and was obeyed", asked->id,
              device);
    history->left_on[device] |= unknown && strstr(told, "in the midst of this");
    if (trigger && obeyed == 1 && strstr(told, "\"not_sent\""))
        wrong(history, "it is said not to have been sent, and was obeyed", asked->id, device);
}

static void revive(struct history *history)
{
    for (size_t i = 0; i < history->devices; i++)
        history->world.devices[i].dead = history->world.devices[i].mute = false;
}

/* At the end the card is lost. The broker still has the jobs and the shares, some of them as
   they were while the job ran: nothing is done a second time. */
static void lose_memory(struct history *history)
{
    struct world *world = &history->world;

    tell(history, "the memory is lost");
    world->report = NULL; /* the second outcome of a job that ran is another one */
    world_forget(world);
    for (size_t i = 0; i < history->job_count; i++) {
        struct asked *asked = &history->jobs[i];
        unsigned before[DEVICES_MOST];
        bool completed = strstr(asked->share, "\"status\":\"completed\"");
        const char *status = draw(history, 3) == 0 ? "running"
                             : completed           ? "completed"
                                                   : "cancelled";

        memcpy(before, asked->obeyed, sizeof(before));
        tell(history, "%s is %s, says its share", asked->id, status);
        engine_share(world->engine, asked->id, status, world->now);
        submit(history, asked);
        world_finish(world);
        for (size_t device = 0; device < history->devices; device++) {
            if (asked->obeyed[device] != before[device])
                wrong(history, "it was done again after the memory was lost", asked->id,
                      device);
        }
    }
}

/* What is owed to a device is paid when it is there. */
static void bring_all_back(struct history *history)
{
    sites_whole(&history->sites);
    sites_reload(&history->sites);
    tell(history, "all devices are in the site");
    for (int i = 0; !sites_settle(&history->sites); i++) {
        if (i == 100000)
            wrong(history, "a reload waits for ever", "-", 0);
        world_run(&history->world, 20000);
    }
}

static void play(uint64_t seed, bool aloud, struct counts *counts)
{
    struct history *history = calloc(1, sizeof(*history));

    if (!history)
        abort();
    playing = history;
    history->seed = history->state = seed;
    history->story = aloud ? stdout : open_memstream(&history->text, &history->size);
    history->devices = 1 + (size_t)draw(history, DEVICES_MOST);
    world_init(&history->world, history->devices, 1);
    history->world.survives = true;
    history->world.obeyed = on_obeyed;
    history->world.report = on_report;
    history->world.asks_itself = true;
    history->link.room = 1 + (size_t)draw(history, UNDERWAY_MOST);
    history->foreign = FOREIGN_FIRST;
    make_method(history);
    make_point(history);
    sites_init(&history->sites, &history->world);
    for (size_t i = 0; i < history->devices; i++)
        history->world.devices[i].reboot_us = (int64_t)draw(history, SECONDS);
    world_open(&history->world);
    for (unsigned i = 0; i < EVENTS; i++) {
        world_run(&history->world, (int64_t)(draw(history, 3) == 0 ? draw(history, SECONDS)
                                                                   : draw(history, 60000)));
        event(history);
        if (history->sites.next && sites_settle(&history->sites))
            tell(history, "it runs");
        link_run(history, (size_t)draw(history, 8));
    }
    revive(history);
    bring_all_back(history);
    history->link.away = false;
    for (size_t i = 0; i < history->job_count; i++) {
        if (!history->jobs[i].safe) /* the broker delivers until it is acknowledged */
            submit(history, &history->jobs[i]);
    }
    world_finish(&history->world);
    world_run(&history->world, (history->method == METHOD_PULSE ? 310 : 2) * SECONDS);
    while (history->link.behind || history->link.count > 0)
        link_run(history, UNDERWAY_MOST);
    for (size_t i = 0; i < history->job_count; i++) {
        for (size_t device = 0; device < history->devices; device++)
            judge(history, &history->jobs[i], device, counts);
    }
    for (size_t i = 0; i < history->devices; i++) {
        /* Its task may be over: what a device owes that died in the middle is paid later. */
        if (history->world.devices[i].mode == PULSE_VALUE && !history->left_on[i])
            wrong(history, "a pulse was left on", "-", i);
        /* What a restore owes goes beyond the limit. */
        uint32_t most = history->world.fixture.points[WORLD_SETPOINT].max_writes_per_day;
        if (most > 0 && history->method != METHOD_RESTORE && history->wears[i] > most &&
            !(history->jumped && history->rebooted)) /* days may have passed meanwhile */
            wrong(history, "it was written more often than the point may be", "-", i);
    }
    lose_memory(history);
    counts->histories++;
    counts->cuts += history->cuts;
    counts->sites += history->sites.taken;
    counts->again += history->again;
    for (size_t i = 0; i < history->job_count; i++) {
        for (size_t device = 0; device < DEVICES_MOST; device++) {
            free(history->jobs[i].told[device]);
            free(history->jobs[i].arrived[device]);
        }
        free(history->jobs[i].share);
    }
    link_cut(&history->link);
    struct copy *runs = history->sites.runs;
    sites_deinit(&history->sites);
    world_deinit(&history->world);
    copy_free(runs);
    if (!aloud)
        fclose(history->story);
    free(history->text);
    free(history);
    playing = NULL;
}

/* The fixture's own checks end the program without a word. */
static void tell_unfinished(void)
{
    if (playing)
        wrong(playing, "the world of this history broke", "-", 0);
}

int main(int argc, char **argv)
{
    uint64_t seeds = 2000, first = 1;
    bool aloud = false;
    struct counts counts = {0};

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc)
            seeds = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--first") == 0 && i + 1 < argc)
            first = strtoull(argv[++i], NULL, 10);
        else if (strcmp(argv[i], "--story") == 0)
            aloud = true;
    }
    if (getenv("UNDER_VALGRIND") && seeds > 100) /* fifty times slower, and looks at memory */
        seeds = 100;
    atexit(tell_unfinished);
    for (uint64_t seed = first; seed < first + seeds; seed++)
        play(seed, aloud, &counts);
    printf(
        "%lu histories, %lu cuts of power, %lu sites, %lu tasks: %lu completed, %lu unknown, "
        "%lu gone; %lu ends told again\n",
        counts.histories, counts.cuts, counts.sites, counts.tasks, counts.completed,
        counts.unknown, counts.gone, counts.again);
    return 0;
}

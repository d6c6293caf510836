#include "fixture_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void make_points(struct world *world)
{
    struct fixture *fixture = &world->fixture;

    fixture_init(fixture);
    fixture->method.repeatable = false;
    fixture_point(fixture, "setpoint", POINT_INT16, 100);
    fixture_point(fixture, "mode", POINT_UINT16, 120);
    fixture_trigger(fixture, "control", 200);
    fixture_point(fixture, "state", POINT_UINT16, 10)->writable = false;
}

static const struct site *compared;

static int by_id(const void *a, const void *b)
{
    return strcmp(compared->devices[*(const size_t *)a].id,
                  compared->devices[*(const size_t *)b].id);
}

static void make_site(struct world *world, size_t devices, size_t lines)
{
    struct site *site = world->site;

    site->id = (char *)(uintptr_t) "gateway-1";
    site->store = (struct store_config){.max_jobs = 32, .max_waiting = 1000};
    site->lines = calloc(lines + 1, sizeof(*site->lines));
    site->devices = calloc(devices + 1, sizeof(*site->devices));
    site->by_id = calloc(devices + 1, sizeof(*site->by_id));
    site->line_count = lines;
    site->device_count = devices;
    world->devices = calloc(devices + 1, sizeof(*world->devices));
    world->lines = calloc(lines + 1, sizeof(*world->lines));
    for (size_t i = 0; i < lines; i++) {
        site->lines[i] = (struct line_config){
            .adapter = adapter_find("modbus-rtu"),
            .settings = {.baud = 19200, .parity = 'E', .data_bits = 8, .stop_bits = 1},
            .timeout_us = 300000,
            .retries = 2};
        if (asprintf(&site->lines[i].name, "line%zu", i) < 0)
            abort();
    }
    for (size_t i = 0; i < devices; i++) {
        struct world_device *device = &world->devices[i];

        snprintf(device->id, sizeof(device->id), "d%zu", i);
        device->state = 1;
        site->devices[i] = (struct device){.id = device->id,
                                           .line = lines ? i % lines : 0,
                                           .unit = (uint8_t)(i / (lines ? lines : 1) % 247 + 1),
                                           .tags = json_pack("{s:i}", "floor", (int)(i % 2))};
        site->by_id[i] = i;
    }
    compared = site;
    qsort(site->by_id, devices, sizeof(*site->by_id), by_id);
}

void world_init(struct world *world, size_t devices, size_t lines)
{
    memset(world, 0, sizeof(*world));
    make_points(world);
    world->site = &world->fixture.site;
    make_site(world, devices, lines);
    world->now =
        (struct moment){.boot_us = 1000 * SECONDS, .wall_ms = 1893456000000, .trusted = true};
    world->takes_us = 20000;
    world->store_us = 5000;
    world->company_us = 150000;
    world->safe_us = MOMENT_NEVER;
}

void world_open(struct world *world)
{
    struct engine_settings settings = {.site = world->site,
                                       .version = "1.0",
                                       .boot = 7 + world->boots,
                                       .boot_id = world->survives ? "boot" : NULL,
                                       .history = world->shelves,
                                       .outbox = world->survives &&
                                                 (!world->shelves || world->must_tell)};

    assert_int_equal(engine_new(&world->engine, &settings, world->now), 0);
    for (size_t i = 0; i < world->site->line_count; i++)
        world_line(world, i, true, "");
}

void world_deinit(struct world *world)
{
    struct site *site = world->site;

    for (size_t i = 0; i < site->line_count; i++) {
        for (unsigned k = 0; k < world->lines[i].count; k++)
            work_free(world->lines[i].out[k]);
        free(site->lines[i].name);
    }
    engine_free(world->engine);
    for (size_t i = 0; i < site->device_count; i++)
        json_decref(site->devices[i].tags);
    for (size_t i = 0; i < world->report_count; i++)
        report_free(world->reports[i]);
    for (size_t i = 0; i < world->record_count; i++)
        record_free(world->records[i]);
    for (size_t i = 0; i < world->log_count; i++)
        record_free(world->log[i]);
    free(world->log);
    for (size_t i = 0; i < world->job_count; i++)
        free(world->jobs[i]);
    free(site->lines);
    free(site->devices);
    free(site->by_id);
    free(world->devices);
    free(world->lines);
    fixture_deinit(&world->fixture);
}

/* --- checks after every event --- */

static json_int_t statistic(const json_t *share, const char *name)
{
    return json_integer_value(
        json_object_get(json_object_get(share, "deviceJobStatistics"), name));
}

static void check_statistics(struct world *world)
{
    for (size_t i = 0; i < world->job_count; i++) {
        json_t *share = engine_share_json(world->engine, world->jobs[i]);

        if (!share)
            continue;
        assert_int_equal(statistic(share, "deviceCount"),
                         statistic(share, "failedCount") + statistic(share, "succeededCount") +
                             statistic(share, "runningCount") +
                             statistic(share, "pendingCount"));
        json_decref(share);
    }
}

/* What is on the simulated disk, or on its way to it. */
static void log_record(struct world *world, struct record *record)
{
    if (world->log_count == world->log_size) {
        world->log_size = world->log_size ? world->log_size * 2 : 256;
        world->log = realloc(world->log, world->log_size * sizeof(struct record *));
        assert_non_null(world->log);
    }
    world->log[world->log_count++] = record;
}

static void take_records(struct world *world)
{
    struct record *record;

    while ((record = engine_take_record(world->engine))) {
        assert_int_equal(record->number, world->kept + 1);
        world->kept = record->number;
        if (world->keeps)
            world->keeps(world, record);
        if (world->survives) {
            log_record(world, record);
            continue;
        }
        if (world->record_count == sizeof(world->records) / sizeof(world->records[0])) {
            record_free(world->records[0]);
            memmove(world->records, world->records + 1,
                    (world->record_count - 1) * sizeof(world->records[0]));
            world->record_count--;
        }
        world->records[world->record_count++] = record;
    }
    if (world->store_stalls)
        return;
    int64_t at_once_us = world->now.boot_us + world->store_us;
    if (engine_take_awaited(world->engine) > world->safe && at_once_us < world->safe_us)
        world->safe_us = at_once_us;
    else if (world->kept > world->safe && world->safe_us == MOMENT_NEVER)
        world->safe_us = at_once_us + world->company_us;
}

static void take_reports(struct world *world)
{
    struct report *report;

    while ((report = engine_take_report(world->engine))) {
        assert_true(report->after <= world->safe);
        if (world->report)
            world->report(world, report);
        assert_non_null(report->body);
        assert_true(world->report_count < WORLD_REPORTS);
        world->reported_us[world->report_count] = world->now.boot_us;
        world->reports[world->report_count++] = report;
    }
}

/* --- the wire --- */

static void obey(struct world *world, struct world_device *device,
                 const struct operation *operation)
{
    device->writes++;
    if (world->obeyed)
        world->obeyed(world, (size_t)(device - world->devices), operation);
    if (operation->address == 200) {
        device->triggers++;
        device->silent_until_us = world->now.boot_us + device->reboot_us;
    }
    for (uint16_t i = 0; i < operation->count && !device->deaf; i++) {
        if (operation->address + i == 100)
            device->setpoint = operation->words[i];
        if (operation->address + i == 120)
            device->mode = operation->words[i];
    }
}

static void obey_all(struct world *world, size_t line, struct work *work, int64_t started_us)
{
    world->broadcasts++;
    for (size_t i = 0; i < world->site->device_count; i++) {
        const void *id = world->site->devices[i].id;
        struct world_device *device =
            &world->devices[(const struct world_device *)id - world->devices];

        if (world->site->devices[i].line == line && !device->dead && !device->aloof)
            obey(world, device, &work->operation);
    }
    work->answer = (struct answer){
        .reached = true, .started_us = started_us, .ended_us = world->now.boot_us};
}

/* The device itself: another site may call it by another index. */
static size_t device_of(const struct world *world, const struct work *work)
{
    const void *id = world->site->devices[work->device].id;

    return (size_t)((const struct world_device *)id - world->devices);
}

static void answer(struct world *world, size_t line, size_t whose, struct work *work,
                   int64_t started_us)
{
    if (work->operation.unit == 0) {
        obey_all(world, line, work, started_us);
        return;
    }
    struct world_device *device = &world->devices[whose];
    const struct operation *operation = &work->operation;
    bool writes = operation->kind != OPERATION_READ;

    work->answer = (struct answer){.reached = writes,
                                   .started_us = started_us,
                                   .ended_us = world->now.boot_us,
                                   .waited_us = world->thinks_us};
    if (device->dead || started_us < device->silent_until_us) {
        work->answer.result = ANSWER_SILENT;
        return;
    }
    if (writes && device->exception) {
        work->answer.result = ANSWER_EXCEPTION;
        work->answer.exception = device->exception;
        return;
    }
    if (!writes && device->missing >= operation->address &&
        device->missing < operation->address + operation->count) {
        work->answer.result = ANSWER_EXCEPTION;
        work->answer.exception = 2;
        return;
    }
    if (writes)
        obey(world, device, operation);
    if (device->mute)
        work->answer.result = ANSWER_SILENT;
    if (writes || device->mute)
        return;
    work->answer.count = operation->count;
    for (uint16_t i = 0; i < operation->count; i++)
        work->answer.words[i] = operation->address + i == 100   ? device->setpoint
                                : operation->address + i == 120 ? device->mode
                                                                : device->state;
}

static void give(struct world *world, size_t index, struct work *work)
{
    struct world_line *line = &world->lines[index];
    size_t whose = device_of(world, work);
    struct world_device *device = &world->devices[whose];
    int64_t starts_us = line->count ? line->ends_us[line->count - 1] : world->now.boot_us;
    bool silent = work->operation.unit == 0 || device->dead ||
                  starts_us < device->silent_until_us; /* takes all of its time */

    for (unsigned i = 0; i < line->count; i++)
        assert_int_not_equal(line->whose[i], whose); /* one item a device */
    if (device->operations++ == 0)
        device->first_us = starts_us;
    world->order[world->frames++ % (sizeof(world->order) / sizeof(world->order[0]))] = whose;
    line->out[line->count] = work;
    line->whose[line->count] = whose;
    line->starts_us[line->count] = starts_us;
    line->ends_us[line->count++] =
        starts_us + (silent ? work->limits.timeout_us : world->takes_us);
}

static void give_lines(struct world *world)
{
    struct work *work;

    for (size_t i = 0; i < world->site->line_count; i++) {
        while (world->lines[i].count < ENGINE_LINE_ROOM &&
               (work = engine_next_work(world->engine, i, world->now))) {
            assert_true(world->lines[i].up);
            give(world, i, work);
        }
    }
}

static void answer_first(struct world *world, size_t index)
{
    struct world_line *line = &world->lines[index];
    struct work *work = line->out[0];
    size_t whose = line->whose[0];
    int64_t took = world->devices[whose].dead ? work->limits.timeout_us : world->takes_us;

    answer(world, index, whose, work, world->now.boot_us - took);
    world->devices[whose].last_us = world->now.boot_us;
    line->out[0] = line->out[1];
    line->whose[0] = line->whose[1];
    line->starts_us[0] = line->starts_us[1];
    line->ends_us[0] = line->ends_us[1];
    line->count--;
    engine_answer(world->engine, index, work, world->now);
}

void world_line(struct world *world, size_t index, bool up, const char *why)
{
    struct world_line *line = &world->lines[index];

    line->up = up;
    engine_line_state(world->engine, index, up, why, world->now);
    while (!up && line->count > 0) {
        struct work *work = line->out[--line->count];

        work->answer = (struct answer){.result = ANSWER_LINE_DOWN};
        engine_answer(world->engine, index, work, world->now);
    }
}

/* The frame that is on the wire when the power goes is obeyed or not. */
static void cut_lines(struct world *world, bool obeyed)
{
    for (size_t i = 0; i < world->site->line_count; i++) {
        struct world_line *line = &world->lines[i];
        struct world_device *device;

        if (line->count > 0 && obeyed && line->out[0]->operation.unit == 0) {
            obey_all(world, i, line->out[0], line->starts_us[0]);
        } else if (line->count > 0 && obeyed &&
                   line->out[0]->operation.kind != OPERATION_READ) {
            device = &world->devices[line->whose[0]];
            if (!device->dead && !device->exception &&
                line->starts_us[0] >= device->silent_until_us)
                obey(world, device, &line->out[0]->operation);
        }
        while (line->count > 0)
            work_free(line->out[--line->count]);
    }
}

void world_cut(struct world *world, bool obeyed)
{
    cut_lines(world, obeyed);
    engine_free(world->engine);
    if (world->site_after)
        world->site = world->site_after;
    world->site_after = NULL;
    world->boots++;
    world->safe += world->cut_keeps;
    while (world->log_count > 0 && world->log[world->log_count - 1]->number > world->safe)
        record_free(world->log[--world->log_count]);
    world->kept = world->safe;
    world->safe_us = MOMENT_NEVER;
    struct engine_settings settings = {.site = world->site,
                                       .version = "1.0",
                                       .boot = 7 + world->boots,
                                       .boot_id = world->other_boot ? "other" : "boot",
                                       .outbox = true};
    assert_int_equal(engine_new(&world->engine, &settings, world->now), 0);
    for (size_t i = 0; i < world->log_count; i++)
        engine_recall(world->engine, world->log[i]);
    assert_int_equal(engine_resume(world->engine, world->now), 0);
    if (!world->asks_itself)
        engine_tell_untold(world->engine, 0);
    for (size_t i = 0; i < world->site->line_count; i++)
        world_line(world, i, true, "");
}

void world_forget(struct world *world)
{
    world->safe = world->cut_keeps = 0;
    while (world->job_count > 0)
        free(world->jobs[--world->job_count]);
    world_cut(world, false);
}

void world_delivered(struct world *world, enum report_kind kind, const char *job_id,
                     const char *device_id)
{
    const struct report *report = world_last(world, kind, job_id, device_id);

    assert_non_null(report);
    assert_true(report_must_arrive(report));
    struct delivery *delivery = delivery_of(report);
    engine_delivered(world->engine, delivery);
    delivery_free(delivery);
    world_run(world, SECONDS);
}

/* --- time --- */

static int64_t next_event(const struct world *world, size_t *line)
{
    int64_t at = world->safe_us;

    *line = SIZE_MAX;
    for (size_t i = 0; i < world->site->line_count; i++) {
        if (world->lines[i].count > 0 && world->lines[i].ends_us[0] < at) {
            at = world->lines[i].ends_us[0];
            *line = i;
        }
    }
    return at;
}

static void settle(struct world *world)
{
    give_lines(world);
    take_records(world);
    take_reports(world);
    check_statistics(world);
}

/* One event that comes before `until_us`. */
static bool step(struct world *world, int64_t until_us, unsigned *idle)
{
    size_t line;
    int64_t at = next_event(world, &line), wake = engine_wake_us(world->engine, world->now);
    bool tick = wake <= at;

    if (tick)
        at = wake;
    if (at > until_us)
        return false;
    *idle = tick && at <= world->now.boot_us ? *idle + 1 : 0;
    assert_true(*idle < 20); /* it wants to be woken for nothing */
    if (at > world->now.boot_us) {
        world->now.wall_ms += (at - world->now.boot_us) / 1000;
        world->now.boot_us = at;
    }
    if (tick) {
        engine_tick(world->engine, world->now);
    } else if (line != SIZE_MAX) {
        answer_first(world, line);
    } else {
        world->safe = world->kept;
        world->safe_us = MOMENT_NEVER;
        engine_safe(world->engine, world->safe, world->now);
    }
    settle(world);
    return true;
}

void world_run(struct world *world, int64_t us)
{
    int64_t until_us = world->now.boot_us + us;
    unsigned idle = 0;

    settle(world);
    while (step(world, until_us, &idle))
        ;
    world->now.wall_ms += (until_us - world->now.boot_us) / 1000;
    world->now.boot_us = until_us;
}

static bool is_done(const struct world *world)
{
    return engine_is_idle(world->engine) && world->safe == world->kept;
}

int64_t world_finish(struct world *world)
{
    int64_t began_us = world->now.boot_us;
    unsigned idle = 0;

    settle(world);
    while (!is_done(world))
        assert_true(step(world, began_us + 3600 * SECONDS, &idle));
    return world->now.boot_us - began_us;
}

/* --- what is asked --- */

void world_method_reboot(struct world *world, uint32_t wait_ms, uint32_t within_ms)
{
    fixture_write(&world->fixture, WORLD_CONTROL, "21930");
    if (wait_ms > 0)
        fixture_step(&world->fixture, STEP_WAIT, 0)->duration_ms = wait_ms;
    if (within_ms > 0) {
        struct step *expect = fixture_step(&world->fixture, STEP_EXPECT, WORLD_STATE);

        expect->value = json_integer(1);
        expect->within_ms = within_ms;
    }
}

void world_method_write(struct world *world)
{
    fixture_write(&world->fixture, WORLD_SETPOINT, "21");
}

void world_give(struct world *world, struct request *request)
{
    engine_request(world->engine, request, world->now);
    settle(world);
}

static void remember_job(struct world *world, const char *id)
{
    for (size_t i = 0; i < world->job_count; i++)
        if (strcmp(world->jobs[i], id) == 0)
            return;
    assert_true(world->job_count < WORLD_JOBS);
    world->jobs[world->job_count++] = strdup(id);
}

void world_job(struct world *world, enum link_kind link, const char *id, const char *json)
{
    struct request *request;
    struct refusal refusal = {0};

    if (request_read_job(&request, link, id, json, strlen(json), &refusal) != 0)
        fail_msg("%s", refusal.text);
    request->origin.ticket = 1;
    remember_job(world, id);
    world_give(world, request);
}

void world_go(struct world *world, const char *id, const char *condition)
{
    char json[1000];

    snprintf(
        json, sizeof(json),
        "{\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{\"methodName\":\"go\"},"
        "\"queryCondition\":\"%s\"}",
        condition);
    world_job(world, LINK_BROKER, id, json);
}

void world_patch_job(struct world *world, const char *id, const char *desired)
{
    char json[1000];

    snprintf(
        json, sizeof(json),
        "{\"type\":\"scheduleUpdateTwin\",\"updateTwin\":{\"properties\":{\"desired\":%s}},"
        "\"queryCondition\":\"*\"}",
        desired);
    world_job(world, LINK_BROKER, id, json);
}

void world_cancel(struct world *world, enum link_kind link, const char *id)
{
    struct request *request = request_new(REQUEST_CANCEL, link);

    request->job_id = strdup(id);
    request->origin.ticket = 2;
    world_give(world, request);
}

struct request *world_request_call(const char *device, const char *arguments)
{
    struct request *request = request_new(REQUEST_CALL, LINK_BROKER);

    request->device_id = strdup(device);
    request->action.kind = ACTION_METHOD;
    request->action.method = strdup("go");
    request->action.arguments = arguments ? json_loads(arguments, JSON_DECODE_ANY, NULL) : NULL;
    request->timeout_s = 30;
    request->origin.topic = strdup("answers");
    return request;
}

struct request *world_request_patch(const char *device, const char *desired)
{
    struct request *request = request_new(REQUEST_CALL, LINK_BROKER);

    request->device_id = strdup(device);
    request->action.kind = ACTION_PATCH;
    request->action.arguments = json_loads(desired, 0, NULL);
    request->origin.ticket = 3;
    return request;
}

void world_call(struct world *world, const char *device)
{
    world_give(world, world_request_call(device, NULL));
}

/* --- what was said --- */

static bool is_about(const struct report *report, enum report_kind kind, const char *job_id,
                     const char *device_id)
{
    return report->kind == kind &&
           (!job_id || (report->job_id && strcmp(report->job_id, job_id) == 0)) &&
           (!device_id || (report->device_id && strcmp(report->device_id, device_id) == 0));
}

const struct report *world_last(const struct world *world, enum report_kind kind,
                                const char *job_id, const char *device_id)
{
    for (size_t i = world->report_count; i > 0; i--) {
        if (is_about(world->reports[i - 1], kind, job_id, device_id))
            return world->reports[i - 1];
    }
    return NULL;
}

size_t world_count(const struct world *world, enum report_kind kind, const char *job_id,
                   const char *device_id)
{
    size_t count = 0;

    for (size_t i = 0; i < world->report_count; i++)
        count += is_about(world->reports[i], kind, job_id, device_id);
    return count;
}

static const char *say(const json_t *at, const char *path)
{
    static _Thread_local char text[600];
    char name[64];

    while (at && *path) {
        size_t length = strcspn(path, ".");

        snprintf(name, sizeof(name), "%.*s", (int)length, path);
        at = json_object_get(at, name);
        path += length + (path[length] == '.');
    }
    char *dumped = at ? json_dumps(at, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    snprintf(text, sizeof(text), "%s",
             json_is_string(at) ? json_string_value(at)
             : dumped           ? dumped
                                : "nothing");
    free(dumped);
    return text;
}

const char *world_said(const struct report *report, const char *path)
{
    json_t *body = report ? json_loads(report->body, JSON_DECODE_ANY, NULL) : NULL;
    const char *text = report ? say(body, path) : "no report";

    json_decref(body);
    return text;
}

const char *world_job_said(const struct world *world, const char *id, const char *path)
{
    json_t *job = engine_job_json(world->engine, id);
    const char *text = say(job, path);

    json_decref(job);
    return text;
}

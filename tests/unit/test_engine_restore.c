/* The engine after a cut of power: nothing accepted is lost, nothing is done twice that must
   not be, and what is in doubt is said. */
#include "fixture_engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CUT_UNHEARD, CUT_OBEYED };

static void begin(struct world *world, size_t devices)
{
    world_init(world, devices, 1);
    world->survives = true;
}

static void assert_status(const struct world *world, const char *job, const char *device,
                          const char *status)
{
    const struct report *last = world_last(world, REPORT_OUTCOME, job, device);

    assert_non_null(last);
    assert_string_equal(world_said(last, "status"), status);
}

static void assert_error(const struct world *world, const char *job, const char *device,
                         const char *code)
{
    const struct report *last = world_last(world, REPORT_OUTCOME, job, device);

    assert_non_null(last);
    assert_string_equal(world_said(last, "error.code"), code);
}

static void a_job_goes_on_where_it_was(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 4);
    world.fixture.method.repeatable = true;
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "night", "*");
    world_run(&world, 60000); /* the first device is done, another is at work */
    world_cut(&world, true);
    world_finish(&world);
    for (size_t i = 0; i < 4; i++) {
        assert_status(&world, "night", world.devices[i].id, "completed");
        assert_int_equal(world.devices[i].setpoint, 21);
    }
    assert_string_equal(world_job_said(&world, "night", "status"), "completed");
    world_deinit(&world);
}

static void a_job_that_was_not_safe_never_happened(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 2);
    world_method_write(&world);
    world_open(&world);
    world.store_stalls = true;
    world_go(&world, "night", "*");
    world_run(&world, 5 * SECONDS);
    world_cut(&world, true);
    assert_null(engine_job_json(world.engine, "night"));
    assert_int_equal(world.frames, 0);
    world_deinit(&world);
}

static void an_outcome_is_told_again_byte_for_byte(void **state)
{
    struct world world;
    char *told;

    (void)state;
    begin(&world, 1);
    world.fixture.method.repeatable = true;
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "night", "*");
    world_finish(&world);
    world_run(&world, SECONDS);
    told = strdup(world_last(&world, REPORT_OUTCOME, "night", "d0")->body);
    world_cut(&world, false);
    world_run(&world, SECONDS);
    assert_int_equal(world_count(&world, REPORT_OUTCOME, "night", "d0"), 2);
    assert_string_equal(world_last(&world, REPORT_OUTCOME, "night", "d0")->body, told);
    free(told);
    world_deinit(&world);
}

static size_t told(const struct world *world, enum report_kind kind, const char *device)
{
    return world_count(world, kind, "night", device);
}

static void finished_night(struct world *world, size_t devices)
{
    begin(world, devices);
    world->fixture.method.repeatable = true;
    world_method_write(world);
    world_open(world);
    world_go(world, "night", "*");
    world_finish(world);
    world_run(world, SECONDS);
}

static void what_has_arrived_is_not_told_again(void **state)
{
    struct world world;

    (void)state;
    finished_night(&world, 2);
    world_delivered(&world, REPORT_OUTCOME, "night", "d1");
    size_t shares = told(&world, REPORT_SHARE, NULL);
    world_cut(&world, false);
    world_run(&world, SECONDS);
    assert_int_equal(told(&world, REPORT_OUTCOME, "d0"), 2);
    assert_int_equal(told(&world, REPORT_OUTCOME, "d1"), 1);
    assert_int_equal(told(&world, REPORT_SHARE, NULL), shares + 1);

    world_delivered(&world, REPORT_OUTCOME, "night", "d0");
    world_delivered(&world, REPORT_SHARE, "night", NULL);
    world_cut(&world, false);
    world_run(&world, SECONDS);
    assert_int_equal(told(&world, REPORT_OUTCOME, NULL), 3);
    assert_int_equal(told(&world, REPORT_SHARE, NULL), shares + 1);
    assert_false(engine_tell_untold(world.engine, 0));
    world_deinit(&world);
}

static void a_last_share_is_told_again_byte_for_byte_behind_its_outcomes(void **state)
{
    struct world world;

    (void)state;
    finished_night(&world, 3);
    const struct report *share = world_last(&world, REPORT_SHARE, "night", NULL);
    size_t before = world.report_count;
    world_cut(&world, false);
    world_run(&world, SECONDS);
    const struct report *last = world_last(&world, REPORT_SHARE, "night", NULL);
    assert_ptr_not_equal(last, share);
    assert_string_equal(last->body, share->body);
    assert_int_equal(last->number, share->number);
    uint64_t number = 0;
    for (size_t i = before; i < world.report_count; i++) {
        if (!report_must_arrive(world.reports[i]))
            continue;
        assert_true(world.reports[i]->number > number);
        number = world.reports[i]->number;
    }
    assert_int_equal(number, share->number);
    world_deinit(&world);
}

static void a_share_that_arrived_twice_is_kept_once(void **state)
{
    struct world world;

    (void)state;
    finished_night(&world, 1);
    world_delivered(&world, REPORT_SHARE, "night", NULL);
    uint64_t kept = world.kept;
    world_delivered(&world, REPORT_SHARE, "night", NULL);
    assert_int_equal(world.kept, kept);
    world_deinit(&world);
}

static void a_job_of_before_there_was_an_outbox_is_told(void **state)
{
    struct world world;

    (void)state;
    finished_night(&world, 1);
    world_delivered(&world, REPORT_OUTCOME, "night", "d0");
    for (size_t i = 0; i < world.log_count; i++) {
        char *number = world.log[i]->kind == RECORD_STATUS
                           ? strstr(world.log[i]->text, "\"number\"")
                           : NULL;
        if (number)
            number[1] = 'x';
    }
    world_cut(&world, false);
    json_t *status = engine_status_json(world.engine, world.now);
    json_t *outbox = json_object_get(status, "outbox");
    assert_int_equal(json_integer_value(json_object_get(outbox, "untold")), 0);
    json_decref(status);
    world_deinit(&world);
}

static void numbers_do_not_come_twice_after_a_cut(void **state)
{
    struct world world;

    (void)state;
    finished_night(&world, 1);
    uint64_t share = world_last(&world, REPORT_SHARE, "night", NULL)->number;
    world_cut(&world, false);
    world_go(&world, "day", "*");
    world_finish(&world);
    world_run(&world, SECONDS);
    assert_true(world_last(&world, REPORT_OUTCOME, "day", "d0")->number > share);
    world_deinit(&world);
}

/* What a forgotten job left with the broker is cleared, however often that takes. */
static void a_clearing_is_told_until_it_has_arrived(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1);
    world_open(&world);
    char old[] = "old";
    engine_recall(world.engine,
                  &(struct record){.kind = RECORD_UNCLEARED, .number = 7, .job_id = old});
    assert_int_equal(engine_resume(world.engine, world.now), 0);
    world.kept = world.safe = 7;
    assert_true(engine_tell_untold(world.engine, 0));
    world_run(&world, 1000);
    const struct report *clear = world_last(&world, REPORT_SHARE, "old", NULL);
    assert_string_equal(clear->body, "");
    assert_true(clear->again);
    world_delivered(&world, REPORT_SHARE, "old", NULL);
    assert_int_equal(world.log[world.log_count - 1]->kind, RECORD_SHARED);
    assert_string_equal(world.log[world.log_count - 1]->job_id, "old");
    assert_false(engine_tell_untold(world.engine, 0));
    world_deinit(&world);
}

static void the_oldest_are_told_first_and_a_part_at_a_time(void **state)
{
    struct world world;
    uint64_t last = 0;
    size_t count = 0;

    (void)state;
    begin(&world, 900);
    world.site->store.max_waiting = 2000;
    world.asks_itself = true;
    world.takes_us = 1000;
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "one", "*");
    world_go(&world, "two", "*");
    world_finish(&world);
    world_run(&world, SECONDS);
    world_cut(&world, false);
    world_run(&world, SECONDS);
    for (size_t from = world.report_count; engine_tell_untold(world.engine, last);
         from = world.report_count) {
        world_run(&world, 1000);
        assert_in_range(world.report_count - from, 1, ENGINE_AGAIN);
        for (; from < world.report_count; from++, count++) {
            assert_true(world.reports[from]->number > last);
            last = world.reports[from]->number;
        }
    }
    assert_int_equal(count, 2 * 900 + 2);
    world_deinit(&world);
}

static void patch_tags(struct world *world, const char *id, const char *tags)
{
    struct request *request;
    struct refusal refusal;
    char json[300];

    snprintf(json, sizeof(json),
             "{\"type\":\"scheduleUpdateTwin\",\"updateTwin\":{\"tags\":%s},"
             "\"queryCondition\":\"*\"}",
             tags);
    request_read_job(&request, LINK_BROKER, id, json, strlen(json), &refusal);
    world_give(world, request);
    world_finish(world);
    world_run(world, SECONDS);
}

static void assert_tags(struct world *world, const char *wanted)
{
    json_t *twin = engine_twin_json(world->engine, "d0");
    char *text = json_dumps(json_object_get(twin, "tags"), JSON_COMPACT | JSON_SORT_KEYS);

    assert_string_equal(text, wanted);
    free(text);
    json_decref(twin);
}

static void a_patched_tag_stays_until_the_file_changes_that_one(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1);
    world_open(&world);
    json_t *file = world.site->devices[0].tags;
    json_object_set_new(file, "wing", json_string("north"));
    patch_tags(&world, "j", "{\"floor\":9,\"wing\":\"south\",\"lease\":\"B\"}");
    json_object_set_new(file, "floor", json_integer(4));
    world_cut(&world, false);
    assert_tags(&world, "{\"floor\":4,\"lease\":\"B\",\"wing\":\"south\"}");
    json_object_set_new(file, "floor", json_integer(0)); /* as it was at the patch */
    json_object_del(file, "wing");
    world_run(&world, SECONDS);
    world_cut(&world, false);
    assert_tags(&world, "{\"floor\":0,\"lease\":\"B\"}");
    world_deinit(&world);
}

/* A week without a broker must not fill the memory: of the oldest jobs nothing more is told. */
static void more_than_a_thousand_untold_jobs_are_not_waited_for(void **state)
{
    static const char job[] =
        "{\"type\":\"scheduleUpdateTwin\",\"updateTwin\":{\"tags\":{\"a\":1}},"
        "\"queryCondition\":\"*\"}";
    struct refusal refusal;
    struct request *request;
    char id[16];

    (void)state;
    struct world world;
    begin(&world, 1);
    world.shelves = world.must_tell = true;
    world_open(&world);
    for (int i = 0; i < 1010; i++) {
        snprintf(id, sizeof(id), "j%d", i);
        assert_int_equal(
            request_read_job(&request, LINK_BROKER, id, job, sizeof(job) - 1, &refusal), 0);
        world_give(&world, request);
        world_finish(&world);
    }
    world_run(&world, 120 * SECONDS);
    json_t *status = engine_status_json(world.engine, world.now);
    json_t *outbox = json_object_get(status, "outbox");
    assert_int_equal(json_integer_value(json_object_get(outbox, "untold")), 2 * 1000);
    assert_int_equal(json_integer_value(json_object_get(outbox, "forgotten")), 2 * 10);
    json_decref(status);
    json_t *oldest = engine_job_json(world.engine, "j0"), *kept;
    assert_null(oldest);
    assert_non_null(kept = engine_job_json(world.engine, "j10"));
    json_decref(kept);
    world_deinit(&world);
}

/* Until a frame that writes is on the wire. */
static void until_write(struct world *world)
{
    for (int i = 0; i < 10000; i++) {
        if (world->lines[0].count > 0 &&
            world->lines[0].out[0]->operation.kind != OPERATION_READ)
            return;
        world_run(world, 1000);
    }
    fail_msg("nothing was written");
}

/* A reboot that is cut in the middle of its trigger's frame. */
static void cut_trigger(bool obeyed)
{
    struct world world;

    begin(&world, 1);
    world_method_reboot(&world, 100, 1000);
    world_open(&world);
    world_call(&world, "d0"); /* warms it up: it has answered lately */
    world_finish(&world);
    unsigned before = world.devices[0].triggers;
    world_go(&world, "night", "*");
    until_write(&world);
    world_cut(&world, obeyed);
    world_finish(&world);
    assert_error(&world, "night", "d0", "OutcomeUnknown");
    assert_int_equal(world.devices[0].triggers - before, obeyed);
    world_deinit(&world);
}

static void a_trigger_in_doubt_is_never_sent_again(void **state)
{
    (void)state;
    cut_trigger(true);
    cut_trigger(false);
}

static void a_trigger_that_was_answered_is_not_in_doubt(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1);
    world_method_reboot(&world, 2000, 1000);
    world_open(&world);
    world_go(&world, "night", "*");
    world_run(&world, SECONDS); /* it waits now */
    assert_int_equal(world.devices[0].triggers, 1);
    world_cut(&world, false);
    world_finish(&world);
    assert_status(&world, "night", "d0", "completed");
    assert_int_equal(world.devices[0].triggers, 1);
    world_deinit(&world);
}

static void pulse_method(struct world *world)
{
    struct step *pulse = fixture_step(&world->fixture, STEP_PULSE, WORLD_MODE);

    pulse->value = json_integer(5);
    pulse->duration_ms = 2000;
}

static void a_pulse_that_was_cut_is_paid_back(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1);
    world.devices[0].mode = 2;
    pulse_method(&world);
    world_open(&world);
    world_go(&world, "night", "*");
    world_run(&world, SECONDS);
    assert_int_equal(world.devices[0].mode, 5);
    world_cut(&world, false);
    world_finish(&world);
    assert_int_equal(world.devices[0].mode, 2);
    world_deinit(&world);
}

static void a_pulse_in_doubt_is_paid_back_and_said(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1);
    world.devices[0].mode = 2;
    pulse_method(&world);
    world_open(&world);
    world_go(&world, "night", "*");
    while (world.lines[0].count == 0 || world.lines[0].out[0]->operation.kind == OPERATION_READ)
        world_run(&world, 1000);
    world_cut(&world, true);
    assert_int_equal(world.devices[0].mode, 5);
    world_finish(&world);
    assert_int_equal(world.devices[0].mode, 2);
    assert_error(&world, "night", "d0", "OutcomeUnknown");
    world_deinit(&world);
}

/* A method that restores: what the point held before is known. */
static void cut_restoring_write(int how, uint16_t moved_to, const char *code, uint16_t holds)
{
    struct world world;

    begin(&world, 1);
    world.fixture.method.repeatable = world.fixture.method.restore = true;
    world.devices[0].setpoint = 18;
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "night", "*");
    while (world.lines[0].count == 0 || world.lines[0].out[0]->operation.kind == OPERATION_READ)
        world_run(&world, 1000);
    /* What was read before is safe by now. */
    world.safe = world.kept;
    engine_safe(world.engine, world.safe, world.now);
    world_cut(&world, how == CUT_OBEYED);
    if (moved_to)
        world.devices[0].setpoint = moved_to;
    unsigned writes = world.devices[0].writes;
    world_finish(&world);
    if (code)
        assert_error(&world, "night", "d0", code);
    else
        assert_status(&world, "night", "d0", "completed");
    assert_int_equal(world.devices[0].setpoint, holds);
    if (how == CUT_OBEYED)
        assert_int_equal(world.devices[0].writes, writes);
    world_deinit(&world);
}

static void a_state_that_was_written_is_read_and_not_written_again(void **state)
{
    (void)state;
    cut_restoring_write(CUT_OBEYED, 0, NULL, 21);
}

static void a_state_that_was_not_written_is_written(void **state)
{
    (void)state;
    cut_restoring_write(CUT_UNHEARD, 0, NULL, 21);
}

static void a_foreign_change_is_not_overwritten(void **state)
{
    (void)state;
    cut_restoring_write(CUT_OBEYED, 25, "Overridden", 25);
}

static void a_cancel_holds_over_a_cut(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 3);
    world_method_reboot(&world, 5000, 1000);
    world_open(&world);
    world_go(&world, "night", "*");
    world_run(&world, 500000);
    world_cancel(&world, LINK_BROKER, "night");
    world_run(&world, 100000);
    world_cut(&world, false);
    world_finish(&world);
    assert_string_equal(world_job_said(&world, "night", "status"), "cancelled");
    for (size_t i = 0; i < 3; i++)
        assert_true(world.devices[i].triggers <= 1);
    world_deinit(&world);
}

static void a_redelivered_job_is_known(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1);
    world_method_reboot(&world, 0, 0);
    world_open(&world);
    world_go(&world, "night", "*");
    world_finish(&world);
    world_cut(&world, false);
    world_go(&world, "night", "*");
    world_finish(&world);
    assert_int_equal(world.devices[0].triggers, 1);
    world_deinit(&world);
}

static struct request *named_call(void)
{
    struct request *request = world_request_call("d0", NULL);

    request->request_id = strdup("r-1");
    request->repeat_s = 86400;
    return request;
}

static void a_repeated_call_is_answered_from_memory_after_a_cut(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1);
    world_method_reboot(&world, 0, 0);
    world_open(&world);
    world_give(&world, named_call());
    world_finish(&world);
    world_cut(&world, false);
    world_run(&world, SECONDS);
    size_t answers = world_count(&world, REPORT_ANSWER, NULL, NULL);
    world_give(&world, named_call());
    world_finish(&world);
    world_run(&world, SECONDS);
    assert_int_equal(world.devices[0].triggers, 1);
    assert_int_equal(world_count(&world, REPORT_ANSWER, NULL, NULL), answers + 1);
    world_deinit(&world);
}

static void an_answer_is_given_again_until_it_has_arrived(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1);
    world_method_reboot(&world, 0, 0);
    world_open(&world);
    world_give(&world, named_call());
    world_finish(&world);
    world_run(&world, SECONDS);
    const struct report *first = world_last(&world, REPORT_ANSWER, NULL, NULL);
    world_cut(&world, false);
    world_run(&world, SECONDS);
    const struct report *second = world_last(&world, REPORT_ANSWER, NULL, NULL);
    assert_ptr_not_equal(first, second);
    assert_string_equal(second->body, first->body);
    assert_int_equal(second->status, first->status);
    assert_string_equal(second->origin.topic, "answers");
    world_delivered(&world, REPORT_ANSWER, NULL, NULL);
    world_cut(&world, false);
    world_run(&world, SECONDS);
    assert_int_equal(world_count(&world, REPORT_ANSWER, NULL, NULL), 2);
    world_deinit(&world);
}

static void a_call_that_was_cut_is_answered_when_it_ends(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1);
    world_method_reboot(&world, 2000, 1000);
    world_open(&world);
    world_give(&world, named_call());
    world_run(&world, SECONDS);
    assert_int_equal(world_count(&world, REPORT_ANSWER, NULL, NULL), 0);
    world_cut(&world, false);
    world_finish(&world);
    world_run(&world, SECONDS);
    assert_int_equal(world_count(&world, REPORT_ANSWER, NULL, NULL), 1);
    assert_int_equal(world_last(&world, REPORT_ANSWER, NULL, NULL)->status, 200);
    assert_string_equal(world_last(&world, REPORT_ANSWER, NULL, NULL)->origin.topic, "answers");
    world_deinit(&world);
}

static void a_call_whose_time_ended_is_answered_once_over_a_cut(void **state)
{
    struct world world;
    struct request *request = named_call();

    (void)state;
    begin(&world, 1);
    world_method_reboot(&world, 5000, 1000);
    world_open(&world);
    request->timeout_s = 1;
    world_give(&world, request);
    world_run(&world, 2 * SECONDS);
    assert_int_equal(world_last(&world, REPORT_ANSWER, NULL, NULL)->status, 504);
    world_delivered(&world, REPORT_ANSWER, NULL, NULL);
    world_cut(&world, false);
    world_finish(&world);
    world_run(&world, SECONDS);
    assert_int_equal(world_count(&world, REPORT_ANSWER, NULL, NULL), 1);
    world_cut(&world, false);
    world_run(&world, SECONDS);
    assert_int_equal(world_count(&world, REPORT_ANSWER, NULL, NULL), 1);
    world_deinit(&world);
}

static void a_deadline_holds_over_a_cut(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1);
    world.devices[0].dead = true;
    world_method_reboot(&world, 0, 0);
    world_open(&world);
    world_job(
        &world, LINK_BROKER, "night",
        "{\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{\"methodName\":\"go\"}"
        ",\"queryCondition\":\"*\",\"maxExecutionTimeInSeconds\":5}");
    world_run(&world, 100000);
    world_line(&world, 0, false, "unplugged");
    world_cut(&world, false);
    world_line(&world, 0, false, "unplugged");
    world_run(&world, 6 * SECONDS);
    assert_string_equal(world_job_said(&world, "night", "status"), "completed");
    assert_status(&world, "night", "d0", "failed");
    world_deinit(&world);
}

static void after_another_boot_a_job_waits_for_a_clock(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 2);
    world.fixture.method.repeatable = true;
    world_method_write(&world);
    world.company_us = 0; /* its start is safe before the cut */
    world_open(&world);
    world_go(&world, "night", "*");
    world_run(&world, 30000);
    world.other_boot = true;
    world.now.trusted = false;
    world.now.wall_ms -= 86400000;
    world_cut(&world, false);
    uint64_t frames = world.frames;
    world_run(&world, 60 * SECONDS);
    assert_int_equal(world.frames, frames);
    world.now.trusted = true;
    world.now.wall_ms += 86400000;
    world_run(&world, 10 * SECONDS);
    assert_status(&world, "night", "d0", "completed");
    assert_status(&world, "night", "d1", "completed");
    world_deinit(&world);
}

static void after_ten_minutes_without_a_clock_its_time_is_over(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 2);
    world.fixture.method.repeatable = true;
    world_method_write(&world);
    world.company_us = 0; /* its start is safe before the cut */
    world_open(&world);
    world_go(&world, "night", "*");
    world_run(&world, 30000);
    world.other_boot = true;
    world.now.trusted = false;
    world_cut(&world, false);
    world_run(&world, 601 * SECONDS);
    assert_error(&world, "night", "d1", "Interrupted"); /* nobody knows whether it had begun */
    world_deinit(&world);
}

/* From the answer that is awaited to those that are not: outcomes of a job in the middle. */
static void outcomes_of_a_busy_line_share_a_commit(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 16);
    world.fixture.method.repeatable = true;
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "night", "*");
    int64_t took_us = world_finish(&world);
    unsigned moments = 0;
    int64_t last_us = 0;
    for (size_t i = 0; i < world.report_count; i++) {
        if (world.reports[i]->kind != REPORT_OUTCOME || world.reported_us[i] == last_us)
            continue;
        last_us = world.reported_us[i];
        moments++;
    }
    assert_in_range(moments, 2, (unsigned)(took_us / world.company_us) + 1);
    world_deinit(&world);
}

static void the_last_outcome_and_the_end_share_a_commit_at_once(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 3);
    world.fixture.method.repeatable = true;
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "night", "*");
    world_finish(&world);
    int64_t ended_us = world.devices[2].last_us;
    assert_non_null(world_last(&world, REPORT_OUTCOME, "night", "d2"));
    assert_int_equal(world.now.boot_us, ended_us + world.store_us);
    assert_string_equal(world_said(world_last(&world, REPORT_SHARE, "night", NULL), "status"),
                        "completed");
    world_deinit(&world);
}

/* The last live outcome must not wait for company while the line tries a dead device. */
static void an_outcome_before_a_known_dead_device_goes_at_once(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 3);
    world.fixture.method.repeatable = true;
    world_method_write(&world);
    world.devices[1].dead = true;
    world_open(&world);
    world_go(&world, "first", "*");
    world_finish(&world);
    world_run(&world, SECONDS);
    world_go(&world, "night", "*");
    world_finish(&world);
    for (size_t i = 0; i < world.report_count; i++) {
        const struct report *report = world.reports[i];

        if (report->kind == REPORT_OUTCOME && strcmp(report->job_id, "night") == 0 &&
            strcmp(report->device_id, "d2") == 0)
            assert_in_range(world.reported_us[i], world.devices[2].last_us,
                            world.devices[2].last_us + 2 * world.store_us);
    }
    world_deinit(&world);
}

static void a_call_beside_a_job_waits_for_no_company(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 16);
    world.fixture.method.repeatable = true;
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "night", "*");
    world_run(&world, 50000);
    int64_t began_us = world.now.boot_us;
    world_call(&world, "d15");
    while (!world_last(&world, REPORT_ANSWER, NULL, NULL) &&
           world.now.boot_us < began_us + SECONDS)
        world_run(&world, 1000);
    /* One commit for the call, the frame on the wire, its own, and one for its outcome. */
    assert_in_range(world.now.boot_us - began_us, 0, 60000);
    world_deinit(&world);
}

/* However long the disk hung: what was obeyed is never said not to have begun. */
static void after_a_hung_disk_no_task_is_said_not_to_have_begun(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 60);
    world.fixture.method.repeatable = true;
    world_method_write(&world);
    world_open(&world);
    world_go(&world, "night", "*");
    world_run(&world, 10000);
    world.store_stalls = true;
    world.safe_us = MOMENT_NEVER;
    world_run(&world, SECONDS);
    assert_true(world.devices[40].writes > 0);
    world_cut(&world, false);
    world.store_stalls = false;
    world_cancel(&world, LINK_BROKER, "night");
    world_finish(&world);
    for (size_t i = 0; i < 60; i++) {
        if (world.devices[i].writes > 0)
            assert_error(&world, "night", world.devices[i].id, "Interrupted");
    }
    world_deinit(&world);
}

static void a_twin_is_kept(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1);
    world_open(&world);
    world_give(&world, world_request_patch("d0", "{\"setpoint\":23}"));
    world_finish(&world);
    json_t *before = engine_twin_json(world.engine, "d0");
    world_cut(&world, false);
    json_t *after = engine_twin_json(world.engine, "d0");
    assert_true(json_equal(json_object_get(before, "properties"),
                           json_object_get(after, "properties")));
    assert_int_equal(world.devices[0].setpoint, 23);
    json_decref(before);
    json_decref(after);
    world_deinit(&world);
}

static void a_patch_cut_off_from_its_twin_is_taken_again(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1);
    world_open(&world);
    world_give(&world, world_request_patch("d0", "{\"setpoint\":23}"));
    assert_int_equal(world.kept, 2);
    world.cut_keeps = 1; /* the request, and not what it made of the twin */
    world_cut(&world, false);
    world_finish(&world);
    assert_int_equal(world.devices[0].setpoint, 23);
    json_t *twin = engine_twin_json(world.engine, "d0");
    json_t *desired = json_object_get(json_object_get(twin, "properties"), "desired");
    assert_int_equal(json_integer_value(json_object_get(desired, "setpoint")), 23);
    json_decref(twin);
    world_deinit(&world);
}

static void a_job_cut_off_from_its_patches_is_not_superseded(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 2);
    world_open(&world);
    world_patch_job(&world, "first", "{\"setpoint\":20}");
    world_finish(&world);
    world_patch_job(&world, "night", "{\"setpoint\":23}");
    world_run(&world, 5000); /* safe, and started by that */
    for (uint64_t keeps = 0; keeps < 6 && keeps <= world.kept - world.safe; keeps++) {
        world.cut_keeps = keeps;
        world_cut(&world, false);
    }
    world_finish(&world);
    assert_status(&world, "night", "d0", "completed");
    assert_status(&world, "night", "d1", "completed");
    world_deinit(&world);
}

static void a_scheduled_job_stays_scheduled(void **state)
{
    struct world world;

    (void)state;
    begin(&world, 1);
    world_method_write(&world);
    world_open(&world);
    world_job(
        &world, LINK_BROKER, "night",
        "{\"type\":\"scheduleDeviceMethod\",\"cloudToDeviceMethod\":{\"methodName\":\"go\"}"
        ",\"queryCondition\":\"*\",\"startTime\":\"2030-01-01T01:00:00Z\"}");
    world_run(&world, SECONDS);
    world_cut(&world, false);
    world_run(&world, 60 * SECONDS);
    assert_string_equal(world_job_said(&world, "night", "status"), "scheduled");
    assert_int_equal(world.frames, 0);
    world_run(&world, 3600 * SECONDS);
    assert_string_equal(world_job_said(&world, "night", "status"), "completed");
    world_deinit(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_job_goes_on_where_it_was),
        cmocka_unit_test(a_job_that_was_not_safe_never_happened),
        cmocka_unit_test(an_outcome_is_told_again_byte_for_byte),
        cmocka_unit_test(what_has_arrived_is_not_told_again),
        cmocka_unit_test(a_last_share_is_told_again_byte_for_byte_behind_its_outcomes),
        cmocka_unit_test(a_share_that_arrived_twice_is_kept_once),
        cmocka_unit_test(a_job_of_before_there_was_an_outbox_is_told),
        cmocka_unit_test(numbers_do_not_come_twice_after_a_cut),
        cmocka_unit_test(a_clearing_is_told_until_it_has_arrived),
        cmocka_unit_test(a_patched_tag_stays_until_the_file_changes_that_one),
        cmocka_unit_test(more_than_a_thousand_untold_jobs_are_not_waited_for),
        cmocka_unit_test(the_oldest_are_told_first_and_a_part_at_a_time),
        cmocka_unit_test(an_answer_is_given_again_until_it_has_arrived),
        cmocka_unit_test(a_call_that_was_cut_is_answered_when_it_ends),
        cmocka_unit_test(a_call_whose_time_ended_is_answered_once_over_a_cut),
        cmocka_unit_test(a_trigger_in_doubt_is_never_sent_again),
        cmocka_unit_test(a_trigger_that_was_answered_is_not_in_doubt),
        cmocka_unit_test(a_pulse_that_was_cut_is_paid_back),
        cmocka_unit_test(a_pulse_in_doubt_is_paid_back_and_said),
        cmocka_unit_test(a_state_that_was_written_is_read_and_not_written_again),
        cmocka_unit_test(a_state_that_was_not_written_is_written),
        cmocka_unit_test(a_foreign_change_is_not_overwritten),
        cmocka_unit_test(a_cancel_holds_over_a_cut),
        cmocka_unit_test(a_redelivered_job_is_known),
        cmocka_unit_test(a_repeated_call_is_answered_from_memory_after_a_cut),
        cmocka_unit_test(a_deadline_holds_over_a_cut),
        cmocka_unit_test(after_another_boot_a_job_waits_for_a_clock),
        cmocka_unit_test(after_ten_minutes_without_a_clock_its_time_is_over),
        cmocka_unit_test(outcomes_of_a_busy_line_share_a_commit),
        cmocka_unit_test(the_last_outcome_and_the_end_share_a_commit_at_once),
        cmocka_unit_test(an_outcome_before_a_known_dead_device_goes_at_once),
        cmocka_unit_test(a_call_beside_a_job_waits_for_no_company),
        cmocka_unit_test(after_a_hung_disk_no_task_is_said_not_to_have_begun),
        cmocka_unit_test(a_twin_is_kept),
        cmocka_unit_test(a_patch_cut_off_from_its_twin_is_taken_again),
        cmocka_unit_test(a_job_cut_off_from_its_patches_is_not_superseded),
        cmocka_unit_test(a_scheduled_job_stays_scheduled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

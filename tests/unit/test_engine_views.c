/* What the engine shows: jobs, records, devices and twins, page by page. */
#include "fixture_engine.h"
#include "jobs/search.h"

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_init(&world, 6, 2);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_deinit(&world);
    return 0;
}

static void open_write(void)
{
    world_method_write(&world);
    world_open(&world);
}

static void ten_jobs(void)
{
    char id[8];

    open_write();
    for (int i = 0; i < 10; i++) {
        snprintf(id, sizeof(id), "j%d", i);
        world_go(&world, id, "*");
        world_finish(&world);
    }
}

static size_t begun(void)
{
    size_t count = 0;

    for (size_t i = 0; i < world.report_count; i++)
        count += world.reports[i]->kind == REPORT_PROGRESS;
    return count;
}

static void what_begins_is_told_only_while_somebody_watches(void **state)
{
    (void)state;
    open_write();
    world_go(&world, "unseen", "*");
    world_finish(&world);
    assert_int_equal(begun(), 0);
    engine_set_watched(world.engine, true);
    world_go(&world, "seen", "*");
    world_finish(&world);
    assert_int_equal(begun(), 6);
}

static struct query *query_of(const char *text)
{
    struct condition_error error;
    struct query *query = NULL;

    assert_int_equal(query_parse(&query, text, &error), 0);
    return query;
}

/* Everything is in memory. NULL: the cursor is none of the list's. */
static json_t *page_of(int r, struct search *search, char **next)
{
    *next = NULL;
    if (r != 0) {
        assert_int_equal(r, SEARCH_E_CURSOR);
        return NULL;
    }
    assert_null(search_take_look(search));
    json_t *rows = search_end(search, NULL, next);
    search_free(search);
    return rows;
}

static json_t *jobs_page(const char *type, const char *status, size_t most, const char *after,
                         char **next)
{
    struct search *search = NULL;
    int r = search_jobs(&search, world.engine,
                        &(struct job_filter){.type = type, .status = status}, most, after);

    return page_of(r, search, next);
}

static json_t *query_page(const struct query *query, size_t most, const char *after,
                          char **next)
{
    struct search *search = NULL;
    int r = search_query(&search, world.engine, query, most, after);

    return page_of(r, search, next);
}

/* Ids of the rows, page by page; a new job comes between two pages. */
static void read_pages(const char *text, size_t most, char *all, size_t size)
{
    struct query *query = query_of(text);
    char *cursor = NULL, *next;
    size_t used = 0;

    do {
        json_t *rows = query_page(query, most, cursor, &next), *row;
        size_t i;

        assert_non_null(rows);
        json_array_foreach(rows, i, row)
        {
            const char *job = json_string_value(json_object_get(row, "jobId"));

            used += (size_t)snprintf(all + used, size - used, "%s:%s ", job ? job : "",
                                     json_string_value(json_object_get(row, "deviceId")));
        }
        json_decref(rows);
        free(cursor);
        cursor = next;
        if (world.job_count < 12)
            world_go(&world, world.job_count == 10 ? "x" : "y", "*");
    } while (cursor);
    query_free(query);
}

static void pages_of_records_are_stable_while_jobs_come(void **state)
{
    (void)state;
    char all[600];

    ten_jobs();
    read_pages("SELECT * FROM devices.jobs WHERE deviceId IN ['d1', 'd2'] AND jobId <> 'j5'", 7,
               all, sizeof(all));
    assert_string_equal(all, "j9:d1 j9:d2 j8:d1 j8:d2 j7:d1 j7:d2 j6:d1 j6:d2 j4:d1 j4:d2 "
                             "j3:d1 j3:d2 j2:d1 j2:d2 j1:d1 j1:d2 j0:d1 j0:d2 ");
}

static void pages_of_devices_hold_each_once(void **state)
{
    (void)state;
    char all[600];

    ten_jobs();
    read_pages("SELECT * FROM devices", 4, all, sizeof(all));
    assert_string_equal(all, ":d0 :d1 :d2 :d3 :d4 :d5 ");
}

static void pages_of_jobs_are_newest_first(void **state)
{
    (void)state;
    char *next = NULL, *last = NULL;

    ten_jobs();
    json_t *jobs = jobs_page("", "completed", 6, NULL, &next);
    assert_int_equal(json_array_size(jobs), 6);
    assert_string_equal(json_string_value(json_object_get(json_array_get(jobs, 0), "jobId")),
                        "j9");
    json_decref(jobs);
    jobs = jobs_page(NULL, NULL, 6, next, &last);
    assert_int_equal(json_array_size(jobs), 4);
    assert_null(last);
    json_decref(jobs);
    free(next);
}

static void a_forged_cursor_is_none_of_ours(void **state)
{
    (void)state;
    static const char *const forged[] = {"", "1", "-1.0", "1.0x", " 1.0", "1.-2", "01.0"};
    char *next;

    ten_jobs();
    for (size_t i = 0; i < sizeof(forged) / sizeof(forged[0]); i++)
        assert_null(jobs_page("", "", 6, forged[i], &next));
}

static void a_job_is_told_as_the_hub_does(void **state)
{
    (void)state;
    open_write();
    world.devices[2].dead = true;
    world_go(&world, "j", "*");
    world_finish(&world);
    assert_string_equal(world_job_said(&world, "j", "type"), "scheduleDeviceMethod");
    assert_string_equal(world_job_said(&world, "j", "queryCondition"), "*");
    assert_string_equal(world_job_said(&world, "j", "cloudToDeviceMethod.methodName"), "go");
    assert_string_equal(world_job_said(&world, "j", "statusMessage"), "1 of 6 devices failed");
    assert_string_equal(world_job_said(&world, "j", "maxExecutionTimeInSeconds"), "3600");
}

static void a_job_tells_its_start_also_where_nothing_could_begin(void **state)
{
    (void)state;
    open_write();
    world_line(&world, 0, false, "unplugged");
    world_line(&world, 1, false, "unplugged");
    world_run(&world, 60 * SECONDS);
    world_go(&world, "j", "*");
    world_finish(&world);
    assert_string_equal(world_job_said(&world, "j", "status"), "completed");
    assert_string_not_equal(world_job_said(&world, "j", "startTime"), "nothing");
}

static void a_twin_holds_tags_and_properties_with_versions(void **state)
{
    (void)state;
    world_open(&world);
    world_patch_job(&world, "j", "{\"setpoint\":21}");
    world_finish(&world);
    json_t *twin = engine_twin_json(world.engine, "d1");
    json_t *properties = json_object_get(twin, "properties");
    json_t *desired = json_object_get(properties, "desired");
    assert_int_equal(json_integer_value(json_object_get(desired, "setpoint")), 21);
    assert_int_equal(json_integer_value(json_object_get(desired, "$version")), 2);
    assert_string_equal(json_string_value(json_object_get(twin, "etag")), "AAAAAAAAAAI=");
    assert_string_equal(json_string_value(json_object_get(twin, "connectionState")),
                        "Connected");
    json_decref(twin);
    assert_null(engine_twin_json(world.engine, "nobody"));
}

static void reported_properties_are_found_by_conditions(void **state)
{
    (void)state;
    world_open(&world);
    world_patch_job(&world, "j", "{\"setpoint\":21}");
    world_finish(&world);
    world_job(&world, LINK_API, "k",
              "{\"type\":\"scheduleUpdateTwin\",\"updateTwin\":{\"tags\":{\"x\":1}},"
              "\"queryCondition\":\"properties.reported.setpoint = 21 AND "
              "properties.reported.setpoint.value = 21\"}");
    world_finish(&world);
    assert_string_equal(world_job_said(&world, "k", "deviceJobStatistics.deviceCount"), "6");
}

static void a_gateway_without_devices_is_a_gateway(void **state)
{
    (void)state;
    world_deinit(&world);
    world_init(&world, 0, 0);
    open_write();
    world_go(&world, "j", "*");
    world_call(&world, "d0");
    world_run(&world, SECONDS);
    assert_string_equal(world_job_said(&world, "j", "status"), "completed");
    assert_string_equal(world_job_said(&world, "j", "statusMessage"), "no device matched");
    json_t *devices = engine_devices_json(world.engine, NULL);
    assert_int_equal(json_array_size(devices), 0);
    json_decref(devices);
}

static void a_device_is_told_with_its_place_and_its_last_outcome(void **state)
{
    (void)state;
    open_write();
    world_call(&world, "d3");
    world_finish(&world);
    json_t *device = engine_devices_json(world.engine, "d3");
    json_t *own = json_object_get(device, "jobgate");
    assert_string_equal(json_string_value(json_object_get(own, "line")), "line1");
    assert_string_equal(json_string_value(json_object_get(own, "state")), "online");
    assert_non_null(json_object_get(own, "lastOutcome"));
    json_decref(device);
}

static void after_a_connection_everything_retained_is_told_again(void **state)
{
    (void)state;
    open_write();
    world_run(&world, SECONDS);
    size_t before = world_count(&world, REPORT_STATE, NULL, NULL);
    engine_report_all(world.engine, world.now);
    world_run(&world, SECONDS);
    assert_int_equal(world_count(&world, REPORT_STATE, NULL, NULL) - before, 6);
    assert_string_equal(world_said(world_last(&world, REPORT_GATEWAY, NULL, NULL), "devices"),
                        "6");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(pages_of_records_are_stable_while_jobs_come),
        TEST(pages_of_devices_hold_each_once),
        TEST(pages_of_jobs_are_newest_first),
        TEST(a_forged_cursor_is_none_of_ours),
        TEST(a_job_is_told_as_the_hub_does),
        TEST(what_begins_is_told_only_while_somebody_watches),
        TEST(a_job_tells_its_start_also_where_nothing_could_begin),
        TEST(a_twin_holds_tags_and_properties_with_versions),
        TEST(reported_properties_are_found_by_conditions),
        TEST(a_gateway_without_devices_is_a_gateway),
        TEST(a_device_is_told_with_its_place_and_its_last_outcome),
        TEST(after_a_connection_everything_retained_is_told_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

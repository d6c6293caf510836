#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "jobs/query.h"

static struct query *parse(const char *text)
{
    struct condition_error error = {.text = ""};
    struct query *query = NULL;

    if (query_parse(&query, text, &error) != 0)
        fail_msg("%s\n%zu:%zu: %s", text, error.line, error.column, error.text);
    return query;
}

/* Asks about a document, given as JSON with ' for ". */
static bool matches(const char *text, const char *document)
{
    struct query *query = parse(text);
    char json[400];
    json_error_t error;
    json_t *record;
    bool matched;

    (void)snprintf(json, sizeof(json), "%s", document);
    for (char *at = json; (at = strchr(at, '\'')); at++)
        *at = '"';
    record = json_loads(json, 0, &error);
    assert_non_null(record);
    matched = query_matches(query, condition_lookup_json, record);
    json_decref(record);
    query_free(query);
    return matched;
}

static void records_of_a_job_are_found_in_every_form(void **state)
{
    static const char record[] = "{'jobId': 'j-1', 'deviceId': 'a', 'status': 'failed',"
                                 " 'createdDateTimeUtc': '2030-01-15T22:00:00Z'}";
    static const char *const texts[] = {
        "SELECT * FROM devices.jobs",
        "SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'j-1'",
        ("SELECT * FROM devices.jobs WHERE devices.jobs.jobId = 'j-1' and "
         "devices.jobs.status = 'failed'"),
        "SELECT * FROM devices.jobs where jobId = 'j-1'",
        "select * from Devices.Jobs where Devices.Jobs.JobId = 'j-1'",
        "SELECT * FROM devices.jobs WHERE devices.jobs.createdTimeUtc > '2016-09-01'",
        "SELECT * FROM devices.jobs WHERE createdDateTimeUtc < '2031'",
        "SELECT * FROM devices.jobs WHERE *",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct query *query = parse(texts[i]);

        assert_int_equal(query->collection, QUERY_DEVICES_JOBS);
        assert_null(condition_hint(query->condition));
        query_free(query);
        assert_true(matches(texts[i], record));
    }
    assert_false(matches("SELECT * FROM devices.jobs WHERE jobId = 'J-1'", record));
}

static void both_spellings_of_a_status_are_one(void **state)
{
    static const struct {
        const char *status, *condition;
        bool found;
    } facts[] = {
        {"canceled", "status = 'canceled'", true},
        {"canceled", "status = 'cancelled'", true},
        {"cancelled", "'canceled' = devices.jobs.status", true},
        {"cancelled", "status != 'canceled'", false},
        {"cancelled", "status IN ['completed', 'canceled']", true},
        {"canceled", "status IN ['completed', 'cancelled']", true},
        {"canceled", "status NIN ['cancelled']", false},
        {"pending", "status = 'scheduled'", true},
        {"scheduled", "Status = 'pending'", true},
        {"scheduled", "status = 'Pending'", false},
        {"completed", "status = 'pending'", false},
        {"scheduled", "deviceId = 'scheduled'", false}, /* a device called "pending" */
        {"scheduled", "deviceId = 'pending'", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        char text[200], record[200];

        (void)snprintf(text, sizeof(text), "SELECT * FROM devices.jobs WHERE %s",
                       facts[i].condition);
        (void)snprintf(record, sizeof(record), "{'deviceId': 'pending', 'status': '%s'}",
                       facts[i].status);
        if (matches(text, record) != facts[i].found)
            fail_msg("%s: %s", facts[i].status, facts[i].condition);
    }
    assert_false(
        matches("SELECT * FROM devices WHERE status = 'pending'", "{'status': 'scheduled'}"));
}

static void devices_are_found_by_their_twins(void **state)
{
    struct query *query = parse("SELECT * FROM devices WHERE tags.building = '43'");

    (void)state;
    assert_int_equal(query->collection, QUERY_DEVICES);
    query_free(query);
    assert_true(matches("SELECT * FROM devices WHERE tags.building = '43'",
                        "{'tags': {'building': '43'}}"));
    assert_false(matches("SELECT * FROM devices WHERE tags.building = '43'", "{'tags': {}}"));
    assert_true(matches("SELECT * FROM devices", "{}"));
    assert_true(matches("  select *\nfrom devices  ", "{}"));
    assert_false(matches("SELECT * FROM devices.modules", "{}"));
}

static void other_statements_are_refused_by_a_sentence(void **state)
{
    static const struct {
        const char *text;
        size_t column;
        const char *part;
    } faults[] = {
        {"", 1, "SELECT * FROM devices"},
        {"tags.x = 1", 1, "SELECT * FROM devices"},
        {"SELECT", 7, "a member is wanted"},
        {"SELECT TOP 0 * FROM devices", 12, "a whole number from 1 on"},
        {"SELECT TOP 2.5 * FROM devices", 12, "a whole number from 1 on"},
        {"SELECT TOP * FROM devices", 12, "a whole number from 1 on"},
        {"SELECT COUNT( FROM devices", 15, "a member is wanted"},
        {"SELECT AVG() FROM devices", 12, "a member is wanted"},
        {"SELECT deviceId AS FROM devices", 20, "AS is followed by a name"},
        {"SELECT deviceId, FROM devices", 18, "a member is wanted"},
        {"SELECT tags.a, COUNT() FROM devices", 36, "the one after GROUP BY"},
        {"SELECT tags.a, COUNT() FROM devices GROUP BY tags.b", 52, "the one after GROUP BY"},
        {"SELECT tags.a FROM devices GROUP tags.a", 34, "GROUP BY is wanted"},
        {"SELECT status FROM devices.jobs", 32, "SELECT *"},
        {"SELECT COUNT() FROM devices.jobs", 33, "SELECT *"},
        {"SELECT *, deviceId FROM devices", 9, "FROM devices or FROM devices.jobs"},
        {"SELECT * WHERE deviceId = 'a'", 10, "FROM devices or FROM devices.jobs"},
        {"SELECT * FROM twins", 15, "FROM devices is wanted"},
        {"SELECT * FROM devices.things", 23, "there are devices"},
        {"SELECT * FROM devices GROUP BY tags.x", 23, "GROUP BY needs a selection"},
        {"SELECT * FROM devices WHERE true ORDER BY deviceId", 34, "ORDER BY"},
        {"SELECT * FROM devices WHERE", 28, "a value is wanted"},
        {"SELECT * FROM devices WHERE SELECT", 29, "SELECT"},
        {"SELECT * FROM devices AS d", 23, "AND, OR or the end"},
        {"\"SELECT * FROM devices\"", 1, "SELECT * FROM devices"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        struct condition_error error = {.text = ""};
        struct query *query = NULL;

        assert_int_equal(query_parse(&query, faults[i].text, &error), CONDITION_E_SYNTAX);
        assert_null(query);
        if (error.column != faults[i].column || !strstr(error.text, faults[i].part))
            fail_msg("%s\n%zu:%zu: %s", faults[i].text, error.line, error.column, error.text);
    }
}

static void a_member_that_records_lack_gives_a_hint(void **state)
{
    struct query *query = parse("SELECT * FROM devices.jobs WHERE tags.floor = 3");

    (void)state;
    assert_non_null(
        strstr(condition_hint(query->condition), "is not a member of devices.jobs"));
    query_free(query);
}

static void a_query_tells_the_only_job_it_can_match(void **state)
{
    static const struct {
        const char *condition, *job;
    } facts[] = {
        {"jobId = 'a'", "a"},
        {"'a' = devices.jobs.JOBID", "a"},
        {"status = 'failed' AND jobId = 'a' AND true", "a"},
        {"jobId = 'a' OR jobId = 'b'", NULL},
        {"jobId != 'a'", NULL},
        {"NOT jobId = 'a'", NULL},
        {"jobId = deviceId", NULL},
        {"jobId = 3", NULL},
        {"'a' = 'b'", NULL},
        {"*", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        char text[200];
        struct query *query;
        const char *job;

        (void)snprintf(text, sizeof(text), "SELECT * FROM devices.jobs WHERE %s",
                       facts[i].condition);
        query = parse(text);
        job = query_requires(query, "jobId");
        if (facts[i].job ? !job || strcmp(job, facts[i].job) != 0 : job != NULL)
            fail_msg("%s: %s", facts[i].condition, job ? job : "none");
        query_free(query);
    }
}

/* --- rows --- */

static const char *const floors[] = {
    "{'deviceId':'a','tags':{'floor':3,'area':10},'properties':{'reported':{'s':{'value':2}}}}",
    "{'deviceId':'b','tags':{'floor':4,'area':20.5}}",
    "{'deviceId':'c','tags':{'floor':3,'area':32}}",
    "{'deviceId':'d','tags':{'area':'x'}}",
};

static json_t *document(const char *text)
{
    char json[400];

    (void)snprintf(json, sizeof(json), "%s", text);
    for (char *at = json; (at = strchr(at, '\'')); at++)
        *at = '"';
    return json_loads(json, 0, NULL);
}

/* The rows of all documents that match, as JSON with ' for ". */
static void assert_rows(const char *text, const char *wanted)
{
    struct query *query = parse(text);
    struct query_sums *sums = query->folds ? query_sums_new(query) : NULL;
    json_t *rows = json_array();

    for (size_t i = 0; i < sizeof(floors) / sizeof(floors[0]); i++) {
        json_t *each = document(floors[i]);

        if (query_matches(query, condition_lookup_json, each)) {
            if (sums)
                assert_true(query_sums_add(sums, each));
            else
                json_array_append_new(rows, query_row(query, each));
        }
        json_decref(each);
    }
    if (sums) {
        json_decref(rows);
        rows = query_sums_rows(sums);
    }
    char *got = json_dumps(rows, JSON_COMPACT | JSON_REAL_PRECISION(6));
    for (char *at = got; (at = strchr(at, '"')); at++)
        *at = '\'';
    assert_string_equal(got, wanted);
    free(got);
    json_decref(rows);
    query_sums_free(sums);
    query_free(query);
}

static void members_are_selected_under_their_own_or_another_name(void **state)
{
    (void)state;
    assert_rows("SELECT deviceId, tags.floor FROM devices WHERE tags.floor = 3",
                "[{'deviceId':'a','floor':3},{'deviceId':'c','floor':3}]");
    assert_rows("select DeviceId as id, properties.reported.s.value AS sp from devices",
                "[{'id':'a','sp':2},{'id':'b'},{'id':'c'},{'id':'d'}]");
    assert_rows("SELECT devices.tags FROM devices WHERE deviceId = 'b'",
                "[{'tags':{'floor':4,'area':20.5}}]");
}

static void rows_are_counted(void **state)
{
    (void)state;
    assert_rows("SELECT COUNT() AS n FROM devices", "[{'n':4}]");
    assert_rows("SELECT count(*) as n, COUNT(tags.floor) FROM devices", "[{'n':4,'$2':3}]");
    assert_rows("SELECT COUNT() AS n FROM devices WHERE deviceId = 'nobody'", "[{'n':0}]");
}

static void rows_are_counted_for_each_value_of_a_member(void **state)
{
    (void)state;
    assert_rows("SELECT tags.floor, COUNT() AS n FROM devices GROUP BY tags.floor",
                "[{'floor':3,'n':2},{'floor':4,'n':1},{'n':1}]");
    assert_rows("SELECT tags.floor AS f FROM devices WHERE tags.area > 1 GROUP BY tags.floor",
                "[{'f':3},{'f':4}]");
    assert_rows("SELECT COUNT() AS n FROM devices WHERE false GROUP BY tags.floor", "[]");
}

static void numbers_are_summed_up(void **state)
{
    (void)state;
    assert_rows("SELECT SUM(tags.area) AS s, AVG(tags.area) AS a, MIN(tags.floor) AS l, "
                "MAX(tags.floor) AS m FROM devices",
                "[{'s':62.5,'a':20.8333,'l':3,'m':4}]");
    assert_rows("SELECT SUM(tags.none) AS s, MIN(deviceId) AS l FROM devices", "[{'l':'a'}]");
}

static void top_bounds_the_rows(void **state)
{
    struct query *query = parse("SELECT TOP 25 * FROM devices.jobs WHERE jobId = 'j'");

    (void)state;
    assert_int_equal(query->top, 25);
    assert_int_equal(query->item_count, 0);
    query_free(query);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_a_job_are_found_in_every_form),
        cmocka_unit_test(both_spellings_of_a_status_are_one),
        cmocka_unit_test(devices_are_found_by_their_twins),
        cmocka_unit_test(other_statements_are_refused_by_a_sentence),
        cmocka_unit_test(a_member_that_records_lack_gives_a_hint),
        cmocka_unit_test(a_query_tells_the_only_job_it_can_match),
        cmocka_unit_test(members_are_selected_under_their_own_or_another_name),
        cmocka_unit_test(rows_are_counted),
        cmocka_unit_test(rows_are_counted_for_each_value_of_a_member),
        cmocka_unit_test(numbers_are_summed_up),
        cmocka_unit_test(top_bounds_the_rows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

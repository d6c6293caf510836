#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
        {"SELECT", 7, "SELECT * gives all"},
        {"SELECT deviceId FROM devices", 8, "single members are not supported"},
        {"SELECT TOP 5 * FROM devices", 8, "TOP is not supported"},
        {"SELECT COUNT() AS n FROM devices", 8, "aggregates are not supported"},
        {"select avg(tags.x) FROM devices", 8, "aggregates are not supported"},
        {"SELECT *, deviceId FROM devices", 9, "FROM devices or FROM devices.jobs"},
        {"SELECT * WHERE deviceId = 'a'", 10, "FROM devices or FROM devices.jobs"},
        {"SELECT * FROM twins", 15, "FROM devices is wanted"},
        {"SELECT * FROM devices.things", 23, "there are devices"},
        {"SELECT * FROM devices GROUP BY tags.x", 23, "GROUP BY is not supported"},
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_of_a_job_are_found_in_every_form),
        cmocka_unit_test(both_spellings_of_a_status_are_one),
        cmocka_unit_test(devices_are_found_by_their_twins),
        cmocka_unit_test(other_statements_are_refused_by_a_sentence),
        cmocka_unit_test(a_member_that_records_lack_gives_a_hint),
        cmocka_unit_test(a_query_tells_the_only_job_it_can_match),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "jobs/condition.h"

static const char document[] =
    "{\"deviceId\": \"ahu-1\", \"status\": \"enabled\", \"connectionState\": \"Disconnected\","
    " \"lastActivityTime\": \"2030-01-15T22:00:00Z\","
    " \"capabilities\": {\"iotEdge\": true}, \"x509Thumbprint\": {\"primaryThumbprint\": null},"
    " \"tags\": {\"floor\": 3, \"building\": \"43\", \"location\": {\"region\": \"US\"},"
    "  \"in\": 1, \"my-key\": 7, \"my\": 9, \"a b\": 5, \"nothing\": null, \"yes\": true, "
    "\"no\": false,"
    "  \"list\": [1, \"two\", null, [3]], \"rows\": [{\"x\": 4}], \"object\": {},"
    "  \"Name\": \"K\\u00dcCHE\", \"empty\": \"\", \"geb\\u00e4ude\": 8, \"quote\": \"it's "
    "\\\"x\\\"\\\\\","
    "  \"smile\": \"\\ud83d\\ude00\", \"3b\": 2, \"$x\": 1},"
    " \"properties\": {\"desired\": {\"x\": 1, \"y\": 2, \"$version\": 12},"
    "  \"reported\": {\"x\": 1, \"y\": 3, \"$iotin:deviceinfo\": {\"manufacturer\": "
    "{\"value\": \"M\"}},"
    "   \"telemetryConfig\": {\"sendFrequencyInSecs\": 60},"
    "   \"$metadata\": {\"x\": {\"$lastUpdated\": \"2029-05-01T00:00:00Z\"}}}}}";

static int setup(void **state)
{
    json_error_t error;

    *state = json_loads(document, 0, &error);
    return *state ? 0 : -1;
}

static int teardown(void **state)
{
    json_decref(*state);
    return 0;
}

static struct condition *parse(const char *text)
{
    struct condition_error error = {.text = ""};
    struct condition *condition = NULL;
    int r = condition_parse(&condition, text, &error);

    if (r != 0)
        fail_msg("%s\n%zu:%zu: %s", text, error.line, error.column, error.text);
    return condition;
}

static bool matches(void **state, const char *text)
{
    struct condition *condition = parse(text);
    bool matched = condition_matches(condition, condition_lookup_json, *state);

    condition_free(condition);
    return matched;
}

/* 't', 'f' or 'u': the three truths, told apart by what NOT and IS_DEFINED make of them. */
static char truth(void **state, const char *expression)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "(%s) = true", expression);
    if (matches(state, text))
        return 't';
    (void)snprintf(text, sizeof(text), "(%s) = false", expression);
    if (matches(state, text))
        return 'f';
    (void)snprintf(text, sizeof(text), "IS_DEFINED(%s)", expression);
    return matches(state, text) ? '?' : 'u';
}

struct fact {
    const char *expression;
    char truth;
};

static void check(void **state, const struct fact *facts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char found = truth(state, facts[i].expression);

        if (found != facts[i].truth)
            fail_msg("%s is %c and should be %c", facts[i].expression, found, facts[i].truth);
    }
}

#define CHECK(state, facts) check(state, facts, sizeof(facts) / sizeof((facts)[0]))

static void logic_has_three_values(void **state)
{
    static const char names[3][16] = {"true", "false", "undefined"}, letters[] = "tfu";
    static const char and[3][4] = {"tfu", "fff", "ufu"}, or [3][4] = {"ttt", "tfu", "tuu"};
    static const char not [] = "ftu";

    for (size_t a = 0; a < 3; a++) {
        char text[128];

        (void)snprintf(text, sizeof(text), "NOT %s", names[a]);
        assert_int_equal(truth(state, text), not [a]);
        for (size_t b = 0; b < 3; b++) {
            (void)snprintf(text, sizeof(text), "%s AND %s", names[a], names[b]);
            assert_int_equal(truth(state, text), and[a][b]);
            (void)snprintf(text, sizeof(text), "%s OR %s", names[a], names[b]);
            assert_int_equal(truth(state, text), or [a][b]);
        }
        assert_int_equal(truth(state, names[a]), letters[a]);
    }
}

static void what_is_no_boolean_counts_as_undefined_in_logic(void **state)
{
    static const struct fact facts[] = {
        {"5 AND true", 'u'},
        {"5 AND false", 'f'},
        {"null OR true", 't'},
        {"'a' OR false", 'u'},
        {"NOT 1", 'u'},
        {"NOT null", 'u'},
        {"tags.object OR true", 't'},
        {"tags.list AND true", 'u'},
        {"NOT NOT true", 't'},
    };

    CHECK(state, facts);
}

static void only_true_matches(void **state)
{
    static const char *const texts[] = {"null",      "undefined", "1",         "('a')",
                                        "tags.list", "tags",      "['a','b']", "false"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(matches(state, texts[i]));
    assert_true(matches(state, "true"));
    assert_true(matches(state, "tags.yes"));
}

static void what_is_missing_is_undefined_and_null_is_a_value(void **state)
{
    static const struct fact facts[] = {
        {"tags.missing = 1", 'u'},
        {"tags.missing != 1", 'u'},
        {"tags.missing = null", 'u'},
        {"tags.missing = undefined", 'u'},
        {"tags.nothing = null", 't'},
        {"tags.nothing != null", 'f'},
        {"tags.nothing = 1", 'u'},
        {"IS_DEFINED(tags.nothing)", 't'},
        {"IS_DEFINED(tags.missing)", 'f'},
        {"IS_DEFINED(undefined)", 'f'},
        {"NOT IS_DEFINED(tags.missing)", 't'},
        {"IS_DEFINED(tags.floor.deeper)", 'f'},
        {"x509Thumbprint.primaryThumbprint = null", 't'},
    };

    CHECK(state, facts);
}

static void comparing_two_types_is_undefined(void **state)
{
    static const struct fact facts[] = {
        {"1 = 'a'", 'u'},
        {"NOT (1 = 'a')", 'u'},
        {"tags.floor = '3'", 'u'},
        {"tags.floor != '3'", 'u'},
        {"tags.building = 43", 'u'},
        {"true = 1", 'u'},
        {"null = false", 'u'},
        {"1 < 'a'", 'u'},
        {"tags.list = 1", 'u'},
        {"tags.list = tags.list", 'u'},
        {"tags.object = tags.object", 'u'},
        {"['a','b'] = ['a','b']", 'u'},
        {"tags.object != null", 'u'},
    };

    CHECK(state, facts);
}

static void numbers_text_and_booleans_compare_among_themselves(void **state)
{
    static const struct fact facts[] = {
        {"1 = 1.0", 't'},
        {"1 <> 2", 't'},
        {"0x10 = 16", 't'},
        {"1e3 = 1000", 't'},
        {"2.5E-1 = 0.25", 't'},
        {"-1 < 0", 't'},
        {"+1 = 1", 't'},
        {"tags.floor >= 3", 't'},
        {"tags.floor > 3", 'f'},
        {"tags.floor <= 2", 'f'},
        {"'a' < 'b'", 't'},
        {"'a' < 'B'", 'f'},
        {"'a' = 'A'", 'f'},
        {"'a' < 'aa'", 't'},
        {"'' < 'a'", 't'},
        {"tags.empty = ''", 't'},
        {"'\\uffff' < '\\ud83d\\ude00'", 't'},
        {"'10' < '9'", 't'},
        {"true = true", 't'},
        {"false != true", 't'},
        {"false < true", 'u'},
        {"null = null", 't'},
        {"null <= null", 'u'},
        {"'a' >= 'a'", 't'},
        {"properties.desired.x = properties.reported.x", 't'},
        {"properties.desired.y = properties.reported.y", 'f'},
    };

    CHECK(state, facts);
}

static void a_list_has_a_value_or_not_and_nothing_of_what_is_missing(void **state)
{
    static const struct fact facts[] = {
        {"tags.floor IN [3,4]", 't'},
        {"tags.floor IN [4]", 'f'},
        {"tags.floor in [4, 'x', 3, null]", 't'},
        {"tags.floor NOT IN [3]", 'f'},
        {"tags.floor NIN [4]", 't'},
        {"tags.floor NOT NIN [4]", 'f'},
        {"tags.floor IN []", 'f'},
        {"tags.floor NIN []", 't'},
        {"tags.floor IN ['3']", 'f'},
        {"tags.missing IN [1]", 'u'},
        {"tags.missing NIN [1]", 'u'},
        {"tags.missing IN []", 'u'},
        {"tags.missing IN [undefined]", 'u'},
        {"tags.nothing IN [null]", 't'},
        {"tags.nothing IN [1]", 'f'},
        {"tags.floor IN (2, 3)", 't'},
        {"tags.floor IN (3)", 't'},
        {"-3 IN [-3, +2]", 't'},
        {"tags.yes IN [false, true]", 't'},
        {"tags.list IN [1]", 'f'},
        {"tags.list NIN [[1, 2], [3]]", 't'},
        {"3 IN [[3]]", 'f'},
        {"0x0F IN [15]", 't'},
        {"deviceId IN [\"ahu-1\"]", 't'},
        {"LOWER(tags.Name) IN ['bad', 'k\\u00fcche', 'wc']", 't'},
        {"tags.floor IN [9,8,7,6,5,4,3,2,1,0,1,2,3]", 't'},
    };

    CHECK(state, facts);
}

static void arithmetic_works_on_numbers_only(void **state)
{
    static const struct fact facts[] = {
        {"1 + 2 * 3 = 7", 't'},        {"(1 + 2) * 3 = 9", 't'},  {"10 - 3 - 2 = 5", 't'},
        {"10 / 4 = 2.5", 't'},         {"7 % 4 = 3", 't'},        {"-7 % 4 = -3", 't'},
        {"8 / 2 / 2 = 2", 't'},        {"3 - -2 = 5", 't'},       {"3 * -2 = -6", 't'},
        {"3 + +2 = 5", 't'},           {"1 / 0 = 1", 'u'},        {"1 % 0 = 0", 'u'},
        {"IS_DEFINED(0 / 0)", 'f'},    {"'a' + 'b' = 'ab'", 'u'}, {"1 + null = 1", 'u'},
        {"tags.missing + 1 = 1", 'u'}, {"-'a' = 1", 'u'},         {"1e308 * 10 > 1", 'u'},
        {"tags.floor * 2 = 6", 't'},   {"tags.floor-1 = 2", 't'}, {"1 / (1e308 * 10) = 0", 'u'},
    };

    CHECK(state, facts);
}

static void relations_bind_less_than_sums_and_more_than_logic(void **state)
{
    static const struct fact facts[] = {
        {"true OR true AND false", 't'},  {"(true OR true) AND false", 'f'},
        {"NOT false AND false", 'f'},     {"NOT 1 = 2", 't'},
        {"1 + 1 = 2 AND 3 - 1 = 2", 't'}, {"false OR NOT tags.floor IN [4]", 't'},
    };

    CHECK(state, facts);
}

static void the_functions_do_what_their_names_say(void **state)
{
    static const struct fact facts[] = {
        {"IS_NULL(tags.nothing)", 't'},
        {"IS_NULL(tags.missing)", 'f'},
        {"IS_STRING(deviceId)", 't'},
        {"is_string(1)", 'f'},
        {"IS_NUMBER(tags.floor)", 't'},
        {"IS_NUMBER(undefined)", 'f'},
        {"IS_BOOL(tags.no)", 't'},
        {"IS_OBJECT(tags)", 't'},
        {"IS_OBJECT(tags.list)", 'f'},
        {"IS_ARRAY(tags.list)", 't'},
        {"IS_ARRAY([1])", 't'},
        {"IS_PRIMITIVE(null)", 't'},
        {"IS_PRIMITIVE(tags)", 'f'},
        {"IS_PRIMITIVE(undefined)", 'f'},
        {"STARTS_WITH(deviceId, 'ahu')", 't'},
        {"STARTSWITH(deviceId, 'AHU')", 'f'},
        {"STARTS_WITH(deviceId, '')", 't'},
        {"STARTS_WITH('a', 'ab')", 'f'},
        {"ENDS_WITH(deviceId, '-1')", 't'},
        {"ENDSWITH(deviceId, '-2')", 'f'},
        {"ENDS_WITH(tags.Name, '')", 't'},
        {"CONTAINS(deviceId, 'u-')", 't'},
        {"CONTAINS(deviceId, 'x')", 'f'},
        {"CONTAINS('', '')", 't'},
        {"CONTAINS('', 'a')", 'f'},
        {"CONTAINS(1, 'a')", 'u'},
        {"STARTS_WITH(deviceId, 1)", 'u'},
        {"ENDS_WITH(tags.missing, 'a')", 'u'},
        {"LOWER(tags.Name) = 'k\\u00fcche'", 't'},
        {"'k\\u00fcche' = LOWER(tags.Name)", 't'},
        {"UPPER('k\\u00fcche') = tags.Name", 't'},
        {"LOWER('ABC') = UPPER('abc')", 'f'},
        {"LOWER(UPPER('aB')) = 'ab'", 't'},
        {"LOWER('\\u0416\\u03a9') = '\\u0436\\u03c9'", 't'},
        {"LOWER('A') < 'b'", 't'},
        {"LOWER('AB') < 'a'", 'f'},
        {"CONTAINS(LOWER(tags.Name), '\\u00fcch')", 't'},
        {"STARTS_WITH(LOWER(tags.Name), 'k')", 't'},
        {"ENDS_WITH(LOWER(tags.Name), 'e')", 't'},
        {"LOWER(1) = '1'", 'u'},
        {"CONTAINS(LOWER(tags.Name), 'x')", 'f'},
        {"LENGTH(tags.Name) = 5", 't'},
        {"LENGTH(tags.smile) = 1", 't'},
        {"LENGTH('') = 0", 't'},
        {"LENGTH(tags.list) = 4", 'u'},
        {"ABS(-2.5) = 2.5", 't'},
        {"ABS('a') = 1", 'u'},
        {"ARRAY_CONTAINS(tags.list, 'two')", 't'},
        {"ARRAY_CONTAINS(tags.list, null)", 't'},
        {"ARRAY_CONTAINS(tags.list, 3)", 'f'},
        {"ARRAY_CONTAINS(tags.list, tags.object)", 'f'},
        {"ARRAY_CONTAINS([1, 3], tags.floor)", 't'},
        {"ARRAY_CONTAINS(tags.floor, 3)", 'u'},
        {"ARRAY_CONTAINS(tags.list, tags.missing)", 'u'},
    };

    CHECK(state, facts);
}

static void what_users_were_seen_to_write_works(void **state)
{
    static const char *const texts[] = {
        "*",
        " * ",
        "deviceId = 'ahu-1'",
        "deviceId IN ['ahu-1','b']",
        "deviceId IN ['ahu-1']",
        "deviceId in ['a','ahu-1']",
        "DeviceId IN ['ahu-1']",
        "IS_DEFINED(DeviceId)",
        ("tags.location.region = 'US' AND "
         "properties.reported.telemetryConfig.sendFrequencyInSecs >= 60"),
        "tags.building = '43' AND tags.floor = 3",
        "capabilities.iotEdge = true",
        "Capabilities.IoTEdge != false",
        "connectionState = 'Disconnected'",
        "status = 'enabled'",
        "LastActivityTime > '2030-01-01T00:00:00Z'",
        "FROM devices WHERE tags.floor = 3",
        "from devices where *",
        "FROM devices",
        "properties.reported.[[x]] = 1",
        "properties.reported.[[$iotin:deviceinfo]].manufacturer.value = 'M'",
        "properties.reported.$metadata.x.$lastUpdated > '2029-01-01'",
        "Properties.Reported.$Metadata.x.$LastUpdated < '2030'",
        "properties.desired.$version = 12",
        "properties.desired.x = properties.reported.x",
        "tags.floor\n=\r\n\t3",
        "tags . floor = 3",
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (!matches(state, texts[i]))
            fail_msg("%s", texts[i]);
    }
}

static void a_path_reaches_every_key(void **state)
{
    static const struct fact facts[] = {
        {"tags.in = 1", 't'},
        {"tags.[[my-key]] = 7", 't'},
        {"tags['my-key'] = 7", 't'},
        {"tags.[[a b]] = 5", 't'},
        {"tags[\"a b\"] = 5", 't'},
        {"[[tags]].floor = 3", 't'},
        {"tags.geb\xC3\xA4ude = 8", 't'},
        {"tags.list[0] = 1", 't'},
        {"tags.list[1] = 'two'", 't'},
        {"tags.list[9] = 1", 'u'},
        {"tags.rows[0].x = 4", 't'},
        {"tags.list['0'] = 1", 'u'},
        {"tags[0] = 1", 'u'},
        {"tags.[[3b]] = 2", 't'},
        {"tags.$x = 1", 't'},
        {"TAGS.floor = 3", 't'},
        {"tags.Floor = 3", 'u'},
        {"tags.my -tags.floor = 6", 't'},
        {"devices.tags.floor = 3", 't'},
        {"tags.[[in]] IN [1]", 't'},
    };

    CHECK(state, facts);
}

static void escapes_give_every_character(void **state)
{
    static const struct fact facts[] = {
        {"tags.quote = 'it\\'s \"x\"\\\\'", 't'},
        {"tags.quote = \"it's \\\"x\\\"\\\\\"", 't'},
        {"tags.smile = '\\ud83d\\ude00'", 't'},
        {"tags.smile = '\xF0\x9F\x98\x80'", 't'},
        {"'\\u0041\\u00e4\\u20ac' = 'A\xC3\xA4\xE2\x82\xAC'", 't'},
        {"'\\/\\b\\f\\n\\r\\t' = '/\b\f\n\r\t'", 't'},
        {"'a\nb' = 'a\\nb'", 't'},
    };

    CHECK(state, facts);
}

static void modules_match_nothing(void **state)
{
    struct condition *condition = parse("FROM devices.modules WHERE moduleId = 'm'");

    assert_false(condition_matches(condition, condition_lookup_json, *state));
    assert_false(condition_is_all(condition));
    assert_non_null(strstr(condition_hint(condition), "modules"));
    condition_free(condition);
    assert_false(matches(state, "FROM devices.modules"));
    assert_false(matches(state, "FROM devices.modules WHERE true"));
}

static void all_is_what_says_all(void **state)
{
    static const struct {
        const char *text;
        bool all;
    } facts[] = {{"*", true},
                 {"FROM devices", true},
                 {"FROM devices WHERE *", true},
                 {"true", false},
                 {"IS_DEFINED(deviceId)", false}};

    (void)state;
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        struct condition *condition = parse(facts[i].text);

        assert_int_equal(condition_is_all(condition), facts[i].all);
        condition_free(condition);
    }
}

struct fault {
    const char *text;
    size_t line, column;
    const char *part; /* of the error's text */
};

static void every_error_has_its_place_and_a_hint(void **state)
{
    static const struct fault faults[] = {
        {"", 1, 1, "* for all devices"},
        {"  \n ", 2, 2, "* for all devices"},
        {"SELECT * FROM devices WHERE deviceId = 'a'", 1, 1, "give only what follows WHERE"},
        {"select deviceId", 1, 1, "give only what follows WHERE"},
        {"WHERE deviceId = 'a'", 1, 1, "leave WHERE out"},
        {"queryCondition = \"deviceId IN ['a']\"", 1, 1,
         "give only what follows queryCondition ="},
        {"\"deviceId IN ['MyDevice1']", 1, 1, "this quote has no partner"},
        {"deviceId IN ['MyDevice1']\"", 1, 26, "this quote has no partner"},
        {"\"deviceId IN ['MyDevice1']\"", 1, 1, "leave the outer quotes out"},
        {"deviceId = 'a", 1, 12, "end the text with '"},
        {"deviceId = 'it''s'", 1, 16, "written \\'"},
        {"deviceId = 'a\\q'", 1, 14, "unknown escape"},
        {"deviceId = 'a\\u12'", 1, 14, "four hex digits"},
        {"deviceId = '\\u0000'", 1, 13, "\\u0000"},
        {"deviceId = '\\ud83d'", 1, 13, "surrogate"},
        {"deviceId = '\\ude00'", 1, 13, "surrogate"},
        {"deviceId == 'a'", 1, 10, "write = for =="},
        {"deviceId = 'a' && status = 'b'", 1, 16, "write AND"},
        {"deviceId = 'a' || status = 'b'", 1, 16, "write OR"},
        {"!tags.x", 1, 1, "write NOT"},
        {"deviceId = 'a';", 1, 15, "semicolon"},
        {"tags.my:key = 1", 1, 8, "double brackets"},
        {"deviceId = \xE2\x80\x98"
         "a\xE2\x80\x99",
         1, 12, "typographic"},
        {"deviceId\xC2\xA0= 'a'", 1, 9, "non-breaking space"},
        {"tags.geb\xC3\xA4ude = 'a\xFF'", 1, 18, "UTF-8"},
        {"deviceId =", 1, 11, "ends too early"},
        {"deviceId = AND", 1, 12, "unexpected AND: a value is wanted"},
        {"deviceId = = 'a'", 1, 12, "before ="},
        {"deviceId LIKE 'a%'", 1, 10, "there is no LIKE"},
        {"tags.x BETWEEN 1 AND 2", 1, 8, "there is no BETWEEN"},
        {"tags.x IS NULL", 1, 8, "IS_NULL(x)"},
        {"tags.x IS NOT NULL", 1, 8, "IS_NULL(x)"},
        {"tags.name CONTAINS 'x'", 1, 11, "CONTAINS is a function"},
        {"deviceId = 'a' deviceId = 'b'", 1, 16, "AND, OR or the end"},
        {"1 < tags.x < 3", 1, 12, "one comparison at a time"},
        {"(deviceId = 'a'", 1, 16, "closing ) is missing"},
        {"deviceId = 'a')", 1, 15, "this ) has no partner"},
        {"()", 1, 2, "this ) has no partner"},
        {"deviceId IN 'a'", 1, 13, "IN wants a list"},
        {"'a' IN tags.list", 1, 8, "ARRAY_CONTAINS"},
        {"deviceId IN ['a' 'b']", 1, 18, "a comma or the closing ]"},
        {"deviceId IN ['a',]", 1, 18, "a list holds"},
        {"deviceId IN ['a'", 1, 17, "the closing ]"},
        {"deviceId IN ()", 1, 14, "a list holds"},
        {"deviceId IN [ahu1, ahu2]", 1, 14, "'ahu1'"},
        {"deviceId IN [-'a']", 1, 15, "a number follows"},
        {"deviceId NOT = 'a'", 1, 14, "NOT stands before IN"},
        {"('a', 'b')", 1, 5, "a list stands behind IN"},
        {"tags.x = 3abc", 1, 10, "goes on with a letter"},
        {"tags.3 = 1", 1, 6, "tags.[[3b]]"},
        {"tags. = 1", 1, 7, "a name follows the dot"},
        {"tags.[[x = 1", 1, 6, "]]"},
        {"tags.[[]] = 1", 1, 6, "missing"},
        {"tags[tags.x] = 1", 1, 6, "whole number"},
        {"tags[1.5] = 1", 1, 6, "whole number"},
        {"tags['x' = 1", 1, 10, "closing ]"},
        {"tags.x = 1e999", 1, 10, "too large"},
        {"IS_DEFIEND(tags.x)", 1, 1, "did you mean IS_DEFINED?"},
        {"FOOBARBAZ(tags.x)", 1, 1, "there is no function FOOBARBAZ"},
        {"IS_DEFINED()", 1, 1, "takes 1 argument, here are 0"},
        {"CONTAINS('a')", 1, 1, "takes 2 arguments, here are 1"},
        {"IS_DEFINED(tags.x", 1, 18, "closing ) of the function"},
        {"IS_DEFINED(tags.x tags.y)", 1, 19, "closing ) of the function"},
        {"* AND true", 1, 3, "* stands alone"},
        {"deviceId = 'a' AND *", 1, 20, "* stands alone"},
        {"tags.x = 1 WHERE", 1, 12, "only one WHERE"},
        {"FROM tags", 1, 6, "FROM devices is wanted"},
        {"FROM devices.things", 1, 14, "there are devices"},
        {"FROM devices.jobs WHERE jobId = 'a'", 1, 14, "a job is for devices"},
        {"FROM devices tags.x = 1", 1, 14, "AND, OR or the end"},
        {"tags.x = 1\nAND\n  tags.y == 2", 3, 10, "write = for =="},
        {"tags.\xC3\xA4 = '\xE2\x82\xAC' oops", 1, 14, "AND, OR or the end"},
        {"tags.x = {}", 1, 10, "no braces"},
        {"- - 1 = 1", 1, 3, "a value is wanted"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
        const struct fault *fault = &faults[i];
        struct condition_error error = {.text = ""};
        struct condition *condition = NULL;

        if (condition_parse(&condition, fault->text, &error) != CONDITION_E_SYNTAX)
            fail_msg("%s: was accepted", fault->text);
        assert_null(condition);
        if (error.line != fault->line || error.column != fault->column ||
            !strstr(error.text, fault->part) || strchr(error.text, ';'))
            fail_msg("%s\n%zu:%zu: %s", fault->text, error.line, error.column, error.text);
    }
}

static void what_can_hardly_be_meant_gives_a_hint(void **state)
{
    static const struct {
        const char *text, *part; /* NULL: no hint */
    } facts[] = {
        {"property.reported.x = 1", "did you mean properties?"},
        {"tag.floor = 3", "did you mean tags?"},
        {"deviceid = 'a'", NULL},
        {"device_id = 'a'", "did you mean deviceId?"},
        {"floor = 3", "write tags.floor for a tag, or 'floor' for text"},
        {"deviceId = ahu1", "'ahu1' for text"},
        {"properties.telemetry.x = 1", "properties.reported.telemetry"},
        {"properties.Desired.x = 1", NULL},
        {"tags.my-key = 3",
         "tags.my-key is a subtraction: a key with a dash is written tags.[[my-key]]"},
        {"tags.a.my-status = 3", "tags.a.[[my-status]]"},
        {"tags.my - tags.floor = 3", NULL},
        {"tags.my-tags.floor = 3", "subtraction"},
        {"tags.floor-1 = 3", NULL},
        {"tags.x-ABS(3) = 3", NULL},
        {"tags.[[a-b]] = 3", NULL},
        {"tags.floor = 3 AND status = 'enabled'", NULL},
        {"*", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        struct condition *condition = parse(facts[i].text);
        const char *hint = condition_hint(condition);

        if (facts[i].part ? !hint || !strstr(hint, facts[i].part) : hint != NULL)
            fail_msg("%s: %s", facts[i].text, hint ? hint : "no hint");
        condition_free(condition);
    }
}

static void a_comparison_with_another_type_is_explained(void **state)
{
    static const struct {
        const char *text, *part; /* NULL: nothing to explain */
    } facts[] = {
        {"tags.floor = '3'", "tags.floor holds a number and is compared with text"},
        {"deviceId = 'x' OR 43 = tags.building",
         "tags.building holds text and is compared with a number"},
        {"tags.floor IN ['3', '4']", "tags.floor holds a number and is compared with text"},
        {"tags.floor IN ['3', 4]", NULL},
        {"tags.list = 'a'", "tags.list holds an array"},
        {"tags.list[0] = 'a'", "tags.list[0] holds a number"},
        {"tags.floor = 4", NULL},
        {"tags.missing = 4", NULL},
        {"tags.nothing = 4", NULL},
        {"tags.floor = null", NULL},
        {"*", NULL},
    };

    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        struct condition *condition = parse(facts[i].text);
        char text[CONDITION_TEXT_SIZE] = "";
        bool found = condition_mismatch(condition, condition_lookup_json, *state, text);

        if (found != (facts[i].part != NULL) || (found && !strstr(text, facts[i].part)))
            fail_msg("%s: %s", facts[i].text, text);
        condition_free(condition);
    }
}

static struct condition_value look_up_reported(void *ctx, const struct condition_path *path)
{
    return condition_value_reported(ctx, path);
}

static void an_acknowledged_property_is_its_value(void **state)
{
    static const char *const texts[] = {
        "properties.reported.written = 21",
        "properties.reported.written.value = 21",
        "properties.reported.written.ac = 200",
        "properties.reported.polled = 5",
        "properties.reported.polled.value = 5",
        "IS_OBJECT(properties.reported.own)",
        "properties.reported.own.value = 1",
        "properties.reported.own.a.b = 2",
        "NOT IS_DEFINED(properties.reported.none)",
        "IS_OBJECT(properties.reported)",
        "NOT IS_DEFINED(properties.reported.none.value)",
        "NOT IS_DEFINED(properties.reported.polled.ac)",
    };
    json_t *reported =
        json_pack("{s:{s:i,s:i,s:i},s:i,s:{s:i,s:{s:i}}}", "written", "value", 21, "ac", 200,
                  "av", 7, "polled", 5, "own", "value", 1, "a", "b", 2);

    (void)state;
    assert_non_null(reported);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct condition *condition = parse(texts[i]);

        if (!condition_matches(condition, look_up_reported, reported))
            fail_msg("%s", texts[i]);
        condition_free(condition);
    }
    json_decref(reported);
}

/* `front`, `count` times `part`, `middle`, `count` times `tail`. */
static char *build(const char *front, const char *part, size_t count, const char *middle,
                   const char *tail)
{
    size_t size =
        strlen(front) + strlen(part) * count + strlen(middle) + strlen(tail) * count + 1;
    char *text = malloc(size), *at = text;

    assert_non_null(text);
    at = stpcpy(at, front);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, part);
    at = stpcpy(at, middle);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, tail);
    return text;
}

static int parse_built(char *text, struct condition_error *error)
{
    struct condition *condition = NULL;
    int r = condition_parse(&condition, text, error);

    condition_free(condition);
    free(text);
    return r;
}

static void nesting_has_a_limit(void **state)
{
    struct condition_error error;

    (void)state;
    assert_int_equal(parse_built(build("", "(", 64, "true", ")"), &error), 0);
    assert_int_equal(parse_built(build("", "(", 65, "true", ")"), &error), CONDITION_E_SYNTAX);
    assert_int_equal(error.column, 65);
    assert_non_null(strstr(error.text, "nested deeper than 64"));
    assert_int_equal(parse_built(build("", "NOT ", 64, "true", ""), &error), 0);
    assert_int_equal(parse_built(build("", "NOT ", 65, "true", ""), &error),
                     CONDITION_E_SYNTAX);
    assert_int_equal(parse_built(build("", "ABS(", 65, "1", ")"), &error), CONDITION_E_SYNTAX);
    assert_int_equal(parse_built(build("1 IN [", "[", 65, "1", "]"), &error),
                     CONDITION_E_SYNTAX);
    assert_int_equal(parse_built(build("", "(", 65000, "", ""), &error), CONDITION_E_SYNTAX);
    assert_int_equal(parse_built(build("tags", ".a", 64, " = 1", ""), &error),
                     CONDITION_E_SYNTAX);
    assert_non_null(strstr(error.text, "64 names"));
}

static void words_and_signs_have_a_limit_and_lists_have_not(void **state)
{
    struct condition_error error;

    (void)state;
    assert_int_equal(parse_built(build("true", " OR true", 1023, "", ""), &error), 0);
    assert_int_equal(parse_built(build("true", " OR true", 1024, "", ""), &error),
                     CONDITION_E_SYNTAX);
    assert_non_null(strstr(error.text, "more than 2048"));
    assert_int_equal(parse_built(build("1", "-1", 1023, " = 2", ""), &error),
                     CONDITION_E_SYNTAX);
    assert_int_equal(parse_built(build("1 IN [", "1,", 32000, "1]", ""), &error), 0);
    assert_int_equal(parse_built(build("1 IN [", "[],", 20000, "1]", ""), &error), 0);
}

static void the_text_has_a_limit(void **state)
{
    struct condition_error error;

    (void)state;
    assert_int_equal(parse_built(build("true", " ", 65532, "", ""), &error), 0);
    assert_int_equal(parse_built(build("true", " ", 65533, "", ""), &error),
                     CONDITION_E_SYNTAX);
    assert_non_null(strstr(error.text, "65537"));
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct condition_value look_up_id(void *ctx, const struct condition_path *path)
{
    assert_string_equal(path->segments[0].name, "deviceId");
    return condition_value_string(ctx);
}

/* 4000 names in a list, 10000 devices. The bound is wide: sanitizers and a busy machine. */
static void a_long_list_is_fast(void **state)
{
    char *text = malloc(CONDITION_SIZE_MOST), *at = text;
    struct condition *condition;
    size_t found = 0;
    double start;

    (void)state;
    assert_non_null(text);
    at = stpcpy(at, "DEVICEID IN [");
    for (int i = 0; i < 4000; i++)
        at += sprintf(at, "%s'device-%04d'", i > 0 ? "," : "", i * 7 % 4000);
    strcpy(at, "]");
    condition = parse(text);
    start = seconds();
    for (int i = 0; i < 10000; i++) {
        char id[32];

        (void)snprintf(id, sizeof(id), "device-%04d", i);
        found += condition_matches(condition, look_up_id, id);
    }
    assert_int_equal(found, 4000);
    print_message("10000 devices, 4000 names: %.1f ms\n", (seconds() - start) * 1e3);
    assert_true(seconds() - start < 60);
    condition_free(condition);
    free(text);
}

/* Words in any order: must be refused or answer, and the error must be printable. */
static void random_words_never_break_it(void **state)
{
    static const char *const words[] = {
        "deviceId", "tags",     ".",        "floor", "=",         "!=",          "<",
        ">=",       "AND",      "OR",       "NOT",   "IN",        "NIN",         "(",
        ")",        "[",        "]",        "[[",    "]]",        ",",           "'a'",
        "\"b\"",    "3",        "0x1f",     "1e9",   "-",         "+",           "*",
        "/",        "%",        "null",     "true",  "undefined", "IS_DEFINED(", "CONTAINS(",
        "LOWER(",   "FROM",     "devices",  "WHERE", "SELECT",    "'",           "\\u00e4",
        "\n",       "\xC3\xA4", "\xE2\x80", ";",     "$version",
    };
    uint32_t seed = 2463534242U;
    int accepted = 0;

    for (int round = 0; round < 20000; round++) {
        char text[400] = "";
        struct condition_error error = {.text = ""};
        struct condition *condition = NULL;
        int r;

        for (uint32_t count = seed % 20; count-- > 0;) {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            strcat(text, words[seed % (sizeof(words) / sizeof(words[0]))]);
            strcat(text, seed & 0x80000000U ? " " : "");
        }
        seed = seed * 1664525U + 1013904223U;
        r = condition_parse(&condition, text, &error);
        if (r == 0) {
            accepted++;
            (void)condition_matches(condition, condition_lookup_json, *state);
            (void)condition_mismatch(condition, condition_lookup_json, *state, error.text);
        } else {
            assert_int_equal(r, CONDITION_E_SYNTAX);
            assert_true(error.line >= 1 && error.column >= 1 && error.text[0] != '\0');
            assert_true(strlen(error.text) < sizeof(error.text) && !strpbrk(error.text, ";\n"));
        }
        condition_free(condition);
    }
    assert_true(accepted > 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logic_has_three_values),
        cmocka_unit_test(what_is_no_boolean_counts_as_undefined_in_logic),
        cmocka_unit_test(only_true_matches),
        cmocka_unit_test(what_is_missing_is_undefined_and_null_is_a_value),
        cmocka_unit_test(comparing_two_types_is_undefined),
        cmocka_unit_test(numbers_text_and_booleans_compare_among_themselves),
        cmocka_unit_test(a_list_has_a_value_or_not_and_nothing_of_what_is_missing),
        cmocka_unit_test(arithmetic_works_on_numbers_only),
        cmocka_unit_test(relations_bind_less_than_sums_and_more_than_logic),
        cmocka_unit_test(the_functions_do_what_their_names_say),
        cmocka_unit_test(what_users_were_seen_to_write_works),
        cmocka_unit_test(a_path_reaches_every_key),
        cmocka_unit_test(escapes_give_every_character),
        cmocka_unit_test(modules_match_nothing),
        cmocka_unit_test(all_is_what_says_all),
        cmocka_unit_test(every_error_has_its_place_and_a_hint),
        cmocka_unit_test(what_can_hardly_be_meant_gives_a_hint),
        cmocka_unit_test(a_comparison_with_another_type_is_explained),
        cmocka_unit_test(an_acknowledged_property_is_its_value),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(words_and_signs_have_a_limit_and_lists_have_not),
        cmocka_unit_test(the_text_has_a_limit),
        cmocka_unit_test(a_long_list_is_fast),
        cmocka_unit_test(random_words_never_break_it),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}

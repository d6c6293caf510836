/* A device as the hub knows it: versions of its twin, and what is said of its identity. */
#include "fixture_engine.h"

static struct world world;

static int setup(void **state)
{
    (void)state;
    world_init(&world, 6, 2);
    world_open(&world);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_deinit(&world);
    return 0;
}

static void tags_of_d1(const char *tags)
{
    struct request *request = world_request_patch("d1", "{}");

    request->origin.link = LINK_API;
    request->action.tags = json_loads(tags, 0, NULL);
    world_give(&world, request);
    world_finish(&world);
}

static long long number_of(const json_t *twin, const char *path)
{
    return json_integer_value(twin_find(twin, path));
}

static void tags_alone_leave_the_desired_version(void **state)
{
    (void)state;
    tags_of_d1("{\"floor\":7}");
    json_t *twin = engine_twin_json(world.engine, "d1");
    assert_int_equal(number_of(twin, "tags.floor"), 7);
    assert_int_equal(number_of(twin, "version"), 2);
    assert_int_equal(number_of(twin, "properties.desired.$version"), 1);
    json_decref(twin);
    tags_of_d1("{\"floor\":7}"); /* as they are already */
    twin = engine_twin_json(world.engine, "d1");
    assert_int_equal(number_of(twin, "version"), 2);
    json_decref(twin);
}

static const char *reported(const char *path)
{
    return world_said(world_last(&world, REPORT_REPORTED, NULL, "d1"), path);
}

static void a_refused_value_leaves_what_the_device_holds(void **state)
{
    (void)state;
    world_give(&world, world_request_patch("d1", "{\"setpoint\":21}"));
    world_finish(&world);
    world_give(&world, world_request_patch("d1", "{\"setpoint\":\"warm\"}"));
    world_finish(&world);
    world_run(&world, 2 * SECONDS);
    assert_string_equal(reported("setpoint.ac"), "400");
    assert_string_equal(reported("setpoint.av"), "3");
    assert_string_equal(reported("setpoint.value"), "21");
}

static void a_value_that_may_have_changed_is_not_claimed(void **state)
{
    (void)state;
    world_give(&world, world_request_patch("d1", "{\"setpoint\":21}"));
    world_finish(&world);
    world.devices[1].dead = true;
    world_give(&world, world_request_patch("d1", "{\"setpoint\":22}"));
    world_finish(&world);
    world_run(&world, 2 * SECONDS);
    assert_string_equal(reported("setpoint.ac"), "504");
    assert_string_equal(reported("setpoint.value"), "null");
}

/* Names of the hub's documentation: of a device's identity, and of its twin. */
static void all_that_the_hub_says_of_a_device_is_said(void **state)
{
    static const char *const of_device[] = {"deviceId",
                                            "generationId",
                                            "etag",
                                            "status",
                                            "statusUpdatedTime",
                                            "connectionState",
                                            "connectionStateUpdatedTime",
                                            "lastActivityTime",
                                            "cloudToDeviceMessageCount",
                                            "authentication.type",
                                            "authentication.symmetricKey.primaryKey",
                                            "authentication.x509Thumbprint.primaryThumbprint",
                                            "capabilities.iotEdge"};
    static const char *const of_twin[] = {"deviceId",
                                          "etag",
                                          "deviceEtag",
                                          "status",
                                          "statusUpdateTime",
                                          "connectionState",
                                          "lastActivityTime",
                                          "cloudToDeviceMessageCount",
                                          "authenticationType",
                                          "x509Thumbprint.primaryThumbprint",
                                          "modelId",
                                          "version",
                                          "capabilities.iotEdge",
                                          "tags",
                                          "properties.desired.$version",
                                          "properties.desired.$metadata.$lastUpdatedVersion",
                                          "properties.desired.$metadata.setpoint.$lastUpdated",
                                          "properties.reported.$metadata.setpoint.$lastUpdated",
                                          "properties.reported.$version"};

    (void)state;
    world_give(&world, world_request_patch("d1", "{\"setpoint\":21}"));
    world_finish(&world);
    json_t *device = engine_devices_json(world.engine, "d1");
    for (size_t i = 0; i < sizeof(of_device) / sizeof(*of_device); i++)
        assert_non_null(twin_find(device, of_device[i]));
    json_decref(device);
    json_t *twin = engine_twin_json(world.engine, "d1");
    for (size_t i = 0; i < sizeof(of_twin) / sizeof(*of_twin); i++)
        assert_non_null(twin_find(twin, of_twin[i]));
    json_decref(twin);
}

static const char *count_of(const char *id, const char *condition)
{
    char text[400];

    snprintf(text, sizeof(text),
             "{\"type\":\"scheduleUpdateTwin\",\"updateTwin\":{\"tags\":{\"x\":null}},"
             "\"queryCondition\":\"%s\"}",
             condition);
    world_job(&world, LINK_API, id, text);
    world_finish(&world);
    return world_job_said(&world, id, "deviceJobStatistics.deviceCount");
}

static void conditions_find_what_is_said(void **state)
{
    (void)state;
    world_give(&world, world_request_patch("d1", "{\"setpoint\":21}"));
    world_finish(&world);
    assert_string_equal(count_of("a", "capabilities.iotEdge = true"), "0");
    assert_string_equal(count_of("b", "capabilities.iotEdge != true"), "6");
    assert_string_equal(count_of("c", "etag = 'AAAAAAAAAAI='"), "1");
    assert_string_equal(count_of("d", "lastActivityTime > '1970'"), "1");
    assert_string_equal(count_of("e", "authenticationType = 'sas' AND version = 2"), "1");
    assert_string_equal(count_of("f", "cloudToDeviceMessageCount = 0 AND modelId = ''"), "6");
    assert_string_equal(count_of("g", "x509Thumbprint.primaryThumbprint = null"), "6");
    assert_string_equal(count_of("h", "IS_DEFINED(statusReason)"), "0");
    assert_string_equal(count_of("i", "properties.desired.$metadata.setpoint.$lastUpdated <= "
                                      "properties.reported.$metadata.setpoint.$lastUpdated"),
                        "1");
    assert_string_equal(count_of("k", "properties.desired.$metadata.$lastUpdatedVersion = 2"),
                        "1");
    assert_string_equal(count_of("l", "properties.desired.$metadata.$lastUpdated < '0002'"),
                        "5");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(tags_alone_leave_the_desired_version),
        TEST(a_refused_value_leaves_what_the_device_holds),
        TEST(a_value_that_may_have_changed_is_not_claimed),
        TEST(all_that_the_hub_says_of_a_device_is_said),
        TEST(conditions_find_what_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

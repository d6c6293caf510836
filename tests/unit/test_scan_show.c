/* What a scan says, from what it saw. */
#include "commands/scan_show.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TEXT(text) ((char *)(uintptr_t)(text))

static const struct adapter serial = {
    .name = "modbus-rtu", .serial = true, .unit_least = 1, .unit_most = 247};
static const struct adapter endpoint = {
    .name = "modbus-tcp", .unit_most = 247, .unit_also = 255};

/* Line floor3 at 19200 8E1 with room-1 and room-2 of make "room", and 9600 8E1 beside. */
struct stage {
    struct site site;
    struct line_config line;
    struct device rooms[2];
    struct profile profile;
    const struct device *devices[SCAN_UNITS];
    struct scan scan;
    struct scan_try tries[2];
    struct scan_subject subject;
};

static struct stage *new_stage(void)
{
    struct stage *stage = test_calloc(1, sizeof(*stage));

    stage->profile.name = TEXT("room");
    stage->rooms[0] = (struct device){.id = TEXT("room-1"), .unit = 1};
    stage->rooms[1] = (struct device){.id = TEXT("room-2"), .unit = 2};
    stage->line = (struct line_config){.name = TEXT("floor3"),
                                       .adapter = &serial,
                                       .settings = {.port = "/dev/ttyS1",
                                                    .baud = 19200,
                                                    .parity = 'E',
                                                    .data_bits = 8,
                                                    .stop_bits = 1}};
    stage->site = (struct site){.file = TEXT("site.conf"),
                                .profiles = &stage->profile,
                                .profile_count = 1,
                                .lines = &stage->line,
                                .line_count = 1};
    stage->scan = (struct scan){.adapter = &serial,
                                .settings = stage->line.settings,
                                .tries = stage->tries,
                                .try_count = 1,
                                .wake_fd = -1};
    stage->tries[0].way = (struct scan_way){19200, 'E', 1};
    stage->tries[1].way = (struct scan_way){9600, 'E', 1};
    for (unsigned unit = 1; unit <= 247; unit++) {
        stage->scan.asks[unit].wanted = true;
        stage->tries[0].units[unit].asked = 2;
    }
    for (unsigned unit = 1; unit <= 2; unit++) {
        stage->scan.asks[unit].expected = true;
        stage->devices[unit] = &stage->rooms[unit - 1];
        stage->tries[0].units[unit].answered = 1;
    }
    stage->subject = (struct scan_subject){.scan = &stage->scan,
                                           .site = &stage->site,
                                           .line = &stage->line,
                                           .devices = stage->devices};
    return stage;
}

/* All that is said at the end. */
static char *said(const struct stage *stage)
{
    char *text = NULL;
    size_t size;
    struct terminal terminal = {.to = open_memstream(&text, &size)};

    scan_show_end(&stage->subject, &terminal);
    fclose(terminal.to);
    return text;
}

static void assert_says(const struct stage *stage, const char *words)
{
    char *text = said(stage);

    if (!strstr(text, words))
        fail_msg("\"%s\" is not in:\n%s", words, text);
    free(text);
}

static void assert_silent_about(const struct stage *stage, const char *words)
{
    char *text = said(stage);

    if (strstr(text, words))
        fail_msg("\"%s\" is in:\n%s", words, text);
    free(text);
}

static void assert_config(const struct stage *stage,
                          bool (*print)(const struct scan_subject *subject, FILE *to),
                          const char *wanted)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    bool any = print(&stage->subject, to);

    fclose(to);
    assert_int_equal(any, *wanted != '\0');
    assert_string_equal(text, wanted);
    free(text);
}

static void a_floor_that_is_well_needs_no_advice(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    assert_true(scan_is_well(&stage->subject));
    assert_says(stage, "2 of 2 devices of the site answer  (");
    assert_silent_about(stage, "  - ");
    assert_config(stage, scan_config_line, "");
    assert_config(stage, scan_config_devices, "");
    test_free(stage);
}

static void one_stranger_is_a_device_with_its_unit(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    stage->tries[0].units[40].answered = 1;
    assert_true(scan_is_well(&stage->subject));
    assert_config(stage, scan_config_devices,
                  "{ id = \"floor3-unit-40\"; line = \"floor3\"; unit = 40; profile = "
                  "\"room\"; }");
    test_free(stage);
}

static void strangers_are_one_range_as_wide_as_its_last_unit(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    stage->tries[0].units[8].answered = stage->tries[0].units[9].answered = 1;
    assert_config(stage, scan_config_devices,
                  "{ id = \"floor3-unit-#\"; line = \"floor3\"; units = \"8-9\"; profile = "
                  "\"room\"; }");
    stage->tries[0].units[247].answered = 1;
    assert_config(stage, scan_config_devices,
                  "{ id = \"floor3-unit-###\"; line = \"floor3\"; units = \"8-9,247\"; "
                  "profile = \"room\"; }");
    test_free(stage);
}

static void a_silent_device_is_looked_for_at_strange_units(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    stage->tries[0].units[2].answered = 0;
    stage->tries[0].units[40].answered = 1;
    assert_false(scan_is_well(&stage->subject));
    assert_says(stage, "Silent, although the site has it: room-2 (unit 2)");
    assert_says(stage, "Unit 40 answers and is not in the site: is it there?");
    test_free(stage);
}

static void a_silent_device_that_speaks_otherwise_is_named(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    stage->scan.all = true;
    stage->scan.try_count = 2;
    stage->tries[0].units[2].answered = 0;
    stage->tries[1].units[2] = (struct scan_unit){.asked = 1, .answered = 1};
    assert_says(stage, "room-2 (unit 2) answers at 9600 8E1: set it to 19200 8E1.");
    test_free(stage);
}

static void a_line_that_speaks_otherwise_gets_its_keys(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    stage->scan.try_count = 2;
    stage->scan.chosen = 1;
    stage->tries[1].units[1] = stage->tries[1].units[2] =
        (struct scan_unit){.asked = 1, .answered = 1};
    assert_false(scan_is_well(&stage->subject));
    assert_config(stage, scan_config_line, "baud = 9600; mode = \"8E1\";");
    test_free(stage);
}

static void without_a_site_a_whole_line_is_given(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    stage->subject.site = NULL;
    assert_config(
        stage, scan_config_line,
        "{ name = \"floor3\"; adapter = \"modbus-rtu\"; port = \"/dev/ttyS1\"; baud = "
        "19200; mode = \"8E1\"; }");
    test_free(stage);
}

static void noise_gives_no_lines_for_the_site(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    for (unsigned unit = 1; unit <= 247; unit++)
        stage->tries[0].units[unit] = (struct scan_unit){.asked = 3, .garbled = 3};
    assert_says(stage, "For 247 of 247 units bytes came that are no answer");
    assert_silent_about(stage, "two devices");
    assert_config(stage, scan_config_line, "");
    assert_config(stage, scan_config_devices, "");
    test_free(stage);
}

static void an_endpoint_that_answers_for_everybody_is_one_row(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    stage->line.adapter = stage->scan.adapter = &endpoint;
    stage->tries[0].way = (struct scan_way){0};
    for (unsigned unit = 1; unit <= 247; unit++)
        stage->tries[0].units[unit].answered = 1;
    assert_says(stage, "one device that does not look at the number");
    assert_silent_about(stage, "247  not in the site");
    assert_config(stage, scan_config_devices, "");
    test_free(stage);
}

static void many_silent_devices_are_not_all_named(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    for (unsigned unit = 2; unit <= 31; unit++) {
        stage->scan.asks[unit].expected = true;
        stage->devices[unit] = &stage->rooms[1];
        stage->tries[0].units[unit].answered = 0;
    }
    assert_says(stage, "1 of 31 devices of the site answer, 30 silent");
    assert_says(stage, " and 22 more\n");
    test_free(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_floor_that_is_well_needs_no_advice),
        cmocka_unit_test(one_stranger_is_a_device_with_its_unit),
        cmocka_unit_test(strangers_are_one_range_as_wide_as_its_last_unit),
        cmocka_unit_test(a_silent_device_is_looked_for_at_strange_units),
        cmocka_unit_test(a_silent_device_that_speaks_otherwise_is_named),
        cmocka_unit_test(a_line_that_speaks_otherwise_gets_its_keys),
        cmocka_unit_test(without_a_site_a_whole_line_is_given),
        cmocka_unit_test(noise_gives_no_lines_for_the_site),
        cmocka_unit_test(an_endpoint_that_answers_for_everybody_is_one_row),
        cmocka_unit_test(many_silent_devices_are_not_all_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "adapters/modbus.h"
#include "commands/scan_wish.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_units(const char *text, const struct adapter *adapter, const char *wanted)
{
    bool units[SCAN_UNITS];
    char why[200] = "", *got = NULL;
    size_t size;

    if (!wish_units(units, text, adapter, why, sizeof(why)))
        fail_msg("%s: %s", text, why);
    FILE *to = open_memstream(&got, &size);
    units_print(units, to);
    fclose(to);
    assert_string_equal(got, wanted);
    free(got);
}

static void units_are_numbers_and_ranges(void **state)
{
    (void)state;
    assert_units(NULL, &modbus_rtu, "1-247");
    assert_units("7", &modbus_rtu, "7");
    assert_units("1-31,40", &modbus_rtu, "1-31,40");
    assert_units("5,1-3,4", &modbus_rtu, "1-5");
    assert_units("0-2,255", &modbus_tcp, "0-2,255");
}

static void units_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",     "0", "248", "1-248", "9-1",   "1-",
                                      "1,,2", "a", "1 2", "-3",    "1-2-3", "4294967297"};
    bool units[SCAN_UNITS];
    char why[200];

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        why[0] = '\0';
        assert_false(wish_units(units, bad[i], &modbus_rtu, why, sizeof(why)));
        assert_true(*why);
    }
}

static char *ways_of(const char *bauds, const char *parities, char *text, size_t size)
{
    struct adapter_settings own = {.baud = 19200, .parity = 'E', .stop_bits = 1};
    struct scan_way ways[SCAN_WAYS_MOST];
    char why[200];
    size_t count = wish_ways(ways, &own, bauds, parities, why, sizeof(why)), used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        char way[40];

        way_text(&ways[i], way, sizeof(way));
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", way);
    }
    return text;
}

static void the_lines_own_settings_come_first(void **state)
{
    (void)state;
    char text[2000];

    ways_of(NULL, NULL, text, sizeof(text));
    assert_int_equal(strncmp(text, "19200 8E1, 9600 8E1, 38400 8E1, ", 32), 0);
    assert_non_null(strstr(text, ", 19200 8N1, 9600 8N1, "));
    assert_non_null(strstr(text, "9600 8O1"));
    assert_string_equal(ways_of("9600,19200", "N,E", text, sizeof(text)),
                        "19200 8E1, 9600 8E1, 19200 8N1, 9600 8N1");
}

static void a_list_without_the_lines_own_leaves_it_out(void **state)
{
    (void)state;
    char text[2000];

    assert_string_equal(ways_of("9600", "8N2", text, sizeof(text)), "9600 8N2");
    assert_string_equal(ways_of("9600", "e", text, sizeof(text)), "9600 8E1");
    assert_string_equal(ways_of("19200", "E", text, sizeof(text)), "19200 8E1");
}

static void no_setting_is_tried_twice(void **state)
{
    (void)state;
    char text[2000];

    assert_string_equal(ways_of("9600,9600", "E,8E1", text, sizeof(text)), "9600 8E1");
}

static void settings_that_are_none_are_refused(void **state)
{
    (void)state;
    static const char *const bauds[] = {"",   "x", "9600,",      "9600;19200",
                                        "-1", "0", "99999999999"};
    static const char *const parities[] = {"", "X", "EN", "7E1", "8E3", "E,,N", "8E"};
    char text[2000];

    for (size_t i = 0; i < sizeof(bauds) / sizeof(bauds[0]); i++)
        assert_string_equal(ways_of(bauds[i], NULL, text, sizeof(text)), "");
    for (size_t i = 0; i < sizeof(parities) / sizeof(parities[0]); i++)
        assert_string_equal(ways_of(NULL, parities[i], text, sizeof(text)), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(units_are_numbers_and_ranges),
        cmocka_unit_test(units_that_do_not_exist_are_refused),
        cmocka_unit_test(the_lines_own_settings_come_first),
        cmocka_unit_test(a_list_without_the_lines_own_leaves_it_out),
        cmocka_unit_test(no_setting_is_tried_twice),
        cmocka_unit_test(settings_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The demo's site, read and planned for, as `jobgate plan` shows it. */
#include "lines/plan_show.h"
#include "site/problems.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct site *site;

static int setup(void **state)
{
    struct site_source source = {.config = SOURCE_DIR "/conf/demo/jobgate.conf"};
    struct problems problems = {0};

    (void)state;
    int r = site_load(&site, &source, &problems);
    problems_print(&problems, stderr);
    problems_deinit(&problems);
    return r;
}

static int teardown(void **state)
{
    (void)state;
    site_free(site);
    return 0;
}

static struct plan_view view_of(enum action_kind kind, const char *method,
                                const char *arguments)
{
    struct action action = {.kind = kind,
                            .method = (char *)(uintptr_t)method,
                            .arguments = json_loads(arguments, JSON_DECODE_ANY, NULL)};
    const struct device *device = &site->devices[site_device(site, "floor3-room-07")];
    struct plan_error error = {0};
    struct plan *plan = NULL;

    if (plan_new(&plan, site, device->profile, &action, &error) != 0)
        fail_msg("%s", error.text);
    json_decref(action.arguments);
    return (struct plan_view){site, device, plan};
}

static void assert_shown(struct plan_view view, const char *wanted)
{
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);

    assert_non_null(to);
    plan_show(&view, to);
    fclose(to);
    assert_string_equal(text, wanted);
    free(text);
    plan_free((struct plan *)(uintptr_t)view.plan);
}

static void a_call_is_shown_frame_by_frame(void **state)
{
    (void)state;
    assert_shown(view_of(ACTION_METHOD, "setComfort", "21.5"),
                 "floor3-room-07: unit 7 on line floor3, profile room-controller\n"
                 "  1. write\n"
                 "     setpoint = 21.5 degC   holding 100 (0x0064, 40101)\n"
                 "     mode = \"auto\"   holding 101 (0x0065, 40102)\n"
                 "     > 07 10 00 64 00 02 04 00 D7 00 03 1A C5   write, reply 8 bytes\n"
                 "     > 07 03 00 64 00 02 85 B2   read back, reply 9 bytes\n"
                 "     25.8 ms on the wire\n"
                 "  2. read\n"
                 "     setpoint   holding 100 (0x0064, 40101)\n"
                 "     mode   holding 101 (0x0065, 40102)\n"
                 "     > 07 03 00 64 00 02 85 B2   read, reply 9 bytes\n"
                 "     11.7 ms on the wire\n"
                 "at least 37.5 ms: 37.5 ms on the wire; the device's own time comes on top\n");
}

static void waits_and_expectations_are_shown(void **state)
{
    (void)state;
    assert_shown(
        view_of(ACTION_METHOD, "reboot", "null"),
        "floor3-room-07: unit 7 on line floor3, profile room-controller\n"
        "  1. write, once and never again\n"
        "     control = 21930   holding 199 (0x00C7, 40200)\n"
        "     > 07 06 00 C7 55 AA 87 7E   write, reply 8 bytes\n"
        "     11.2 ms on the wire\n"
        "  2. wait 2.0 s\n"
        "  3. read until it is so\n"
        "     state = 1   input 10 (0x000A, 30011)\n"
        "     > 07 04 00 0A 00 01 11 AE   read, reply 7 bytes\n"
        "     10.6 ms on the wire each time, every 1.0 s for at most 30.0 s\n"
        "at least 2021.8 ms: 21.8 ms on the wire, 2.0 s of waits; the device's own time "
        "comes on top\n");
}

static void a_patch_shows_what_is_refused_and_what_a_bit_field_costs(void **state)
{
    (void)state;
    assert_shown(
        view_of(ACTION_PATCH, NULL, "{\"fanSpeed\":3,\"setpoint\":35,\"foo\":null}"),
        "floor3-room-07: unit 7 on line floor3, profile room-controller\n"
        "  1. write\n"
        "     fanSpeed = 3   holding 102 (0x0066, 40103), bits 4 to 6\n"
        "     > 07 03 00 66 00 01 64 73   read the other bits, reply 7 bytes\n"
        "     > 07 06 00 66 00 30 69 A7   write, the other bits as read, reply 8 bytes\n"
        "     > 07 03 00 66 00 01 64 73   read back, reply 7 bytes\n"
        "     34.4 ms on the wire\n"
        "  refused: setpoint (400 OutOfRange): setpoint: 35 is above max 30.0 degC\n"
        "  removed: foo, nothing is sent\n"
        "at least 34.4 ms: 34.4 ms on the wire; the device's own time comes on top\n");
}

static void the_same_is_shown_as_json(void **state)
{
    (void)state;
    struct plan_view view = view_of(ACTION_METHOD, "setComfort", "21.5");
    json_t *json = plan_show_json(&view);
    json_t *step = json_array_get(json_object_get(json, "steps"), 0);
    json_t *frame = json_array_get(json_object_get(step, "frames"), 0);
    const char *request = json_string_value(json_object_get(frame, "request"));
    assert_string_equal(request, "07 10 00 64 00 02 04 00 D7 00 03 1A C5");
    assert_true(json_number_value(json_object_get(json, "leastMs")) > 37);
    json_decref(json);
    plan_free((struct plan *)(uintptr_t)view.plan);
}

static void a_method_that_says_it_is_not_repeatable_is_read_so(void **state)
{
    (void)state;
    const struct profile *profile =
        &site->profiles[site->devices[site_device(site, "floor3-room-07")].profile];
    assert_true(profile->methods[profile_method(profile, "reboot")].once);
    assert_false(profile->methods[profile_method(profile, "setComfort")].once);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_is_shown_frame_by_frame),
        cmocka_unit_test(waits_and_expectations_are_shown),
        cmocka_unit_test(a_patch_shows_what_is_refused_and_what_a_bit_field_costs),
        cmocka_unit_test(the_same_is_shown_as_json),
        cmocka_unit_test(a_method_that_says_it_is_not_repeatable_is_read_so),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}

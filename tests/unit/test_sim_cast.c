/* How a profile becomes a device that the simulator plays. */
#include "commands/sim_cast.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { SETPOINT, FAN, MODE, CONTROL, STATE, TEMPERATURE, OCCUPIED, LABEL, POINTS };

static char names[][8] = {"heat", "cool"};
static struct named_value modes[] = {{names[0], 1}, {names[1], 2}};

static struct point points[POINTS] = {
    [SETPOINT] = {.table = TABLE_HOLDING,
                  .address = 100,
                  .count = 1,
                  .type = POINT_INT16,
                  .order = {0, 1},
                  .scaled = true,
                  .scale = 0.1,
                  .has_min = true,
                  .min = 10,
                  .has_max = true,
                  .max = 30},
    [FAN] = {.table = TABLE_HOLDING,
             .address = 102,
             .count = 1,
             .type = POINT_UINT16,
             .order = {0, 1},
             .bit_low = 4,
             .bit_count = 3,
             .has_min = true,
             .min = 2},
    [MODE] = {.table = TABLE_HOLDING,
              .address = 101,
              .count = 1,
              .type = POINT_UINT16,
              .order = {0, 1},
              .values = modes,
              .value_count = 2},
    [CONTROL] = {.table = TABLE_HOLDING,
                 .address = 199,
                 .count = 1,
                 .type = POINT_UINT16,
                 .order = {0, 1},
                 .kind = POINT_TRIGGER},
    [STATE] = {.table = TABLE_INPUT,
               .address = 10,
               .count = 1,
               .type = POINT_UINT16,
               .order = {0, 1}},
    [TEMPERATURE] = {.table = TABLE_INPUT,
                     .address = 0,
                     .count = 2,
                     .type = POINT_FLOAT32,
                     .order = {2, 3, 0, 1}},
    [OCCUPIED] = {.table = TABLE_COIL, .count = 1, .type = POINT_BOOL, .order = {0, 1}},
    [LABEL] = {.table = TABLE_HOLDING,
               .address = 300,
               .count = 10,
               .type = POINT_STRING,
               .order = {0, 1}},
};

/* One device of one profile with one method on one serial line. */
struct stage {
    struct step steps[4];
    struct method method;
    struct profile profile;
    struct adapter adapter;
    struct line_config line;
    struct device device;
    struct site site;
    struct sim_cast cast;
};

static char id[] = "room-1";
static char line_name[] = "floor3";

static struct stage *new_stage(const struct step *steps, size_t count, int reboot_ms)
{
    struct stage *stage = test_calloc(1, sizeof(*stage));

    for (size_t i = 0; i < count; i++)
        stage->steps[i] = steps[i];
    stage->method = (struct method){.steps = stage->steps, .step_count = count};
    stage->profile = (struct profile){.points = points,
                                      .point_count = POINTS,
                                      .methods = &stage->method,
                                      .method_count = 1,
                                      .max_read = 100,
                                      .max_write = 50};
    stage->adapter.serial = true;
    stage->line = (struct line_config){
        .name = line_name,
        .adapter = &stage->adapter,
        .settings = {.baud = 19200, .parity = 'E', .data_bits = 8, .stop_bits = 1}};
    stage->device = (struct device){.id = id, .unit = 7};
    stage->site = (struct site){.lines = &stage->line,
                                .line_count = 1,
                                .devices = &stage->device,
                                .device_count = 1,
                                .profiles = &stage->profile,
                                .profile_count = 1};
    assert_int_equal(sim_cast_init(&stage->cast, &stage->site, reboot_ms), 0);
    return stage;
}

static void free_stage(struct stage *stage)
{
    sim_cast_deinit(&stage->cast);
    for (size_t i = 0; i < 4; i++)
        json_decref(stage->steps[i].value);
    test_free(stage);
}

static long value_of(const struct stage *stage, enum sim_table table, uint16_t address)
{
    const struct sim_unit *unit = &stage->cast.units[0];

    for (size_t i = 0; i < unit->register_count; i++)
        if (unit->registers[i].table == table && unit->registers[i].address == address)
            return unit->registers[i].value;
    return -1;
}

static void every_register_of_every_point_exists(void **state)
{
    struct stage *stage = new_stage(NULL, 0, SIM_CAST_REBOOT_DEFAULT);

    (void)state;
    assert_int_equal(stage->cast.units[0].register_count, 4 + 1 + 2 + 1 + 10);
    assert_int_equal(value_of(stage, SIM_INPUT, 1), 0);
    assert_int_equal(value_of(stage, SIM_COIL, 0), 0);
    assert_int_equal(value_of(stage, SIM_HOLDING, 309), 0);
    free_stage(stage);
}

static void first_values_are_allowed_ones(void **state)
{
    struct stage *stage = new_stage(NULL, 0, SIM_CAST_REBOOT_DEFAULT);

    (void)state;
    assert_int_equal(value_of(stage, SIM_HOLDING, 100), 100);  /* 10.0, the least */
    assert_int_equal(value_of(stage, SIM_HOLDING, 101), 1);    /* the first name */
    assert_int_equal(value_of(stage, SIM_HOLDING, 102), 0x20); /* 2 in its bits */
    free_stage(stage);
}

static void line_and_unit_are_the_sites(void **state)
{
    struct stage *stage = new_stage(NULL, 0, SIM_CAST_REBOOT_DEFAULT);
    const struct sim_unit *unit = &stage->cast.units[0];

    (void)state;
    assert_string_equal(stage->cast.lines[0].name, "floor3");
    assert_int_equal(stage->cast.lines[0].char_bits, 11);
    assert_false(stage->cast.lines[0].tcp);
    assert_int_equal(unit->unit, 7);
    assert_int_equal(unit->max_read, 100);
    assert_int_equal(unit->max_write, 50);
    free_stage(stage);
}

static struct stage *new_reboot(unsigned within_ms, int reboot_ms)
{
    const struct step steps[] = {
        {.kind = STEP_WRITE, .point = CONTROL, .value = json_integer(0x55aa)},
        {.kind = STEP_WAIT, .duration_ms = 2000},
        {.kind = STEP_EXPECT, .point = STATE, .value = json_integer(1), .within_ms = within_ms},
    };

    return new_stage(steps, 3, reboot_ms);
}

static void a_trigger_before_an_expect_is_a_restart(void **state)
{
    struct stage *stage = new_reboot(30000, SIM_CAST_REBOOT_DEFAULT);
    const struct sim_reaction *reaction = &stage->cast.units[0].reactions[0];

    (void)state;
    assert_int_equal(reaction->address, 199);
    assert_int_equal(reaction->mask, 0xffff);
    assert_int_equal(reaction->value, 0x55aa);
    assert_int_equal(reaction->silent_ms, 3000);
    assert_int_equal(reaction->change_count, 1);
    assert_int_equal(reaction->changes[0].table, SIM_INPUT);
    assert_int_equal(reaction->changes[0].address, 10);
    assert_int_equal(reaction->changes[0].during, 0);
    assert_int_equal(reaction->changes[0].after, 1);
    assert_int_equal(value_of(stage, SIM_INPUT, 10), 0);
    free_stage(stage);
}

static void a_restart_fits_into_what_its_method_allows(void **state)
{
    struct stage *hasty = new_reboot(1000, SIM_CAST_REBOOT_DEFAULT);
    struct stage *told = new_reboot(1000, 10000);

    (void)state;
    assert_int_equal(hasty->cast.units[0].reactions[0].silent_ms, 1500);
    assert_int_equal(told->cast.units[0].reactions[0].silent_ms, 10000);
    free_stage(hasty);
    free_stage(told);
}

static void a_trigger_clears_itself(void **state)
{
    struct stage *stage = new_stage(NULL, 0, SIM_CAST_REBOOT_DEFAULT);
    const struct sim_unit *unit = &stage->cast.units[0];

    (void)state;
    assert_int_equal(unit->reaction_count, 1);
    assert_int_equal(unit->reactions[0].address, 199);
    assert_int_equal(unit->reactions[0].mask, 0);
    assert_int_equal(unit->reactions[0].clears, 0xffff);
    assert_int_equal(unit->reactions[0].silent_ms, 0);
    free_stage(stage);
}

static void an_expect_behind_a_state_holds_at_once(void **state)
{
    const struct step steps[] = {
        {.kind = STEP_WRITE, .point = MODE, .value = json_string("cool")},
        {.kind = STEP_EXPECT, .point = TEMPERATURE, .has_min = true, .min = 21.5},
    };
    struct stage *stage = new_stage(steps, 2, SIM_CAST_REBOOT_DEFAULT);
    const struct sim_reaction *reaction = &stage->cast.units[0].reactions[0];

    (void)state;
    assert_int_equal(reaction->address, 101);
    assert_int_equal(reaction->value, 2);
    assert_int_equal(reaction->silent_ms, 0);
    assert_int_equal(reaction->change_count, 2);
    assert_int_equal(reaction->changes[1].during, 0x41ac); /* CDAB: the high word comes last */
    assert_int_equal(reaction->changes[1].after, 0x41ac);
    free_stage(stage);
}

static void an_expect_before_any_write_holds_from_the_beginning(void **state)
{
    const struct step steps[] = {
        {.kind = STEP_EXPECT, .point = STATE, .value = json_integer(5)},
        {.kind = STEP_WRITE, .point = CONTROL, .value = json_integer(1)},
        {.kind = STEP_EXPECT, .point = STATE, .value = json_integer(5), .within_ms = 20000},
    };
    struct stage *stage = new_stage(steps, 3, SIM_CAST_REBOOT_DEFAULT);

    (void)state;
    assert_int_equal(value_of(stage, SIM_INPUT, 10), 5);
    assert_int_equal(stage->cast.units[0].reactions[0].changes[0].during, 0);
    free_stage(stage);
}

static void an_argument_fires_with_any_value(void **state)
{
    static char arg[] = "mode";
    const struct step steps[] = {
        {.kind = STEP_WRITE, .point = MODE, .arg = arg},
        {.kind = STEP_EXPECT, .point = STATE, .value = json_integer(1)},
    };
    struct stage *stage = new_stage(steps, 2, SIM_CAST_REBOOT_DEFAULT);

    (void)state;
    assert_int_equal(stage->cast.units[0].reactions[0].address, 101);
    assert_int_equal(stage->cast.units[0].reactions[0].mask, 0);
    free_stage(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_register_of_every_point_exists),
        cmocka_unit_test(first_values_are_allowed_ones),
        cmocka_unit_test(line_and_unit_are_the_sites),
        cmocka_unit_test(a_trigger_before_an_expect_is_a_restart),
        cmocka_unit_test(a_restart_fits_into_what_its_method_allows),
        cmocka_unit_test(a_trigger_clears_itself),
        cmocka_unit_test(an_expect_behind_a_state_holds_at_once),
        cmocka_unit_test(an_expect_before_any_write_holds_from_the_beginning),
        cmocka_unit_test(an_argument_fires_with_any_value),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

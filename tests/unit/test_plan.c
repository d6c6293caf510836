#include "fixture_profile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    fixture_init(&f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_deinit(&f);
    return 0;
}

static struct plan *plan_of(enum action_kind kind, const char *arguments)
{
    struct plan *plan = fixture_plan(&f, kind, arguments);
    if (!plan)
        fail_msg("%s", f.error.text);
    return plan;
}

static void assert_refused(enum action_kind kind, const char *arguments, int status,
                           const char *code, const char *text)
{
    assert_null(fixture_plan(&f, kind, arguments));
    assert_int_equal(f.error.status, status);
    assert_string_equal(f.error.code, code);
    assert_string_equal(f.error.text, text);
}

/* How a plan's writes look: "holding 100 x2" for each step. */
static void assert_steps(const struct plan *plan, const char *wanted)
{
    static const char *const kinds[] = {"read", "write", "mask", "write_read"};
    char text[400] = "";
    size_t used = 0;

    for (size_t i = 0; i < plan->step_count; i++) {
        const struct operation *operation = &plan->steps[i].operation;
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%u %ux%u",
                                 i ? ", " : "", kinds[operation->kind], operation->function,
                                 operation->address, operation->count);
    }
    assert_string_equal(text, wanted);
}

static void assert_patch(const char *patch, const char *wanted)
{
    struct plan *plan = plan_of(ACTION_PATCH, patch);
    assert_int_equal(plan->refusal_count, 0);
    assert_steps(plan, wanted);
    plan_free(plan);
}

/* --- merging --- */

static void adjacent_registers_of_a_patch_are_one_frame(void **state)
{
    (void)state;
    fixture_point(&f, "a", POINT_UINT16, 100);
    fixture_point(&f, "b", POINT_FLOAT32, 101);
    fixture_point(&f, "c", POINT_UINT16, 103);
    fixture_point(&f, "d", POINT_UINT16, 105);
    struct plan *plan = plan_of(ACTION_PATCH, "{\"d\":4,\"c\":3,\"a\":1,\"b\":123.5}");
    assert_steps(plan, "write0 100x4, write0 105x1");
    const struct plan_step *step = &plan->steps[0];
    const uint16_t words[] = {1, 0x42F7, 0, 3};
    assert_memory_equal(step->operation.words, words, sizeof(words));
    assert_int_equal(step->item_count, 3);
    assert_int_equal(step->items[1].offset, 1);
    assert_int_equal(step->items[1].count, 2);
    assert_int_equal(step->items[1].words[0], 0x42F7);
    assert_true(step->verify);
    assert_int_equal(step->readback.kind, OPERATION_READ);
    assert_int_equal(step->readback.address, 100);
    assert_int_equal(step->readback.count, 4);
    assert_int_equal(plan->result_count, 4); /* in the order of the request */
    assert_int_equal(plan->results[0].point, 3);
    assert_int_equal(step->items[0].result, 2);
    plan_free(plan);
}

static void tables_are_never_mixed(void **state)
{
    (void)state;
    fixture_coil(&f, "a", 100);
    fixture_point(&f, "b", POINT_UINT16, 101);
    assert_patch("{\"b\":1,\"a\":true}", "write0 100x1, write0 101x1");
}

static void a_frame_is_no_longer_than_the_device_takes(void **state)
{
    (void)state;
    f.profile.max_write = 4;
    fixture_point(&f, "a", POINT_UINT32, 0);
    fixture_point(&f, "b", POINT_UINT16, 2);
    fixture_point(&f, "c", POINT_UINT32, 3);
    assert_patch("{\"a\":1,\"b\":1,\"c\":1}", "write0 0x3, write0 3x2");
}

static void a_point_that_does_not_join_stands_alone(void **state)
{
    (void)state;
    fixture_point(&f, "a", POINT_UINT16, 0);
    fixture_point(&f, "b", POINT_UINT16, 1)->join = false;
    fixture_point(&f, "c", POINT_UINT16, 2);
    assert_patch("{\"a\":1,\"b\":1,\"c\":1}", "write0 0x1, write0 1x1, write0 2x1");
}

static void a_trigger_stands_alone_and_is_not_verified(void **state)
{
    (void)state;
    fixture_point(&f, "a", POINT_UINT16, 0);
    fixture_trigger(&f, "b", 1);
    fixture_trigger(&f, "c", 2);
    struct plan *plan = plan_of(ACTION_WRITE, "{\"a\":1,\"b\":1,\"c\":1}");
    assert_steps(plan, "write0 0x1, write0 1x1, write0 2x1");
    assert_int_equal(plan->steps[0].class, CLASS_STATE);
    assert_true(plan->steps[0].repeatable);
    assert_int_equal(plan->steps[1].class, CLASS_TRIGGER);
    assert_false(plan->steps[1].verify);
    assert_false(plan->steps[1].repeatable);
    assert_true(plan->triggers);
    plan_free(plan);
}

static void verified_and_unverified_do_not_merge(void **state)
{
    (void)state;
    fixture_point(&f, "a", POINT_UINT16, 0);
    fixture_point(&f, "b", POINT_UINT16, 1)->verify = false;
    struct plan *plan = plan_of(ACTION_PATCH, "{\"a\":1,\"b\":1}");
    assert_steps(plan, "write0 0x1, write0 1x1");
    assert_false(plan->steps[1].verify);
    assert_int_equal(plan->steps[1].readback.count, 1); /* for doubts */
    plan_free(plan);
}

static void what_cannot_be_read_has_no_readback(void **state)
{
    (void)state;
    struct point *point = fixture_point(&f, "a", POINT_UINT16, 0);
    point->readable = false;
    struct plan *plan = plan_of(ACTION_PATCH, "{\"a\":1}");
    assert_false(plan->steps[0].verify);
    assert_int_equal(plan->steps[0].readback.count, 0);
    plan_free(plan);
}

static void the_larger_settle_and_within_hold_for_a_merged_step(void **state)
{
    (void)state;
    fixture_point(&f, "a", POINT_UINT16, 0)->settle_ms = 300;
    fixture_point(&f, "b", POINT_UINT16, 1)->verify_within_ms = 5000;
    struct plan *plan = plan_of(ACTION_PATCH, "{\"a\":1,\"b\":1}");
    assert_int_equal(plan->step_count, 1);
    assert_int_equal(plan->steps[0].settle_ms, 300);
    assert_int_equal(plan->steps[0].verify_within_ms, 5000);
    assert_int_equal(plan->waits_us, 300000);
    plan_free(plan);
}

static void what_is_written_only_when_different_stands_alone(void **state)
{
    (void)state;
    fixture_point(&f, "a", POINT_UINT16, 0);
    fixture_point(&f, "b", POINT_UINT16, 1)->if_different = true;
    struct plan *plan = plan_of(ACTION_PATCH, "{\"a\":1,\"b\":1}");
    assert_int_equal(plan->step_count, 2);
    assert_false(plan->steps[0].if_different);
    assert_true(plan->steps[1].if_different);
    plan_free(plan);
}

/* --- bit fields --- */

static void bit_fields_of_a_register_are_one_mask(void **state)
{
    (void)state;
    fixture_point(&f, "before", POINT_UINT16, 99);
    fixture_bits(&f, "fan", 100, 4, 3);
    fixture_bits(&f, "lamp", 100, 0, 1);
    fixture_bits(&f, "door", 101, 0, 1);
    fixture_point(&f, "after", POINT_UINT16, 102);
    const char *patch = "{\"lamp\":1,\"door\":1,\"fan\":5,\"before\":1,\"after\":1}";
    assert_patch(patch, "write0 99x1, mask0 100x1, mask0 101x1, write0 102x1");
    f.profile.functions = 1u << 22 | 1u << 3 | 1u << 6 | 1u << 16;
    struct plan *plan = plan_of(ACTION_PATCH, patch);
    const struct operation *mask = &plan->steps[1].operation;
    assert_int_equal(mask->function, 22);
    assert_int_equal(mask->and_mask, 0xFF8E);
    assert_int_equal(mask->or_mask, 0x51);
    assert_int_equal(plan->steps[1].item_count, 2);
    assert_int_equal(plan->steps[1].readback.count, 1);
    plan_free(plan);
    f.profile.functions = 1u << 3 | 1u << 16; /* then it is read and written, by what it has */
    assert_patch("{\"fan\":5}", "mask16 100x1");
}

static void fields_that_share_a_bit_are_written_one_after_the_other(void **state)
{
    (void)state;
    fixture_bits(&f, "a", 100, 0, 4);
    fixture_bits(&f, "b", 100, 3, 2);
    assert_patch("{\"a\":1,\"b\":1}", "mask0 100x1, mask0 100x1");
}

/* --- functions --- */

static void coils_merge_unless_they_want_function_5(void **state)
{
    (void)state;
    fixture_coil(&f, "a", 0);
    fixture_coil(&f, "b", 1);
    fixture_coil(&f, "c", 2);
    const char *patch = "{\"a\":true,\"b\":false,\"c\":true}";
    struct plan *plan = plan_of(ACTION_PATCH, patch);
    assert_steps(plan, "write0 0x3");
    assert_int_equal(plan->steps[0].operation.words[0], 1);
    assert_int_equal(plan->steps[0].operation.words[1], 0);
    plan_free(plan);
    f.points[1].write_with = 15;
    assert_patch(patch, "write15 0x3");
    f.points[1].write_with = 5;
    assert_patch(patch, "write0 0x1, write5 1x1, write0 2x1");
    f.points[1].write_with = 0;
    f.profile.functions = 1u << 5;
    assert_patch(patch, "write5 0x1, write5 1x1, write5 2x1");
}

static void function_6_takes_one_register_at_a_time(void **state)
{
    (void)state;
    fixture_point(&f, "a", POINT_UINT16, 0)->write_with = 6;
    fixture_point(&f, "b", POINT_UINT16, 1)->write_with = 6;
    fixture_point(&f, "c", POINT_UINT16, 2);
    assert_patch("{\"a\":1,\"b\":2,\"c\":4}", "write6 0x1, write6 1x1, write0 2x1");
}

static void a_device_without_function_16_is_written_with_6(void **state)
{
    (void)state;
    f.profile.functions = 1u << 3 | 1u << 6;
    fixture_point(&f, "a", POINT_UINT16, 0);
    fixture_point(&f, "b", POINT_UINT16, 1);
    assert_patch("{\"a\":1,\"b\":1}", "write6 0x1, write6 1x1");
    f.profile.functions = 1u << 3 | 1u << 16;
    assert_patch("{\"a\":1,\"b\":1}", "write16 0x2");
}

static void function_23_writes_and_reads_back_at_once(void **state)
{
    (void)state;
    f.profile.functions = 1u << 3 | 1u << 6 | 1u << 16 | 1u << 23;
    fixture_point(&f, "a", POINT_UINT16, 10);
    fixture_point(&f, "b", POINT_UINT16, 11);
    struct plan *plan = plan_of(ACTION_PATCH, "{\"a\":1,\"b\":2}");
    assert_steps(plan, "write_read23 10x2");
    assert_int_equal(plan->steps[0].operation.read_address, 10);
    assert_int_equal(plan->steps[0].operation.read_count, 2);
    plan_free(plan);
    f.points[0].settle_ms = 10;
    assert_patch("{\"a\":1,\"b\":2}", "write0 10x2");
    f.points[0].settle_ms = 0;
    f.points[0].verify = f.points[1].verify = false;
    assert_patch("{\"a\":1,\"b\":2}", "write0 10x2");
    f.points[0].verify = f.points[1].verify = true;
    f.points[0].write_with = 16;
    assert_patch("{\"a\":1,\"b\":2}", "write16 10x2");
}

static void function_23_needs_no_function_6_beside_it(void **state)
{
    (void)state;
    f.profile.functions = 1u << 3 | 1u << 16 | 1u << 23;
    fixture_point(&f, "a", POINT_UINT16, 10);
    assert_patch("{\"a\":1}", "write_read23 10x1");
    f.profile.functions = 1u << 3 | 1u << 6 | 1u << 23;
    assert_patch("{\"a\":1}", "write_read23 10x1");
    f.points[0].write_with = 6;
    assert_patch("{\"a\":1}", "write6 10x1");
}

/* --- patches --- */

static void each_property_of_a_patch_stands_alone(void **state)
{
    (void)state;
    fixture_point(&f, "setpoint", POINT_INT16, 0)->has_max = true;
    f.points[0].max = 30;
    fixture_point(&f, "mode", POINT_UINT16, 1);
    fixture_point(&f, "temperature", POINT_INT16, 2)->writable = false;
    struct plan *plan =
        plan_of(ACTION_PATCH, "{\"setpoint\":31,\"foo\":1,\"temperature\":20,\"mode\":\"x\","
                              "\"$version\":4,\"old\":null}");
    assert_int_equal(plan->step_count, 0);
    assert_int_equal(plan->result_count, 0);
    assert_int_equal(plan->refusal_count, 4);
    assert_string_equal(plan->refusals[0].name, "setpoint");
    assert_int_equal(plan->refusals[0].status, 400);
    assert_string_equal(plan->refusals[0].code, "OutOfRange");
    assert_string_equal(plan->refusals[0].text, "setpoint: 31 is above max 30");
    assert_int_equal(plan->refusals[1].status, 404);
    assert_string_equal(plan->refusals[1].text,
                        "room has no property \"foo\"; known: setpoint, mode, temperature");
    assert_int_equal(plan->refusals[2].status, 405);
    assert_string_equal(plan->refusals[2].code, "NotWritable");
    assert_string_equal(plan->refusals[3].code, "BadRequest");
    assert_int_equal(plan->removed_count, 1);
    assert_string_equal(plan->removed[0], "old");
    plan_free(plan);
}

static void properties_are_found_by_their_path(void **state)
{
    (void)state;
    fixture_point(&f, "setpoint", POINT_UINT16, 0)->property =
        (char *)(uintptr_t) "climate.room.setpoint";
    fixture_point(&f, "mode", POINT_UINT16, 1)->property = (char *)(uintptr_t) "climate.mode";
    struct plan *plan = plan_of(
        ACTION_PATCH, "{\"climate\":{\"mode\":1,\"room\":{\"setpoint\":2,\"x\":{\"y\":1}},"
                      "\"gone\":null},\"climate.mode\":2}");
    assert_steps(plan, "write0 0x2");
    assert_int_equal(plan->refusal_count, 2);
    assert_string_equal(plan->refusals[0].name, "climate.room.x");
    assert_string_equal(plan->refusals[1].name, "climate.mode");
    assert_string_equal(plan->removed[0], "climate.gone");
    plan_free(plan);
    plan = plan_of(ACTION_PATCH, "{\"climate\":5}");
    assert_int_equal(plan->refusals[0].status, 404);
    plan_free(plan);
}

static void an_empty_patch_has_no_steps(void **state)
{
    (void)state;
    assert_patch("{}", "");
    assert_patch("null", "");
    struct plan *plan = plan_of(ACTION_PATCH, NULL);
    assert_int_equal(plan->step_count, 0);
    plan_free(plan);
    assert_refused(ACTION_PATCH, "[1]", 400, "BadRequest",
                   "a twin patch is an object of properties");
}

/* --- write and read by name --- */

static void a_write_is_all_or_nothing(void **state)
{
    (void)state;
    fixture_point(&f, "a", POINT_UINT16, 1);
    fixture_point(&f, "b", POINT_UINT16, 0);
    fixture_point(&f, "r", POINT_UINT16, 2)->writable = false;
    struct plan *plan = plan_of(ACTION_WRITE, "{\"a\":1,\"b\":2}");
    assert_steps(plan, "write0 0x2");
    plan_free(plan);
    assert_refused(ACTION_WRITE, "{\"a\":1,\"c\":2}", 404, "UnknownPoint",
                   "room has no point \"c\"; known: a, b, r");
    assert_refused(ACTION_WRITE, "{\"a\":1,\"r\":2}", 405, "NotWritable",
                   "r cannot be written");
    assert_refused(ACTION_WRITE, "{\"b\":1,\"a\":65536}", 400, "OutOfRange",
                   "a: 65536 is above 65535, the most that uint16 can hold");
    assert_refused(ACTION_WRITE, "{\"a\":null}", 400, "BadRequest",
                   "a: null is not a whole number");
    assert_refused(ACTION_WRITE, "3", 400, "BadRequest",
                   "points to write are an object of values");
}

static void a_read_keeps_the_asked_order_and_merges_neighbours(void **state)
{
    (void)state;
    fixture_point(&f, "a", POINT_UINT16, 0);
    fixture_point(&f, "b", POINT_FLOAT32, 1);
    fixture_bits(&f, "c", 3, 0, 2);
    fixture_bits(&f, "d", 3, 4, 2);
    fixture_point(&f, "hole", POINT_UINT16, 5);
    fixture_trigger(&f, "t", 4);
    struct plan *plan = plan_of(ACTION_READ, "[\"d\",\"hole\",\"a\",\"c\",\"b\",\"a\"]");
    assert_steps(plan, "read0 0x4, read0 5x1");
    assert_int_equal(plan->read_count, 5);
    const size_t order[] = {3, 4, 0, 2, 1};
    assert_memory_equal(plan->reads, order, sizeof(order));
    assert_int_equal(plan->steps[0].item_count, 4);
    assert_int_equal(plan->steps[0].items[1].offset, 1);
    assert_int_equal(plan->steps[0].items[1].result, 4);
    plan_free(plan);
    plan = plan_of(ACTION_READ, "[]");
    assert_int_equal(plan->read_count, 5);
    plan_free(plan);
    f.profile.max_read = 2;
    plan = plan_of(ACTION_READ, NULL);
    assert_steps(plan, "read0 0x1, read0 1x2, read0 3x1, read0 5x1");
    plan_free(plan);
    assert_refused(ACTION_READ, "[\"t\"]", 405, "NotReadable", "t cannot be read");
    assert_refused(ACTION_READ, "[\"x\"]", 404, "UnknownPoint",
                   "room has no point \"x\"; known: a, b, c, d, hole, t");
    assert_refused(ACTION_READ, "[1]", 400, "BadRequest", "points to read are given by name");
    assert_refused(ACTION_READ, "{}", 400, "BadRequest", "points to read are a list of names");
}

/* --- splitting --- */

static void a_merged_step_splits_into_its_points(void **state)
{
    (void)state;
    fixture_point(&f, "a", POINT_UINT16, 0);
    fixture_point(&f, "b", POINT_UINT32, 1)->settle_ms = 50;
    struct plan *plan = plan_of(ACTION_PATCH, "{\"b\":65538,\"a\":7}");
    struct plan_step part;
    assert_int_equal(plan->step_count, 1);
    assert_int_equal(plan_step_split(&part, &f.site, plan, 0, 1), 0);
    assert_int_equal(part.operation.address, 1);
    assert_int_equal(part.operation.count, 2);
    assert_int_equal(part.operation.words[1], 2);
    assert_int_equal(part.readback.address, 1);
    assert_int_equal(part.readback.count, 2);
    assert_int_equal(part.settle_ms, 50);
    assert_int_equal(part.items[0].offset, 0);
    assert_int_equal(part.items[0].result, 0);
    assert_true(part.verify);
    plan_step_deinit(&part);
    plan_free(plan);
}

static void a_mask_splits_into_its_fields(void **state)
{
    (void)state;
    fixture_bits(&f, "fan", 100, 4, 3);
    fixture_bits(&f, "lamp", 100, 0, 1);
    struct plan *plan = plan_of(ACTION_PATCH, "{\"fan\":5,\"lamp\":1}");
    struct plan_step part;
    assert_int_equal(plan_step_split(&part, &f.site, plan, 0, 0), 0);
    assert_int_equal(part.operation.kind, OPERATION_MASK);
    assert_int_equal(part.operation.and_mask, 0xFF8F);
    assert_int_equal(part.operation.or_mask, 0x50);
    plan_step_deinit(&part);
    plan_free(plan);
}

static void a_read_splits_too(void **state)
{
    (void)state;
    fixture_point(&f, "a", POINT_UINT16, 0);
    fixture_point(&f, "b", POINT_UINT16, 1);
    struct plan *plan = plan_of(ACTION_READ, "[\"b\",\"a\"]");
    struct plan_step part;
    assert_int_equal(plan_step_split(&part, &f.site, plan, 0, 1), 0);
    assert_int_equal(part.operation.address, 1);
    assert_int_equal(part.operation.count, 1);
    assert_int_equal(part.items[0].result, 0);
    plan_step_deinit(&part);
    plan_free(plan);
}

/* --- any profile, any patch --- */

static uint64_t seed = UINT64_C(0x2545F4914F6CDD1D);

static unsigned any(unsigned below)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (unsigned)(seed >> 33) % below;
}

static char names[FIXTURE_POINTS][8];

static void any_profile(void)
{
    static const enum point_type types[] = {POINT_UINT16, POINT_UINT16, POINT_UINT32,
                                            POINT_UINT64};
    uint16_t address = (uint16_t)any(100), coil = 0;

    fixture_init(&f);
    f.profile.max_write = (uint16_t)(4 + any(20));
    f.profile.functions =
        any(2) ? 0 : 1u << 3 | any(2) << 6 | 1u << 16 | any(2) << 22 | any(2) << 23;
    for (size_t i = 0; i < 24; i++) {
        struct point *point;
        snprintf(names[i], sizeof(names[i]), "p%zu", i);
        if (any(5) == 0) {
            point = fixture_coil(&f, names[i], coil);
            coil = (uint16_t)(coil + 1 + any(2));
        } else if (any(4) == 0) {
            point = fixture_bits(&f, names[i], address, (uint8_t)(any(4) * 4), 4);
            address = (uint16_t)(address + any(2));
        } else {
            point = fixture_point(&f, names[i], types[any(4)], (uint16_t)(address + 1));
            address = (uint16_t)(point->address + point->count + any(3) / 2);
        }
        point->join = any(8) != 0;
        point->verify = any(4) != 0;
        point->if_different = any(8) == 0;
        point->kind = any(8) == 0 ? POINT_TRIGGER : POINT_STATE;
        if (point->table == TABLE_HOLDING && any(8) == 0)
            point->write_with = any(2) ? 6 : 16;
    }
}

/* The registers and coils of a device that obeys. */
struct image {
    uint16_t holding[512], coil[64];
};

static void obey(struct image *image, const struct operation *operation)
{
    uint16_t *words = operation->table == TABLE_COIL ? image->coil : image->holding;

    if (operation->kind == OPERATION_MASK) {
        words[operation->address] =
            (uint16_t)((words[operation->address] & operation->and_mask) |
                       (operation->or_mask & ~operation->and_mask));
        return;
    }
    for (unsigned i = 0; i < operation->count; i++)
        words[operation->address + i] = operation->words[i];
}

static json_t *any_patch(void)
{
    json_t *patch = json_object();

    for (size_t n = 0; n < 16; n++) {
        const struct point *point = &f.points[any(24)];
        json_t *value = point->table == TABLE_COIL
                            ? json_boolean(any(2))
                            : json_integer(point->bit_count ? any(16) : any(65536));
        json_object_set_new(patch, point->name, value);
    }
    return patch;
}

/* What writing each point alone, in the order of the addresses, leaves behind. */
static void write_singly(struct image *image, const struct plan *merged)
{
    struct plan_step part;

    for (size_t i = 0; i < merged->step_count; i++) {
        for (size_t k = 0; k < merged->steps[i].item_count; k++) {
            assert_int_equal(plan_step_split(&part, &f.site, merged, i, k), 0);
            assert_int_equal(part.item_count, 1);
            obey(image, &part.operation);
            plan_step_deinit(&part);
        }
    }
}

static void check_step(const struct plan_step *step, unsigned *seen)
{
    const struct operation *operation = &step->operation;

    assert_true(operation->count <=
                (operation->table == TABLE_COIL ? ADAPTER_WORDS_MAX : f.profile.max_write));
    for (size_t i = 0; i < step->item_count; i++) {
        const struct plan_item *item = &step->items[i];
        const struct point *point = &f.points[item->point];
        seen[item->point]++;
        /* The whole value in one frame, where it belongs. */
        assert_true(operation->address + item->offset == point->address &&
                    item->offset + point->count <= operation->count);
        if (step->readback.count > 0)
            assert_true(step->readback.address + item->offset == point->address &&
                        item->offset + point->count <= step->readback.count);
        assert_true(step->item_count == 1 || (point->kind == POINT_STATE && point->join));
    }
}

static void a_merged_patch_writes_what_single_writes_would(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 3000; round++) {
        any_profile();
        json_t *patch = any_patch();
        struct action action = {.kind = any(2) ? ACTION_PATCH : ACTION_WRITE,
                                .arguments = patch};
        struct plan *plan;
        if (plan_new(&plan, &f.site, 0, &action, &f.error) != 0)
            fail_msg("%s", f.error.text);

        unsigned seen[FIXTURE_POINTS] = {0};
        struct image merged = {0}, single = {0};
        for (size_t i = 0; i < plan->step_count; i++) {
            check_step(&plan->steps[i], seen);
            obey(&merged, &plan->steps[i].operation);
        }
        for (size_t i = 0; i < f.profile.point_count; i++)
            assert_int_equal(seen[i], json_object_get(patch, f.points[i].name) ? 1 : 0);
        assert_int_equal(plan->result_count, json_object_size(patch));
        write_singly(&single, plan);
        assert_memory_equal(&merged, &single, sizeof(merged));
        for (size_t i = 0; i < f.profile.point_count; i++) {
            const struct point *point = &f.points[i];
            json_t *value = json_object_get(patch, point->name);
            const uint16_t *table = point->table == TABLE_COIL ? merged.coil : merged.holding;
            struct value_error error;
            if (!value || point->bit_count) /* fields may share their bits here */
                continue;
            json_t *holds = value_decode(point, table + point->address, &error);
            assert_true(json_equal(holds, value));
            json_decref(holds);
        }
        plan_free(plan);
        json_decref(patch);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(adjacent_registers_of_a_patch_are_one_frame),
        TEST(tables_are_never_mixed),
        TEST(a_frame_is_no_longer_than_the_device_takes),
        TEST(a_point_that_does_not_join_stands_alone),
        TEST(a_trigger_stands_alone_and_is_not_verified),
        TEST(verified_and_unverified_do_not_merge),
        TEST(what_cannot_be_read_has_no_readback),
        TEST(the_larger_settle_and_within_hold_for_a_merged_step),
        TEST(what_is_written_only_when_different_stands_alone),
        TEST(bit_fields_of_a_register_are_one_mask),
        TEST(fields_that_share_a_bit_are_written_one_after_the_other),
        TEST(coils_merge_unless_they_want_function_5),
        TEST(function_6_takes_one_register_at_a_time),
        TEST(a_device_without_function_16_is_written_with_6),
        TEST(function_23_writes_and_reads_back_at_once),
        TEST(function_23_needs_no_function_6_beside_it),
        TEST(each_property_of_a_patch_stands_alone),
        TEST(properties_are_found_by_their_path),
        TEST(an_empty_patch_has_no_steps),
        TEST(a_write_is_all_or_nothing),
        TEST(a_read_keeps_the_asked_order_and_merges_neighbours),
        TEST(a_merged_step_splits_into_its_points),
        TEST(a_mask_splits_into_its_fields),
        TEST(a_read_splits_too),
        TEST(a_merged_patch_writes_what_single_writes_would),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The simulator's own Modbus: what a device answers, and when it is on the wire. */
#include "sim/bus.h"
#include "sim/device.h"
#include "sim/frame.h"
#include "sim/words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS INT64_C(1000000)

/* One character at 19200 baud, 8E1, and 3.5 of them. */
#define C_NS   INT64_C(572916)
#define T35_NS INT64_C(2005208)

static const struct sim_register registers[] = {
    {SIM_HOLDING, 100, 215}, {SIM_HOLDING, 101, 3}, {SIM_HOLDING, 102, 0x00f0},
    {SIM_HOLDING, 200, 0},   {SIM_INPUT, 10, 1},    {SIM_COIL, 0, 0},
    {SIM_COIL, 1, 1},        {SIM_COIL, 2, 1},      {SIM_DISCRETE, 5, 1},
};
static const struct sim_change state_falls = {SIM_INPUT, 10, 0, 0, 1};
static const struct sim_reaction reboot = {.table = SIM_HOLDING,
                                           .address = 200,
                                           .mask = 0xffff,
                                           .value = 0x55aa,
                                           .clears = 0xffff,
                                           .silent_ms = 3000,
                                           .changes = &state_falls,
                                           .change_count = 1};

static struct sim_unit plain_unit(void)
{
    return (struct sim_unit){.id = "room",
                             .unit = 17,
                             .registers = registers,
                             .register_count = sizeof(registers) / sizeof(registers[0]),
                             .reactions = &reboot,
                             .reaction_count = 1};
}

/* Asks a device; the answer must be just these bytes. */
#define assert_answer(device, now, request, answer)                                            \
    do {                                                                                       \
        uint8_t reply_[SIM_PDU_MAX] = {0};                                                     \
        size_t count_ = sim_device_ask(device, now, (const uint8_t *)(request),                \
                                       sizeof(request) - 1, reply_);                           \
        assert_int_equal(count_, sizeof(answer) - 1);                                          \
        assert_memory_equal(reply_, answer, sizeof(answer) - 1);                               \
    } while (0)

static struct sim_device *new_device(const struct sim_unit *unit)
{
    struct sim_device *device = NULL;

    assert_int_equal(sim_device_new(&device, unit), 0);
    return device;
}

static void checksum_and_frame_agree_with_a_known_frame(void **state)
{
    (void)state;
    /* Unit 17 writes 215 to register 40; computed by another implementation. */
    static const uint8_t known[] = {0x11, 0x06, 0x00, 0x28, 0x00, 0xd7, 0x4b, 0x0c};
    uint8_t frame[SIM_FRAME_MAX];

    assert_int_equal(sim_frame_build(frame, 0x11, known + 1, 5), 8);
    assert_memory_equal(frame, known, 8);
}

static void a_request_tells_its_length(void **state)
{
    (void)state;
    static const uint8_t fc16[] = {1, 16, 0, 0, 0, 2, 4};
    static const uint8_t fc23[] = {1, 23, 0, 0, 0, 1, 0, 0, 0, 1, 2};
    static const uint8_t unknown[] = {1, 43};

    assert_int_equal(sim_frame_length((const uint8_t *)"\x01\x03", 2), 8);
    assert_int_equal(sim_frame_length(fc16, sizeof(fc16)), 13);
    assert_int_equal(sim_frame_length(fc23, sizeof(fc23)), 15);
    assert_int_equal(sim_frame_length((const uint8_t *)"\x01\x16", 2), 10);
    assert_int_equal(sim_frame_length(unknown, 2), 0);
}

static void time_on_the_wire_follows_the_baud_rate(void **state)
{
    (void)state;
    assert_int_equal(sim_frame_time_ns(1, 19200, 11), C_NS);
    assert_int_equal(sim_frame_silence_ns(19200, 11), T35_NS);
    assert_int_equal(sim_frame_silence_ns(38400, 11), 1750000);
    assert_int_equal(sim_frame_time_ns(8, 9600, 10), 8333333);
}

static void reads_answer_what_is_there(void **state)
{
    (void)state;
    struct sim_unit unit = plain_unit();
    struct sim_device *device = new_device(&unit);

    assert_answer(device, 0, "\x01\x00\x00\x00\x03", "\x01\x01\x06");
    assert_answer(device, 0, "\x02\x00\x05\x00\x01", "\x02\x01\x01");
    assert_answer(device, 0, "\x03\x00\x64\x00\x03", "\x03\x06\x00\xd7\x00\x03\x00\xf0");
    assert_answer(device, 0, "\x04\x00\x0a\x00\x01", "\x04\x02\x00\x01");
    assert_int_equal(device->requests, 4);
    sim_device_free(device);
}

static void writes_are_obeyed_and_remembered(void **state)
{
    (void)state;
    struct sim_unit unit = plain_unit();
    struct sim_device *device = new_device(&unit);

    assert_answer(device, 7 * MS, "\x05\x00\x00\xff\x00", "\x05\x00\x00\xff\x00");
    assert_int_equal(sim_device_value(device, SIM_COIL, 0), 1);
    assert_answer(device, 8 * MS, "\x06\x00\x64\x00\xdc", "\x06\x00\x64\x00\xdc");
    assert_int_equal(sim_device_value(device, SIM_HOLDING, 100), 220);
    assert_answer(device, 9 * MS, "\x0f\x00\x00\x00\x03\x01\x04", "\x0f\x00\x00\x00\x03");
    assert_int_equal(sim_device_value(device, SIM_COIL, 0), 0);
    assert_int_equal(sim_device_value(device, SIM_COIL, 2), 1);
    assert_answer(device, 9 * MS, "\x10\x00\x64\x00\x02\x04\x00\x01\x00\x02",
                  "\x10\x00\x64\x00\x02");
    assert_int_equal(sim_device_value(device, SIM_HOLDING, 101), 2);
    assert_int_equal(device->write_count, 4);
    assert_int_equal(device->writes[0].at_ns, 7 * MS);
    assert_int_equal(device->writes[3].function, 16);
    assert_int_equal(device->writes[3].address, 100);
    assert_int_equal(device->writes[3].count, 2);
    assert_int_equal(device->writes[3].values[1], 2);
    sim_device_free(device);
}

static void a_mask_write_keeps_the_other_bits(void **state)
{
    (void)state;
    struct sim_unit unit = plain_unit();
    struct sim_device *device = new_device(&unit);

    assert_answer(device, 0, "\x16\x00\x66\xff\x8f\x00\x20", "\x16\x00\x66\xff\x8f\x00\x20");
    assert_int_equal(sim_device_value(device, SIM_HOLDING, 102), 0x00a0);
    sim_device_free(device);
}

static void write_and_read_writes_first(void **state)
{
    (void)state;
    struct sim_unit unit = plain_unit();
    struct sim_device *device = new_device(&unit);

    assert_answer(device, 0, "\x17\x00\x64\x00\x02\x00\x64\x00\x01\x02\x12\x34",
                  "\x17\x04\x12\x34\x00\x03");
    sim_device_free(device);
}

static void what_cannot_be_done_is_an_exception(void **state)
{
    (void)state;
    struct sim_unit unit = plain_unit();
    struct sim_device *device = new_device(&unit);

    assert_answer(device, 0, "\x03\x00\x64\x00\x04", "\x83\x02"); /* one too many */
    assert_answer(device, 0, "\x03\xff\xff\x00\x02", "\x83\x02"); /* past the end */
    assert_answer(device, 0, "\x03\x00\x64\x00\x00", "\x83\x03"); /* none */
    assert_answer(device, 0, "\x03\x00\x64\x00\x7e", "\x83\x03"); /* 126 */
    assert_answer(device, 0, "\x01\x00\x00\x07\xd1", "\x81\x03"); /* 2001 */
    assert_answer(device, 0, "\x05\x00\x00\x00\x01", "\x85\x03"); /* neither on nor off */
    assert_answer(device, 0, "\x06\x00\x00\x00\x01", "\x86\x02"); /* no such register */
    assert_answer(device, 0, "\x10\x00\x64\x00\x02\x02\x00\x01", "\x90\x03"); /* byte count */
    assert_answer(device, 0, "\x2b\x0e\x01\x00", "\xab\x01"); /* no such function */
    assert_int_equal(device->write_count, 0);
    sim_device_free(device);
}

static void a_device_has_only_its_functions_and_sizes(void **state)
{
    (void)state;
    struct sim_unit unit = plain_unit();
    struct sim_device *device;

    unit.functions = 1 << 3 | 1 << 16;
    unit.max_read = 2;
    unit.max_write = 1;
    device = new_device(&unit);
    assert_answer(device, 0, "\x06\x00\x64\x00\x01", "\x86\x01");
    assert_answer(device, 0, "\x03\x00\x64\x00\x03", "\x83\x03");
    assert_answer(device, 0, "\x03\x00\x64\x00\x02", "\x03\x04\x00\xd7\x00\x03");
    assert_answer(device, 0, "\x10\x00\x64\x00\x02\x04\x00\x01\x00\x02", "\x90\x03");
    sim_device_free(device);
}

static void a_device_told_to_refuse_obeys_nothing(void **state)
{
    (void)state;
    struct sim_unit unit = plain_unit();
    struct sim_device *device;

    unit.exception = 4;
    device = new_device(&unit);
    assert_answer(device, 0, "\x06\x00\x64\x00\x01", "\x86\x04");
    assert_int_equal(sim_device_value(device, SIM_HOLDING, 100), 215);
    assert_int_equal(device->write_count, 0);
    sim_device_free(device);
}

static void a_dead_device_sees_nothing(void **state)
{
    (void)state;
    struct sim_unit unit = plain_unit();
    struct sim_device *device;

    unit.dead = true;
    device = new_device(&unit);
    assert_answer(device, 0, "\x06\x00\x64\x00\x01", "");
    assert_int_equal(device->requests, 0);
    sim_device_free(device);
}

static void a_reboot_answers_then_is_silent_then_comes_back(void **state)
{
    (void)state;
    struct sim_unit unit = plain_unit();
    struct sim_device *device = new_device(&unit);

    assert_answer(device, 5 * MS, "\x06\x00\xc8\x55\xaa", "\x06\x00\xc8\x55\xaa");
    assert_int_equal(device->reboots, 1);
    assert_int_equal(sim_device_value(device, SIM_HOLDING, 200), 0);
    assert_int_equal(device->writes[0].values[0], 0x55aa);
    assert_int_equal(sim_device_value(device, SIM_INPUT, 10), 0);
    assert_answer(device, 3004 * MS, "\x04\x00\x0a\x00\x01", "");
    assert_answer(device, 3006 * MS, "\x04\x00\x0a\x00\x01", "\x04\x02\x00\x01");
    sim_device_free(device);
}

static void another_value_is_no_trigger(void **state)
{
    (void)state;
    struct sim_unit unit = plain_unit();
    struct sim_device *device = new_device(&unit);

    assert_answer(device, 0, "\x06\x00\xc8\x55\xab", "\x06\x00\xc8\x55\xab");
    assert_int_equal(device->reboots, 0);
    assert_int_equal(sim_device_value(device, SIM_HOLDING, 200), 0x55ab);
    sim_device_free(device);
}

static void the_last_256_writes_are_kept(void **state)
{
    (void)state;
    struct sim_unit unit = plain_unit();
    struct sim_device *device = new_device(&unit);

    for (int64_t i = 0; i < 300; i++)
        assert_answer(device, i * MS, "\x06\x00\x64\x00\x01", "\x06\x00\x64\x00\x01");
    assert_int_equal(device->write_count, 300);
    assert_int_equal(device->writes[299 % SIM_WRITES_KEPT].at_ns, 299 * MS);
    assert_int_equal(device->writes[44].at_ns, 44 * MS); /* 300 - 256 */
    sim_device_free(device);
}

static void numbers_lie_in_registers_by_their_order(void **state)
{
    (void)state;
    static const uint8_t abcd[] = {0, 1, 2, 3, 4, 5, 6, 7};
    static const uint8_t cdab[] = {2, 3, 0, 1};
    static const uint8_t ba[] = {1, 0};
    uint16_t words[SIM_WORDS_MAX];

    sim_words_whole(&(struct sim_layout){SIM_WHOLE, 1, abcd}, -2, words);
    assert_int_equal(words[0], 0xfffe);
    sim_words_whole(&(struct sim_layout){SIM_WHOLE, 1, ba}, 0x1234, words);
    assert_int_equal(words[0], 0x3412);
    sim_words_whole(&(struct sim_layout){SIM_WHOLE, 2, cdab}, 0x12345678, words);
    assert_int_equal(words[0], 0x5678);
    assert_int_equal(words[1], 0x1234);
    sim_words_whole(&(struct sim_layout){SIM_DECIMAL, 1, abcd}, 1234, words);
    assert_int_equal(words[0], 0x1234);
    sim_words_real(&(struct sim_layout){SIM_FLOAT32, 2, abcd}, 21.5, words);
    assert_int_equal(words[0], 0x41ac); /* 0x41AC0000 is 21.5 in IEEE 754 */
    assert_int_equal(words[1], 0);
    sim_words_real(&(struct sim_layout){SIM_FLOAT64, 4, abcd}, 1.0, words);
    assert_int_equal(words[0], 0x3ff0);
    sim_words_real(&(struct sim_layout){SIM_WHOLE, 1, abcd}, 214.7, words);
    assert_int_equal(words[0], 215);
}

/* One line at 19200 8E1 with unit 17 and unit 18, which is slow. */
struct stage {
    struct sim_line line;
    struct sim_unit units[2];
    struct sim_settings settings;
    struct sim_group group;
    struct sim_bus bus;
};

static struct stage *new_stage(void)
{
    struct stage *stage = test_calloc(1, sizeof(*stage));
    struct timespec start = {0};

    stage->line = (struct sim_line){.name = "floor3", .baud = 19200, .char_bits = 11};
    stage->units[0] = plain_unit();
    stage->units[1] = plain_unit();
    stage->units[1].unit = 18;
    stage->units[1].slow_ms = 100;
    stage->settings = (struct sim_settings){.lines = &stage->line,
                                            .line_count = 1,
                                            .units = stage->units,
                                            .unit_count = 2,
                                            .turnaround_us = 5000};
    assert_int_equal(sim_group_init(&stage->group, &stage->settings, 0, &start), 0);
    assert_int_equal(sim_bus_init(&stage->bus, &stage->group), 0);
    return stage;
}

static void free_stage(struct stage *stage)
{
    sim_bus_deinit(&stage->bus);
    sim_group_deinit(&stage->group);
    test_free(stage);
}

/* Puts a whole request on the wire at once, as a pseudo-terminal does. */
static void send_to(struct stage *stage, uint8_t unit, const char *pdu, size_t count,
                    int64_t now)
{
    uint8_t frame[SIM_FRAME_MAX];
    size_t length = sim_frame_build(frame, unit, (const uint8_t *)pdu, count);

    sim_bus_hear(&stage->bus, frame, length, now);
}

#define READ_STATE  "\x04\x00\x0a\x00\x01", 5
#define WRITE_POINT "\x06\x00\x64\x00\x01", 5

/* When the bus has something to say next; it must be silent a nanosecond before. */
static int64_t answered_at(struct stage *stage, uint8_t *frame, size_t *count)
{
    int64_t due = sim_bus_next(&stage->bus);

    assert_true(due < INT64_MAX);
    assert_int_equal(sim_bus_speak(&stage->bus, due - 1, frame), 0);
    *count = sim_bus_speak(&stage->bus, due, frame);
    return due;
}

static void two_devices_of_one_unit_spoil_each_others_answers(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    uint8_t frame[SIM_FRAME_MAX];
    size_t count, length;

    stage->units[0].doubled = true;
    send_to(stage, 17, READ_STATE, 10 * MS);
    answered_at(stage, frame, &count);
    assert_int_equal(frame[0], 17);
    assert_int_equal(sim_frame_find(frame, count, 0, &length), -1);
    assert_int_equal(sim_frame_checksum(frame, count - 2) ==
                         (frame[count - 2] | frame[count - 1] << 8),
                     false);
    assert_true(sim_bus_next(&stage->bus) == INT64_MAX);
    free_stage(stage);
}

static void a_second_device_of_a_unit_answers_later(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    uint8_t first[SIM_FRAME_MAX], second[SIM_FRAME_MAX];
    size_t count, again;

    stage->units[0].doubled = true;
    stage->units[0].double_ms = 40;
    send_to(stage, 17, READ_STATE, 10 * MS);
    int64_t at = answered_at(stage, first, &count);

    assert_true(answered_at(stage, second, &again) == at + 40 * MS);
    assert_int_equal(again, count);
    assert_memory_equal(first, second, count);
    free_stage(stage);
}

static void an_answer_is_readable_when_its_last_character_is_over(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    uint8_t frame[SIM_FRAME_MAX];
    size_t count;
    int64_t due;

    send_to(stage, 17, WRITE_POINT, 10 * MS);
    due = answered_at(stage, frame, &count);
    assert_int_equal(count, 8);
    /* The 18.2 ms that field tables give for one write: 16 characters, t35 before the answer,
     * 5 ms of turnaround, and the next t35. */
    assert_in_range(due, 10 * MS + 16 * C_NS + T35_NS + 5 * MS,
                    10 * MS + 16 * C_NS + T35_NS + 5 * MS + 20);
    assert_in_range(stage->group.busy_ns, 16 * C_NS + T35_NS + 5 * MS,
                    16 * C_NS + T35_NS + 5 * MS + 20);
    free_stage(stage);
}

static void a_request_after_the_silence_is_heard(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    uint8_t frame[SIM_FRAME_MAX];
    size_t count;
    int64_t due;

    send_to(stage, 17, READ_STATE, 10 * MS);
    due = answered_at(stage, frame, &count);
    send_to(stage, 17, READ_STATE, due + T35_NS);
    assert_true(sim_bus_next(&stage->bus) < INT64_MAX);
    assert_int_equal(stage->group.broken_silence, 0);
    assert_int_equal(stage->group.frames, 2);
    free_stage(stage);
}

static void a_request_within_the_silence_is_not_heard(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    uint8_t frame[SIM_FRAME_MAX];
    size_t count;
    int64_t due;

    send_to(stage, 17, READ_STATE, 10 * MS);
    due = answered_at(stage, frame, &count);
    send_to(stage, 17, READ_STATE, due + T35_NS - 51000);
    assert_true(sim_bus_next(&stage->bus) == INT64_MAX);
    assert_int_equal(stage->group.broken_silence, 1);
    assert_int_equal(stage->group.devices[0]->requests, 1);
    free_stage(stage);
}

static void a_lenient_line_counts_it_and_answers(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    uint8_t frame[SIM_FRAME_MAX];
    size_t count;
    int64_t due;

    stage->settings.lenient = true;
    send_to(stage, 17, READ_STATE, 10 * MS);
    due = answered_at(stage, frame, &count);
    send_to(stage, 17, READ_STATE, due);
    assert_int_equal(stage->group.broken_silence, 1);
    assert_true(sim_bus_next(&stage->bus) < INT64_MAX);
    free_stage(stage);
}

static void the_end_of_an_unanswered_request_is_computed(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    send_to(stage, 99, READ_STATE, 10 * MS); /* nobody has this number */
    send_to(stage, 99, READ_STATE, 10 * MS + 8 * C_NS + T35_NS - 100000);
    assert_int_equal(stage->group.broken_silence, 1);
    send_to(stage, 99, READ_STATE, 40 * MS);
    assert_int_equal(stage->group.broken_silence, 1);
    assert_int_equal(stage->group.frames, 3);
    free_stage(stage);
}

static void two_requests_in_one_breath_break_the_silence(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    uint8_t both[2 * SIM_FRAME_MAX];
    size_t length;

    length = sim_frame_build(both, 17, (const uint8_t *)READ_STATE);
    length += sim_frame_build(both + length, 17, (const uint8_t *)READ_STATE);
    sim_bus_hear(&stage->bus, both, length, 10 * MS);
    assert_int_equal(stage->group.frames, 2);
    assert_int_equal(stage->group.broken_silence, 1);
    assert_int_equal(stage->group.devices[0]->requests, 1);
    free_stage(stage);
}

static void a_broadcast_is_obeyed_by_all_and_answered_by_none(void **state)
{
    (void)state;
    struct stage *stage = new_stage();

    send_to(stage, 0, WRITE_POINT, 10 * MS);
    assert_true(sim_bus_next(&stage->bus) == INT64_MAX);
    assert_int_equal(sim_device_value(stage->group.devices[0], SIM_HOLDING, 100), 1);
    assert_int_equal(sim_device_value(stage->group.devices[1], SIM_HOLDING, 100), 1);
    free_stage(stage);
}

static void a_slow_device_leaves_the_line_to_others(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    uint8_t frame[SIM_FRAME_MAX];
    size_t count;
    int64_t due;

    send_to(stage, 18, READ_STATE, 10 * MS);
    send_to(stage, 17, READ_STATE, 40 * MS);
    answered_at(stage, frame, &count);
    assert_int_equal(frame[0], 17);
    due = answered_at(stage, frame, &count);
    assert_int_equal(frame[0], 18);
    assert_in_range(due, 10 * MS + 15 * C_NS + T35_NS + 105 * MS,
                    10 * MS + 15 * C_NS + T35_NS + 105 * MS + 20);
    assert_int_equal(stage->group.broken_silence + stage->group.collisions, 0);
    free_stage(stage);
}

static void a_request_into_an_answer_collides(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    uint8_t frame[SIM_FRAME_MAX];
    size_t count;

    send_to(stage, 17, READ_STATE, 10 * MS);
    send_to(stage, 18, READ_STATE, sim_bus_next(&stage->bus) - MS);
    assert_int_equal(stage->group.collisions, 1);
    answered_at(stage, frame, &count);
    assert_int_equal(frame[0], 17);
    assert_true(sim_bus_next(&stage->bus) == INT64_MAX);
    free_stage(stage);
}

static void a_request_behind_garbage_is_found(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    uint8_t bytes[SIM_FRAME_MAX + 3] = {0xff, 0x7f, 0x00};
    size_t length = 3 + sim_frame_build(bytes + 3, 17, (const uint8_t *)READ_STATE);

    sim_bus_hear(&stage->bus, bytes, length, 10 * MS);
    assert_int_equal(stage->group.frames, 1);
    assert_int_equal(stage->group.garbage, 3);
    assert_int_equal(stage->group.devices[0]->requests, 1);
    free_stage(stage);
}

static void garbage_is_forgotten_after_a_silence(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    uint8_t frame[SIM_FRAME_MAX];
    size_t count;

    /* The beginning of a long write that never ends. */
    sim_bus_hear(&stage->bus, (const uint8_t *)"\x11\x10\x00\x64\x00\x02\x04", 7, 10 * MS);
    assert_int_equal(sim_bus_speak(&stage->bus, 30 * MS, frame), 0);
    assert_int_equal(stage->group.garbage, 7);
    send_to(stage, 17, READ_STATE, 40 * MS);
    answered_at(stage, frame, &count);
    assert_int_equal(count, 7);
    free_stage(stage);
}

static void a_request_may_come_byte_by_byte(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    uint8_t request[SIM_FRAME_MAX], frame[SIM_FRAME_MAX];
    size_t length = sim_frame_build(request, 17, (const uint8_t *)READ_STATE);
    size_t count;
    int64_t due;

    for (size_t i = 0; i < length; i++)
        sim_bus_hear(&stage->bus, request + i, 1, 10 * MS + (int64_t)i * MS);
    due = answered_at(stage, frame, &count);
    /* It ended when its last byte came, not as early as its baud rate would allow. */
    assert_in_range(due, 17 * MS + T35_NS + 5 * MS + 7 * C_NS,
                    17 * MS + T35_NS + 5 * MS + 7 * C_NS + 20);
    free_stage(stage);
}

static void an_unknown_function_ends_with_the_silence_and_is_refused(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    uint8_t frame[SIM_FRAME_MAX];
    size_t count;
    int64_t over;

    send_to(stage, 17, "\x2b\x0e\x01\x00", 4, 10 * MS);
    over = sim_bus_next(&stage->bus);
    assert_int_equal(sim_bus_speak(&stage->bus, over, frame), 0);
    answered_at(stage, frame, &count);
    assert_int_equal(count, 5);
    assert_int_equal(frame[1], 0xab);
    assert_int_equal(frame[2], 1);
    free_stage(stage);
}

static void losses_are_half_before_and_half_after_and_follow_the_seed(void **state)
{
    (void)state;
    uint64_t seen[2] = {0};
    uint64_t answered[2] = {0};

    for (int run = 0; run < 2; run++) {
        struct stage *stage = new_stage();
        uint8_t frame[SIM_FRAME_MAX];
        stage->settings.drop_percent = 50;
        for (int64_t i = 0; i < 1000; i++) {
            send_to(stage, 17, READ_STATE, i * 100 * MS);
            answered[run] += sim_bus_speak(&stage->bus, i * 100 * MS + 50 * MS, frame) > 0;
        }
        seen[run] = stage->group.devices[0]->requests;
        free_stage(stage);
    }
    assert_int_equal(seen[0], seen[1]);
    assert_int_equal(answered[0], answered[1]);
    assert_in_range(answered[0], 450, 550);
    assert_in_range(seen[0], 700, 800);
}

static void a_corrupted_answer_differs_in_one_byte(void **state)
{
    (void)state;
    struct stage *stage = new_stage();
    uint8_t good[SIM_FRAME_MAX], frame[SIM_FRAME_MAX];
    size_t count, differing = 0;

    send_to(stage, 17, READ_STATE, 10 * MS);
    answered_at(stage, good, &count);
    stage->settings.corrupt_percent = 100;
    send_to(stage, 17, READ_STATE, 100 * MS);
    answered_at(stage, frame, &count);
    for (size_t i = 0; i < count; i++)
        differing += frame[i] != good[i];
    assert_int_equal(differing, 1);
    assert_int_equal(stage->group.corrupted, 1);
    free_stage(stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksum_and_frame_agree_with_a_known_frame),
        cmocka_unit_test(a_request_tells_its_length),
        cmocka_unit_test(time_on_the_wire_follows_the_baud_rate),
        cmocka_unit_test(reads_answer_what_is_there),
        cmocka_unit_test(writes_are_obeyed_and_remembered),
        cmocka_unit_test(a_mask_write_keeps_the_other_bits),
        cmocka_unit_test(write_and_read_writes_first),
        cmocka_unit_test(what_cannot_be_done_is_an_exception),
        cmocka_unit_test(a_device_has_only_its_functions_and_sizes),
        cmocka_unit_test(a_device_told_to_refuse_obeys_nothing),
        cmocka_unit_test(a_dead_device_sees_nothing),
        cmocka_unit_test(a_reboot_answers_then_is_silent_then_comes_back),
        cmocka_unit_test(another_value_is_no_trigger),
        cmocka_unit_test(the_last_256_writes_are_kept),
        cmocka_unit_test(numbers_lie_in_registers_by_their_order),
        cmocka_unit_test(two_devices_of_one_unit_spoil_each_others_answers),
        cmocka_unit_test(a_second_device_of_a_unit_answers_later),
        cmocka_unit_test(an_answer_is_readable_when_its_last_character_is_over),
        cmocka_unit_test(a_request_after_the_silence_is_heard),
        cmocka_unit_test(a_request_within_the_silence_is_not_heard),
        cmocka_unit_test(a_lenient_line_counts_it_and_answers),
        cmocka_unit_test(the_end_of_an_unanswered_request_is_computed),
        cmocka_unit_test(two_requests_in_one_breath_break_the_silence),
        cmocka_unit_test(a_broadcast_is_obeyed_by_all_and_answered_by_none),
        cmocka_unit_test(a_slow_device_leaves_the_line_to_others),
        cmocka_unit_test(a_request_into_an_answer_collides),
        cmocka_unit_test(a_request_behind_garbage_is_found),
        cmocka_unit_test(garbage_is_forgotten_after_a_silence),
        cmocka_unit_test(a_request_may_come_byte_by_byte),
        cmocka_unit_test(an_unknown_function_ends_with_the_silence_and_is_refused),
        cmocka_unit_test(losses_are_half_before_and_half_after_and_follow_the_seed),
        cmocka_unit_test(a_corrupted_answer_differs_in_one_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

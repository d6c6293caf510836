/* The costs are those of the physical limit: characters, 3.5 characters of silence, no
 * turnaround. */
#include "adapters/adapter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct adapter_settings usual = {
    .port = "/dev/ttyS0", .baud = 19200, .parity = 'E', .data_bits = 8, .stop_bits = 1};

static struct frame_cost cost_of(const char *adapter, struct operation operation)
{
    struct frame_cost cost;

    operation.unit = 17;
    adapter_find(adapter)->frame(&usual, &operation, &cost);
    return cost;
}

static void assert_frame(const struct frame *frame, const char *hex)
{
    char text[3 * ADAPTER_FRAME_MAX + 1] = "";

    for (size_t i = 0; i < frame->length; i++)
        snprintf(text + 3 * i, sizeof(text) - 3 * i, "%02X ", frame->bytes[i]);
    if (frame->length)
        text[3 * frame->length - 1] = '\0';
    assert_string_equal(text, hex);
}

static const struct operation write_one = {.unit = 17,
                                           .kind = OPERATION_WRITE,
                                           .table = TABLE_HOLDING,
                                           .address = 40,
                                           .count = 1,
                                           .words = {215}};

static void a_serial_frame_ends_with_its_checksum(void **state)
{
    (void)state;
    struct frame_cost cost = cost_of("modbus-rtu", write_one);

    assert_int_equal(cost.count, 1);
    assert_frame(&cost.frames[0], "11 06 00 28 00 D7 4B 0C");
    assert_int_equal(cost.reply_bytes[0], 8);
}

static void a_tcp_frame_begins_with_its_header(void **state)
{
    (void)state;
    struct frame_cost cost = cost_of("modbus-tcp", write_one);

    assert_frame(&cost.frames[0], "00 00 00 00 00 06 11 06 00 28 00 D7");
    assert_int_equal(cost.reply_bytes[0], 12);
    assert_int_equal(cost.least_us, 0);
}

/* 16 characters of 572.917 us and 2005.21 us of silence. */
static void a_write_costs_its_characters_and_one_silence(void **state)
{
    (void)state;

    assert_in_range(cost_of("modbus-rtu", write_one).least_us, 11171, 11174);
}

static void above_19200_baud_the_silence_is_fixed(void **state)
{
    (void)state;
    struct adapter_settings fast = usual;
    struct frame_cost cost;

    fast.baud = 115200;
    adapter_find("modbus-rtu")->frame(&fast, &write_one, &cost);
    assert_in_range(cost.least_us, 1528 + 1750 - 1, 1528 + 1750 + 2);
}

static void a_character_without_parity_has_ten_bits(void **state)
{
    (void)state;
    struct adapter_settings plain = usual;
    struct frame_cost cost;

    plain.parity = 'N';
    plain.baud = 10000;
    adapter_find("modbus-rtu")->frame(&plain, &write_one, &cost);
    assert_int_equal(cost.least_us, 16 * 1000 + 3500);
}

static void a_mask_without_function_22_is_two_exchanges(void **state)
{
    (void)state;
    struct frame_cost cost = cost_of("modbus-rtu", (struct operation){.kind = OPERATION_MASK,
                                                                      .table = TABLE_HOLDING,
                                                                      .address = 4,
                                                                      .and_mask = 0xFFE7,
                                                                      .or_mask = 0x10});

    assert_int_equal(cost.count, 2);
    assert_frame(&cost.frames[0], "11 03 00 04 00 01 C7 5B");
    assert_frame(&cost.frames[1], "11 06 00 04 00 10 CB 57");
    assert_int_equal(cost.reply_bytes[0], 7);
    assert_int_equal(cost.reply_bytes[1], 8);
    /* 31 characters; a silence in each exchange and one between them */
    assert_in_range(cost.least_us, 23774, 23785);
}

static void the_longest_requests_fit_a_frame(void **state)
{
    (void)state;
    struct operation write = {.kind = OPERATION_WRITE,
                              .table = TABLE_HOLDING,
                              .address = 0,
                              .count = ADAPTER_WRITE_MAX};
    struct operation read = {
        .kind = OPERATION_READ, .table = TABLE_HOLDING, .count = ADAPTER_WORDS_MAX};

    assert_int_equal(cost_of("modbus-rtu", write).frames[0].length, 255);
    assert_int_equal(cost_of("modbus-tcp", write).frames[0].length, 259);
    assert_int_equal(cost_of("modbus-rtu", read).reply_bytes[0], 255);
}

static void what_modbus_cannot_say_has_no_frame(void **state)
{
    (void)state;
    static const struct operation impossible[] = {
        {.kind = OPERATION_READ, .table = TABLE_HOLDING, .count = 0},
        {.kind = OPERATION_READ, .table = TABLE_COIL, .count = 126},
        {.kind = OPERATION_READ, .table = TABLE_INPUT, .count = 2, .address = 65535},
        {.kind = OPERATION_WRITE, .table = TABLE_HOLDING, .count = 124},
        {.kind = OPERATION_WRITE, .table = TABLE_INPUT, .count = 1},
        {.kind = OPERATION_WRITE, .table = TABLE_DISCRETE, .count = 1},
        {.kind = OPERATION_WRITE, .table = TABLE_HOLDING, .count = 1, .function = 5},
        {.kind = OPERATION_WRITE, .table = TABLE_COIL, .count = 1, .function = 16},
        {.kind = OPERATION_WRITE, .table = TABLE_HOLDING, .count = 2, .function = 6},
        {.kind = OPERATION_WRITE, .table = TABLE_HOLDING, .count = 1, .function = 3},
        {.kind = OPERATION_MASK, .table = TABLE_COIL},
        {.kind = OPERATION_WRITE_READ, .table = TABLE_HOLDING, .count = 122, .read_count = 1},
        {.kind = OPERATION_WRITE_READ, .table = TABLE_HOLDING, .count = 1, .read_count = 126},
        {.kind = OPERATION_WRITE_READ, .table = TABLE_HOLDING, .count = 1, .read_count = 0},
        {.kind = OPERATION_WRITE_READ, .table = TABLE_COIL, .count = 1, .read_count = 1},
    };

    for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++)
        assert_int_equal(cost_of("modbus-rtu", impossible[i]).count, 0);
}

struct said {
    int count;
    char keys[100];
};

static void note(void *ctx, const char *key, const char *text)
{
    struct said *said = ctx;
    size_t length = strlen(said->keys);

    assert_true(strlen(text) > 10);
    said->count++;
    snprintf(said->keys + length, sizeof(said->keys) - length, "%s ", key);
}

static void check_finds_every_problem_of_a_serial_line(void **state)
{
    (void)state;
    struct adapter_settings bad = {
        .port = "ttyUSB0", .baud = 19000, .parity = 'X', .data_bits = 7, .stop_bits = 3};
    struct said said = {0};

    adapter_find("modbus-rtu")->check(&bad, note, &said);
    assert_string_equal(said.keys, "port baud mode mode mode ");
    said = (struct said){0};
    adapter_find("modbus-rtu")->check(&usual, note, &said);
    assert_int_equal(said.count, 0);
}

static void check_finds_every_problem_of_an_endpoint(void **state)
{
    (void)state;
    struct adapter_settings bad = {.host = ""};
    struct said said = {0};

    adapter_find("modbus-tcp")->check(&bad, note, &said);
    assert_string_equal(said.keys, "host port ");
}

static void adapters_are_found_by_name_only(void **state)
{
    (void)state;

    assert_string_equal(adapter_find("modbus-tcp")->name, "modbus-tcp");
    assert_null(adapter_find("modbus"));
    assert_string_equal(table_name(TABLE_HOLDING), "holding");
    assert_string_equal(adapter_exception_words(2), "illegal data address");
    assert_non_null(adapter_exception_words(9));
    assert_non_null(adapter_exception_words(255));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_serial_frame_ends_with_its_checksum),
        cmocka_unit_test(a_tcp_frame_begins_with_its_header),
        cmocka_unit_test(a_write_costs_its_characters_and_one_silence),
        cmocka_unit_test(above_19200_baud_the_silence_is_fixed),
        cmocka_unit_test(a_character_without_parity_has_ten_bits),
        cmocka_unit_test(a_mask_without_function_22_is_two_exchanges),
        cmocka_unit_test(the_longest_requests_fit_a_frame),
        cmocka_unit_test(what_modbus_cannot_say_has_no_frame),
        cmocka_unit_test(check_finds_every_problem_of_a_serial_line),
        cmocka_unit_test(check_finds_every_problem_of_an_endpoint),
        cmocka_unit_test(adapters_are_found_by_name_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

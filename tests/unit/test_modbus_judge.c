/* A reply is judged here and not by libmodbus, which would take it out of a descriptor once
   more. So that nothing is lost by that: each reply that is taken, libmodbus takes as well. */
#include "adapters/modbus_frame.h"

#include <modbus/modbus.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { UNIT = 17, ROUNDS = 4000, LEAST_TAKEN = 400 };

static const struct operation operations[] = {
    {.kind = OPERATION_READ, .table = TABLE_COIL, .address = 19, .count = 10},
    {.kind = OPERATION_READ, .table = TABLE_DISCRETE, .address = 19, .count = 8},
    {.kind = OPERATION_READ, .table = TABLE_HOLDING, .address = 40, .count = 2},
    {.kind = OPERATION_READ, .table = TABLE_INPUT, .count = ADAPTER_WORDS_MAX},
    {.kind = OPERATION_WRITE, .table = TABLE_COIL, .count = 1, .words = {1}},
    {.kind = OPERATION_WRITE, .table = TABLE_HOLDING, .count = 1, .words = {215}},
    {.kind = OPERATION_WRITE, .table = TABLE_COIL, .count = 9, .words = {1}},
    {.kind = OPERATION_WRITE, .table = TABLE_HOLDING, .count = 2, .words = {1}},
    {.kind = OPERATION_MASK, .table = TABLE_HOLDING, .function = 22, .or_mask = 1},
    {.kind = OPERATION_WRITE_READ, .table = TABLE_HOLDING, .count = 1, .read_count = 3},
};

static unsigned draw(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245 + 12345;
    return (*seed >> 16) % below;
}

/* The reply that fits, or a refusal, with up to two bytes that do not; framed, sum and all. */
static size_t make_reply(const struct exchange *exchange, unsigned *seed, uint8_t *ret)
{
    uint8_t plain[MODBUS_PLAIN_MAX] = {UNIT, exchange->request[1]};
    size_t length = exchange->reply_length, at = 0;

    if (draw(seed, 4) == 0) {
        plain[1] |= MODBUS_EXCEPTION;
        plain[2] = (uint8_t)draw(seed, 12);
        length = 3;
    } else if (length == 6 || length == 8) {
        memcpy(plain, exchange->request, length);
    } else {
        plain[2] = (uint8_t)(length - 3);
    }
    for (unsigned i = draw(seed, 3); i > 0; i--)
        plain[draw(seed, (unsigned)length)] = (uint8_t)draw(seed, 256);
    if (!exchange->serial) {
        memset(ret, 0, 4);
        ret[4] = (uint8_t)(length >> 8);
        ret[5] = (uint8_t)length;
        at = TCP_AROUND;
    }
    memcpy(ret + at, plain, length);
    at += length;
    if (exchange->serial) {
        unsigned sum = rtu_checksum(plain, length);

        ret[at++] = (uint8_t)sum;
        ret[at++] = (uint8_t)(sum >> 8);
    }
    return at;
}

static bool is_taken(const struct exchange *exchange, const uint8_t *bytes, size_t length)
{
    struct found found;
    struct answer answer = {0};
    size_t before = exchange->serial ? 0 : TCP_AROUND;
    size_t around = exchange->serial ? RTU_AROUND : TCP_AROUND;

    if (exchange_find(exchange, bytes, length, &found) != FOUND_REPLY || found.length != length)
        return false;
    exchange_judge(exchange, bytes + before, length - around, &answer);
    return answer.result == ANSWER_DONE || answer.result == ANSWER_EXCEPTION;
}

static void what_is_taken_is_taken_by_libmodbus(bool serial)
{
    modbus_t *context = serial ? modbus_new_rtu("/dev/null", 19200, 'E', 8, 1)
                               : modbus_new_tcp_pi("localhost", "502");
    unsigned seed = 1, taken = 0;
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    modbus_set_socket(context, pair[0]);
    modbus_set_slave(context, UNIT);
    modbus_set_response_timeout(context, 10, 0);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct operation operation =
            operations[round % (sizeof(operations) / sizeof(operations[0]))];
        uint8_t reply[TCP_MOST], again[TCP_MOST];
        struct exchange exchange;

        operation.unit = UNIT;
        exchange_build(&exchange, serial, &operation);
        size_t length = make_reply(&exchange, &seed, reply);

        if (!is_taken(&exchange, reply, length))
            continue;
        taken++;
        assert_int_equal(send(pair[1], reply, length, MSG_NOSIGNAL), length);
        assert_int_equal(modbus_receive_confirmation(context, again), length);
        assert_memory_equal(again, reply, length);
    }
    assert_true(taken >= LEAST_TAKEN);
    close(pair[0]);
    close(pair[1]);
    modbus_free(context);
}

static void a_serial_reply_that_is_taken_is_taken_by_libmodbus(void **state)
{
    (void)state;
    what_is_taken_is_taken_by_libmodbus(true);
}

static void a_tcp_reply_that_is_taken_is_taken_by_libmodbus(void **state)
{
    (void)state;
    what_is_taken_is_taken_by_libmodbus(false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_serial_reply_that_is_taken_is_taken_by_libmodbus),
        cmocka_unit_test(a_tcp_reply_that_is_taken_is_taken_by_libmodbus),
    };

    return cmocka_run_group_tests_name("modbus_judge", tests, NULL, NULL);
}

/* What a line may say after a request: nothing of it may be taken for an answer that is none.
 */
#include "adapters/modbus_frame.h"

#include <assert.h>
#include <string.h>

static const struct operation operations[] = {
    {.kind = OPERATION_READ, .table = TABLE_COIL, .unit = 17, .address = 19, .count = 10},
    {.kind = OPERATION_READ, .table = TABLE_HOLDING, .unit = 17, .address = 40, .count = 2},
    {.kind = OPERATION_READ, .table = TABLE_INPUT, .unit = 17, .count = ADAPTER_WORDS_MAX},
    {.kind = OPERATION_WRITE, .table = TABLE_COIL, .unit = 17, .count = 1, .words = {1}},
    {.kind = OPERATION_WRITE, .table = TABLE_HOLDING, .unit = 17, .count = 1, .words = {215}},
    {.kind = OPERATION_WRITE, .table = TABLE_COIL, .unit = 17, .count = 9, .words = {1}},
    {.kind = OPERATION_WRITE, .table = TABLE_HOLDING, .unit = 17, .count = 2, .words = {1}},
    {.kind = OPERATION_MASK, .table = TABLE_HOLDING, .unit = 17, .function = 22, .or_mask = 1},
    {.kind = OPERATION_WRITE_READ,
     .table = TABLE_HOLDING,
     .unit = 17,
     .count = 1,
     .read_count = 3},
};

static void judge(const struct exchange *exchange, const uint8_t *bytes, size_t length)
{
    struct answer answer = {.result = ANSWER_NOT_SENT};

    exchange_judge(exchange, bytes, length, &answer);
    assert(answer.result == ANSWER_DONE || answer.result == ANSWER_EXCEPTION ||
           answer.result == ANSWER_BAD_REPLY);
    assert(answer.count <= ADAPTER_WORDS_MAX);
    assert(memchr(answer.text, '\0', sizeof(answer.text)));
    if (answer.result != ANSWER_DONE)
        return;
    assert(length == exchange->reply_length && bytes[0] == exchange->request[0] &&
           bytes[1] == exchange->request[1]);
    if (answer.count == 0)
        assert(memcmp(bytes, exchange->request, length) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct exchange exchange;
    struct found found;

    if (size < 1)
        return 0;
    size_t which = (bytes[0] & 0x7F) % (sizeof(operations) / sizeof(operations[0]));
    bool serial = bytes[0] & 0x80;

    exchange_build(&exchange, serial, &operations[which]);
    bytes++;
    size--;
    judge(&exchange, bytes, size); /* as if the sum were right */
    enum found_kind kind = exchange_find(&exchange, bytes, size, &found);

    assert(found.skip + found.length <= size);
    if (kind == FOUND_REPLY) {
        size_t before = serial ? 0 : TCP_AROUND;
        size_t around = serial ? RTU_AROUND : TCP_AROUND;

        assert(found.length > around);
        judge(&exchange, bytes + found.skip + before, found.length - around);
    }
    return 0;
}

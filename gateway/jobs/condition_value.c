/*
 * Values: their order, and their text. LOWER and UPPER only mark a string, and whoever compares
 * it folds the characters as they pass by, so that no copy is made.
 */
#include "jobs/condition_tree.h"

#include <stdint.h>
#include <string.h>

/* ASCII, Latin-1, Greek and Cyrillic: letters whose two cases are equally long in UTF-8. */
static uint32_t fold(uint32_t code, enum condition_fold how)
{
    static const struct {
        uint32_t first, last, distance; /* of the capitals */
    } letters[] = {{'A', 'Z', 32},     {0xC0, 0xD6, 32},   {0xD8, 0xDE, 32},
                   {0x391, 0x3A1, 32}, {0x3A3, 0x3AB, 32}, {0x400, 0x40F, 80},
                   {0x410, 0x42F, 32}};

    for (size_t i = 0; how != CONDITION_AS_IS && i < sizeof(letters) / sizeof(letters[0]);
         i++) {
        uint32_t first = letters[i].first, last = letters[i].last, far = letters[i].distance;

        if (how == CONDITION_LOWER && code >= first && code <= last)
            return code + far;
        if (how == CONDITION_UPPER && code >= first + far && code <= last + far)
            return code - far;
    }
    return code;
}

/* Takes the next character off a string, folded. What is not UTF-8 passes byte by byte. */
static uint32_t take_character(struct condition_value *string)
{
    const unsigned char *bytes = (const unsigned char *)string->string.bytes;
    size_t size = bytes[0] < 0xC0 ? 1 : bytes[0] < 0xE0 ? 2 : bytes[0] < 0xF0 ? 3 : 4;
    uint32_t code = bytes[0];

    if (size > string->string.size)
        size = 1;
    if (size > 1)
        code &= 0x7FU >> size;
    for (size_t i = 1; i < size; i++)
        code = code << 6 | (bytes[i] & 0x3FU);
    string->string.bytes += size;
    string->string.size -= size;
    return fold(code, string->fold);
}

static int order_bytes(const struct condition_value *a, const struct condition_value *b)
{
    size_t size = a->string.size < b->string.size ? a->string.size : b->string.size;
    int order = size > 0 ? memcmp(a->string.bytes, b->string.bytes, size) : 0;

    if (order != 0)
        return order;
    return (a->string.size > b->string.size) - (a->string.size < b->string.size);
}

/* By code point, which is the order of the bytes of UTF-8. */
static int order_strings(const struct condition_value *a, const struct condition_value *b)
{
    struct condition_value left = *a, right = *b;

    if (a->fold == CONDITION_AS_IS && b->fold == CONDITION_AS_IS)
        return order_bytes(a, b);
    while (left.string.size > 0 && right.string.size > 0) {
        uint32_t l = take_character(&left), r = take_character(&right);

        if (l != r)
            return l < r ? -1 : 1;
    }
    return (left.string.size > 0) - (right.string.size > 0);
}

int condition_order(const struct condition_value *a, const struct condition_value *b)
{
    if (a->type != b->type)
        return a->type < b->type ? -1 : 1;
    switch (a->type) {
    case CONDITION_BOOL:
        return a->boolean - b->boolean;
    case CONDITION_NUMBER:
        return (a->number > b->number) - (a->number < b->number);
    case CONDITION_STRING:
        return order_strings(a, b);
    case CONDITION_UNDEFINED:
    case CONDITION_NULL:
    case CONDITION_ARRAY:
    case CONDITION_OBJECT:
        break;
    }
    return 0;
}

bool condition_has_equality(const struct condition_value *value)
{
    return value->type != CONDITION_UNDEFINED && value->type != CONDITION_ARRAY &&
           value->type != CONDITION_OBJECT;
}

bool string_starts_with(struct condition_value text, struct condition_value part)
{
    while (part.string.size > 0) {
        if (text.string.size == 0 || take_character(&text) != take_character(&part))
            return false;
    }
    return true;
}

/* The end is found by bytes: folding keeps the length of every character. */
bool string_ends_with(struct condition_value text, struct condition_value part)
{
    size_t skip = text.string.size - part.string.size;

    if (part.string.size > text.string.size)
        return false;
    text.string.bytes += skip;
    text.string.size -= skip;
    return order_strings(&text, &part) == 0;
}

bool string_contains(struct condition_value text, struct condition_value part)
{
    if (part.string.size == 0)
        return true;
    if (text.fold == CONDITION_AS_IS && part.fold == CONDITION_AS_IS)
        return text.string.size > 0 && memmem(text.string.bytes, text.string.size,
                                              part.string.bytes, part.string.size) != NULL;
    for (; text.string.size >= part.string.size; (void)take_character(&text)) {
        if (string_starts_with(text, part))
            return true;
    }
    return false;
}

double string_characters(const struct condition_value *string)
{
    size_t count = 0;

    for (size_t i = 0; i < string->string.size; i++)
        count += ((unsigned char)string->string.bytes[i] & 0xC0) != 0x80;
    return (double)count;
}

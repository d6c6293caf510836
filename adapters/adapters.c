#include "adapters/adapter.h"

#include "adapters/modbus.h"

#include <string.h>

const struct adapter *const adapters[] = {&modbus_rtu, &modbus_tcp, NULL};

const struct adapter *adapter_find(const char *name)
{
    for (const struct adapter *const *at = adapters; *at; at++)
        if (strcmp((*at)->name, name) == 0)
            return *at;
    return NULL;
}

const char *table_name(enum table table)
{
    switch (table) {
    case TABLE_COIL:
        return "coil";
    case TABLE_DISCRETE:
        return "discrete";
    case TABLE_INPUT:
        return "input";
    case TABLE_HOLDING:
        return "holding";
    }
    return "?";
}

const char *adapter_exception_words(unsigned exception)
{
    static const char *const words[] = {
        [1] = "illegal function",
        [2] = "illegal data address",
        [3] = "illegal data value",
        [4] = "server device failure",
        [5] = "acknowledge",
        [6] = "server device busy",
        [7] = "negative acknowledge", /* only in editions before 1.1 */
        [8] = "memory parity error",
        [10] = "gateway path unavailable",
        [11] = "gateway target device failed to respond",
    };

    if (exception < sizeof(words) / sizeof(words[0]) && words[exception])
        return words[exception];
    return "an exception that the standard does not know";
}

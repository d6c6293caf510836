#include "commands/hint.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *code;
    long exception; /* 0: none */
    const char *text;
} hints[] = {
    {"DeviceTimeout", 0,
     "if only this device is silent: its unit, supply and wiring; if all of its line are: A "
     "and "
     "B, baud and mode, the port (jobgate scan tries them)"},
    {"BadReply", 0,
     "baud and mode of the line, its termination and bias, or two devices with one unit"},
    {"VerifyMismatch", 0,
     "a lock on the device, another master, or its own rounding (tolerance) or slowness "
     "(verify_within)"},
    {"OutcomeUnknown", 0, "look at the device before you ask again"},
    {"DeviceException", 1,
     "the device has not this function: functions and write_with in its profile"},
    {"DeviceException", 2,
     "the device has no such register: does its sheet count from one, or mean another table?"},
    {"DeviceException", 3,
     "the device does not take this value, or not so many registers: its limits, max_read and "
     "max_write"},
    {"DeviceException", 6, "the device is busy: ask again"},
    {"DeviceException", 10, "a gateway on the way has no path to this unit: its own settings"},
    {"DeviceException", 11,
     "a gateway on the way got no answer from this unit: unit and wiring there"},
};

const char *hint_of(const char *code, const char *sentence)
{
    static const char word[] = "exception ";
    const char *at = sentence ? strstr(sentence, word) : NULL;
    long exception = at ? strtol(at + strlen(word), NULL, 10) : 0;

    for (size_t i = 0; code && i < sizeof(hints) / sizeof(*hints); i++) {
        if (strcmp(hints[i].code, code) == 0 &&
            (hints[i].exception == 0 || hints[i].exception == exception))
            return hints[i].text;
    }
    return NULL;
}

/*
 * Payload: what became of a request on one device, for people.
 */
#ifndef JOBGATE_COMMANDS_PAYLOAD_H
#define JOBGATE_COMMANDS_PAYLOAD_H

#include "commands/terminal.h"

#include <jansson.h>

/* Written points with their results, then the values that were read. */
void payload_print(const json_t *payload, const struct terminal *terminal);
/* "DeviceTimeout: unit 7 ...", borrowed from the payload's error, or NULL. */
const char *payload_error(const json_t *payload);
/* "setpoint verified 21.5, mode not_sent" */
void payload_line(const json_t *payload, char *text, size_t size);

enum tone tone_of_result(const char *result);
/* A member that is text, borrowed; "": there is none. */
const char *text_of(const json_t *object, const char *name);
/* A value as a person reads it: text without quotes, the rest as JSON. */
void value_text(const json_t *value, char *text, size_t size);

#endif

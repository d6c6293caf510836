/*
 * The commissioning report for people, from its JSON (survey_json): as text, and as a page that
 * stands alone, prints well, and runs nothing.
 */
#ifndef JOBGATE_COMMANDS_SURVEY_SHOW_H
#define JOBGATE_COMMANDS_SURVEY_SHOW_H

#include "commands/terminal.h"

#include <jansson.h>

void survey_print_text(const json_t *report, const struct terminal *terminal);
void survey_print_html(const json_t *report, FILE *to);

int survey_number(const json_t *object, const char *name);
enum tone survey_tone(const char *word); /* of a state or a result */

/* What both say in the same words; each fits 300 bytes. */
void survey_sum_text(const json_t *report, char *text, size_t size);
void survey_tags_text(const json_t *tags, char *text, size_t size);
void survey_line_text(const json_t *line, char *text, size_t size); /* "/dev/x, 19200 8E1" */
void survey_clock_text(const json_t *report, char *text, size_t size);
/* "9 of 9 points"; false: not all is well. */
bool survey_result_text(const json_t *device, char *text, size_t size);
void survey_error_text(const json_t *object, char *text, size_t size); /* "" without one */

#endif

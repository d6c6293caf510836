/*
 * Hint: where somebody who stands before the device looks first.
 */
#ifndef JOBGATE_COMMANDS_HINT_H
#define JOBGATE_COMMANDS_HINT_H

/* For an error's code and sentence; NULL: the sentence says it all. Either may be NULL. */
const char *hint_of(const char *code, const char *sentence);

#endif

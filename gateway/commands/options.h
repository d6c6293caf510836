/*
 * Options: what stands behind a command's name. --config, --socket, --json and --help are
 * understood everywhere; a command adds its own. Long options only, before or behind names.
 */
#ifndef JOBGATE_COMMANDS_OPTIONS_H
#define JOBGATE_COMMANDS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

struct option_spec {
    const char *name;   /* without dashes; NULL ends the table */
    const char **value; /* it takes a value, or */
    bool *flag;         /* it takes none */
};

struct options {
    const char *command;         /* argv[0], for messages */
    const char *config, *socket; /* NULL: not given */
    bool json;
    int count; /* what is no option */
    char **names;
};

enum { OPTIONS_GO_ON = -1, OPTIONS_MOST = 12 };

/* OPTIONS_GO_ON, or the exit status: --help printed `help`, or the use was wrong and said so.
   `least` and `most` bound the count of names; most -1: any. `more` may be NULL. */
int options_read(struct options *ret, int argc, char **argv, const struct option_spec *more,
                 int least, int most, const char *help);

/* -5 is an argument and no option: to be called before getopt, which sees a blank before it. */
void options_keep_numbers(int argc, char **argv);

/* "jobgate COMMAND: text" on stderr. */
__attribute__((format(printf, 2, 3))) void complain(const struct options *options,
                                                    const char *format, ...);

#endif

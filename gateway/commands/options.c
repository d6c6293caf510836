#include "commands/options.h"
#include "commands/commands.h"
#include "site/names.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { CONFIG = 256, SOCKET, JSON, HELP, MORE };

static size_t add_more(struct option *table, size_t count, const struct option_spec *more)
{
    for (size_t i = 0; more && more[i].name && count < OPTIONS_MOST; i++)
        table[count++] = (struct option){
            .name = more[i].name,
            .has_arg = more[i].value ? required_argument : no_argument,
            .val = MORE + (int)i,
        };
    return count;
}

static int take(struct options *options, const struct option_spec *more, int option)
{
    switch (option) {
    case CONFIG:
        options->config = optarg;
        return 0;
    case SOCKET:
        options->socket = optarg;
        return 0;
    case JSON:
        options->json = true;
        return 0;
    default:
        if (option < MORE)
            return -1;
        if (more[option - MORE].value)
            *more[option - MORE].value = optarg;
        else
            *more[option - MORE].flag = true;
        return 0;
    }
}

void options_keep_numbers(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        char *text;

        if (argv[i][0] == '-' && strchr("0123456789.", argv[i][1]) && argv[i][1] &&
            asprintf(&text, " %s", argv[i]) >= 0)
            argv[i] = text;
    }
}

/* "jobgate read DEVICE [POINT...]", the first line of a help text. */
static void say_use(const struct options *options, const char *what, const char *help)
{
    const char *use = help + strlen("Usage: ");

    if (strncmp(use + strcspn(use, "\n"), "\n  ", 3) == 0) /* there are several */
        complain(options, "%s; see jobgate %s --help", what, options->command);
    else
        complain(options, "%s; write %.*s", what, (int)strcspn(use, "\n"), use);
}

static void say_unknown(const struct options *options, const char *wrong,
                        const struct option *table)
{
    struct names names = {.count = 0};
    const char *near;

    for (size_t i = 0; table[i].name; i++)
        names_add(&names, table[i].name);
    near = names_near(&names, wrong + strspn(wrong, "-"));
    if (near)
        complain(options, "there is no option %s; is it --%s?", wrong, near);
    else
        complain(options, "there is no option %s; see jobgate %s --help", wrong,
                 options->command);
}

int options_read(struct options *ret, int argc, char **argv, const struct option_spec *more,
                 int least, int most, const char *help)
{
    struct option table[OPTIONS_MOST + 1] = {{"config", required_argument, NULL, CONFIG},
                                             {"socket", required_argument, NULL, SOCKET},
                                             {"json", no_argument, NULL, JSON},
                                             {"help", no_argument, NULL, HELP}};
    struct options options = {.command = argv[0]};
    int option;

    add_more(table, 4, more);
    options_keep_numbers(argc, argv);
    optind = 0; /* getopt's own way to begin anew */
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
        if (option == HELP || option == 'h') {
            fputs(help, stdout);
            return EXIT_DONE;
        }
        if (take(&options, more, option) == 0)
            continue;
        if (option == ':')
            complain(&options, "%s needs a value", argv[optind - 1]);
        else
            say_unknown(&options, argv[optind - 1], table);
        return EXIT_WRONG;
    }
    options.count = argc - optind;
    options.names = argv + optind;
    if (options.count < least || (most >= 0 && options.count > most)) {
        char what[80] = "something is missing";

        if (options.count >= least)
            snprintf(what, sizeof(what), "\"%.40s\" is too much", options.names[most]);
        say_use(&options, what, help);
        return EXIT_WRONG;
    }
    *ret = options;
    return OPTIONS_GO_ON;
}

void complain(const struct options *options, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "jobgate %s: ", options->command);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

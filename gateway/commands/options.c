#include "commands/options.h"
#include "commands/commands.h"

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
    optind = 0; /* getopt's own way to begin anew */
    opterr = 0;
    while ((option = getopt_long(argc, argv, ":", table, NULL)) != -1) {
        if (option == HELP) {
            fputs(help, stdout);
            return EXIT_DONE;
        }
        if (take(&options, more, option) == 0)
            continue;
        complain(&options, option == ':' ? "%s needs a value" : "there is no option %s",
                 argv[optind - 1]);
        return EXIT_WRONG;
    }
    options.count = argc - optind;
    options.names = argv + optind;
    if (options.count < least || (most >= 0 && options.count > most)) {
        complain(&options, "%s; see jobgate %s --help",
                 options.count < least ? "something is missing" : "that is too much", argv[0]);
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

/*
 * Order: what a scan is to do, from what was typed and what the site says.
 */
#ifndef JOBGATE_COMMANDS_SCAN_ORDER_H
#define JOBGATE_COMMANDS_SCAN_ORDER_H

#include "commands/options.h"
#include "commands/scan_show.h"

struct scan_order {
    const struct options *options;                              /* names[0]: the line */
    const char *units, *bauds, *parities, *timeout, *lines_dir; /* as typed, or NULL */
    bool all;

    struct site *site;       /* NULL: none */
    struct line_config bare; /* the line, where the site has none */
    char host[256];
    const struct device *devices[SCAN_UNITS];
    struct scan scan; /* wants its wake_fd and whom to tell */
    struct scan_subject subject;
};

/* Fills all below what was typed. EXIT_DONE; or the exit status, and it is said on stderr. */
int scan_order_fill(struct scan_order *order);
void scan_order_deinit(struct scan_order *order); /* after a failed one too */

#endif

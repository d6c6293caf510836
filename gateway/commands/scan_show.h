/*
 * What a scan says: to people, with the cure for what is wrong, and as JSON.
 */
#ifndef JOBGATE_COMMANDS_SCAN_SHOW_H
#define JOBGATE_COMMANDS_SCAN_SHOW_H

#include "commands/scan_judge.h"
#include "commands/terminal.h"
#include "site/site.h"

/* What was scanned. `site` is NULL where there is none; then `line` is a port, or an endpoint.
 */
struct scan_subject {
    const struct scan *scan;
    const struct site *site;
    const struct line_config *line;
    const struct device *const *devices; /* by unit; NULL: the site has none there */
    double seconds;
};

/* Before it begins: where, which units, and how long that takes. */
void scan_show_begin(const struct scan_subject *subject, const struct terminal *terminal);
/* One unit of which something was heard, as a line; false: there is nothing to say. */
bool scan_show_unit(const struct scan_subject *subject, unsigned unit, char *text, size_t size);
void scan_show_end(const struct scan_subject *subject, const struct terminal *terminal);
/* Its second half: the sum, the cures, the lines for the site. */
void scan_show_advice(const struct scan_subject *subject, const struct terminal *terminal);
json_t *scan_json(const struct scan_subject *subject); /* NULL: no memory */

/* For the site's main file, ready to be put there: of a line that speaks otherwise, and of the
   units that the site does not have. False: nothing is to be put there. */
bool scan_config_line(const struct scan_subject *subject, FILE *to);
bool scan_config_devices(const struct scan_subject *subject, FILE *to);

/* All that the site expects answers well, at its own settings, and nothing is in the way. */
bool scan_is_well(const struct scan_subject *subject);

#endif

/*
 * Fetch: answers of the gateway as JSON, lists of several pages in one piece.
 */
#ifndef JOBGATE_COMMANDS_FETCH_H
#define JOBGATE_COMMANDS_FETCH_H

#include "commands/client.h"

#include <jansson.h>

/* EXIT_DONE and *ret (a new reference), or the exit status and it is said on stderr. */
int fetch(const struct client *client, const struct options *options, const char *method,
          const char *path, const char *body, json_t **ret);
int fetch_list(const struct client *client, const struct options *options, const char *method,
               const char *path, const char *body, json_t **ret);
/* The rows of POST /devices/query. */
int fetch_query(const struct client *client, const struct options *options, const char *query,
                json_t **ret);

void print_json(json_t *json); /* one line on stdout; takes json */

#endif

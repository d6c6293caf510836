/*
 * API link: IoT Hub's service interface, as far as jobs, methods, queries and devices go, and
 * jobgate's own routes beside it (docs/api.md), over HTTP on the unix socket and, where the
 * site says so, over HTTPS for who shows a policy's key.
 *
 * libevent's HTTP server on the main loop; nothing here may block. Requests for devices become
 * struct request like those of every other link and are answered later, by ticket.
 */
#ifndef JOBGATE_LINKS_API_H
#define JOBGATE_LINKS_API_H

#include "jobs/engine.h"

struct api;
struct api_keys; /* certificate and keys of a site with HTTPS, read */
struct event_base;
struct recorder;
struct tally;

struct api_settings {
    struct event_base *base;
    const struct site *site;
    struct engine *engine; /* for what is only looked at: jobs, devices, status */
    const struct tally *tally;
    const struct recorder *recorder;
    const char *socket;  /* path of the unix socket */
    unsigned request_ms; /* from accept to a whole request; 0: 10 s */
    /* A request for the engine; ownership goes along. */
    void (*request)(void *ctx, struct request *request);
    /* Carries a look to the history, whence it comes back by api_looked(); false: it stays the
       caller's. NULL where there is no history. */
    bool (*look)(void *ctx, struct look *look);
    /* Adds members of links and store to the status document. */
    void (*status)(void *ctx, json_t *status);
    bool (*trusted)(void *ctx);     /* is the clock? Without it no signature can be judged */
    void (*trust_clock)(void *ctx); /* from now on it is */
    /* The site is to be read again, once; api_reloaded() says what became of it. */
    void (*reload)(void *ctx, uint64_t ticket);
    void *ctx;
};

int api_open(struct api **ret, const struct api_settings *settings, char *why, size_t why_size);
/* After the history's end: what looks are about must outlive them. */
void api_close(struct api *api); /* answers what waits with 503, removes the socket */
/* Any thread. NULL where `site`, which must outlive them, has no HTTPS. 0; or negative errno
   and `why`. */
int api_keys_read(struct api_keys **ret, const struct site *site, char *why, size_t why_size);
void api_keys_free(struct api_keys *keys); /* wiped; NULL is fine */
/* Another site with the same doors and its keys, which are taken, are in use from now on; the
   site before is not looked at again. */
void api_reload(struct api *api, const struct site *site, struct api_keys *keys);
/* Who has asked for a reload, up to this ticket, is told; takes the answer. */
void api_reloaded(struct api *api, uint64_t ticket, int status, json_t *answer);

/* The answered look of one of its exchanges; takes it. */
void api_looked(struct api *api, struct look *look);

/* Answers a waiting exchange (ANSWER of this link), and tells every watcher of /events. */
void api_report(struct api *api, const struct report *report);
bool api_is_watched(const struct api *api); /* somebody reads /events */

#endif

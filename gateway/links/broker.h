/*
 * Broker link: requests come in and outcomes go out over any MQTT broker (docs/mqtt.md).
 *
 * Called on the main loop only. Inside, one link thread owns the Paho client; it and Paho's
 * callbacks share nothing with the loop but two bounded queues. The loop never calls Paho.
 *
 * broker_take() gives requests that are checked for form; what is refused for its form is
 * answered by the link itself, on the topic where the answer would have been.
 */
#ifndef JOBGATE_LINKS_BROKER_H
#define JOBGATE_LINKS_BROKER_H

#include "jobs/report.h"
#include "links/broker_outbox.h"

struct broker;
struct broker_means; /* what a connection is made of: a site and its files, read */

struct broker_status {
    bool connected;
    int64_t since_us; /* boot clock */
    uint64_t received, sent, refused;
    struct outbox_state outbox;
    char text[160]; /* why it is not connected, for people */
};

/* `site` must have a broker and outlive the link; `before`, the one before a reload, or NULL,
   is looked at for devices that are gone. Key files are read here: negative errno and `why`
   when one cannot be. The connection itself is made, and made again, by the link. */
int broker_open(struct broker **ret, const struct site *site, const struct site *before,
                const char *version, char *why, size_t why_size);
/* Publishes what waits and "offline", and disconnects, within 500 ms. A message that the store
   has not taken by then is never acknowledged: it comes again. What is left to do with it: to
   take deliveries, and to close it. */
void broker_stop(struct broker *broker);
/* Any thread; `site` has a broker. 0, or negative errno and `why`. */
int broker_means_read(struct broker_means **ret, const struct site *site, const char *version,
                      char *why, size_t why_size);
void broker_means_free(struct broker_means *means); /* wiped; NULL is fine */
/* As broker_open(), with means that were read; they are taken. */
int broker_open_by(struct broker **ret, const struct site *site, const struct site *before,
                   struct broker_means *means, char *why, size_t why_size);
/* Do the files hold what this link connects with? */
bool broker_goes_by(const struct broker *broker, const struct broker_means *means);
/* Another site with the same broker, whatever may wait for it. The connection stays: the topics
   of devices that are gone are no longer subscribed to, those of new ones are. 0; or -ENOMEM,
   and nothing has changed: then the link is to be closed and opened anew. */
int broker_reload(struct broker *broker, const struct site *site);
void broker_close(struct broker *broker); /* stops it where it was not; NULL is fine */

/* What the broker tells beside requests: plain values, texts borrowed until the next call. */
enum broker_news_kind {
    BROKER_FLOOD, /* a connection begins: what lies retained comes, until broker_connected() */
    BROKER_CLAIM, /* another living gateway names `device`, or none does (any more) */
    BROKER_KNOWN, /* claims of devices that a reload brought have been told */
    BROKER_SHARE, /* retained there: this gateway's share of `job_id` is `status` */
};

struct broker_news {
    enum broker_news_kind kind;
    size_t device;
    const char *gateway; /* CLAIM: NULL: none */
    bool first;          /* CLAIM: it stood there before this gateway told its own states */
    bool opens; /* CLAIM: nothing was sent of it until now: its state is to be reported */
    const char *job_id, *status;
};

/* Readable when broker_take(), broker_take_delivery() or broker_connected() may have something.
 */
int broker_fd(const struct broker *broker);
/* NULL: no more. Then, and after each request before it is carried out, the gateway asks the
   two below. A retained job comes only when the retained share that belongs to it has been
   told, if there is one. */
struct request *broker_take(struct broker *broker);
bool broker_tells(struct broker *broker, struct broker_news *news);
/* The device's retained desired patch, if there is one, comes once more as a request. */
void broker_ask_desired(struct broker *broker, size_t device);
/* True once after each new connection, when what lies retained there has been told, and where
   messages had to be dropped: then the gateway asks the engine to report all. */
bool broker_connected(struct broker *broker);

/* Sends what concerns the broker; ANSWER and STORED only those of this link. The report stays
   the caller's. While not connected, outcomes, last shares and answers wait (store.outbox_mb);
   retained documents are sent anew by engine_report_all(). An outcome or last share for which
   there is no room is let go, like all after it until broker_wants_untold(). */
void broker_report(struct broker *broker, const struct report *report);
/* A report that must arrive has: the broker has said so. NULL: none; it is the caller's. */
struct delivery *broker_take_delivery(struct broker *broker);
/* There is room for ends above number *after that were let go, or ended before this start: what
   engine_tell_untold() has is to be reported. To be asked after each delivery. */
bool broker_wants_untold(const struct broker *broker, uint64_t *after);
void broker_has_all(struct broker *broker); /* there were none */
void broker_status(const struct broker *broker, struct broker_status *status);

#endif

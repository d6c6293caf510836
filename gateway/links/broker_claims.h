/*
 * Claims: which devices of this site another gateway under the same root names as its own, and
 * whether that gateway lives. Bookkeeping of what was seen at the broker; who yields is decided
 * by the engine. Main loop only.
 *
 * With each connection all is learned anew, from what lies retained. Until claims_echo() says
 * that this is complete nothing is told. A gateway named by a device has to be listened to
 * (claims_watch()); one that is silent after that is taken for gone.
 */
#ifndef JOBGATE_LINKS_BROKER_CLAIMS_H
#define JOBGATE_LINKS_BROKER_CLAIMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct claims;

struct claim {
    size_t device;
    const char *gateway; /* another living gateway, or NULL: none (any more) */
    bool first;          /* it stood there before this gateway told its own states */
    bool opens;          /* the device was fresh until now */
};

enum { CLAIMS_GATEWAYS_MOST = 64 }; /* others; more are not looked at */

int claims_new(struct claims **ret, size_t device_count); /* 0 or -ENOMEM */
void claims_free(struct claims *claims);                  /* NULL is fine */

/* Another site: `from` has for each of its devices the index until now; CLAIMS_FRESH: it is
   new, and nothing is told of it before claims_open(). 0; or -ENOMEM, and nothing has changed.
 */
#define CLAIMS_FRESH ((size_t)-1)
int claims_reload(struct claims *claims, const size_t *from, size_t device_count);
bool claims_is_fresh(const struct claims *claims, size_t device);
/* All that lay retained of the fresh ones has been seen: of each is told who has it, and what
   was told of others is told again. False: there were none. */
bool claims_open(struct claims *claims);

/* A new connection: what was known holds until what is retained there has come. */
void claims_begin(struct claims *claims);
enum { CLAIMS_E_FULL = 1 };
/* A state of `device` was seen that names `gateway`; "": nobody else. 0, or CLAIMS_E_FULL. */
int claims_state(struct claims *claims, size_t device, const char *gateway);
/* The birth or the will of `gateway` was seen; nothing where no device names it. */
void claims_gateway(struct claims *claims, const char *gateway, bool online);
/* All that lay there when the echo was asked for has been seen. False: of some gateway nobody
   was listening yet, ask for another echo. */
bool claims_echo(struct claims *claims);
/* No echo comes: what was seen until now must do. */
void claims_settle(struct claims *claims);
bool claims_is_settled(const struct claims *claims);

/* Once for each gateway whose birth and will are to be listened to; NULL: no more. */
const char *claims_watch(struct claims *claims);
/* The next change that the engine has to hear of; `gateway` is borrowed until the next call. */
bool claims_next(struct claims *claims, struct claim *ret);

#endif

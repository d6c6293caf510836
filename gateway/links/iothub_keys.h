/*
 * Keys: how each device proves to the hub who it is (iothub.auth): a key derived from the
 * group's, a key of its own from a file of "<id> <key>" lines, or an X.509 certificate.
 *
 * Read once, when the link opens, and never changed: any thread may ask. Keys are wiped by
 * hub_keys_free(); tokens belong to who asked for them.
 */
#ifndef JOBGATE_LINKS_IOTHUB_KEYS_H
#define JOBGATE_LINKS_IOTHUB_KEYS_H

#include "site/site.h"

struct hub_keys;

/* `site` must have an iothub and outlive it. 0, or negative errno and `why`. */
int hub_keys_open(struct hub_keys **ret, const struct site *site, char *why, size_t why_size);
void hub_keys_free(struct hub_keys *keys);

/* Tokens are what this site connects with, not certificates. */
bool hub_keys_has_tokens(const struct hub_keys *keys);
/* For `device`, an index of the site; see sas_sign(). */
char *hub_keys_token(const struct hub_keys *keys, size_t device, const char *resource,
                     const char *policy, int64_t ends_s);
/* Does a device prove who it is as it did? Certificates by what their files looked like. */
bool hub_keys_same(const struct hub_keys *a, size_t device_a, const struct hub_keys *b,
                   size_t device_b);
/* Its certificate and key as files; borrowed, NULL with tokens. */
const char *hub_keys_cert_file(const struct hub_keys *keys, size_t device);
const char *hub_keys_key_file(const struct hub_keys *keys, size_t device);
/* The name by which registrations know a device: its id in lower case. By malloc. */
char *hub_registration_id(const char *device_id);

#endif

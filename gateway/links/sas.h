/*
 * SAS: shared access signatures of IoT Hub, both ways. A device's token is signed here when the
 * gateway connects as that device; a client's token is read and checked here when the API is
 * asked over HTTPS. Pure but for sas_keys_load(); any thread.
 *
 *   SharedAccessSignature sr=<resource>&sig=<signature>&se=<end, Unix seconds>[&skn=<policy>]
 *
 * The signature is HMAC-SHA256 (RFC 2104) under the key over sr, a line feed and se, exactly as
 * both stand in the token; base64 (RFC 4648, section 4), percent-encoded (RFC 3986, 2.1).
 * Clients put the fields in any order and encode sr or not, so both are kept raw for the check.
 */
#ifndef JOBGATE_LINKS_SAS_H
#define JOBGATE_LINKS_SAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SAS_KEY_MOST = 128, SAS_SIGNATURE_SIZE = 32, SAS_SKEW_S = 60 };

struct sas_key {
    unsigned char bytes[SAS_KEY_MOST];
    size_t size;
};

enum { SAS_E_FORM = 1 }; /* it is not what it should be; nothing is set */

/* Base64, `size` characters; spaces around it are fine. 0 or SAS_E_FORM. */
int sas_key_read(struct sas_key *ret, const char *text, size_t size);
void sas_key_wipe(struct sas_key *key);
/* Of one identity in a group: HMAC-SHA256 under the group's key over its name. 0 or -EIO. */
int sas_key_derive(struct sas_key *ret, const struct sas_key *group, const char *name);
/* A file of one key a line, at most `most`; empty lines do not count. 0 with *count, or
   negative errno and `why`. The text is wiped. */
int sas_keys_load(struct sas_key *keys, size_t most, size_t *count, const char *file, char *why,
                  size_t why_size);

/* A token for `resource` (plain, is encoded), by malloc; `policy` or NULL. NULL: out of memory.
   It opens doors until it ends: whoever holds it wipes it. */
char *sas_sign(const struct sas_key *key, const char *resource, const char *policy,
               int64_t ends_s);

struct sas_token {
    char *resource; /* decoded, never NULL */
    char *policy;   /* decoded, or NULL */
    int64_t ends_s; /* Unix seconds */
    char *signed_text;
    unsigned char signature[SAS_SIGNATURE_SIZE];
};

/* The value of an Authorization header or an MQTT password. 0, SAS_E_FORM or -ENOMEM. */
int sas_token_read(struct sas_token *ret, const char *text);
void sas_token_deinit(struct sas_token *token);

/* In constant time. */
bool sas_token_is_signed_by(const struct sas_token *token, const struct sas_key *key);
bool sas_token_has_ended(const struct sas_token *token, int64_t now_s); /* with SAS_SKEW_S */
/* Is it for this host (letters of any case, with or without a port) and for this path or, by
   whole segments, a folder of it? `path` is decoded and begins with '/'. */
bool sas_token_covers(const struct sas_token *token, const char *host, const char *path);

/* Percent-encoding of everything but unreserved characters; by malloc, NULL: out of memory. */
char *percent_encode(const char *text);
/* In place; a '+' stays one. False: an escape is broken or means NUL. */
bool percent_decode(char *text);

#endif

/*
 * Access, inside: what its three files share.
 *
 *     api_keys.c     policies and their keys, from the files of the site
 *     api_access.c   who asks, and what a refusal says
 *     api_session.c  people: signing in, their cookie
 */
#ifndef JOBGATE_LINKS_API_ACCESS_H
#define JOBGATE_LINKS_API_ACCESS_H

#include "links/api_internal.h"
#include "links/sas.h"

enum {
    ACCESS_KEYS_MOST = 2, /* primary and secondary */
    ACCESS_SESSIONS_MOST = 32,
    ACCESS_SECRET_SIZE = 2 * 32 + 1, /* in hex */
};

struct policy {
    struct sas_key keys[ACCESS_KEYS_MOST];
    size_t key_count;
};

struct session {
    char secret[ACCESS_SECRET_SIZE]; /* "": free */
    char csrf[ACCESS_SECRET_SIZE];
    size_t policy;
    int64_t until_us; /* boot clock */
};

struct access {
    const struct api_config *config;
    struct policy *policies; /* as many as the site has */
    char *metrics_token;     /* or NULL */
    struct session sessions[ACCESS_SESSIONS_MOST];
    uint64_t taken, refused;
    int64_t told_us;
};

/* --- api_access.c --- */
/* Its place among the site's policies; policy_count: there is none. */
size_t access_find_policy(const struct api_config *config, const char *name);
void access_grant(struct exchange *exchange, size_t policy); /* the rights of this policy */
void access_refuse(struct exchange *exchange); /* with `why`; who is often refused, late */
/* In a time that tells nothing of where they differ, and little of their lengths. */
bool access_is_same(const char *a, const char *b);

/* --- api_keys.c --- */
/* Does the file of the metrics' token hold one? It may be NULL. 0, or negative errno and `why`.
 */
int access_token_check(const struct api_config *config, char *why, size_t why_size);

/* --- api_session.c --- */
void access_by_cookie(struct exchange *exchange); /* sets rights, policy, session, why */

#endif

/*
 * Access over HTTPS: policies with rights, shown by a shared access signature in each request,
 * by a person's cookie after signing in with a policy's key, or for /metrics by a bearer token.
 * What a refusal says does not tell a wrong name from a wrong key.
 */
#include "links/api_access.h"
#include "base/log.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>
#include <string.h>

#define TELL_US INT64_C(60000000)

bool access_is_same(const char *a, const char *b)
{
    unsigned char one[SHA256_DIGEST_LENGTH], other[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)a, strlen(a), one);
    SHA256((const unsigned char *)b, strlen(b), other);
    return CRYPTO_memcmp(one, other, sizeof(one)) == 0;
}

/* --- who is it? --- */

size_t access_find_policy(const struct api_config *config, const char *name)
{
    size_t i = 0;

    while (i < config->policy_count && strcmp(config->policies[i].name, name) != 0)
        i++;
    return i;
}

void access_grant(struct exchange *exchange, size_t policy)
{
    const struct policy_config *config = &exchange->api->access->config->policies[policy];

    exchange->rights = config->rights;
    if (config->rights & RIGHT_READ)
        exchange->rights |= API_RIGHT_METRICS;
    exchange->policy = config->name;
    peers_welcome(exchange->api->peers, exchange->connection->address, clock_boot_us());
    places_changed(exchange->api);
}

static bool is_signed(const struct policy *policy, const struct sas_token *token)
{
    bool found = false;

    for (size_t i = 0; i < policy->key_count; i++)
        found |= sas_token_is_signed_by(token, &policy->keys[i]);
    return found;
}

static void judge_token(struct exchange *exchange, const struct sas_token *token)
{
    const struct access *access = exchange->api->access;
    size_t policy = token->policy ? access_find_policy(access->config, token->policy)
                                  : access->config->policy_count;

    if (policy == access->config->policy_count || !is_signed(&access->policies[policy], token))
        exchange->why = "the token is not signed with a key of a policy of this gateway";
    else if (sas_token_has_ended(token, clock_wall_ms() / 1000))
        exchange->why = "the token has ended, or the clock of who made it is wrong";
    else if (!sas_token_covers(token, access->config->host, exchange->path))
        exchange->why = "the token is for another host or path";
    else
        access_grant(exchange, policy);
}

static void identify_by_token(struct exchange *exchange, const char *text)
{
    struct sas_token token;

    if (sas_token_read(&token, text) != 0) {
        exchange->why = "Authorization is SharedAccessSignature sr=...&sig=...&se=...&skn=...";
        return;
    }
    judge_token(exchange, &token);
    sas_token_deinit(&token);
}

static void identify_by_bearer(struct exchange *exchange, const char *text)
{
    const char *token = exchange->api->access->metrics_token;

    if (token && access_is_same(text, token))
        exchange->rights = API_RIGHT_METRICS;
    else
        exchange->why = "a bearer token is for /metrics alone, and this is not the one";
}

static bool is_loopback(const char *host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        size_t size = strlen(names[i]);

        if (strncmp(host, names[i], size) == 0 && (host[size] == '\0' || host[size] == ':'))
            return true;
    }
    return false;
}

/* The socket may be forwarded to a person's own machine (ssh -L). There every page that the
   browser has open could ask, under its own name or under one that it makes mean the machine.
 */
static bool is_foreign_page(const struct exchange *exchange)
{
    const char *origin = exchange_asked(exchange, "Origin"),
               *host = exchange_asked(exchange, "Host");

    /* A page that reads under a name of its own sends no Origin, and over HTTP to such a name
       nothing of Sec-Fetch; a browser's languages it cannot leave out. */
    if (!origin && !exchange_asked(exchange, "Sec-Fetch-Site") &&
        !exchange_asked(exchange, "Accept-Language"))
        return false; /* no browser */
    if (!host || !is_loopback(host))
        return true;
    return origin && (strncmp(origin, "http://", 7) != 0 || strcmp(origin + 7, host) != 0);
}

static void identify_local(struct exchange *exchange)
{
    if (is_foreign_page(exchange))
        exchange->why = "a page of another origin may not ask here";
    else
        exchange->rights = ~0u; /* the socket's file mode has decided */
}

void access_identify(struct exchange *exchange)
{
    const struct api *api = exchange->api;
    const char *text = exchange_asked(exchange, "Authorization");

    if (!exchange->connection->door->https)
        identify_local(exchange);
    else if (!api->settings.trusted(api->settings.ctx))
        exchange->why = "clock not set";
    else if (text && strncmp(text, "Bearer ", 7) == 0)
        identify_by_bearer(exchange, text + 7);
    else if (text)
        identify_by_token(exchange, text);
    else
        access_by_cookie(exchange);
}

/* --- refusals --- */

static void tell(struct access *access, const struct exchange *exchange)
{
    int64_t now_us = clock_boot_us();

    access->refused++;
    if (access->told_us && now_us - access->told_us < TELL_US)
        return;
    access->told_us = now_us;
    log_warning("api: refused %s: %s (%llu refusals so far)", exchange->connection->address,
                exchange->why, (unsigned long long)access->refused);
}

void access_refuse_now(struct exchange *exchange)
{
    exchange->waiting = WAITING_NOT;
    if (exchange->session) {
        exchange_refuse(exchange, 403, "IotHubForbidden", "%s", exchange->why);
        return;
    }
    exchange_header(exchange, "WWW-Authenticate", "SharedAccessSignature");
    exchange_refuse(exchange, 401, "IotHubUnauthorizedAccess", "%s", exchange->why);
}

void access_refuse(struct exchange *exchange)
{
    struct api *api = exchange->api;
    unsigned ms = 0;

    if (!exchange->connection->door->https) {
        exchange_refuse(exchange, 403, "IotHubForbidden", "%s", exchange->why);
        return;
    }
    tell(api->access, exchange);
    /* Who asks for the page without a key, or lacks one right, guesses nothing. */
    if (!exchange->policy && !exchange->session &&
        (exchange_asked(exchange, "Authorization") || exchange->guess))
        ms = peers_refuse(api->peers, exchange->connection->address, clock_boot_us());
    if (ms == 0) {
        access_refuse_now(exchange);
        return;
    }
    exchange->waiting = WAITING_REFUSAL;
    exchange->connection->exchange = exchange;
    connection_slow(exchange->connection, ms);
}

bool access_allows(struct exchange *exchange, unsigned right)
{
    if (right == 0 || (exchange->rights & right)) {
        if (exchange->api->access && exchange->policy)
            exchange->api->access->taken++;
        return true;
    }
    if (!exchange->why)
        exchange->why = right == RIGHT_READ   ? "this policy has not the right \"read\""
                        : right == RIGHT_CALL ? "this policy has not the right \"call\""
                        : right == RIGHT_JOB  ? "this policy has not the right \"job\""
                        : right == RIGHT_TWIN ? "this policy has not the right \"twin\""
                                              : "this is not for a metrics token";
    access_refuse(exchange);
    return false;
}

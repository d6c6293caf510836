/*
 * Access over HTTPS: policies with rights, shown by a shared access signature in each request,
 * by a person's cookie after signing in with a policy's key, or for /metrics by a bearer token.
 * What a refusal says does not tell a wrong name from a wrong key.
 */
#include "base/log.h"
#include "links/api_internal.h"
#include "links/sas.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    KEYS_MOST = 2, /* primary and secondary */
    SESSIONS_MOST = 32,
    SECRET_SIZE = 2 * 32 + 1, /* in hex */
    TOKEN_FILE_MOST = 1024,
};
#define SESSION_US INT64_C(43200000000) /* 12 hours */
#define TELL_US    INT64_C(60000000)

static const char cookie_name[] = "__Host-jobgate";

struct policy {
    struct sas_key keys[KEYS_MOST];
    size_t key_count;
};

struct session {
    char secret[SECRET_SIZE]; /* "": free */
    char csrf[SECRET_SIZE];
    size_t policy;
    int64_t until_us; /* boot clock */
};

struct access {
    const struct api_config *config;
    struct policy *policies; /* as many as the site has */
    char *metrics_token;     /* or NULL */
    struct session sessions[SESSIONS_MOST];
    uint64_t taken, refused;
    int64_t told_us;
};

/* --- keys --- */

static int read_token(char **ret, const char *file, char *why, size_t why_size)
{
    char text[TOKEN_FILE_MOST + 1];
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    int error = errno;

    if (fd >= 0)
        close(fd);
    if (size < 0) {
        snprintf(why, why_size, "api.https: metrics_token_file %s: %s", file, strerror(error));
        return -error;
    }
    text[size] = '\0';
    text[strcspn(text, " \t\r\n")] = '\0';
    *ret = strdup(text);
    OPENSSL_cleanse(text, sizeof(text));
    if (*ret && **ret)
        return 0;
    snprintf(why, why_size, "api.https: metrics_token_file %s begins with no token", file);
    free(*ret);
    return -EINVAL;
}

static int read_policy(struct policy *policy, const struct policy_config *config, char *why,
                       size_t why_size)
{
    char text[200] = "";
    int r = sas_keys_load(policy->keys, KEYS_MOST, &policy->key_count, config->key_file, text,
                          sizeof(text));

    if (r == 0 && policy->key_count == 0) {
        snprintf(text, sizeof(text), "it has no key");
        r = -EINVAL;
    }
    if (r < 0)
        snprintf(why, why_size, "api.https: policy %s: %s", config->name, text);
    return r;
}

void access_close(struct access *access)
{
    if (!access)
        return;
    for (size_t i = 0; access->policies && i < access->config->policy_count; i++)
        for (size_t k = 0; k < KEYS_MOST; k++)
            sas_key_wipe(&access->policies[i].keys[k]);
    if (access->metrics_token)
        OPENSSL_cleanse(access->metrics_token, strlen(access->metrics_token));
    free(access->metrics_token);
    free(access->policies);
    OPENSSL_cleanse(access->sessions, sizeof(access->sessions));
    free(access);
}

static int access_new(struct access **ret, const struct api_config *config, char *why,
                      size_t why_size)
{
    struct access *access = calloc(1, sizeof(*access));
    int r = access ? 0 : -ENOMEM;

    if (r == 0) {
        access->config = config;
        access->policies = calloc(config->policy_count + 1, sizeof(*access->policies));
        r = access->policies ? 0 : -ENOMEM;
    }
    for (size_t i = 0; r == 0 && i < config->policy_count; i++)
        r = read_policy(&access->policies[i], &config->policies[i], why, why_size);
    if (r == 0 && config->metrics_token_file)
        r = read_token(&access->metrics_token, config->metrics_token_file, why, why_size);
    if (r < 0)
        access_close(access);
    else
        *ret = access;
    return r;
}

int access_open(struct api *api, char *why, size_t why_size)
{
    return access_new(&api->access, &api->settings.site->api, why, why_size);
}

/* Who had signed in signs in again: the key may be another now. */
int access_reload(struct api *api, char *why, size_t why_size)
{
    struct access *old = api->access;
    int r = access_new(&api->access, &api->settings.site->api, why, why_size);

    if (r < 0)
        return r;
    api->access->taken = old->taken;
    api->access->refused = old->refused;
    access_close(old);
    return 0;
}

void access_count(const struct access *access, uint64_t *taken, uint64_t *refused)
{
    *taken = access->taken;
    *refused = access->refused;
}

/* In a time that tells nothing of where they differ, and little of their lengths. */
static bool is_same_secret(const char *a, const char *b)
{
    unsigned char one[SHA256_DIGEST_LENGTH], other[SHA256_DIGEST_LENGTH];

    SHA256((const unsigned char *)a, strlen(a), one);
    SHA256((const unsigned char *)b, strlen(b), other);
    return CRYPTO_memcmp(one, other, sizeof(one)) == 0;
}

/* --- who is it? --- */

static const char *header(const struct exchange *exchange, const char *name)
{
    return evhttp_find_header(evhttp_request_get_input_headers(exchange->http), name);
}

static size_t find_policy(const struct api_config *config, const char *name)
{
    size_t i = 0;

    while (i < config->policy_count && strcmp(config->policies[i].name, name) != 0)
        i++;
    return i;
}

static void grant(struct exchange *exchange, size_t policy)
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
    size_t policy = token->policy ? find_policy(access->config, token->policy)
                                  : access->config->policy_count;

    if (policy == access->config->policy_count || !is_signed(&access->policies[policy], token))
        exchange->why = "the token is not signed with a key of a policy of this gateway";
    else if (sas_token_has_ended(token, clock_wall_ms() / 1000))
        exchange->why = "the token has ended, or the clock of who made it is wrong";
    else if (!sas_token_covers(token, access->config->host, exchange->path))
        exchange->why = "the token is for another host or path";
    else
        grant(exchange, policy);
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

    if (token && is_same_secret(text, token))
        exchange->rights = API_RIGHT_METRICS;
    else
        exchange->why = "a bearer token is for /metrics alone, and this is not the one";
}

/* The value of our cookie as it stands in the header; false: it is not there. */
static bool find_cookie(const struct exchange *exchange, char value[SECRET_SIZE])
{
    const char *text = header(exchange, "Cookie");
    size_t name_size = strlen(cookie_name);

    while (text && *text) {
        text += strspn(text, "; ");
        if (strncmp(text, cookie_name, name_size) == 0 && text[name_size] == '=') {
            const char *from = text + name_size + 1;
            size_t size = strcspn(from, "; ");

            if (size != SECRET_SIZE - 1)
                return false;
            memcpy(value, from, size);
            value[size] = '\0';
            return true;
        }
        text += strcspn(text, ";");
    }
    return false;
}

static struct session *find_session(struct exchange *exchange)
{
    struct access *access = exchange->api->access;
    struct session *found = NULL;
    char secret[SECRET_SIZE];
    int64_t now_us = clock_boot_us();

    if (!find_cookie(exchange, secret))
        return NULL;
    for (size_t i = 0; i < SESSIONS_MOST; i++) {
        struct session *each = &access->sessions[i];

        if (each->secret[0] && each->until_us > now_us &&
            CRYPTO_memcmp(each->secret, secret, SECRET_SIZE) == 0)
            found = each;
    }
    return found;
}

/* A foreign page can make a browser send our cookie, but not read what stands in ours. */
static bool is_own_page(const struct exchange *exchange, const struct session *session)
{
    const char *csrf = header(exchange, "X-CSRF-Token");

    if (exchange->method & (EVHTTP_REQ_GET | EVHTTP_REQ_HEAD))
        return true;
    return csrf && is_same_secret(csrf, session->csrf);
}

static void identify_by_cookie(struct exchange *exchange)
{
    const struct session *session = find_session(exchange);

    if (!session) {
        exchange->why = "a shared access signature of a policy is wanted in Authorization";
        return;
    }
    exchange->session = session->csrf;
    if (is_own_page(exchange, session))
        grant(exchange, session->policy);
    else
        exchange->why = "X-CSRF-Token is not that of this session";
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
    const char *origin = header(exchange, "Origin"), *host = header(exchange, "Host");

    if (!origin && !header(exchange, "Sec-Fetch-Site"))
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
    const char *text = header(exchange, "Authorization");

    if (!exchange->connection->door->https)
        identify_local(exchange);
    else if (!api->settings.trusted(api->settings.ctx))
        exchange->why = "clock not set";
    else if (text && strncmp(text, "Bearer ", 7) == 0)
        identify_by_bearer(exchange, text + 7);
    else if (text)
        identify_by_token(exchange, text);
    else
        identify_by_cookie(exchange);
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

static void refuse(struct exchange *exchange)
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
        (header(exchange, "Authorization") || exchange->guess))
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
    refuse(exchange);
    return false;
}

/* --- people --- */

static bool make_secret(char text[SECRET_SIZE])
{
    unsigned char bytes[(SECRET_SIZE - 1) / 2];

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return true;
}

static json_t *rights_json(unsigned rights)
{
    static const struct {
        unsigned right;
        const char *name;
    } names[] = {
        {RIGHT_READ, "read"}, {RIGHT_CALL, "call"}, {RIGHT_JOB, "job"}, {RIGHT_TWIN, "twin"}};
    json_t *array = json_array();

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (rights & names[i].right)
            json_array_append_new(array, json_string(names[i].name));
    return array;
}

/* Open to all: the page asks it whether somebody must sign in first. */
void get_session(struct exchange *exchange)
{
    bool may_read = exchange->rights & RIGHT_READ;

    exchange_send_json(exchange, 200,
                       json_pack("{s:b,s:s?,s:s?,s:o,s:s?,s:s?}", "local",
                                 (int)!exchange->connection->door->https, "gateway",
                                 may_read ? exchange->api->settings.site->id : NULL, "policy",
                                 exchange->policy, "rights", rights_json(exchange->rights),
                                 "csrf", exchange->policy ? exchange->session : NULL, "why",
                                 exchange->why));
}

/* The oldest makes room. */
static struct session *new_session(struct access *access, size_t policy)
{
    struct session *session = &access->sessions[0];

    for (size_t i = 1; i < SESSIONS_MOST; i++)
        if (access->sessions[i].until_us < session->until_us)
            session = &access->sessions[i];
    if (!make_secret(session->secret) || !make_secret(session->csrf)) {
        *session = (struct session){0};
        return NULL;
    }
    session->policy = policy;
    session->until_us = clock_boot_us() + SESSION_US;
    return session;
}

static bool is_key_of(const struct policy *policy, const char *text)
{
    struct sas_key key = {0};
    bool found = false;

    if (sas_key_read(&key, text, strlen(text)) != 0)
        return false;
    for (size_t i = 0; i < policy->key_count; i++)
        found |= policy->keys[i].size == key.size &&
                 CRYPTO_memcmp(policy->keys[i].bytes, key.bytes, key.size) == 0;
    sas_key_wipe(&key);
    return found;
}

static void set_cookie(struct exchange *exchange, const char *secret, int seconds)
{
    char text[200];

    snprintf(text, sizeof(text), "%s=%s; Path=/; Max-Age=%d; Secure; HttpOnly; SameSite=Strict",
             cookie_name, secret, seconds);
    exchange_header(exchange, "Set-Cookie", text);
}

static void sign_in(struct exchange *exchange, const char *name, const char *key)
{
    struct access *access = exchange->api->access;
    size_t policy = find_policy(access->config, name);
    struct session *session;

    if (policy == access->config->policy_count || !is_key_of(&access->policies[policy], key)) {
        exchange->why = "this is no policy with this key";
        exchange->guess = true;
        refuse(exchange);
        return;
    }
    session = new_session(access, policy);
    if (!session) {
        exchange_refuse_memory(exchange);
        return;
    }
    log_info("api: %s signed in with policy %s", exchange->connection->address, name);
    set_cookie(exchange, session->secret, (int)(SESSION_US / 1000000));
    exchange->session = session->csrf;
    grant(exchange, policy);
    get_session(exchange);
}

void post_signin(struct exchange *exchange)
{
    const char *policy, *key;
    json_t *body;

    if (!exchange->connection->door->https) {
        get_session(exchange);
        return;
    }
    if (!exchange->api->settings.trusted(exchange->api->settings.ctx)) {
        access_refuse_now(exchange);
        return;
    }
    if (!exchange_read_json(exchange, &body))
        return;
    exchange->rights = 0;
    exchange->policy = exchange->session = NULL;
    if (json_unpack(body, "{s:s,s:s}", "policy", &policy, "key", &key) < 0)
        exchange_refuse(exchange, 400, "ArgumentInvalid", "policy and key are wanted");
    else
        sign_in(exchange, policy, key);
    json_decref(body);
}

void post_signout(struct exchange *exchange)
{
    struct session *session =
        exchange->connection->door->https && exchange->policy ? find_session(exchange) : NULL;

    if (session)
        *session = (struct session){0};
    set_cookie(exchange, "", 0);
    exchange_send_text(exchange, 200, "{}");
}

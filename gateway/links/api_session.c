/* People: they sign in with a policy's key, and their browser keeps a cookie for a while. */
#include "base/log.h"
#include "links/api_access.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#define SESSION_US INT64_C(43200000000) /* 12 hours */

static const char cookie_name[] = "__Host-jobgate";

static struct session *find_session(struct exchange *exchange)
{
    struct access *access = exchange->api->access;
    struct session *found = NULL;
    char secret[ACCESS_SECRET_SIZE];
    int64_t now_us = clock_boot_us();

    if (!http_cookie_find(secret, sizeof(secret), exchange_asked(exchange, "Cookie"),
                          cookie_name) ||
        strlen(secret) != ACCESS_SECRET_SIZE - 1)
        return NULL;
    for (size_t i = 0; i < ACCESS_SESSIONS_MOST; i++) {
        struct session *each = &access->sessions[i];

        if (each->secret[0] && each->until_us > now_us &&
            CRYPTO_memcmp(each->secret, secret, ACCESS_SECRET_SIZE) == 0)
            found = each;
    }
    return found;
}

/* A foreign page can make a browser send our cookie, but not read what stands in ours. */
static bool is_own_page(const struct exchange *exchange, const struct session *session)
{
    const char *csrf = exchange_asked(exchange, "X-CSRF-Token");

    if (exchange->method & (EVHTTP_REQ_GET | EVHTTP_REQ_HEAD))
        return true;
    return csrf && access_is_same(csrf, session->csrf);
}

void access_by_cookie(struct exchange *exchange)
{
    const struct session *session = find_session(exchange);

    if (!session) {
        exchange->why = "a shared access signature of a policy is wanted in Authorization";
        return;
    }
    exchange->session = session->csrf;
    if (is_own_page(exchange, session))
        access_grant(exchange, session->policy);
    else
        exchange->why = "X-CSRF-Token is not that of this session";
}

static bool make_secret(char text[ACCESS_SECRET_SIZE])
{
    unsigned char bytes[(ACCESS_SECRET_SIZE - 1) / 2];

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

    for (size_t i = 1; i < ACCESS_SESSIONS_MOST; i++)
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
    size_t policy = access_find_policy(access->config, name);
    struct session *session;

    if (policy == access->config->policy_count || !is_key_of(&access->policies[policy], key)) {
        exchange->why = "this is no policy with this key";
        exchange->guess = true;
        access_refuse(exchange);
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
    access_grant(exchange, policy);
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

/* HTTPS: who is let in, seen by a client of OpenSSL that takes turns with the loop. */
#include "api_world.h"
#include "links/sas.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <time.h>

static const char key_text[] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void write_certificate(const char *cert_path, const char *key_path)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    FILE *file;

    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    X509_set_pubkey(cert, key);
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    file = fopen(cert_path, "w");
    PEM_write_X509(file, cert);
    fclose(file);
    file = fopen(key_path, "w");
    PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
    fclose(file);
    X509_free(cert);
    EVP_PKEY_free(key);
}

static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    getsockname(fd, (struct sockaddr *)&address, &size);
    close(fd);
    return ntohs(address.sin_port);
}

struct secure {
    struct world world; /* first: the world's functions take it */
    char cert[96], key[96], policy_key[96], listen[40], name[12], host[12];
    struct policy_config policy;
    struct site site;
    int port;
    SSL_CTX *tls;
};

static int open_secure(void **state)
{
    struct secure *secure = calloc(1, sizeof(*secure));
    struct world *world = &secure->world;
    char why[300];

    strcpy(world->folder, "/tmp/jobgate-test-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->socket, sizeof(world->socket), "%s/run/api.sock", world->folder);
    snprintf(secure->cert, sizeof(secure->cert), "%s/cert", world->folder);
    snprintf(secure->key, sizeof(secure->key), "%s/key", world->folder);
    snprintf(secure->policy_key, sizeof(secure->policy_key), "%s/policy", world->folder);
    strcpy(secure->name, "operator");
    strcpy(secure->host, "localhost");
    write_certificate(secure->cert, secure->key);
    write_text(secure->policy_key, key_text);
    secure->port = free_port();
    snprintf(secure->listen, sizeof(secure->listen), "127.0.0.1:%d", secure->port);
    secure->policy = (struct policy_config){
        .name = secure->name, .key_file = secure->policy_key, .rights = RIGHT_READ};
    secure->site = *site_of_one();
    secure->site.api = (struct api_config){.https = true,
                                           .listen = secure->listen,
                                           .host = secure->host,
                                           .cert_file = secure->cert,
                                           .key_file = secure->key,
                                           .policies = &secure->policy,
                                           .policy_count = 1};
    world->base = event_base_new();
    secure->tls = SSL_CTX_new(TLS_client_method());
    assert_int_equal(api_open(&world->api,
                              &(struct api_settings){.base = world->base,
                                                     .site = &secure->site,
                                                     .engine = &fake_engine,
                                                     .socket = world->socket,
                                                     .request = take_request,
                                                     .request_ms = 20000,
                                                     .trusted = clock_of,
                                                     .ctx = world},
                              why, sizeof(why)),
                     0);
    *state = secure;
    return 0;
}

static int close_secure(void **state)
{
    struct secure *secure = *state;

    unlink(secure->cert);
    unlink(secure->key);
    unlink(secure->policy_key);
    SSL_CTX_free(secure->tls);
    return close_world(state);
}

/* One connection, turn by turn; what came back, or "" when the gateway closed. */
static const char *ask(struct secure *secure, const char *request)
{
    struct world *world = &secure->world;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)secure->port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0), size = 0;
    SSL *tls = SSL_new(secure->tls);
    bool sent = false;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    SSL_set_fd(tls, fd);
    for (int i = 0; i < 6000; i++) {
        int r;

        turn(world);
        if (SSL_connect(tls) == 1 && !sent)
            sent = SSL_write(tls, request, (int)strlen(request)) > 0;
        r = sent ? SSL_read(tls, world->text + size, TEXT_MOST - 1 - size) : 0;
        if (r > 0)
            size += r;
        world->text[size] = '\0';
        if (strstr(world->text, "\r\n\r\n") && *body_of(world->text))
            break;
        usleep(10000);
    }
    SSL_free(tls);
    close(fd);
    turn(world);
    return world->text;
}

static const char *ask_signed(struct secure *secure, const char *path, const char *key,
                              int64_t ends_s)
{
    struct sas_key own;
    char text[600], *token;

    assert_int_equal(sas_key_read(&own, key, strlen(key)), 0);
    token = sas_sign(&own, "localhost", "operator", ends_s);
    snprintf(text, sizeof(text),
             "GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: %s\r\n\r\n", path, token);
    free(token);
    return ask(secure, text);
}

static void a_signed_request_is_answered(void **state)
{
    struct secure *secure = *state;

    assert_status(ask_signed(secure, "/devices", key_text, time(NULL) + 60), "200");
    assert_has(secure->world.text, "room-07");
}

static void an_unsigned_request_is_told_what_is_wanted(void **state)
{
    assert_status(ask(*state, REQUEST("GET /devices", "", "")), "401");
    assert_has(((struct secure *)*state)->world.text,
               "iothub-errorcode: IotHubUnauthorizedAccess");
}

static void a_foreign_key_is_refused(void **state)
{
    assert_status(ask_signed(*state, "/devices",
                             "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", time(NULL) + 60),
                  "401");
}

static void without_a_trusted_clock_nobody_is_let_in(void **state)
{
    struct secure *secure = *state;

    secure->world.untrusted = true;
    assert_status(ask_signed(secure, "/devices", key_text, time(NULL) + 60), "401");
    assert_has(secure->world.text, "ErrorCode:IotHubUnauthorizedAccess;clock not set");
    assert_status(ask(secure, REQUEST("GET /healthz", "", "")), "200");
    assert_status(get(&secure->world, "/devices"), "200"); /* the socket works */
    secure->world.untrusted = false;
    assert_status(ask_signed(secure, "/devices", key_text, time(NULL) + 60), "200");
}

static void a_file_without_a_token_is_refused(void **state)
{
    struct secure *secure = *state;
    char file[120], why[300];
    struct site site = secure->site;
    struct api_keys *keys;

    snprintf(file, sizeof(file), "%s/token", secure->world.folder);
    write_text(file, "\n");
    site.api.metrics_token_file = file;
    assert_int_equal(api_keys_read(&keys, &site, why, sizeof(why)), -EINVAL);
    assert_has(why, "begins with no token");
    unlink(file);
}

static void a_reload_with_a_bad_key_file_leaves_all_as_it_is(void **state)
{
    struct secure *secure = *state;
    struct api_keys *keys;
    char why[300];

    write_text(secure->policy_key, "not base64!");
    assert_true(api_keys_read(&keys, &secure->site, why, sizeof(why)) < 0);
    assert_has(why, "policy operator");
    assert_status(ask_signed(secure, "/devices", key_text, time(NULL) + 60), "200");
    write_text(secure->policy_key, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    assert_int_equal(api_keys_read(&keys, &secure->site, why, sizeof(why)), 0);
    api_reload(secure->world.api, &secure->site, keys);
    assert_status(ask_signed(secure, "/devices", key_text, time(NULL) + 60), "401");
}

static void a_client_that_speaks_no_tls_harms_nobody(void **state)
{
    struct secure *secure = *state;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)secure->port)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    client_say(&secure->world, fd, REQUEST("GET /devices", "", ""));
    turn(&secure->world);
    close(fd);
    assert_status(ask_signed(secure, "/devices", key_text, time(NULL) + 60), "200");
}

#define secure_fact(name) cmocka_unit_test_setup_teardown(name, open_secure, close_secure)

int main(void)
{
    const struct CMUnitTest tests[] = {
        secure_fact(a_signed_request_is_answered),
        secure_fact(an_unsigned_request_is_told_what_is_wanted),
        secure_fact(a_foreign_key_is_refused),
        secure_fact(without_a_trusted_clock_nobody_is_let_in),
        secure_fact(a_file_without_a_token_is_refused),
        secure_fact(a_reload_with_a_bad_key_file_leaves_all_as_it_is),
        secure_fact(a_client_that_speaks_no_tls_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

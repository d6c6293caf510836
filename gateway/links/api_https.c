/* HTTPS: the certificate and the listening socket. TLS 1.2 and 1.3 by OpenSSL, on the loop. */
#include "base/log.h"
#include "links/api_internal.h"
#include "links/tls_files.h"

#include <assert.h>
#include <errno.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BACKLOG = 64 };

static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20"; /* of TLS 1.2: forward secret */

int api_https_load(struct ssl_ctx_st **ret, const struct api_config *config, char *why,
                   size_t why_size)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    char text[300];
    int r;

    if (!tls)
        return -ENOMEM;
    SSL_CTX_set_min_proto_version(tls, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(tls, ciphers);
    SSL_CTX_set_options(tls, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(tls, SSL_MODE_RELEASE_BUFFERS); /* idle connections cost little */
    r = tls_files_load(tls, config->cert_file, config->key_file, text, sizeof(text));
    if (r < 0) {
        snprintf(why, why_size, "api.https: %s", text);
        SSL_CTX_free(tls);
        return r;
    }
    *ret = tls;
    return 0;
}

static int listen_at(const char *text, char *why, size_t why_size)
{
    struct sockaddr_storage address = {0};
    int size = sizeof(address), yes = 1, fd, error;

    if (evutil_parse_sockaddr_port(text, (struct sockaddr *)&address, &size) < 0) {
        snprintf(why, why_size,
                 "api.https: listen %s is no address and port; write such as 0.0.0.0:443",
                 text);
        return -EINVAL;
    }
    fd = api_passed_socket(&address);
    if (fd != -ENOENT)
        return fd;
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (bind(fd, (const struct sockaddr *)&address, (socklen_t)size) == 0 &&
        listen(fd, BACKLOG) == 0)
        return fd;
    error = errno;
    close(fd);
    snprintf(why, why_size, "api.https: cannot listen on %s: %s%s", text, strerror(error),
             error == EACCES ? "; for a port below 1024: systemctl enable --now jobgate.socket"
                             : "");
    return -error;
}

int api_https_open(struct api *api, char *why, size_t why_size)
{
    const struct api_config *config = &api->settings.site->api;
    int fd, r;

    r = api_https_load(&api->tls, config, why, why_size);
    if (r == 0)
        r = access_open(&api->access, config, why, why_size);
    if (r < 0)
        return r;
    api->peers = peers_new();
    if (!api->peers)
        return -ENOMEM;
    fd = listen_at(config->listen, why, why_size);
    if (fd < 0)
        return fd;
    r = api_door_open(api, &api->web, fd);
    if (r == 0)
        log_info("api: HTTPS on %s", config->listen);
    return r;
}

struct api_keys {
    SSL_CTX *tls;
    struct access *access;
};

void api_keys_free(struct api_keys *keys)
{
    if (!keys)
        return;
    access_close(keys->access);
    SSL_CTX_free(keys->tls);
    free(keys);
}

int api_keys_read(struct api_keys **ret, const struct site *site, char *why, size_t why_size)
{
    struct api_keys *keys = site->api.https ? calloc(1, sizeof(*keys)) : NULL;
    int r = site->api.https && !keys ? -ENOMEM : 0;

    why[0] = '\0';
    if (keys)
        r = api_https_load(&keys->tls, &site->api, why, why_size);
    if (keys && r == 0)
        r = access_open(&keys->access, &site->api, why, why_size);
    if (r < 0) {
        if (why[0] == '\0')
            snprintf(why, why_size, "%s", strerror(-r));
        api_keys_free(keys);
        return r;
    }
    *ret = keys;
    return 0;
}

void api_reload(struct api *api, const struct site *site, struct api_keys *keys)
{
    assert((keys != NULL) == (api->web.http != NULL));
    if (keys) {
        access_follow(keys->access, api->access);
        access_close(api->access);
        SSL_CTX_free(api->tls); /* connections hold their own */
        api->access = keys->access;
        api->tls = keys->tls;
        free(keys);
    }
    api->settings.site = site;
}

void api_https_close(struct api *api)
{
    access_close(api->access);
    peers_free(api->peers);
    SSL_CTX_free(api->tls);
}

struct bufferevent *api_https_stream(struct api *api)
{
    SSL *tls = SSL_new(api->tls);
    struct bufferevent *stream;

    if (!tls)
        return NULL;
    stream = bufferevent_openssl_socket_new(api->settings.base, -1, tls,
                                            BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (stream)
        bufferevent_openssl_set_allow_dirty_shutdown(stream, 1);
    else
        SSL_free(tls);
    return stream;
}

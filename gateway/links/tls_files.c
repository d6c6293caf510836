#include "links/tls_files.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

/* Nobody is there to be asked for a passphrase. */
static int no_passphrase(char *text, int size, int writing, void *ctx)
{
    (void)text;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

static int refuse(char *why, size_t size, const char *what, const char *file, const char *cure)
{
    unsigned long error = ERR_peek_error();
    const char *reason = error ? ERR_reason_error_string(error) : NULL;

    snprintf(why, size, "%s %s: %s; %s", what, file, reason ? reason : "is not usable", cure);
    ERR_clear_error();
    return -EINVAL;
}

int tls_files_load(struct ssl_ctx_st *tls, const char *cert_file, const char *key_file,
                   char *why, size_t why_size)
{
    ERR_clear_error();
    SSL_CTX_set_default_passwd_cb(tls, no_passphrase);
    if (SSL_CTX_use_certificate_chain_file(tls, cert_file) != 1)
        return refuse(why, why_size, "cert_file", cert_file,
                      "it must be PEM, and begin with -----BEGIN CERTIFICATE-----");
    if (SSL_CTX_use_PrivateKey_file(tls, key_file, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_check_private_key(tls) != 1)
        return refuse(why, why_size, "key_file", key_file,
                      "it must be PEM without a passphrase, and the key of cert_file");
    return 0;
}

int tls_files_check(const char *ca_file, const char *cert_file, const char *key_file, char *why,
                    size_t why_size)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_method());
    int r = tls ? 0 : -ENOMEM;

    why[0] = '\0';
    ERR_clear_error();
    if (r == 0 && ca_file && SSL_CTX_load_verify_file(tls, ca_file) != 1)
        r = refuse(why, why_size, "ca_file", ca_file,
                   "it must be PEM, and hold the certificates of authorities");
    if (r == 0 && cert_file && key_file)
        r = tls_files_load(tls, cert_file, key_file, why, why_size);
    if (r < 0 && !why[0])
        snprintf(why, why_size, "%s", strerror(-r));
    SSL_CTX_free(tls);
    return r;
}

/* jobgate cert: a key and a certificate signed by itself, to begin with HTTPS. */
#include "commands/commands.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOSTS_MOST = 16, NAMES_SIZE = 4096, DAYS_MOST = 3650, DAYS = 825 };

static const char help[] =
    "Usage: jobgate cert --host NAME [--host NAME]... [--days N] [--force] CERT KEY\n"
    "\n"
    "Makes a key and a certificate that is signed by itself, for api.https.cert_file and\n"
    "key_file of a site: enough to begin with, until the house gives one. Clients must be "
    "told\n"
    "to trust it, for example by NODE_EXTRA_CA_CERTS=CERT in the environment of Node.\n"
    "\n"
    "  --host NAME   a name or address by which clients call the gateway; the first is the\n"
    "                site's api.https.host\n"
    "  --days N      how long it holds (825)\n"
    "  --force       replace files that are there; a running gateway reads them on SIGHUP\n"
    "\n"
    "Exit status: 0 done, 2 wrong use or the files could not be written.\n"
    "\n"
    "Example:\n"
    "  jobgate cert --host gw43.example --host 192.0.2.7 /etc/jobgate/tls.crt "
    "/etc/jobgate/tls.key\n";

struct cert_wish {
    const char *hosts[HOSTS_MOST];
    size_t host_count;
    long days;
    bool force;
    const char *cert_file, *key_file;
};

static bool complain(const char *text)
{
    fprintf(stderr, "jobgate cert: %s\n", text);
    return false;
}

static bool is_host(const char *text)
{
    size_t size = strlen(text);

    return size > 0 && size <= 253 &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:*") ==
               size;
}

static bool take_option(struct cert_wish *wish, int option)
{
    char *end;

    switch (option) {
    case 'n':
        if (wish->host_count == HOSTS_MOST || !is_host(optarg))
            return complain("--host is a name or an address, 16 at most");
        wish->hosts[wish->host_count++] = optarg;
        return true;
    case 'd':
        wish->days = strtol(optarg, &end, 10);
        if (*end || wish->days < 1 || wish->days > DAYS_MOST)
            return complain("--days is a number from 1 to 3650");
        return true;
    case 'f':
        wish->force = true;
        return true;
    default:
        return complain("see --help");
    }
}

/* "DNS:gw43.example,IP:192.0.2.7" */
static void write_names(const struct cert_wish *wish, char *text, size_t size)
{
    unsigned char address[16];
    size_t used = 0;

    for (size_t i = 0; i < wish->host_count && used < size; i++) {
        bool number = inet_pton(AF_INET, wish->hosts[i], address) == 1 ||
                      inet_pton(AF_INET6, wish->hosts[i], address) == 1;

        used += (size_t)snprintf(text + used, size - used, "%s%s:%s", i ? "," : "",
                                 number ? "IP" : "DNS", wish->hosts[i]);
    }
}

static bool add_extension(X509 *cert, int which, const char *text)
{
    X509V3_CTX context;
    X509_EXTENSION *extension;
    bool done;

    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, cert, cert, NULL, NULL, 0);
    extension = X509V3_EXT_conf_nid(NULL, &context, which, text);
    done = extension && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return done;
}

static bool set_serial(X509 *cert)
{
    unsigned char bytes[8];
    uint64_t number = 0;

    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] &= 0x7F;
    for (size_t i = 0; i < sizeof(bytes); i++)
        number = number << 8 | bytes[i];
    return ASN1_INTEGER_set_uint64(X509_get_serialNumber(cert), number) == 1;
}

/* A day before now: the clock of a client may be behind. */
static bool fill(X509 *cert, EVP_PKEY *key, const struct cert_wish *wish)
{
    X509_NAME *name = X509_get_subject_name(cert);
    char names[NAMES_SIZE];

    write_names(wish, names, sizeof(names));
    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -86400) &&
           X509_time_adj_ex(X509_getm_notAfter(cert), (int)wish->days, 0, NULL) &&
           X509_set_pubkey(cert, key) == 1 &&
           X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                                      (const unsigned char *)"jobgate", -1, -1, 0) == 1 &&
           X509_set_issuer_name(cert, name) == 1 &&
           add_extension(cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
           add_extension(cert, NID_key_usage, "critical,digitalSignature,keyCertSign") &&
           add_extension(cert, NID_ext_key_usage, "serverAuth") &&
           add_extension(cert, NID_subject_key_identifier, "hash") &&
           add_extension(cert, NID_subject_alt_name, names) &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

static FILE *create(const char *path, mode_t mode, bool force)
{
    int fd;

    if (force && unlink(path) < 0 && errno != ENOENT) {
        fprintf(stderr, "jobgate cert: %s: %s\n", path, strerror(errno));
        return NULL;
    }
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        fprintf(stderr, "jobgate cert: %s: %s%s\n", path, strerror(errno),
                errno == EEXIST ? "; --force replaces it" : "");
        return NULL;
    }
    return fdopen(fd, "w");
}

static bool write_files(const struct cert_wish *wish, const X509 *cert, const EVP_PKEY *key)
{
    FILE *key_to = create(wish->key_file, 0600, wish->force);
    FILE *cert_to = key_to ? create(wish->cert_file, 0644, wish->force) : NULL;
    bool done = cert_to && PEM_write_PrivateKey(key_to, key, NULL, NULL, 0, NULL, NULL) == 1 &&
                PEM_write_X509(cert_to, cert) == 1;

    if (cert_to && fclose(cert_to) != 0)
        done = false;
    if (key_to && fclose(key_to) != 0)
        done = false;
    if (!done && key_to)
        unlink(wish->key_file); /* it was made just now */
    return done;
}

static int make(const struct cert_wish *wish)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();
    bool done = key && cert && fill(cert, key, wish);

    if (!done)
        fprintf(stderr, "jobgate cert: %s\n", ERR_reason_error_string(ERR_peek_last_error()));
    else
        done = write_files(wish, cert, key);
    if (done)
        printf("%s holds for %ld days, its key is %s\n", wish->cert_file, wish->days,
               wish->key_file);
    X509_free(cert);
    EVP_PKEY_free(key);
    return done ? EXIT_DONE : EXIT_WRONG;
}

int command_cert(int argc, char **argv)
{
    static const struct option names[] = {{"host", required_argument, NULL, 'n'},
                                          {"days", required_argument, NULL, 'd'},
                                          {"force", no_argument, NULL, 'f'},
                                          {"help", no_argument, NULL, 'h'},
                                          {0}};
    struct cert_wish wish = {.days = DAYS};
    int option;

    optind = 1;
    while ((option = getopt_long(argc, argv, "h", names, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return EXIT_DONE;
        }
        if (!take_option(&wish, option))
            return EXIT_WRONG;
    }
    if (argc - optind != 2 || wish.host_count == 0) {
        complain("--host and two files are wanted; see --help");
        return EXIT_WRONG;
    }
    wish.cert_file = argv[optind];
    wish.key_file = argv[optind + 1];
    return make(&wish);
}

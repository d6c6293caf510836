#include "links/iothub_keys.h"

#include "links/sas.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MOST = 512 };

struct identity_key {
    struct sas_key key; /* size 0: none */
    char *cert_file, *key_file;
    struct stat cert, its_key; /* when they were looked for */
};

struct hub_keys {
    const struct site *site;
    bool tokens;
    size_t count;
    struct identity_key *devices; /* as many as the site's */
};

char *hub_registration_id(const char *device_id)
{
    char *ret = strdup(device_id);

    for (char *c = ret; c && *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return ret;
}

/* --- one key for all --- */

static int derive_all(struct hub_keys *keys, char *why, size_t why_size)
{
    const struct iothub_config *config = keys->site->iothub;
    struct sas_key group = {.size = 0};
    size_t count;
    int r = sas_keys_load(&group, 1, &count, config->key_file, why, why_size);

    for (size_t i = 0; r == 0 && i < keys->site->device_count; i++) {
        const char *id = keys->site->devices[i].id;
        char *name = config->dps_endpoint ? hub_registration_id(id) : strdup(id);

        r = name ? sas_key_derive(&keys->devices[i].key, &group, name) : -ENOMEM;
        free(name);
    }
    sas_key_wipe(&group);
    return r;
}

/* --- a file of keys --- */

/* "<id> <key>", an empty line or a comment; devices of other gateways may stand there too. */
static bool read_line(struct hub_keys *keys, char *line)
{
    char *rest = NULL, *id = strtok_r(line, " \t\r\n", &rest);
    char *text = strtok_r(NULL, " \t\r\n", &rest);
    struct sas_key key;
    size_t device;

    if (!id || id[0] == '#')
        return true;
    if (!text || strtok_r(NULL, " \t\r\n", &rest) ||
        sas_key_read(&key, text, strlen(text)) != 0)
        return false;
    device = site_device(keys->site, id);
    if (device != SITE_NONE)
        keys->devices[device].key = key;
    sas_key_wipe(&key);
    return true;
}

static int read_lines(struct hub_keys *keys, FILE *file, const char *name, char *why,
                      size_t why_size)
{
    char line[LINE_MOST], buffer[LINE_MOST];
    unsigned number = 0;
    bool good = true;

    setvbuf(file, buffer, _IOFBF, sizeof(buffer)); /* ours, so that it can be wiped */
    while (good && fgets(line, sizeof(line), file)) {
        number++;
        good = strlen(line) + 1 < sizeof(line) && read_line(keys, line);
    }
    if (!good)
        snprintf(why, why_size, "%s:%u: not an id and its key; write \"<id> <base64 key>\"",
                 name, number);
    fclose(file);
    OPENSSL_cleanse(line, sizeof(line));
    OPENSSL_cleanse(buffer, sizeof(buffer));
    return good ? 0 : -EINVAL;
}

static int load_all(struct hub_keys *keys, char *why, size_t why_size)
{
    const char *name = keys->site->iothub->key_file;
    FILE *file = fopen(name, "re");
    size_t missing = 0, first = 0;
    int r = file ? 0 : -errno;

    if (r < 0)
        snprintf(why, why_size, "cannot read %s: %s", name, strerror(-r));
    else
        r = read_lines(keys, file, name, why, why_size);
    if (r < 0)
        return r;
    for (size_t i = keys->site->device_count; i-- > 0;) {
        if (keys->devices[i].key.size == 0) {
            missing++;
            first = i;
        }
    }
    if (missing == 0)
        return 0;
    snprintf(
        why, why_size,
        "%s has no key for %zu device%s, the first is %.128s; write \"<id> <base64 key>\" for "
        "each",
        name, missing, missing == 1 ? "" : "s", keys->site->devices[first].id);
    return -EINVAL;
}

/* --- certificates --- */

static bool is_folder(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* The file itself, or <folder>/<device><suffix>. */
static int name_file(char **ret, struct stat *status, const char *path, const char *device,
                     const char *suffix, char *why, size_t why_size)
{
    if (!is_folder(path))
        *ret = strdup(path);
    else if (asprintf(ret, "%s/%s%s", path, device, suffix) < 0)
        *ret = NULL;
    if (!*ret)
        return -ENOMEM;
    if (access(*ret, R_OK) < 0 || stat(*ret, status) < 0) {
        int error = errno;

        snprintf(why, why_size, "cannot read %s: %s; put %s%s there", *ret, strerror(error),
                 is_folder(path) ? device : "the file", is_folder(path) ? suffix : "");
        return -error;
    }
    if (strcmp(suffix, ".key") == 0 && is_folder(path) && (status->st_mode & 037) != 0) {
        snprintf(why, why_size, "%s may be read by others (mode %04o); chmod 0600 %s", *ret,
                 (unsigned)status->st_mode & 07777, *ret);
        return -EACCES;
    }
    return 0;
}

static int name_all(struct hub_keys *keys, char *why, size_t why_size)
{
    const struct iothub_config *config = keys->site->iothub;
    int r = 0;

    for (size_t i = 0; r == 0 && i < keys->site->device_count; i++) {
        struct identity_key *device = &keys->devices[i];
        const char *id = keys->site->devices[i].id;

        r = name_file(&device->cert_file, &device->cert, config->cert_file, id, ".pem", why,
                      why_size);
        if (r == 0)
            r = name_file(&device->key_file, &device->its_key, config->key_file, id, ".key",
                          why, why_size);
    }
    return r;
}

int hub_keys_open(struct hub_keys **ret, const struct site *site, char *why, size_t why_size)
{
    struct hub_keys *keys = calloc(1, sizeof(*keys));
    const char *auth = site->iothub->auth;
    int r = -ENOMEM;

    if (!keys)
        return r;
    keys->site = site;
    keys->count = site->device_count;
    keys->tokens = strcmp(auth, "x509") != 0;
    keys->devices = calloc(site->device_count + 1, sizeof(*keys->devices));
    if (keys->devices && strcmp(auth, "group-key") == 0)
        r = derive_all(keys, why, why_size);
    else if (keys->devices && keys->tokens)
        r = load_all(keys, why, why_size);
    else if (keys->devices)
        r = name_all(keys, why, why_size);
    if (r < 0)
        hub_keys_free(keys);
    else
        *ret = keys;
    return r;
}

void hub_keys_free(struct hub_keys *keys)
{
    if (!keys)
        return;
    for (size_t i = 0; keys->devices && i < keys->count; i++) {
        sas_key_wipe(&keys->devices[i].key);
        free(keys->devices[i].cert_file);
        free(keys->devices[i].key_file);
    }
    free(keys->devices);
    free(keys);
}

bool hub_keys_has_tokens(const struct hub_keys *keys)
{
    return keys->tokens;
}

char *hub_keys_token(const struct hub_keys *keys, size_t device, const char *resource,
                     const char *policy, int64_t ends_s)
{
    return sas_sign(&keys->devices[device].key, resource, policy, ends_s);
}

static bool same_file(const char *a, const struct stat *x, const char *b, const struct stat *y)
{
    if (!a || !b)
        return a == b;
    return strcmp(a, b) == 0 && x->st_dev == y->st_dev && x->st_ino == y->st_ino &&
           x->st_size == y->st_size && x->st_mtim.tv_sec == y->st_mtim.tv_sec &&
           x->st_mtim.tv_nsec == y->st_mtim.tv_nsec;
}

bool hub_keys_same(const struct hub_keys *a, size_t device_a, const struct hub_keys *b,
                   size_t device_b)
{
    const struct identity_key *x = &a->devices[device_a], *y = &b->devices[device_b];

    return x->key.size == y->key.size &&
           CRYPTO_memcmp(x->key.bytes, y->key.bytes, x->key.size) == 0 &&
           same_file(x->cert_file, &x->cert, y->cert_file, &y->cert) &&
           same_file(x->key_file, &x->its_key, y->key_file, &y->its_key);
}

const char *hub_keys_cert_file(const struct hub_keys *keys, size_t device)
{
    return keys->devices[device].cert_file;
}

const char *hub_keys_key_file(const struct hub_keys *keys, size_t device)
{
    return keys->devices[device].key_file;
}

#include "links/broker_settings.h"

#include "links/broker_topics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PASSWORD_SIZE_MOST = 65535
}; /* a password's length is two bytes, MQTT 5 section 3.1.3.6 */

/* Paho reads the file later and says little about it, so a missing one is found here. */
static int copy_file_name(char **ret, struct stat *status, const char *file, char *why,
                          size_t why_size)
{
    if (!file)
        return 0;
    if (access(file, R_OK) < 0 || stat(file, status) < 0) {
        snprintf(why, why_size, "cannot read %s: %s", file, strerror(errno));
        return -errno;
    }
    *ret = strdup(file);
    return *ret ? 0 : -ENOMEM;
}

static int read_password(struct mqtt_settings *mqtt, const char *file, char *why,
                         size_t why_size)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC), r = 0;
    char *text = fd < 0 ? NULL : malloc(PASSWORD_SIZE_MOST);
    ssize_t size = text ? read(fd, text, PASSWORD_SIZE_MOST) : -1;

    if (size < 0) {
        r = -errno;
        snprintf(why, why_size, "cannot read %s: %s", file, strerror(errno));
        free(text);
    } else {
        const char *end = memchr(text, '\n', (size_t)size);

        size = end ? end - text : size;
        while (size > 0 && text[size - 1] == '\r')
            size--;
        mqtt->password = text;
        mqtt->password_size = (size_t)size;
    }
    if (fd >= 0)
        close(fd);
    return r;
}

/* Two machines with one site's file are two clients, and the broker would show it; the
   machine's own number is not for others to see (machine-id(5)), so a hash of it goes out. */
static char *client_id(const struct site *site)
{
    unsigned char hash[SHA256_DIGEST_LENGTH];
    char text[256] = "jobgate ", *id;
    size_t head = strlen(text), size = 0;
    FILE *file = fopen("/etc/machine-id", "re");

    if (file) {
        size = fread(text + head, 1, sizeof(text) - head, file);
        fclose(file);
    }
    if (size == 0 && gethostname(text + head, sizeof(text) - head - 1) == 0)
        size = strlen(text + head);
    SHA256((const unsigned char *)text, head + size, hash);
    return asprintf(&id, "%s-%02x%02x%02x%02x", site->id, hash[0], hash[1], hash[2], hash[3]) <
                   0
               ? NULL
               : id;
}

static char *uri_of(const struct broker_config *config)
{
    bool bare6 = strchr(config->host, ':') && config->host[0] != '[';
    char *uri;

    return asprintf(&uri, "%s://%s%s%s:%u", config->tls ? "ssl" : "tcp", bare6 ? "[" : "",
                    config->host, bare6 ? "]" : "", config->port) < 0
               ? NULL
               : uri;
}

size_t broker_outbox_bytes(const struct site *site)
{
    uint64_t bytes = (uint64_t)site->store.outbox_mb << 20;

    return bytes < SIZE_MAX / 4 ? (size_t)bytes : SIZE_MAX / 4;
}

static int copy_names(struct broker_thread_settings *settings, const struct site *site,
                      const char *version)
{
    const struct broker_config *config = site->broker;
    struct mqtt_settings *mqtt = &settings->mqtt;
    json_t *offline = json_pack("{s:s,s:s}", "state", "offline", "version", version);

    mqtt->protocol = config->protocol;
    mqtt->keepalive_s = config->keepalive_s;
    mqtt->session_expiry_s = config->session_expiry_s;
    mqtt->tls = config->tls;
    mqtt->uri = uri_of(config);
    mqtt->client_id = client_id(site);
    mqtt->will_topic = topic_gateway(config->root, site->id);
    mqtt->echo = settings->echo = topic_echo(config->root, site->id);
    mqtt->as_published = TOPIC_METHODS; /* a retained call is refused from the first time on */
    mqtt->will_body = offline ? json_dumps(offline, JSON_COMPACT) : NULL;
    json_decref(offline);
    settings->outbox_bytes = broker_outbox_bytes(site);
    settings->root = strdup(config->root);
    settings->gateway_id = strdup(site->id);
    if (config->username)
        mqtt->username = strdup(config->username);
    if (!mqtt->uri || !mqtt->client_id || !mqtt->will_topic || !mqtt->echo ||
        !mqtt->will_body || !settings->root || !settings->gateway_id ||
        (config->username && !mqtt->username))
        return -ENOMEM;
    return topic_filters(&settings->filters, &settings->filter_count, config->root, site);
}

static int copy_files(struct broker_means *means, const struct broker_config *config, char *why,
                      size_t why_size)
{
    struct mqtt_settings *mqtt = &means->settings.mqtt;
    struct broker_files *files = &means->files;
    int r = copy_file_name(&mqtt->ca_file, &files->ca, config->ca_file, why, why_size);

    if (r == 0)
        r = copy_file_name(&mqtt->cert_file, &files->cert, config->cert_file, why, why_size);
    if (r == 0)
        r = copy_file_name(&mqtt->key_file, &files->key, config->key_file, why, why_size);
    if (r == 0 && config->password_file)
        r = read_password(mqtt, config->password_file, why, why_size);
    if (r == 0 && mqtt->password)
        SHA256((const unsigned char *)mqtt->password, mqtt->password_size, files->password);
    return r;
}

int broker_means_read(struct broker_means **ret, const struct site *site, const char *version,
                      char *why, size_t why_size)
{
    struct broker_means *means = calloc(1, sizeof(*means));
    int r = means ? copy_names(&means->settings, site, version) : -ENOMEM;

    why[0] = '\0';
    if (r == 0)
        r = copy_files(means, site->broker, why, why_size);
    if (r < 0) {
        if (!why[0])
            snprintf(why, why_size, "%s", strerror(-r));
        broker_means_free(means);
        return r;
    }
    *ret = means;
    return 0;
}

void broker_means_free(struct broker_means *means)
{
    if (!means)
        return;
    broker_thread_settings_deinit(&means->settings);
    free(means);
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool broker_same_files(const struct broker_files *a, const struct broker_files *b)
{
    return same_file(&a->ca, &b->ca) && same_file(&a->cert, &b->cert) &&
           same_file(&a->key, &b->key) &&
           memcmp(a->password, b->password, sizeof(a->password)) == 0;
}

void filter_change_free(struct filter_change *change)
{
    if (!change)
        return;
    topic_filters_free(change->filters, change->count);
    topic_filters_free(change->added, change->added_count);
    topic_filters_free(change->removed, change->removed_count);
    free(change);
}

void broker_thread_settings_deinit(struct broker_thread_settings *settings)
{
    struct mqtt_settings *mqtt = &settings->mqtt;

    if (mqtt->password)
        explicit_bzero(mqtt->password, mqtt->password_size);
    free(mqtt->uri);
    free(mqtt->client_id);
    free(mqtt->username);
    free(mqtt->password);
    free(mqtt->ca_file);
    free(mqtt->cert_file);
    free(mqtt->key_file);
    free(mqtt->will_topic);
    free(mqtt->will_body);
    free(settings->root);
    free(settings->gateway_id);
    free(settings->echo);
    topic_filters_free(settings->filters, settings->filter_count);
    topic_filters_free(settings->stale, settings->stale_count);
}

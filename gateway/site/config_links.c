/*
 * The links: MQTT broker and IoT Hub.
 */
#include "site/config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BROKER(name, type, ...)                                                                \
    {                                                                                          \
#name, type, offsetof(struct broker_config, name), __VA_ARGS__                         \
    }
#define IOTHUB(name, type, ...)                                                                \
    {                                                                                          \
#name, type, offsetof(struct iothub_config, name), __VA_ARGS__                         \
    }

static const struct key broker_keys[] = {
    BROKER(url, KEY_TEXT, 0, 0),
    {"protocol", KEY_OTHER, 0, 0, 0},
    BROKER(root, KEY_TEXT, 0, 0),
    BROKER(username, KEY_TEXT, 0, 0),
    BROKER(password_file, KEY_PATH, 0, 0),
    BROKER(ca_file, KEY_PATH, 0, 0),
    BROKER(cert_file, KEY_PATH, 0, 0),
    BROKER(key_file, KEY_PATH, 0, 0),
    BROKER(keepalive_s, KEY_UNSIGNED, 5, 65535), /* MQTT 5, 3.1.2.10: 16 bits */
    BROKER(session_expiry_s, KEY_UNSIGNED, 0, 4294967295.0),
    BROKER(method_timeout_s, KEY_UNSIGNED, 1, 3600),
    BROKER(methods, KEY_FLAG, 0, 0),
};

static const struct key iothub_keys[] = {
    IOTHUB(host, KEY_TEXT, 0, 0),
    {"dps", KEY_OTHER, 0, 0, 0},
    IOTHUB(auth, KEY_TEXT, 0, 0),
    IOTHUB(key_file, KEY_PATH, 0, 0),
    IOTHUB(cert_file, KEY_PATH, 0, 0),
    IOTHUB(ca_file, KEY_PATH, 0, 0),
    IOTHUB(port, KEY_U16, 1, 65535),
    IOTHUB(connect_per_s, KEY_UNSIGNED, 1, 1000),
    IOTHUB(method_timeout_s, KEY_UNSIGNED, 5, 300), /* what the hub itself allows */
    IOTHUB(token_life_s, KEY_UNSIGNED, 10, 31536000),
    IOTHUB(disconnect_offline, KEY_FLAG, 0, 0),
    IOTHUB(telemetry, KEY_FLAG, 0, 0),
};

static const struct key dps_keys[] = {
    {"endpoint", KEY_TEXT, offsetof(struct iothub_config, dps_endpoint), 0, 0},
    {"scope", KEY_TEXT, offsetof(struct iothub_config, dps_scope), 0, 0},
};

static void read_url(struct reader *reader, const struct setting *setting,
                     struct broker_config *broker)
{
    char host[254];
    const char *rest = strstr(broker->url, "://");

    if (strchr(broker->url, '@')) { /* not said again: there may be a password in it */
        report(reader, setting->place,
               "url has a name or password in it; write mqtts://HOST:PORT here, the name as "
               "username, and the password into a file that password_file names");
        return;
    }
    broker->tls = strncmp(broker->url, "mqtts://", 8) == 0;
    broker->port = broker->tls ? 8883 : 1883;
    if ((!broker->tls && strncmp(broker->url, "mqtt://", 7) != 0) || !rest ||
        !host_split(rest + 3, host, sizeof(host), &broker->port)) {
        report(reader, setting->place,
               "url is \"%.200s\"; write mqtt://HOST:PORT, or mqtts://HOST:PORT with TLS",
               broker->url);
        return;
    }
    broker->host = reader_text(reader, host);
}

static void read_root(struct reader *reader, const struct setting *setting,
                      struct broker_config *broker)
{
    size_t length = strlen(broker->root);

    while (length > 1 && broker->root[length - 1] == '/')
        broker->root[--length] = '\0';
    if (strpbrk(broker->root, "+#") || broker->root[0] == '$' || length > 200 ||
        strcmp(broker->root, "/") == 0)
        report(reader, setting->place,
               "root is \"%.200s\"; a topic prefix such as \"jobgate/v1\" has no + and #, no $ "
               "in front, and at most 200 bytes",
               broker->root);
}

static void check_broker_files(struct reader *reader, const struct setting *group,
                               struct broker_config *broker)
{
    const struct setting *password = setting_find(group, "password_file");
    const struct setting *ca = setting_find(group, "ca_file");
    const struct setting *cert = setting_find(group, "cert_file");
    const struct setting *key = setting_find(group, "key_file");
    const struct setting *any = ca ? ca : cert ? cert : key;

    if (password)
        check_secret(reader, password, &broker->password_file);
    if (key)
        check_secret(reader, key, &broker->key_file);
    if (ca) {
        check_public(reader, ca, broker->ca_file);
        broker->ca_place = ca->place;
    }
    if (cert) {
        check_public(reader, cert, broker->cert_file);
        broker->cert_place = cert->place;
    }
    if (any && broker->host && !broker->tls)
        report(reader, any->place, "%s is given for a url without TLS; write mqtts:// in url",
               any->name);
    if (!cert != !key)
        report(reader, cert ? cert->place : key->place, "%s is given without %s; write both",
               cert ? "cert_file" : "key_file", cert ? "key_file" : "cert_file");
    if (password && !broker->username)
        report(reader, password->place, "password_file is given without username; write both");
}

void read_broker(struct reader *reader, const struct setting *group)
{
    const struct setting *protocol = setting_find(group, "protocol");
    struct broker_config *broker = reader_items(reader, 1, sizeof(*broker));
    int64_t number = 5;

    if (!broker)
        return;
    reader->site->broker = broker;
    reader_about(reader, "broker: ");
    broker->root = reader_text(reader, "jobgate/v1");
    broker->keepalive_s = 60;
    broker->session_expiry_s = 604800;
    broker->method_timeout_s = 30;
    broker->methods = true;
    broker->protocol = 5;
    if (!setting_is(reader, group, SETTING_GROUP, "a group { }"))
        return;
    group_read(reader, group, broker_keys, COUNT_OF(broker_keys), broker);
    if (reader->error)
        return;
    if (protocol && setting_integer(reader, protocol, INT32_MIN, INT32_MAX, &number)) {
        broker->protocol = (int)number;
        if (number != 4 && number != 5)
            report(reader, protocol->place,
                   "protocol is %lld; it must be 5 (MQTT 5) or 4 (MQTT 3.1.1)",
                   (long long)number);
    }
    if (broker->url)
        read_url(reader, setting_find(group, "url"), broker);
    else if (!setting_find(group, "url"))
        report(reader, group->place,
               "url is missing; write url = \"mqtts://mqtt.example:8883\";");
    if (setting_find(group, "root") && broker->root)
        read_root(reader, setting_find(group, "root"), broker);
    check_broker_files(reader, group, broker);
}

static void check_iothub_auth(struct reader *reader, const struct setting *group,
                              struct iothub_config *iothub)
{
    const struct setting *key = setting_find(group, "key_file");
    const struct setting *auth = setting_find(group, "auth");
    bool x509;

    if (!iothub->auth) {
        if (!auth)
            report(reader, group->place,
                   "auth is missing; write \"group-key\", \"device-keys\" or \"x509\"");
        return;
    }
    x509 = strcmp(iothub->auth, "x509") == 0;
    if (!x509 && strcmp(iothub->auth, "group-key") != 0 &&
        strcmp(iothub->auth, "device-keys") != 0) {
        report(reader, auth->place,
               "auth is \"%.40s\"; it must be \"group-key\", \"device-keys\" or \"x509\"",
               iothub->auth);
        return;
    }
    if (!key)
        report(reader, group->place,
               "key_file is missing, which auth = \"%s\" needs; name the file", iothub->auth);
    if (x509 && !setting_find(group, "cert_file"))
        report(reader, group->place,
               "cert_file is missing, which auth = \"x509\" needs; name the "
               "file");
}

/* Certificates may stand in folders, one for each device; the rights of a key's file in one are
   looked at when the link opens. */
static void check_iothub_files(struct reader *reader, const struct setting *group,
                               struct iothub_config *iothub)
{
    bool x509 = iothub->auth && strcmp(iothub->auth, "x509") == 0;
    const struct setting *key = setting_find(group, "key_file");
    const struct setting *cert = setting_find(group, "cert_file");
    const struct setting *ca = setting_find(group, "ca_file");
    struct stat status;

    if (key && !(x509 && check_secret_folder(reader, key, iothub->key_file)))
        check_secret(reader, key, &iothub->key_file);
    if (cert && !(x509 && iothub->cert_file && stat(iothub->cert_file, &status) == 0 &&
                  S_ISDIR(status.st_mode)))
        check_public(reader, cert, iothub->cert_file);
    if (ca)
        check_public(reader, ca, iothub->ca_file);
    iothub->key_place = (key ? key : group)->place;
    iothub->ca_place = (ca ? ca : group)->place;
}

void read_iothub(struct reader *reader, const struct setting *group)
{
    struct iothub_config *iothub = reader_items(reader, 1, sizeof(*iothub));
    const struct setting *setting;

    if (!iothub)
        return;
    reader->site->iothub = iothub;
    reader_about(reader, "iothub: ");
    iothub->port = 8883;
    iothub->connect_per_s = 5;
    iothub->method_timeout_s = 30;
    iothub->token_life_s = 86400;
    if (!setting_is(reader, group, SETTING_GROUP, "a group { }"))
        return;
    group_read(reader, group, iothub_keys, COUNT_OF(iothub_keys), iothub);
    if (iothub->telemetry)
        iothub->telemetry_place = setting_find(group, "telemetry")->place;
    setting = setting_find(group, "dps");
    if (setting && setting_is(reader, setting, SETTING_GROUP, "a group { }")) {
        group_read(reader, setting, dps_keys, COUNT_OF(dps_keys), iothub);
        if (!setting_find(setting, "endpoint") || !setting_find(setting, "scope"))
            report(reader, setting->place,
                   "dps needs endpoint and scope; write dps = { endpoint = "
                   "\"global.azure-devices-provisioning.net\"; scope = \"0ne...\"; };");
    }
    if (!setting == !setting_find(group, "host"))
        report(reader, group->place,
               "%s; write either host = \"NAME.azure-devices.net\" or dps",
               setting ? "host and dps are both given" : "host is missing");
    if (iothub->host && strpbrk(iothub->host, ";=")) /* not said again: the key is in it */
        report(reader, setting_find(group, "host")->place,
               "host is a connection string; write what stands after HostName= here, and the "
               "key into a file that key_file names");
    else if (iothub->host && !host_is_good(iothub->host))
        report(reader, setting_find(group, "host")->place,
               "host is \"%.100s\"; write the hub's name alone, such as "
               "\"contoso.azure-devices.net\"",
               iothub->host);
    check_iothub_auth(reader, group, iothub);
    check_iothub_files(reader, group, iothub);
}

/*
 * The local API: its socket, and HTTPS with its policies.
 */
#include "site/config.h"

#include <string.h>
#include <sys/un.h>

#define API(name, type)                                                                        \
    {                                                                                          \
#name, type, offsetof(struct api_config, name), 0, 0                                   \
    }

enum { SOCKET_PATH_MOST = sizeof(((struct sockaddr_un *)0)->sun_path) - 1 };

static const struct key api_keys[] = {API(socket, KEY_PATH), {"https", KEY_OTHER, 0, 0, 0}};

static const struct key https_keys[] = {
    API(listen, KEY_TEXT),
    API(host, KEY_TEXT),
    API(cert_file, KEY_PATH),
    API(key_file, KEY_PATH),
    API(metrics_token_file, KEY_PATH),
    {"policies", KEY_OTHER, 0, 0, 0},
};

static const struct key policy_keys[] = {
    {"name", KEY_TEXT, offsetof(struct policy_config, name), 0, 0},
    {"key_file", KEY_PATH, offsetof(struct policy_config, key_file), 0, 0},
    {"rights", KEY_OTHER, 0, 0, 0},
};

static const struct {
    const char *name;
    enum right right;
} rights[] = {
    {"read", RIGHT_READ}, {"call", RIGHT_CALL}, {"job", RIGHT_JOB}, {"twin", RIGHT_TWIN}};

static void read_right(struct reader *reader, const struct setting *setting,
                       struct policy_config *policy)
{
    struct names names = {.count = 0};
    char advice[120];

    if (!setting_is(reader, setting, SETTING_TEXT, "a right in quotes, such as \"read\""))
        return;
    for (size_t i = 0; i < COUNT_OF(rights); i++) {
        if (strcmp(rights[i].name, setting->text) == 0) {
            policy->rights |= rights[i].right;
            return;
        }
        names_add(&names, rights[i].name);
    }
    report(reader, setting->place, "unknown right \"%.40s\"; %s", setting->text,
           names_advice(&names, setting->text, advice, sizeof(advice)));
}

static void read_policy(struct reader *reader, const struct setting *group, size_t index)
{
    struct api_config *api = &reader->site->api;
    struct policy_config *policy = &api->policies[index];
    const struct setting *list = setting_find(group, "rights");
    const struct setting *key = setting_find(group, "key_file");

    group_read(reader, group, policy_keys, COUNT_OF(policy_keys), policy);
    if (!setting_find(group, "name") || !key || !list)
        report(reader, group->place, "a policy needs name, key_file and rights; %s is missing",
               !list  ? "rights"
               : !key ? "key_file"
                      : "name");
    for (size_t i = 0; policy->name && i < index; i++) {
        if (api->policies[i].name && strcmp(api->policies[i].name, policy->name) == 0)
            report(reader, group->place, "a second policy \"%.60s\"; give it another name",
                   policy->name);
    }
    if (key) {
        check_secret(reader, key, &policy->key_file);
        policy->key_place = key->place;
    }
    if (!list)
        return;
    if (list->kind != SETTING_LIST)
        (void)setting_is(reader, list, SETTING_ARRAY,
                         "an array such as [ \"read\", \"call\" ]");
    for (size_t i = 0; i < list->count; i++)
        read_right(reader, &list->items[i], policy);
    if ((list->kind == SETTING_ARRAY || list->kind == SETTING_LIST) && list->count == 0)
        report(reader, list->place, "rights is empty; write some of read, call, job, twin");
}

static void read_policies(struct reader *reader, const struct setting *list)
{
    struct api_config *api = &reader->site->api;

    if (!setting_is(reader, list, SETTING_LIST, "a list ( { ... }, { ... } )"))
        return;
    api->policies = reader_items(reader, list->count, sizeof(*api->policies));
    if (!api->policies)
        return;
    api->policy_count = list->count;
    if (list->count == 0)
        report(reader, list->place,
               "policies is empty, so nobody can come in; write ( { name = \"operator\"; "
               "key_file = "
               "...; rights = [ \"read\" ]; } )");
    for (size_t i = 0; i < list->count; i++) {
        if (setting_is(reader, &list->items[i], SETTING_GROUP, "a group { }"))
            read_policy(reader, &list->items[i], i);
    }
}

static void read_https(struct reader *reader, const struct setting *group)
{
    static const char *const needed[] = {"listen", "host", "cert_file", "key_file", "policies"};
    struct api_config *api = &reader->site->api;
    const struct setting *setting;
    uint16_t port = 0;
    char host[254];

    reader_about(reader, "api.https: ");
    if (!setting_is(reader, group, SETTING_GROUP, "a group { }"))
        return;
    api->https = true;
    group_read(reader, group, https_keys, COUNT_OF(https_keys), api);
    for (size_t i = 0; i < COUNT_OF(needed); i++) {
        if (!setting_find(group, needed[i]))
            report(reader, group->place,
                   "%s is missing; https needs listen, host, cert_file, "
                   "key_file and policies",
                   needed[i]);
    }
    setting = setting_find(group, "listen");
    if (setting && api->listen &&
        (!host_split(api->listen, host, sizeof(host), &port) || port == 0))
        report(reader, setting->place,
               "listen is \"%.100s\"; write ADDRESS:PORT, such as \"0.0.0.0:443\"",
               api->listen);
    if (setting)
        api->listen_place = setting->place;
    setting = setting_find(group, "host");
    if (setting && api->host && !host_is_good(api->host))
        report(reader, setting->place,
               "host is \"%.100s\"; write the name that callers use, such as \"gw43.example\", "
               "without https:// and port",
               api->host);
    if ((setting = setting_find(group, "cert_file"))) {
        check_public(reader, setting, api->cert_file);
        api->cert_place = setting->place;
    }
    if ((setting = setting_find(group, "key_file")))
        check_secret(reader, setting, &api->key_file);
    if ((setting = setting_find(group, "metrics_token_file"))) {
        check_secret(reader, setting, &api->metrics_token_file);
        api->token_place = setting->place;
    }
    if ((setting = setting_find(group, "policies")))
        read_policies(reader, setting);
}

void read_api(struct reader *reader, const struct setting *group)
{
    const struct setting *setting;

    reader_about(reader, "api: ");
    if (!setting_is(reader, group, SETTING_GROUP, "a group { }"))
        return;
    reader->site->api.place = group->place;
    group_read(reader, group, api_keys, COUNT_OF(api_keys), &reader->site->api);
    setting = setting_find(group, "socket");
    if (setting && reader->site->api.socket &&
        strlen(reader->site->api.socket) > SOCKET_PATH_MOST)
        report(reader, setting->place, "socket is longer than %d bytes; choose a shorter path",
               SOCKET_PATH_MOST);
    if ((setting = setting_find(group, "https")))
        read_https(reader, setting);
}

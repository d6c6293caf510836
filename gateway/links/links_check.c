#include "links/links_check.h"

#include "links/api_access.h"
#include "links/api_internal.h"
#include "links/broker.h"
#include "links/iothub.h"
#include "links/tls_files.h"

#include <event2/util.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WHY_SIZE = 400 };

/* There, and open to this user; NULL is no obstacle. */
static bool can_look(const char *file)
{
    return !file || access(file, R_OK) == 0;
}

static bool is_file(const char *path)
{
    struct stat status;

    return path && stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static void check_policy(const struct policy_config *policy, struct problems *problems)
{
    struct sas_key keys[ACCESS_KEYS_MOST];
    char why[WHY_SIZE];
    size_t count;

    if (!can_look(policy->key_file))
        return;
    if (sas_keys_load(keys, ACCESS_KEYS_MOST, &count, policy->key_file, why, sizeof(why)) < 0)
        problem_add(problems, policy->key_place, "api.https: policy %s: %s", policy->name, why);
    for (size_t i = 0; i < ACCESS_KEYS_MOST; i++)
        sas_key_wipe(&keys[i]);
}

static void check_https(const struct api_config *api, struct problems *problems)
{
    struct sockaddr_storage address;
    int size = sizeof(address);
    char why[WHY_SIZE];

    if (evutil_parse_sockaddr_port(api->listen, (struct sockaddr *)&address, &size) < 0)
        problem_add(
            problems, api->listen_place,
            "api.https: listen is \"%.100s\"; write an address in numbers and a port, such "
            "as \"0.0.0.0:443\"",
            api->listen);
    if (can_look(api->cert_file) && can_look(api->key_file) &&
        tls_files_check(NULL, api->cert_file, api->key_file, why, sizeof(why)) < 0)
        problem_add(problems, api->cert_place, "api.https: %s", why);
    if (can_look(api->metrics_token_file) && access_token_check(api, why, sizeof(why)) < 0)
        problem_add(problems, api->token_place, "%s", why);
    for (size_t i = 0; i < api->policy_count; i++)
        check_policy(&api->policies[i], problems);
}

static void check_broker(const struct site *site, struct problems *problems)
{
    const struct broker_config *broker = site->broker;
    char why[WHY_SIZE];

    if (can_look(broker->ca_file) &&
        tls_files_check(broker->ca_file, NULL, NULL, why, sizeof(why)) < 0)
        problem_add(problems, broker->ca_place, "broker: %s", why);
    if (can_look(broker->cert_file) && can_look(broker->key_file) &&
        tls_files_check(NULL, broker->cert_file, broker->key_file, why, sizeof(why)) < 0)
        problem_add(problems, broker->cert_place, "broker: %s", why);
}

/* Certificates in folders, one pair for each device, are only looked for: thousands of them
   would hold up a reload. */
static void check_iothub(const struct site *site, struct problems *problems)
{
    const struct iothub_config *hub = site->iothub;
    char why[WHY_SIZE];

    if (can_look(hub->ca_file) &&
        tls_files_check(hub->ca_file, NULL, NULL, why, sizeof(why)) < 0)
        problem_add(problems, hub->ca_place, "iothub: %s", why);
    if (!can_look(hub->key_file) || !can_look(hub->cert_file))
        return;
    if (iothub_check(site, why, sizeof(why)) < 0)
        problem_add(problems, hub->key_place, "iothub: %s", why);
    else if (strcmp(hub->auth, "x509") == 0 && is_file(hub->cert_file) &&
             is_file(hub->key_file) &&
             tls_files_check(NULL, hub->cert_file, hub->key_file, why, sizeof(why)) < 0)
        problem_add(problems, hub->key_place, "iothub: %s", why);
}

void links_check(const struct site *site, struct problems *problems)
{
    if (site->api.https)
        check_https(&site->api, problems);
    if (site->broker)
        check_broker(site, problems);
    if (site->iothub)
        check_iothub(site, problems);
}

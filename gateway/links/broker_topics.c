#include "links/broker_topics.h"

#include "base/text.h"

#include "jobs/request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS_MOST = 6, TOPIC_SIZE_MOST = 65535 }; /* of a UTF-8 string, MQTT 5 section 1.5.4 */

/* Behind the root: a pointer to each level. More than LEVELS_MOST are counted, not kept. */
static size_t cut_levels(char *levels[LEVELS_MOST], const char *root, char *text)
{
    size_t size = strlen(root), count = 0;

    if (strncmp(text, root, size) != 0 || text[size] != '/')
        return 0;
    for (char *rest = text + size + 1; rest;) {
        char *level = strsep(&rest, "/");

        if (count < LEVELS_MOST)
            levels[count] = level;
        count++;
    }
    return count;
}

static void read_method(struct topic *topic, char *levels[LEVELS_MOST], size_t count)
{
    topic->kind = TOPIC_METHOD;
    topic->method = count > 3 ? levels[3] : "";
    if (count > 5)
        topic->wrong = "the topic has more levels than methods/<name>/<requestId>";
    else if (!id_is_method(topic->method))
        topic->wrong =
            "the topic names no method; letters, digits and _ . * ~ - are, up to 100";
    else if (count == 5 && (!id_is_short(levels[4]) || strcmp(levels[4], "-") == 0))
        topic->wrong = "the request id is none; letters, digits and . _ : - are, up to 64, but "
                       "not - alone";
    else if (count == 5)
        topic->request_id = levels[4];
}

void topic_read(struct topic *ret, const char *root, char *text)
{
    char *levels[LEVELS_MOST] = {0};
    size_t count = text_is_utf8(text) ? cut_levels(levels, root, text) : 0;

    *ret = (struct topic){.kind = TOPIC_OTHER};
    if (count >= 3 && strcmp(levels[0], "devices") == 0 && id_is_device(levels[1])) {
        ret->device_id = levels[1];
        if (strcmp(levels[2], "methods") == 0)
            read_method(ret, levels, count);
        else if (count == 3 && strcmp(levels[2], "desired") == 0)
            ret->kind = TOPIC_DESIRED;
        else if (count == 3 && strcmp(levels[2], "state") == 0)
            ret->kind = TOPIC_STATE;
    } else if (count >= 2 && strcmp(levels[0], "gateways") == 0 && id_is_device(levels[1])) {
        ret->gateway_id = levels[1];
        if (count == 2)
            ret->kind = TOPIC_GATEWAY;
        else if (count == 3 && strcmp(levels[2], "echo") == 0)
            ret->kind = TOPIC_ECHO;
    } else if (count >= 2 && strcmp(levels[0], "jobs") == 0 && levels[1][0]) {
        ret->job_id = levels[1];
        if (count == 2)
            ret->kind = TOPIC_JOB;
        else if (count == 3 && strcmp(levels[2], "cancel") == 0)
            ret->kind = TOPIC_CANCEL;
        else if (count == 4 && strcmp(levels[2], "gateways") == 0 && id_is_device(levels[3])) {
            ret->kind = TOPIC_SHARE;
            ret->gateway_id = levels[3];
        }
    }
}

bool topic_is_complaint(const char *text)
{
    static const char end[] = "/results/-";
    size_t size = strlen(text);

    return size >= strlen(end) && strcmp(text + size - strlen(end), end) == 0;
}

bool topic_is_publishable(const char *text)
{
    size_t size = strlen(text);

    return size > 0 && size <= TOPIC_SIZE_MOST && text[0] != '$' && !strpbrk(text, "+#") &&
           text_is_utf8(text);
}

char *topic_result(const char *root, const char *device_id, const char *request_id)
{
    return text_join(root, "/devices/", device_id, "/results/", request_id ? request_id : "-",
                     NULL);
}

char *topic_device(const char *root, const char *device_id, const char *what)
{
    return text_join(root, "/devices/", device_id, "/", what, NULL);
}

char *topic_share(const char *root, const char *job_id, const char *gateway_id)
{
    return text_join(root, "/jobs/", job_id, "/gateways/", gateway_id, NULL);
}

char *topic_outcome(const char *root, const char *job_id, const char *device_id)
{
    return text_join(root, "/jobs/", job_id, "/outcomes/", device_id, NULL);
}

char *topic_gateway(const char *root, const char *gateway_id)
{
    return text_join(root, "/gateways/", gateway_id, NULL);
}

char *topic_echo(const char *root, const char *gateway_id)
{
    return text_join(root, "/gateways/", gateway_id, "/echo", NULL);
}

static void add_device(char **filters, size_t *count, const char *root, const char *id)
{
    filters[(*count)++] = topic_device(root, id, TOPIC_METHODS);
    filters[(*count)++] = topic_device(root, id, "desired");
    filters[(*count)++] = topic_device(root, id, "state");
}

static int hand_over(char ***ret, size_t *ret_count, char **filters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!filters[i]) {
            topic_filters_free(filters, count);
            return -ENOMEM;
        }
    }
    *ret = filters;
    *ret_count = count;
    return 0;
}

int topic_filters(char ***ret, size_t *count, const char *root, const struct site *site)
{
    size_t most = 3 * site->device_count + 4, n = 0;
    char **filters = calloc(most, sizeof(*filters));

    if (!filters)
        return -ENOMEM;
    filters[n++] = text_join(root, "/jobs/+", NULL);
    filters[n++] = text_join(root, "/jobs/+/cancel", NULL);
    filters[n++] = topic_share(root, "+", site->id);
    filters[n++] = topic_echo(root, site->id);
    for (size_t i = 0; i < site->device_count; i++)
        add_device(filters, &n, root, site->devices[i].id);
    return hand_over(ret, count, filters, n);
}

int topic_stale_filters(char ***ret, size_t *count, const char *root, const struct site *old,
                        const struct site *site)
{
    char **filters = calloc(3 * old->device_count + 1, sizeof(*filters));
    size_t n = 0;

    if (!filters)
        return -ENOMEM;
    for (size_t i = 0; i < old->device_count; i++) {
        if (site_device(site, old->devices[i].id) == SITE_NONE)
            add_device(filters, &n, root, old->devices[i].id);
    }
    return hand_over(ret, count, filters, n);
}

void topic_filters_free(char **filters, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(filters[i]);
    free(filters);
}

#include "links/iothub_topics.h"

#include "links/sas.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define METHOD_HEAD       "$iothub/methods/POST/"
#define TWIN_HEAD         "$iothub/twin/res/"
#define DESIRED_HEAD      "$iothub/twin/PATCH/properties/desired/"
#define REGISTRATION_HEAD "$dps/registrations/res/"

const char *const hub_filters[3] = {METHOD_HEAD "#", TWIN_HEAD "#", DESIRED_HEAD "#"};
const char *const hub_registration_filter = REGISTRATION_HEAD "#";

/* A whole number of at most 18 digits, or -1. */
static int64_t number_of(const char *text)
{
    int64_t number = 0;
    size_t size = strspn(text, "0123456789");

    if (size == 0 || size > 18 || text[size] != '\0')
        return -1;
    for (; *text; text++)
        number = number * 10 + (*text - '0');
    return number;
}

static void read_fields(struct hub_topic *ret, char *text)
{
    char *rest = NULL;

    for (char *field = strtok_r(text, "&", &rest); field; field = strtok_r(NULL, "&", &rest)) {
        char *value = strchr(field, '=');

        if (!value)
            continue;
        *value++ = '\0';
        if (strcmp(field, "$rid") == 0)
            ret->rid = value;
        else if (strcmp(field, "$version") == 0)
            ret->version = number_of(value);
        else if (strcmp(field, "retry-after") == 0)
            ret->retry_after_s = number_of(value);
    }
}

/* "<word>/?<fields>" taken apart: the word, or NULL. */
static char *read_word(struct hub_topic *ret, char *text)
{
    char *end = strchr(text, '/');

    if (!end || end == text || end[1] != '?')
        return NULL;
    *end = '\0';
    read_fields(ret, end + 2);
    return text;
}

static char *behind(char *text, const char *head)
{
    return strncmp(text, head, strlen(head)) == 0 ? text + strlen(head) : NULL;
}

static void read_answer(struct hub_topic *ret, enum hub_topic_kind kind, char *text)
{
    char *word = read_word(ret, text);
    int64_t status = word ? number_of(word) : -1;

    if (status < 100 || status > 999)
        return;
    ret->kind = kind;
    ret->status = (int)status;
}

void hub_topic_read(struct hub_topic *ret, char *text)
{
    char *rest;

    *ret = (struct hub_topic){
        .kind = HUB_TOPIC_OTHER, .rid = "", .version = -1, .retry_after_s = -1};
    if ((rest = behind(text, METHOD_HEAD))) {
        ret->method = read_word(ret, rest);
        if (ret->method)
            ret->kind = HUB_TOPIC_METHOD;
    } else if ((rest = behind(text, TWIN_HEAD))) {
        read_answer(ret, HUB_TOPIC_TWIN_ANSWER, rest);
    } else if ((rest = behind(text, REGISTRATION_HEAD))) {
        read_answer(ret, HUB_TOPIC_REGISTRATION, rest);
    } else if ((rest = behind(text, DESIRED_HEAD))) {
        ret->kind = HUB_TOPIC_DESIRED;
        if (rest[0] == '?')
            read_fields(ret, rest + 1);
    }
}

/* --- writing --- */

char *hub_topic_method_answer(int status, const char *rid)
{
    char *ret;

    return asprintf(&ret, "$iothub/methods/res/%d/?$rid=%s", status, rid) < 0 ? NULL : ret;
}

static char *with_rid(const char *head, uint64_t rid)
{
    char *ret;

    return asprintf(&ret, "%s?$rid=%" PRIu64, head, rid) < 0 ? NULL : ret;
}

char *hub_topic_twin_get(uint64_t rid)
{
    return with_rid("$iothub/twin/GET/", rid);
}

char *hub_topic_twin_report(uint64_t rid)
{
    return with_rid("$iothub/twin/PATCH/properties/reported/", rid);
}

char *hub_topic_register(uint64_t rid)
{
    return with_rid("$dps/registrations/PUT/iotdps-register/", rid);
}

char *hub_topic_registration_status(uint64_t rid, const char *operation_id)
{
    char *id = percent_encode(operation_id), *ret = NULL;

    if (id && asprintf(&ret,
                       "$dps/registrations/GET/iotdps-get-operationstatus/?$rid=%" PRIu64
                       "&operationId=%s",
                       rid, id) < 0)
        ret = NULL;
    free(id);
    return ret;
}

uint64_t hub_rid_read(const char *rid)
{
    int64_t number = number_of(rid);

    return number > 0 ? (uint64_t)number : 0;
}

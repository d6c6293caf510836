#include "links/broker_spurned.h"

#include "links/broker_topics.h"

#include <stdlib.h>
#include <string.h>

static bool take(struct spurned *spurned, const char *topic)
{
    for (size_t i = 0; i < SPURNED_MOST; i++) {
        if (!spurned->topics[i] || strcmp(spurned->topics[i], topic) != 0)
            continue;
        free(spurned->topics[i]);
        spurned->topics[i] = NULL;
        return true;
    }
    return false;
}

static void add(struct spurned *spurned, char *topic)
{
    take(spurned, topic); /* it may lie there from an earlier connection */
    free(spurned->topics[spurned->next]);
    spurned->topics[spurned->next] = topic;
    spurned->next = (spurned->next + 1) % SPURNED_MOST;
}

static bool is_method(const char *root, const char *topic)
{
    struct topic read = {0};
    char *text = strdup(topic);

    if (text)
        topic_read(&read, root, text);
    free(text);
    return read.kind == TOPIC_METHOD;
}

int spurned_read(struct spurned *spurned, struct request **request, struct outgoing **answer,
                 const struct site *site, struct arrival *arrival)
{
    bool marked = site->broker->protocol == 5;
    bool lies = !marked && arrival->retained && is_method(site->broker->root, arrival->topic);
    char *topic = lies ? strdup(arrival->topic) : NULL; /* reading cuts it */

    *request = NULL;
    *answer = NULL;
    if (!marked && arrival->size == 0 && take(spurned, arrival->topic))
        return 0;
    int r = arrival_read(request, answer, site, arrival);
    if (topic && *answer)
        add(spurned, topic);
    else
        free(topic);
    return r;
}

void spurned_deinit(struct spurned *spurned)
{
    for (size_t i = 0; i < SPURNED_MOST; i++)
        free(spurned->topics[i]);
}

/* Whatever a broker delivers: the first line is the topic below the root, the rest the payload.
   A request that says all that the engine needs, an answer that can be published, or nothing.
 */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/links_site.h"
#include "links/broker_message.h"
#include "links/broker_sighting.h"
#include "links/broker_topics.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static char *copy_of(const void *bytes, size_t size)
{
    char *text = malloc(size + 1);

    assert(text);
    if (size > 0)
        memcpy(text, bytes, size);
    text[size] = '\0';
    return text;
}

static void read_it(const struct site *site, struct arrival *arrival)
{
    struct request *request;
    struct outgoing *answer;

    assert(arrival_read(&request, &answer, site, arrival) == 0);
    assert(!request || !answer);
    assert(!request || request->origin.topic);
    assert(!answer || (answer->topic[0] && answer->body[0] && !answer->retain));
    request_free(request);
    outgoing_free(answer);
}

/* What is told of devices and gateways names only such as there can be. */
static void see_it(const struct site *site, const struct arrival *arrival)
{
    bool any;
    struct sighting seen = sighting_read(site, arrival, &any);

    assert(any || seen.kind == SIGHTING_NONE);
    assert(seen.kind != SIGHTING_STATE || seen.device < site->device_count);
    assert(strlen(seen.id) < sizeof(seen.id));
    assert(!strpbrk(seen.id, "/+#"));
    assert(seen.kind != SIGHTING_GATEWAY || (seen.id[0] && strcmp(seen.id, site->id) != 0));
    assert(seen.kind != SIGHTING_SHARE || (seen.id[0] && seen.status));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct arrival arrival = {0};
    struct links_site of;
    const uint8_t *line;
    size_t topic_size, flags;

    links_site_fill(&of);
    if (size < 1)
        return 0;
    flags = *bytes++ ^ 0x20u; /* so that a space is a plain message */
    line = memchr(bytes, '\n', --size);
    topic_size = line ? (size_t)(line - bytes) : size;
    arrival.topic = copy_of(bytes, topic_size);
    arrival.size = line ? size - topic_size - 1 : 0;
    arrival.payload = copy_of(line ? line + 1 : bytes, arrival.size);
    arrival.retained = flags & 1;
    arrival.dup = flags & 2;
    arrival.has_expiry = flags & 4;
    if (flags & 8)
        arrival.response_topic = copy_of(arrival.payload, arrival.size % 64);
    if (flags & 16)
        arrival.correlation = copy_of("x", arrival.correlation_size = 1);
    of.broker.methods = !(flags & 32);
    arrival_waits(&arrival, of.broker.root);
    see_it(&of.site, &arrival);
    read_it(&of.site, &arrival);
    free(arrival.topic);
    free(arrival.payload);
    free(arrival.response_topic);
    free(arrival.correlation);
    return 0;
}

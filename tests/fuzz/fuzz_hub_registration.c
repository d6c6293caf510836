/* Whatever the registration service (DPS) answers: the first line is the topic with its
   properties, the rest the payload. It is asked twice, as while a registration is under way. A
   device that is assigned has a hub and a name that fit into an address, into a topic and into
   the file of assignments. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "jobs/request.h"
#include "links/iothub_identity.h"
#include "links/iothub_topics.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static char *copy_of(const uint8_t *bytes, size_t size)
{
    char *copy = calloc(1, size + 1);

    assert(copy);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

static void check_assigned(const struct hub_identity *identity)
{
    static const char unfit[] = " /\n\r\t\"";

    assert(identity->hub && identity->name);
    assert(identity->hub[0] && !identity->hub[strcspn(identity->hub, unfit)]);
    assert(identity->name[0] && !identity->name[strcspn(identity->name, unfit)]);
    assert(strlen(identity->hub) + strlen(identity->name) < 512);
}

static void check_question(const struct hub_identity *identity)
{
    char *topic = identity->operation ? hub_topic_registration_status(2, identity->operation)
                                      : hub_topic_register(2);

    assert(topic && text_is_utf8(topic) && !topic[strcspn(topic, "+#")]);
    free(topic);
}

static enum hub_step answer(struct hub_identity *identity, const uint8_t *bytes, size_t size)
{
    const uint8_t *line = size > 0 ? memchr(bytes, '\n', size) : NULL;
    size_t head = line ? (size_t)(line - bytes) : size;
    size_t rest = line ? size - head - 1 : 0;
    struct arrival arrival = {.topic = copy_of(bytes, head),
                              .payload = copy_of(rest > 0 ? line + 1 : NULL, rest),
                              .size = rest};
    struct hub_means means = {.rid = 1};
    char why[160] = "untold";
    enum hub_step step;

    step = hub_identity_registration(identity, &means, &arrival, 1000, why, sizeof(why));
    assert(step != HUB_STEP_UP && text_is_utf8(why));
    assert(step != HUB_STEP_OVER || strcmp(why, "untold") != 0);
    if (step == HUB_STEP_OVER && !why[0])
        check_assigned(identity);
    else
        assert(!identity->hub && !identity->name);
    free(arrival.topic);
    free(arrival.payload);
    return step;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct hub_identity identity;
    enum hub_step step = HUB_STEP_NONE;

    hub_identity_init(&identity, 0);
    identity.state = HUB_REGISTERING;
    identity.registering = true;
    for (int i = 0; i < 2 && step == HUB_STEP_NONE; i++) {
        identity.rid = 1;
        step = answer(&identity, bytes, size);
        assert(identity.rid == 1 || identity.next_us > 1000);
        check_question(&identity);
    }
    hub_identity_deinit(&identity);
    return 0;
}

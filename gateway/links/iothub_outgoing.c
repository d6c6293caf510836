/* What the loop wants sent, on the hub's thread. */
#include "links/iothub_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int publish(struct hub_identity *identity, const struct hub_out *out)
{
    struct outgoing *message = out->message;
    char *topic;
    int token;

    if (!out->telemetry)
        return mqtt_publish(identity->mqtt, message, &token);
    if (asprintf(&topic, "devices/%s/messages/events/%s", identity->client_id, message->topic) <
        0)
        return -ENOMEM;
    free(message->topic);
    message->topic = topic;
    return mqtt_publish_surely(identity->mqtt, message, &token);
}

static void send_out(struct hub_thread *thread, const struct hub_out *out)
{
    struct hub_identity *identity = &thread->identities[out->device];
    bool open = (identity->state == HUB_UP || identity->state == HUB_SUBSCRIBING) &&
                !identity->registering && identity->generation == out->generation;

    if (!open || publish(identity, out) != 0)
        return; /* who waits for it learns by its own time */
    pthread_mutex_lock(&thread->end.lock);
    thread->status.sent++;
    if (out->message->rank == OUTGOING_ANSWER && thread->calls[out->device] > 0)
        thread->calls[out->device]--;
    pthread_mutex_unlock(&thread->end.lock);
}

void hub_send_all(struct hub_thread *thread)
{
    struct hub_out *out;

    while ((out = queue_take(thread->out))) {
        if (out->message) {
            send_out(thread, out);
        } else {
            struct hub_identity *identity = &thread->identities[out->device];

            if (identity->id && out->roster >= identity->since)
                identity->wanted = out->wanted;
        }
        outgoing_free(out->message);
        free(out);
    }
}

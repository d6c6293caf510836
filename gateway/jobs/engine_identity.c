/*
 * What the hub knows of an identity (its documentation, "Device identity properties" and
 * "Device twin properties"), as far as a device of ours has it. A device on a bus has no key,
 * no messages from the cloud and no edge runtime, and nobody disables it: these are constants.
 */
#include "jobs/engine_private.h"

#include <string.h>

#define NEVER          "0001-01-01T00:00:00Z" /* the hub's word for a time that never was */
#define FIRST_ETAG     "AAAAAAAAAAE="         /* of an identity, which nobody changes */
#define AUTHENTICATION "sas"
#define MODEL          ""

/* The hub's etag: base64 of an eight byte counter, big-endian. */
static void write_etag(char text[ETAG_SIZE], uint64_t version)
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char bytes[9] = {0};

    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(version >> (56 - 8 * i));
    for (size_t i = 0; i < 3; i++) {
        unsigned group =
            (unsigned)bytes[3 * i] << 16 | (unsigned)bytes[3 * i + 1] << 8 | bytes[3 * i + 2];

        for (int j = 0; j < 4; j++)
            text[4 * i + j] = digits[(group >> (18 - 6 * j)) & 63];
    }
    text[11] = '=';
    text[12] = '\0';
}

static int64_t version_of(const struct device_state *state)
{
    return state->twin.desired_version + state->twin.tags_version - 1;
}

static const char *connection_of(const struct device_state *state)
{
    return state->health == HEALTH_ONLINE ? "Connected" : "Disconnected";
}

void identity_put_device(json_t *object, const struct engine *engine, size_t index)
{
    const struct device_state *state = &engine->devices[index];

    json_object_update_new(object, json_pack("{s:s, s:s, s:s, s:s, s:s}", "deviceId",
                                             engine->site->devices[index].id, "generationId",
                                             "1", "etag", FIRST_ETAG, "status", "enabled",
                                             "connectionState", connection_of(state)));
    view_put_time(object, "connectionStateUpdatedTime", state->since_ms);
    view_put_time(object, "lastActivityTime", state->heard_ms);
    json_object_update_new(
        object, json_pack("{s:s, s:i, s:{s:{s:n, s:n}, s:{s:n, s:n}, s:s}, s:{s:b}}",
                          "statusUpdatedTime", NEVER, "cloudToDeviceMessageCount", 0,
                          "authentication", "symmetricKey", "primaryKey", "secondaryKey",
                          "x509Thumbprint", "primaryThumbprint", "secondaryThumbprint", "type",
                          AUTHENTICATION, "capabilities", "iotEdge", 0));
}

void identity_put_twin(json_t *object, const struct engine *engine, size_t index)
{
    const struct device_state *state = &engine->devices[index];
    char etag[ETAG_SIZE];

    write_etag(etag, (uint64_t)version_of(state));
    json_object_update_new(object, json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "deviceId",
                                             engine->site->devices[index].id, "etag", etag,
                                             "deviceEtag", FIRST_ETAG, "status", "enabled",
                                             "statusUpdateTime", NEVER, "connectionState",
                                             connection_of(state)));
    view_put_time(object, "lastActivityTime", state->heard_ms);
    json_object_update_new(
        object,
        json_pack("{s:i, s:s, s:{s:n, s:n}, s:s, s:I, s:{s:b}}", "cloudToDeviceMessageCount", 0,
                  "authenticationType", AUTHENTICATION, "x509Thumbprint", "primaryThumbprint",
                  "secondaryThumbprint", "modelId", MODEL, "version",
                  (json_int_t)version_of(state), "capabilities", "iotEdge", 0));
}

static struct condition_value constant(const char *root)
{
    static const struct {
        const char *root, *text;
    } constants[] = {{"status", "enabled"},
                     {"statusUpdateTime", NEVER},
                     {"deviceEtag", FIRST_ETAG},
                     {"authenticationType", AUTHENTICATION},
                     {"modelId", MODEL}};

    for (size_t i = 0; i < sizeof(constants) / sizeof(*constants); i++)
        if (strcmp(root, constants[i].root) == 0)
            return condition_value_string(constants[i].text);
    if (strcmp(root, "cloudToDeviceMessageCount") == 0)
        return (struct condition_value){.type = CONDITION_NUMBER};
    return condition_value_string(NULL);
}

/* capabilities.iotEdge, and the thumbprints that no device has. */
static struct condition_value below(const struct condition_path *path)
{
    const char *root = path->segments[0].name, *name = path->segments[1].name;

    if (path->count == 2 && name && strcmp(root, "capabilities") == 0 &&
        strcmp(name, "iotEdge") == 0)
        return (struct condition_value){.type = CONDITION_BOOL};
    if (path->count == 2 && name && strcmp(root, "x509Thumbprint") == 0 &&
        (strcmp(name, "primaryThumbprint") == 0 || strcmp(name, "secondaryThumbprint") == 0))
        return (struct condition_value){.type = CONDITION_NULL};
    return condition_value_string(NULL);
}

struct condition_value identity_lookup(struct select *select, const struct condition_path *path)
{
    const struct device_state *state = &select->engine->devices[select->device];
    const char *root = path->segments[0].name;

    if (path->count > 1)
        return below(path);
    if (strcmp(root, "deviceId") == 0)
        return condition_value_string(select->engine->site->devices[select->device].id);
    if (strcmp(root, "connectionState") == 0)
        return condition_value_string(connection_of(state));
    if (strcmp(root, "version") == 0)
        return (struct condition_value){.type = CONDITION_NUMBER,
                                        .number = (double)version_of(state)};
    if (strcmp(root, "etag") == 0) {
        write_etag(select->etag, (uint64_t)version_of(state));
        return condition_value_string(select->etag);
    }
    if (strcmp(root, "lastActivityTime") == 0 && state->heard_ms != 0) {
        timetext_format(select->heard, state->heard_ms);
        return condition_value_string(select->heard);
    }
    return constant(root);
}

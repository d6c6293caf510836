/* A site of two devices with a broker, for tests of the links. */
#ifndef JOBGATE_TESTS_LINKS_SITE_H
#define JOBGATE_TESTS_LINKS_SITE_H

#include "site/site.h"

struct links_site {
    struct site site;
    struct broker_config broker;
    struct device devices[2];
    size_t by_id[2];
    char texts[4][32];
};

static inline const struct site *links_site_fill(struct links_site *of)
{
    static const char *const texts[4] = {"gw", "room-1", "room-2", "jg/v1"};

    *of = (struct links_site){.by_id = {0, 1}};
    for (size_t i = 0; i < 4; i++)
        for (size_t k = 0; texts[i][k]; k++)
            of->texts[i][k] = texts[i][k];
    of->devices[0].id = of->texts[1];
    of->devices[1].id = of->texts[2];
    of->broker.root = of->texts[3];
    of->broker.methods = true;
    of->broker.method_timeout_s = 30;
    of->broker.protocol = 5;
    of->broker.keepalive_s = 60;
    of->broker.session_expiry_s = 600;
    of->site.id = of->texts[0];
    of->site.broker = &of->broker;
    of->site.store.outbox_mb = 64;
    of->site.devices = of->devices;
    of->site.device_count = 2;
    of->site.by_id = of->by_id;
    return &of->site;
}

#endif

/*
 * Settings of the broker link: what a site and its files make of a connection. Any thread.
 */
#ifndef JOBGATE_LINKS_BROKER_SETTINGS_H
#define JOBGATE_LINKS_BROKER_SETTINGS_H

#include "links/broker_thread.h"

/* 0, or negative errno and perhaps `why`; what is there by then is the caller's, to be freed by
   broker_thread_settings_deinit(). */
int broker_settings_read(struct broker_thread_settings *settings, const struct site *site,
                         const char *version, char *why, size_t why_size);
size_t broker_outbox_bytes(const struct site *site);

#endif

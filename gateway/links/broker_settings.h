/*
 * Settings of the broker link: what a site and its files make of a connection. Any thread.
 */
#ifndef JOBGATE_LINKS_BROKER_SETTINGS_H
#define JOBGATE_LINKS_BROKER_SETTINGS_H

#include "links/broker_thread.h"

#include <openssl/sha.h>
#include <sys/stat.h>

/* What files were, to be known again without keeping what stands in them. */
struct broker_files {
    struct stat ca, cert, key;
    unsigned char password[SHA256_DIGEST_LENGTH]; /* zeros: there is none */
};

struct broker_means {
    struct broker_thread_settings settings;
    struct broker_files files;
};

bool broker_same_files(const struct broker_files *a, const struct broker_files *b);
size_t broker_outbox_bytes(const struct site *site);

#endif

/* A folder of its own for each test, records by one line, and waiting for what is safe. */
#ifndef JOBGATE_TESTS_FIXTURE_STORE_H
#define JOBGATE_TESTS_FIXTURE_STORE_H

#include "store/store.h"

#include <dirent.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static inline char *folder_new(void)
{
    char name[] = "/tmp/jobgate-store-XXXXXX";

    assert_non_null(mkdtemp(name));
    return strdup(name);
}

static inline void folder_free(char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    char name[600];

    while (dir && (entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof(name), "%s/%s", folder, entry->d_name);
        unlink(name);
    }
    if (dir)
        closedir(dir);
    rmdir(folder);
    free(folder);
}

static inline struct record *record_of(uint64_t number, enum record_kind kind, const char *job,
                                       const char *device, const char *text)
{
    struct record *record = record_new(number, kind, job, device, text ? strdup(text) : NULL);

    assert_non_null(record);
    return record;
}

static inline int64_t now_ms(void)
{
    struct timespec at;

    clock_gettime(CLOCK_MONOTONIC, &at);
    return (int64_t)at.tv_sec * 1000 + at.tv_nsec / 1000000;
}

/* True once the store is safe up to `number`, within the limit. */
static inline bool is_safe_within(struct store *store, uint64_t number, int limit_ms)
{
    int64_t until = now_ms() + limit_ms;

    while (store_safe(store) < number) {
        struct pollfd fd = {.fd = store_fd(store), .events = POLLIN};
        int64_t left = until - now_ms();

        if (left <= 0)
            return false;
        poll(&fd, 1, (int)left);
    }
    return true;
}

static inline struct store *open_at(const char *folder)
{
    struct store *store = NULL;
    char why[300];

    if (store_open(&store, folder, why, sizeof(why)) != 0)
        fail_msg("%s", why);
    return store;
}

/* What the store recalls, one line for each record: "kind job device text". */
static inline char *recalled(struct store *store)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    struct record *record;

    while ((record = store_recall(store))) {
        fprintf(to, "%d %s %s %s\n", (int)record->kind, record->job_id ? record->job_id : "-",
                record->device_id ? record->device_id : "-", record->text ? record->text : "-");
        record_free(record);
    }
    fclose(to);
    return text;
}

#endif

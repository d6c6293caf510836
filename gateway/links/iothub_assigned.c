#include "links/iothub_assigned.h"

#include "base/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LINE_MOST = 1024 };

static char *path_of(const struct site *site, const char *end)
{
    char *path;

    return asprintf(&path, "%s/iothub-assigned%s", site->state, end) < 0 ? NULL : path;
}

static bool is_ours(char *line, const struct iothub_config *config)
{
    char *rest = NULL, *word = strtok_r(line, " \n", &rest);
    char *endpoint = strtok_r(NULL, " \n", &rest), *scope = strtok_r(NULL, " \n", &rest);

    return word && endpoint && scope && strcmp(word, "dps") == 0 &&
           strcmp(endpoint, config->dps_endpoint) == 0 && strcmp(scope, config->dps_scope) == 0;
}

static void read_line(struct hub_identity *identities, const size_t *slots,
                      const struct site *site, char *line)
{
    char *rest = NULL, *id = strtok_r(line, " \n", &rest);
    char *hub = strtok_r(NULL, " \n", &rest), *name = strtok_r(NULL, " \n", &rest);
    size_t device = name ? site_device(site, id) : SITE_NONE;

    if (device == SITE_NONE || identities[slots[device]].hub)
        return;
    identities[slots[device]].hub = strdup(hub);
    identities[slots[device]].name = strdup(name);
}

void hub_assigned_load(struct hub_identity *identities, const size_t *slots,
                       const struct site *site)
{
    char *path = path_of(site, "");
    FILE *file = path ? fopen(path, "re") : NULL;
    char line[LINE_MOST];

    if (file && fgets(line, sizeof(line), file) && is_ours(line, site->iothub)) {
        while (fgets(line, sizeof(line), file))
            read_line(identities, slots, site, line);
    }
    if (file)
        fclose(file);
    free(path);
}

static int write_all(FILE *file, const struct hub_identity *identities, const size_t *slots,
                     const struct site *site)
{
    fprintf(file, "dps %s %s\n", site->iothub->dps_endpoint, site->iothub->dps_scope);
    for (size_t i = 0; i < site->device_count; i++) {
        const struct hub_identity *identity = &identities[slots[i]];

        if (identity->hub && identity->name)
            fprintf(file, "%s %s %s\n", site->devices[i].id, identity->hub, identity->name);
    }
    return ferror(file) ? -EIO : 0;
}

int hub_assigned_keep(const struct hub_identity *identities, const size_t *slots,
                      const struct site *site)
{
    char *path = path_of(site, ""), *fresh = path_of(site, ".new");
    FILE *file;
    int r;

    if (mkdir(site->state, 0700) < 0 && errno != EEXIST)
        log_debug("iothub: %s: %s", site->state, strerror(errno)); /* opening tells more */
    file = path && fresh ? fopen(fresh, "we") : NULL;
    r = file ? write_all(file, identities, slots, site) : -errno;
    if (file && fclose(file) != 0 && r == 0)
        r = -errno;
    if (r == 0 && rename(fresh, path) < 0)
        r = -errno;
    free(path);
    free(fresh);
    return r;
}

#include "site/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void point_deinit(struct point *point)
{
    free(point->name);
    free(point->property);
    free(point->unit);
    for (size_t i = 0; i < point->value_count; i++)
        free(point->values[i].name);
    free(point->values);
}

static void method_deinit(struct method *method)
{
    for (size_t i = 0; i < method->step_count; i++) {
        json_decref(method->steps[i].value);
        json_decref(method->steps[i].fallback);
        free(method->steps[i].arg);
        free(method->steps[i].points);
    }
    free(method->steps);
    free(method->name);
    free(method->title);
}

void profile_deinit(struct profile *profile)
{
    for (size_t i = 0; i < profile->point_count; i++)
        point_deinit(&profile->points[i]);
    for (size_t i = 0; i < profile->method_count; i++)
        method_deinit(&profile->methods[i]);
    free(profile->points);
    free(profile->methods);
    free(profile->name);
    free(profile->title);
    *profile = (struct profile){0};
}

static void broker_free(struct broker_config *broker)
{
    if (!broker)
        return;
    free(broker->url);
    free(broker->host);
    free(broker->root);
    free(broker->username);
    free(broker->password_file);
    free(broker->ca_file);
    free(broker->cert_file);
    free(broker->key_file);
    free(broker);
}

static void iothub_free(struct iothub_config *iothub)
{
    if (!iothub)
        return;
    free(iothub->host);
    free(iothub->dps_endpoint);
    free(iothub->dps_scope);
    free(iothub->auth);
    free(iothub->key_file);
    free(iothub->cert_file);
    free(iothub->ca_file);
    free(iothub);
}

static void api_deinit(struct api_config *api)
{
    for (size_t i = 0; i < api->policy_count; i++) {
        free(api->policies[i].name);
        free(api->policies[i].key_file);
    }
    free(api->policies);
    free(api->socket);
    free(api->listen);
    free(api->host);
    free(api->cert_file);
    free(api->key_file);
    free(api->metrics_token_file);
}

static void line_deinit(struct line_config *line)
{
    free(line->name);
    free(line->port);
    free(line->host);
}

void site_free(struct site *site)
{
    if (!site)
        return;
    for (size_t i = 0; i < site->device_count; i++) {
        free(site->devices[i].id);
        json_decref(site->devices[i].tags);
    }
    for (size_t i = 0; i < site->line_count; i++)
        line_deinit(&site->lines[i]);
    for (size_t i = 0; i < site->profile_count; i++)
        profile_deinit(&site->profiles[i]);
    for (size_t i = 0; i < site->file_count; i++)
        free(site->files[i]);
    broker_free(site->broker);
    iothub_free(site->iothub);
    api_deinit(&site->api);
    free(site->devices);
    free(site->lines);
    free(site->profiles);
    free(site->by_id);
    free(site->files);
    free(site->file);
    free(site->id);
    free(site->state);
    free(site->timezone);
    free(site);
}

size_t site_device(const struct site *site, const char *id)
{
    size_t low = 0, high = site->device_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(site->devices[site->by_id[middle]].id, id);

        if (order == 0)
            return site->by_id[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SITE_NONE;
}

size_t profile_point(const struct profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->point_count; i++) {
        if (strcmp(profile->points[i].name, name) == 0)
            return i;
    }
    return SITE_NONE;
}

size_t profile_method(const struct profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->method_count; i++) {
        if (strcmp(profile->methods[i].name, name) == 0)
            return i;
    }
    return SITE_NONE;
}

bool profile_has_below(const struct profile *profile, const char *path)
{
    size_t length = strlen(path);

    for (size_t i = 0; i < profile->point_count; i++) {
        const char *property = profile->points[i].property;

        if (strncmp(property, path, length) == 0 && property[length] == '.')
            return true;
    }
    return false;
}

bool profile_has_function(const struct profile *profile, unsigned code)
{
    return code < 32 && (profile->functions & (UINT32_C(1) << code)) != 0;
}

void point_where(const struct point *point, char *text, size_t size)
{
    unsigned number = point->address + 1u;

    /* Five digits as most sheets print them; six where five cannot say it. */
    snprintf(text, size, "%s %u (0x%04X, %u%0*u)", table_name(point->table), point->address,
             point->address, (unsigned)point->table, number > 9999 ? 5 : 4, number);
}

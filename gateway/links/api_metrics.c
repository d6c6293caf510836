/*
 * Metrics in Prometheus' text format 0.0.4: base units, counters that end in _total, one HELP
 * and TYPE for each name, its samples behind it.
 */
#include "jobs/tally.h"
#include "jobs/timetext.h"
#include "links/api_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void begin(struct evbuffer *text, const char *name, const char *type, const char *help)
{
    evbuffer_add_printf(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: what would end it is escaped. */
struct label {
    char text[300];
};

static struct label label_of(const char *value)
{
    struct label label;
    size_t used = 0;

    for (; *value && used < sizeof(label.text) - 3; value++) {
        if (*value == '\\' || *value == '"' || *value == '\n')
            label.text[used++] = '\\';
        label.text[used++] = *value;
        if (*value == '\n')
            label.text[used - 1] = 'n';
    }
    label.text[used] = '\0';
    return label;
}

static void add_single(struct evbuffer *text, const char *name, const char *type,
                       const char *help, json_int_t value)
{
    begin(text, name, type, help);
    evbuffer_add_printf(text, "%s %" JSON_INTEGER_FORMAT "\n", name, value);
}

/* `labels` is "" or `line="floor3",`, with the comma at its end. */
static void add_times(struct evbuffer *text, const char *name, const char *labels,
                      const struct tally_times *times)
{
    uint64_t within = 0;
    size_t size = strlen(labels);

    for (size_t i = 0; i < TALLY_BUCKETS; i++) {
        within += times->buckets[i];
        evbuffer_add_printf(text, "%s_bucket{%sle=\"%g\"} %" PRIu64 "\n", name, labels,
                            (double)tally_bounds_us[i] / 1e6, within);
    }
    evbuffer_add_printf(text, "%s_bucket{%sle=\"+Inf\"} %" PRIu64 "\n", name, labels,
                        times->count);
    for (int i = 0; i < 2; i++) {
        evbuffer_add_printf(text, "%s_%s", name, i == 0 ? "sum" : "count");
        if (size > 0)
            evbuffer_add_printf(text, "{%.*s}", (int)size - 1, labels);
        if (i == 0)
            evbuffer_add_printf(text, " %.6f\n", (double)times->total_us / 1e6);
        else
            evbuffer_add_printf(text, " %" PRIu64 "\n", times->count);
    }
}

/* --- lines --- */

static void add_line_counters(struct evbuffer *text, const struct site *site,
                              const struct tally *tally)
{
    begin(text, "jobgate_line_requests_total", "counter",
          "Requests on a line by what the wire said.");
    for (size_t i = 0; i < tally->line_count; i++)
        for (unsigned r = 0; r < TALLY_RESULTS; r++)
            evbuffer_add_printf(text,
                                "jobgate_line_requests_total{line=\"%s\",result=\"%s\"} "
                                "%" PRIu64 "\n",
                                label_of(site->lines[i].name).text, tally_result_name(r),
                                tally->lines[i].results[r]);
    begin(text, "jobgate_line_frames_total", "counter", "Frames sent and seen on a line.");
    for (size_t i = 0; i < tally->line_count; i++)
        evbuffer_add_printf(text, "jobgate_line_frames_total{line=\"%s\"} %" PRIu64 "\n",
                            label_of(site->lines[i].name).text, tally->lines[i].frames);
    begin(text, "jobgate_line_late_frames_total", "counter",
          "Frames that came late or from a stranger and were dropped.");
    for (size_t i = 0; i < tally->line_count; i++)
        evbuffer_add_printf(text, "jobgate_line_late_frames_total{line=\"%s\"} %" PRIu64 "\n",
                            label_of(site->lines[i].name).text, tally->lines[i].late);
    begin(text, "jobgate_line_busy_seconds_total", "counter",
          "Time in which a line asked or waited for an answer. Its rate is the load.");
    for (size_t i = 0; i < tally->line_count; i++)
        evbuffer_add_printf(text, "jobgate_line_busy_seconds_total{line=\"%s\"} %.6f\n",
                            label_of(site->lines[i].name).text,
                            (double)tally->lines[i].busy_us / 1e6);
    begin(text, "jobgate_line_answer_seconds", "histogram",
          "From the first byte of a request to the last byte of its answer.");
    for (size_t i = 0; i < tally->line_count; i++) {
        char labels[340];

        snprintf(labels, sizeof(labels), "line=\"%s\",", label_of(site->lines[i].name).text);
        add_times(text, "jobgate_line_answer_seconds", labels, &tally->lines[i].answers);
    }
}

static void add_line_states(struct evbuffer *text, const json_t *status)
{
    json_t *lines = json_object_get(status, "lines"), *line;
    size_t i;

    begin(text, "jobgate_line_up", "gauge", "1 while the line's port or endpoint is open.");
    json_array_foreach(lines, i, line)
    {
        const char *state = json_string_value(json_object_get(line, "state"));

        evbuffer_add_printf(text, "jobgate_line_up{line=\"%s\"} %d\n",
                            label_of(json_string_value(json_object_get(line, "name"))).text,
                            state && strcmp(state, "up") == 0);
    }
    begin(text, "jobgate_line_waiting_tasks", "gauge", "Tasks that run or wait on a line.");
    json_array_foreach(lines, i, line)
    {
        evbuffer_add_printf(
            text, "jobgate_line_waiting_tasks{line=\"%s\"} %" JSON_INTEGER_FORMAT "\n",
            label_of(json_string_value(json_object_get(line, "name"))).text,
            json_integer_value(json_object_get(line, "waiting")));
    }
    begin(text, "jobgate_line_poll_ratio", "gauge",
          "What a line's polls ask for, of what its wire can carry; above 1 all come late.");
    json_array_foreach(lines, i, line)
    {
        evbuffer_add_printf(text, "jobgate_line_poll_ratio{line=\"%s\"} %.2f\n",
                            label_of(json_string_value(json_object_get(line, "name"))).text,
                            (double)json_integer_value(json_object_get(line, "pollPercent")) /
                                100);
    }
    begin(text, "jobgate_line_poll_late_ratio", "gauge",
          "How late a line's polls come on the average, of their interval.");
    json_array_foreach(lines, i, line)
    {
        evbuffer_add_printf(
            text, "jobgate_line_poll_late_ratio{line=\"%s\"} %.2f\n",
            label_of(json_string_value(json_object_get(line, "name"))).text,
            (double)json_integer_value(json_object_get(line, "pollLatePercent")) / 100);
    }
    begin(text, "jobgate_line_overloaded", "gauge",
          "1 while a line is asked for more polls than it can carry.");
    json_array_foreach(lines, i, line)
    {
        evbuffer_add_printf(text, "jobgate_line_overloaded{line=\"%s\"} %d\n",
                            label_of(json_string_value(json_object_get(line, "name"))).text,
                            json_is_true(json_object_get(line, "overloaded")));
    }
}

/* --- jobs and devices --- */

static json_int_t number(const json_t *status, const char *group, const char *name)
{
    const json_t *value = json_object_get(json_object_get(status, group), name);

    return json_is_boolean(value) ? json_is_true(value) : json_integer_value(value);
}

static void add_devices(struct evbuffer *text, const json_t *status)
{
    json_int_t online = number(status, "devices", "online");
    json_int_t offline = number(status, "devices", "offline");

    begin(text, "jobgate_devices", "gauge", "Devices by state.");
    evbuffer_add_printf(text,
                        "jobgate_devices{state=\"online\"} %" JSON_INTEGER_FORMAT "\n"
                        "jobgate_devices{state=\"offline\"} %" JSON_INTEGER_FORMAT "\n"
                        "jobgate_devices{state=\"unknown\"} %" JSON_INTEGER_FORMAT "\n",
                        online, offline, number(status, "devices", "count") - online - offline);
    add_single(text, "jobgate_devices_claimed", "gauge",
               "Devices that this gateway leaves to another one, which names them as its own.",
               number(status, "devices", "claimed"));
}

static void add_jobs(struct evbuffer *text, const struct tally *tally, const json_t *status)
{
    add_single(text, "jobgate_jobs_active", "gauge", "Jobs that are not over.",
               number(status, "jobs", "active"));
    begin(text, "jobgate_jobs_total", "counter", "Jobs that ended, by how.");
    for (unsigned i = 0; i < TALLY_ENDS; i++)
        evbuffer_add_printf(text, "jobgate_jobs_total{status=\"%s\"} %" PRIu64 "\n",
                            tally_end_name(i), tally->jobs[i]);
    begin(text, "jobgate_tasks_total", "counter",
          "A job's tasks, one for each device, that ended, by outcome.");
    for (unsigned i = 0; i < CODE_COUNT; i++)
        if (i == CODE_NONE || tally->tasks[i] > 0)
            evbuffer_add_printf(text, "jobgate_tasks_total{outcome=\"%s\"} %" PRIu64 "\n",
                                i == CODE_NONE ? "Completed" : code_name((enum code)i),
                                tally->tasks[i]);
}

/* --- links and store --- */

/* What the status document has of a link, and nothing where the site has no such link. */
static const struct {
    const char *link, *room, *member, *name, *type, *help;
} link_numbers[] = {
    {"broker", "broker", "connected", "jobgate_broker_connected", "gauge",
     "1 while the broker is connected."},
    {"broker", "broker", "received", "jobgate_broker_received_total", "counter",
     "Messages from the broker."},
    {"broker", "broker", "sent", "jobgate_broker_sent_total", "counter",
     "Messages to the broker."},
    {"broker", "broker", "refused", "jobgate_broker_refused_total", "counter",
     "Messages that were refused."},
    {"broker", "broker", "waiting", "jobgate_broker_waiting", "gauge",
     "Messages that wait for the broker."},
    {"broker", "outbox", "bytes", "jobgate_outbox_bytes", "gauge",
     "Memory of the messages that wait for the broker."},
    {"broker", "outbox", "limit", "jobgate_outbox_limit_bytes", "gauge",
     "What jobgate_outbox_bytes may reach."},
    {"broker", "outbox", "untold", "jobgate_outbox_untold", "gauge",
     "Outcomes, last shares and answers that the broker has not acknowledged, in memory or "
     "only in the store."},
    {"broker", "outbox", "told", "jobgate_outbox_told_total", "counter",
     "Outcomes, last shares and answers that the broker has acknowledged."},
    {"broker", "outbox", "dropped", "jobgate_outbox_dropped_total", "counter",
     "Messages that were dropped for want of room, or that the broker refused."},
    {"broker", "outbox", "forgotten", "jobgate_outbox_forgotten_total", "counter",
     "Outcomes that are told no more, as the broker was away too long."},
    {"iothub", "iothub", "devices", "jobgate_iothub_devices", "gauge",
     "Devices with an identity in IoT Hub."},
    {"iothub", "iothub", "connected", "jobgate_iothub_connected_devices", "gauge",
     "Devices that are connected to IoT Hub."},
    {"iothub", "iothub", "received", "jobgate_iothub_received_total", "counter",
     "Messages from IoT Hub."},
    {"iothub", "iothub", "sent", "jobgate_iothub_sent_total", "counter",
     "Messages to IoT Hub."},
    {"iothub", "iothub", "refused", "jobgate_iothub_refused_total", "counter",
     "Messages that were refused."},
    {"iothub", "iothub", "takenOver", "jobgate_iothub_taken_over_devices", "gauge",
     "Devices that are left alone: somebody else seems to use their identity."},
    {"iothub", "iothub", "telemetrySent", "jobgate_iothub_telemetry_sent_total", "counter",
     "Telemetry messages that IoT Hub has."},
    {"iothub", "iothub", "telemetryDropped", "jobgate_iothub_telemetry_dropped_total",
     "counter", "Telemetry messages that had to give way to newer ones."},
    {"iothub", "iothub", "telemetryWaiting", "jobgate_iothub_telemetry_waiting", "gauge",
     "Telemetry messages that wait for IoT Hub."},
};

static void add_links(struct evbuffer *text, const json_t *status)
{
    for (size_t i = 0; i < sizeof(link_numbers) / sizeof(*link_numbers); i++) {
        if (json_object_get(status, link_numbers[i].link))
            add_single(text, link_numbers[i].name, link_numbers[i].type, link_numbers[i].help,
                       number(status, link_numbers[i].room, link_numbers[i].member));
    }
}

static void add_store(struct evbuffer *text, const struct tally *tally, const json_t *status)
{
    json_int_t made = number(status, "store", "made"), safe = number(status, "store", "safe");

    add_single(text, "jobgate_store_records_total", "counter", "Records given to the store.",
               made);
    add_single(text, "jobgate_store_waiting_records", "gauge", "Records that are not safe yet.",
               made - safe);
    begin(text, "jobgate_store_commit_seconds", "histogram",
          "From giving a record to the store until it is safe, by samples.");
    add_times(text, "jobgate_store_commit_seconds", "", &tally->commits);
}

static void add_history(struct evbuffer *text, const struct tally *tally)
{
    begin(text, "jobgate_history_seconds", "histogram",
          "From asking the history of ended jobs until its answer.");
    add_times(text, "jobgate_history_seconds", "", &tally->looks);
    add_single(text, "jobgate_history_errors_total", "counter",
               "Questions about ended jobs that the database could not answer.",
               (json_int_t)tally->blind_looks);
}

static void add_api(struct evbuffer *text, const struct api *api)
{
    uint64_t taken, refused;

    begin(text, "jobgate_api_connections", "gauge", "Open connections by where they came in.");
    evbuffer_add_printf(text, "jobgate_api_connections{door=\"socket\"} %zu\n",
                        api->local.connection_count);
    if (!api->access)
        return;
    evbuffer_add_printf(text, "jobgate_api_connections{door=\"https\"} %zu\n",
                        api->web.connection_count);
    access_count(api->access, &taken, &refused);
    add_single(text, "jobgate_api_requests_total", "counter", "Requests that a policy allowed.",
               (json_int_t)taken);
    add_single(text, "jobgate_api_refusals_total", "counter",
               "Requests without a good key or right.", (json_int_t)refused);
}

static void add_site(struct evbuffer *text, const json_t *status)
{
    static const struct {
        const char *member, *result;
    } counts[] = {{"reloads", "taken"}, {"refused", "refused"}, {"failed", "failed"}};
    const json_t *site = json_object_get(status, "site");
    const char *result =
        json_string_value(json_object_get(json_object_get(site, "lastRead"), "result"));
    const char *loaded = json_string_value(json_object_get(site, "loaded"));
    int64_t loaded_ms = 0;

    if (!site || !result || !loaded || timetext_parse(&loaded_ms, loaded) < 0)
        return;
    add_single(text, "jobgate_config_generation", "gauge",
               "Which site runs: 1 since the start, one more with each that took its place.",
               json_integer_value(json_object_get(site, "generation")));
    begin(text, "jobgate_config_reloads_total", "counter", "Reloads of the site by result.");
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
        evbuffer_add_printf(
            text, "jobgate_config_reloads_total{result=\"%s\"} %" JSON_INTEGER_FORMAT "\n",
            counts[i].result, json_integer_value(json_object_get(site, counts[i].member)));
    add_single(text, "jobgate_config_last_reload_successful", "gauge",
               "1 where the site was good when it was last read.", strcmp(result, "good") == 0);
    begin(text, "jobgate_config_last_reload_success_timestamp_seconds", "gauge",
          "When the site that runs took its place.");
    evbuffer_add_printf(
        text, "jobgate_config_last_reload_success_timestamp_seconds %" PRId64 ".%03d\n",
        loaded_ms / 1000, (int)(loaded_ms % 1000));
}

static void add_all(struct evbuffer *text, const struct api *api, const json_t *status)
{
    const struct api_settings *settings = &api->settings;

    begin(text, "jobgate_build_info", "gauge", "Always 1.");
    evbuffer_add_printf(text, "jobgate_build_info{version=\"%s\",gateway=\"%s\"} 1\n",
                        JOBGATE_VERSION, label_of(settings->site->id).text);
    add_single(text, "jobgate_clock_trusted", "gauge", "1 once the time of day is trusted.",
               json_is_true(json_object_get(status, "clockTrusted")));
    add_site(text, status);
    add_line_states(text, status);
    add_line_counters(text, settings->site, settings->tally);
    add_devices(text, status);
    add_jobs(text, settings->tally, status);
    add_links(text, status);
    add_store(text, settings->tally, status);
    add_history(text, settings->tally);
    add_api(text, api);
}

void get_metrics(struct exchange *exchange)
{
    const struct api_settings *settings = &exchange->api->settings;
    json_t *status = engine_status_json(settings->engine, clock_now(true));
    struct evbuffer *text = evbuffer_new();

    if (status && text && settings->tally) {
        if (settings->status)
            settings->status(settings->ctx, status);
        add_all(text, exchange->api, status);
        exchange_send_bytes(exchange, "text/plain; version=0.0.4; charset=utf-8",
                            evbuffer_pullup(text, -1), evbuffer_get_length(text));
    } else {
        exchange_refuse_memory(exchange);
    }
    json_decref(status);
    if (text)
        evbuffer_free(text);
}

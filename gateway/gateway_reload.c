/* SIGHUP, `jobgate reload`: the site is read again and checked whole, beside the loop
   (reading.h). With a problem everything stays as it is. Else it waits until what it changes
   has come to rest (engine_prepare), and takes the place of the old one at once: first what can
   fail, then what cannot. */
#include "gateway_private.h"

#include "base/log.h"
#include "jobs/timetext.h"
#include "site/same.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

enum { LOOK_US = 50000 }; /* between two looks whether all has come to rest */

static void look_again(struct gateway *gateway, suseconds_t after_us)
{
    struct timeval after = {.tv_usec = after_us};

    event_add(gateway->reload_timer, &after);
}

/* --- what the service manager is told --- */

/* The time tells it which of its signals this is about (sd_notify(3)). */
static void tell_begin(struct gateway *gateway)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=The site is read again",
               (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
    gateway->reload_busy = true;
}

/* A site that waits for what has begun may do so for long: that is no reload under way. */
static void tell_end(struct gateway *gateway)
{
    char names[400] = "";

    if (!gateway->reload_busy || gateway->reading || (gateway->next && !gateway->reload_waits))
        return;
    gateway->reload_busy = false;
    if (gateway->next)
        engine_waits_for(gateway->engine, names, sizeof(names));
    sd_notifyf(0, "READY=1\nSTATUS=%s%s", *names ? "A new site waits for " : "", names);
}

/* --- what a reload cannot change --- */

static void want_same(struct problems *problems, const struct site *site, struct place place,
                      const char *key, const char *is, const char *wanted)
{
    if (same_text(is, wanted))
        return;
    problem_add(problems, place.line ? place : (struct place){.file = site->file, .line = 1},
                "%s is \"%s\" now, and the gateway runs with \"%s\"; that takes a restart: "
                "systemctl restart jobgate",
                key, wanted ? wanted : "", is ? is : "");
}

static void check_fixed(const struct gateway *gateway, const struct site *site,
                        struct problems *problems)
{
    const struct site *old = gateway->site;

    want_same(problems, site, site->place, "gateway.id", old->id, site->id);
    want_same(problems, site, site->place, "gateway.timezone", old->timezone, site->timezone);
    if (!gateway->settings.state)
        want_same(problems, site, site->place, "gateway.state", old->state, site->state);
    if (!gateway->settings.socket)
        want_same(problems, site, site->api.place, "api.socket", old->api.socket,
                  site->api.socket);
    want_same(problems, site, site->api.listen_place, "api.https.listen", old->api.listen,
              site->api.listen);
}

/* --- taking over --- */

static void drop_next(struct gateway *gateway)
{
    draft_free(gateway->next);
    gateway->next = NULL;
    gateway->reload_waits = false;
}

/* The hub's link may still look at those that ran before. True: it does. */
static bool past_is_needed(struct gateway *gateway)
{
    if (gateway->iothub && !iothub_has_settled(gateway->iothub))
        return gateway->past != NULL;
    while (gateway->past) {
        struct draft *draft = gateway->past;

        gateway->past = draft->next;
        draft_free(draft);
    }
    return false;
}

static void put_past(struct gateway *gateway)
{
    if (!gateway->own)
        return;
    gateway->own->next = gateway->past;
    gateway->past = gateway->own;
    gateway->own = NULL;
}

static int swap(struct gateway *gateway)
{
    const struct site *old = gateway->site;
    struct site *site = gateway->next->site;
    struct tally_line *counts = calloc(site->line_count + 1, sizeof(*counts));
    struct gateway_line **lines = NULL;
    int r = counts ? gateway_make_lines(site, &lines) : -ENOMEM;

    if (r == 0)
        r = engine_reload(gateway->engine, gateway_now(gateway));
    if (r < 0) {
        gateway_free_lines(lines, site);
        free(counts);
        return r;
    }
    tally_reload(gateway->tally, old, site, counts);
    gateway_reload_lines(gateway, site, lines);
    engine_set_outbox(gateway->engine, gateway_is_durable(gateway) && site->broker);
    gateway_reload_links(gateway, old, gateway->next);
    put_past(gateway);
    gateway->own = gateway->next;
    gateway->next = NULL;
    return 0;
}

static void say_refused(struct gateway *gateway, int r)
{
    struct reads *reads = &gateway->reads;

    *(r < 0 ? &reads->failed : &reads->refused) += 1;
    reads->result = r < 0 ? "failed" : "refused";
    if (r < 0)
        snprintf(reads->why, sizeof(reads->why), "%s", strerror(-r));
    log_error("reload: the site that runs stays as it is: %s",
              r < 0 ? strerror(-r) : "the new one has problems");
}

static void take_over(struct gateway *gateway)
{
    size_t lines = gateway->next->site->line_count;
    size_t devices = gateway->next->site->device_count;
    int r = swap(gateway);

    if (r < 0) {
        say_refused(gateway, r);
        engine_prepare(gateway->engine, NULL);
    } else {
        gateway->reads.taken++;
        gateway->reads.taken_ms = clock_wall_ms();
        log_info("reload: the new site runs: %zu lines, %zu devices", lines, devices);
    }
    if (gateway->reload_waits)
        sd_notify(0, "STATUS=");
    drop_next(gateway);
    tell_end(gateway);
}

static void say_what_waits(struct gateway *gateway)
{
    char names[400];

    if (gateway->reload_waits || !engine_waits_for(gateway->engine, names, sizeof(names)))
        return;
    gateway->reload_waits = true;
    log_info("reload: the new site is taken over when what has begun there has ended: %s",
             names);
    tell_end(gateway);
}

static void on_reload(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway *gateway = ctx;

    (void)fd;
    (void)what;
    if (gateway->next && !gateway->stopping) {
        if (engine_is_prepared(gateway->engine, gateway_now(gateway)))
            take_over(gateway);
        else
            say_what_waits(gateway);
        gateway_pump(gateway);
    }
    bool leaves = gateway_lines_leave(gateway), looked_at = past_is_needed(gateway);
    if (leaves || looked_at || gateway->next)
        look_again(gateway, LOOK_US);
}

/* --- reading it --- */

static void place_text(const struct problem *problem, char *text, size_t size)
{
    if (problem->line > 0)
        snprintf(text, size, "%s:%u", problem->file, problem->line);
    else
        snprintf(text, size, "%s", problem->file);
}

/* The first one is remembered. */
static void say_problems(struct gateway *gateway, const struct problems *problems)
{
    struct reads *reads = &gateway->reads;

    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];
        char place[300];

        place_text(problem, place, sizeof(place));
        if (problem->warning)
            log_warning("%s: %s", place, problem->text);
        else
            log_error("%s: %s", place, problem->text);
        if (!problem->warning && !reads->why[0])
            snprintf(reads->why, sizeof(reads->why), "%s: %s", place, problem->text);
    }
}

static json_t *problems_json(const struct problems *problems)
{
    json_t *list = json_array();

    for (size_t i = 0; i < problems->count; i++) {
        const struct problem *problem = &problems->items[i];

        json_array_append_new(list, json_pack("{s:s, s:i, s:b, s:s}", "file", problem->file,
                                              "line", (int)problem->line, "warning",
                                              (int)problem->warning, "text", problem->text));
    }
    return list;
}

/* Who has asked since it was begun to be read is answered by the next one. */
static void answer(struct gateway *gateway, int r, const struct problems *problems)
{
    int status = r == 0 ? 200 : r > 0 ? 400 : 500;
    json_t *body =
        json_pack("{s:b, s:I, s:o}", "taken", r == 0, "reloads",
                  (json_int_t)gateway->reads.taken, "problems", problems_json(problems));

    api_reloaded(gateway->api, gateway->reload_answered, status, body);
}

static void note_reading(struct gateway *gateway)
{
    gateway->reads.last_ms = clock_wall_ms();
    gateway->reads.result = "good";
    gateway->reads.why[0] = '\0';
}

static void refuse(struct gateway *gateway, int r, const struct problems *problems)
{
    say_problems(gateway, problems);
    say_refused(gateway, r);
    answer(gateway, r, problems);
}

/* Takes the draft. A site that waits already waits no longer, when this one can be used. */
static void judge(struct gateway *gateway, struct draft *draft)
{
    int r = draft->result;

    note_reading(gateway);
    if (draft->site)
        check_fixed(gateway, draft->site, &draft->problems);
    if (r == 0 && draft->problems.errors > 0)
        r = SITE_E_PROBLEMS;
    problems_sort(&draft->problems);
    if (r == 0)
        r = engine_prepare(gateway->engine, draft->site);
    if (r != 0) {
        refuse(gateway, r, &draft->problems);
        draft_free(draft);
        return;
    }
    say_problems(gateway, &draft->problems);
    drop_next(gateway);
    gateway->next = draft;
    look_again(gateway, 0);
    answer(gateway, 0, &draft->problems);
}

static void close_reading(struct gateway *gateway)
{
    gateway_unlisten(gateway->reading_event);
    reading_end(gateway->reading);
    gateway->reading_event = NULL;
    gateway->reading = NULL;
}

static void on_read(evutil_socket_t fd, short what, void *ctx)
{
    struct gateway *gateway = ctx;
    struct draft *draft = reading_take(gateway->reading);

    (void)fd;
    (void)what;
    if (!draft)
        return;
    close_reading(gateway);
    if (gateway->stopping) {
        draft_free(draft);
        return;
    }
    judge(gateway, draft);
    if (gateway->read_again)
        gateway_reload(gateway, 0);
    tell_end(gateway);
}

static int open_reading(struct gateway *gateway)
{
    int r = gateway->settings.source
                ? reading_begin(&gateway->reading, gateway->settings.source)
                : -ENOTSUP;

    if (r < 0)
        return r;
    gateway->reading_event =
        gateway_listen(gateway, reading_fd(gateway->reading), on_read, gateway);
    return gateway->reading_event ? 0 : -ENOMEM;
}

void gateway_reload(struct gateway *gateway, uint64_t ticket)
{
    if (ticket > gateway->reload_asked)
        gateway->reload_asked = ticket;
    gateway->read_again = gateway->reading != NULL; /* it may be beyond what has changed */
    if (gateway->reading || gateway->stopping)
        return;
    gateway->reload_answered = gateway->reload_asked;
    tell_begin(gateway);
    int r = open_reading(gateway);
    if (r == 0)
        return;
    close_reading(gateway);
    note_reading(gateway);
    refuse(gateway, r, &(struct problems){0});
    tell_end(gateway);
}

/* --- for the API --- */

void gateway_add_site(const struct gateway *gateway, json_t *status)
{
    const struct reads *reads = &gateway->reads;
    char loaded[TIMETEXT_SIZE], last[TIMETEXT_SIZE], names[400] = "";

    timetext_format(loaded, reads->taken_ms);
    timetext_format(last, reads->last_ms);
    if (gateway->next)
        engine_waits_for(gateway->engine, names, sizeof(names));
    json_object_set_new(
        status, "site",
        json_pack("{s:s, s:I, s:s, s:I, s:I, s:I, s:{s:s, s:s, s:s}, s:b, s:s}", "file",
                  gateway->site->file, "generation", (json_int_t)reads->taken + 1, "loaded",
                  loaded, "reloads", (json_int_t)reads->taken, "refused",
                  (json_int_t)reads->refused, "failed", (json_int_t)reads->failed, "lastRead",
                  "time", last, "result", reads->result, "why", reads->why, "pending",
                  gateway->next || gateway->reading, "waitsFor", names));
}

/* --- life --- */

int gateway_open_reload(struct gateway *gateway)
{
    gateway->reads.taken_ms = gateway->reads.last_ms = clock_wall_ms();
    gateway->reads.result = "good";
    gateway->reload_timer = event_new(gateway->base, -1, 0, on_reload, gateway);
    return gateway->reload_timer ? 0 : -ENOMEM;
}

/* When nothing looks at a site any more. */
void gateway_close_reload(struct gateway *gateway)
{
    close_reading(gateway);
    gateway_unlisten(gateway->reload_timer);
    drop_next(gateway);
    put_past(gateway);
    past_is_needed(gateway); /* the links are closed */
}

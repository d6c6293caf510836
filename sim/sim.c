#include "sim/sim.h"

#include "sim/pty.h"
#include "sim/record.h"
#include "sim/server.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct played_line {
    struct sim_group group;
    struct sim_pty *pty; /* one of the two */
    struct sim_server *server;
    pthread_t thread;
    bool runs;
};

struct sim {
    const struct sim_settings *settings;
    char dir[PATH_MAX];
    char ports_file[PATH_MAX + 16];
    int stop;
    json_int_t started_ms; /* wall time, for whoever compares the record with other logs */
    struct played_line *lines;
    size_t line_count; /* of these, with a group */
};

__attribute__((format(printf, 4, 5))) static int fail(char *problem, size_t size, int r,
                                                      const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(problem, size, format, arguments);
    va_end(arguments);
    return r;
}

/* Writes beside the file and moves it there, so that nobody reads half of it. */
static int save(const char *path, const json_t *content)
{
    char fresh[PATH_MAX + 32];
    FILE *file;
    int r = 0;

    snprintf(fresh, sizeof(fresh), "%s.new", path);
    file = fopen(fresh, "we");
    if (!file)
        return -errno;
    if (json_dumpf(content, file, JSON_COMPACT) < 0 || fputc('\n', file) == EOF)
        r = -EIO;
    if (fclose(file) != 0)
        r = -errno;
    if (r == 0 && rename(fresh, path) < 0)
        r = -errno;
    if (r < 0)
        unlink(fresh);
    return r;
}

static int check_line(const struct sim_line *line, char *problem, size_t size)
{
    if (line->name[0] == '\0' || line->name[0] == '.' || strchr(line->name, '/') ||
        strcmp(line->name, "lines.json") == 0)
        return fail(problem, size, -EINVAL, "line name \"%s\" cannot be a file name",
                    line->name);
    if (!line->tcp && (line->baud == 0 || line->char_bits == 0))
        return fail(problem, size, -EINVAL, "line %s: no baud rate", line->name);
    return 0;
}

static int check_settings(const struct sim_settings *settings, char *problem, size_t size)
{
    for (size_t i = 0; i < settings->line_count; i++) {
        int r = check_line(&settings->lines[i], problem, size);
        if (r < 0)
            return r;
    }
    for (size_t i = 0; i < settings->unit_count; i++)
        if (settings->units[i].line >= settings->line_count || settings->units[i].unit > 255)
            return fail(problem, size, -EINVAL, "device %s: no such line or unit",
                        settings->units[i].id);
    return 0;
}

static int make_dir(struct sim *sim, char *problem, size_t size)
{
    const char *dir = sim->settings->dir;

    if ((mkdir(dir, 0777) < 0 && errno != EEXIST) || !realpath(dir, sim->dir))
        return fail(problem, size, -errno, "directory %s: %s", dir, strerror(errno));
    snprintf(sim->ports_file, sizeof(sim->ports_file), "%s/lines.json", sim->dir);
    return 0;
}

static void *line_main(void *arg)
{
    struct played_line *line = arg;

    if (line->pty)
        sim_pty_play(line->pty);
    else
        sim_server_play(line->server);
    return NULL;
}

static int open_line(struct sim *sim, size_t index, const struct timespec *start)
{
    struct played_line *line = &sim->lines[index];
    const struct sim_line *wanted = &sim->settings->lines[index];
    char link[PATH_MAX + 256];
    int r = sim_group_init(&line->group, sim->settings, index, start);

    if (r < 0)
        return r;
    sim->line_count++;
    if (wanted->tcp) {
        r = sim_server_open(&line->server, &line->group, sim->stop);
    } else {
        snprintf(link, sizeof(link), "%s/%s", sim->dir, wanted->name);
        r = sim_pty_open(&line->pty, &line->group, link, sim->stop);
    }
    if (r < 0)
        return r;
    r = -pthread_create(&line->thread, NULL, line_main, line);
    line->runs = r == 0;
    return r;
}

static json_t *tell_port(const struct sim *sim, const struct played_line *line)
{
    char link[PATH_MAX + 256];

    if (line->server)
        return json_pack("{s:s, s:i}", "host", "127.0.0.1", "port",
                         (int)sim_server_port(line->server));
    snprintf(link, sizeof(link), "%s/%s", sim->dir, line->group.line->name);
    return json_pack("{s:s}", "port", link);
}

static int save_ports(struct sim *sim)
{
    json_t *lines = json_object();
    json_t *all = json_pack("{s:o}", "lines", lines);
    int r;

    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < sim->line_count; i++)
        json_object_set_new(lines, sim->settings->lines[i].name,
                            tell_port(sim, &sim->lines[i]));
    r = save(sim->ports_file, all);
    json_decref(all);
    return r;
}

static int open_lines(struct sim *sim, char *problem, size_t size)
{
    struct timespec start, wall;
    int r;

    clock_gettime(CLOCK_MONOTONIC, &start);
    clock_gettime(CLOCK_REALTIME, &wall);
    sim->started_ms = (json_int_t)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
    for (size_t i = 0; i < sim->settings->line_count; i++) {
        r = open_line(sim, i, &start);
        if (r < 0)
            return fail(problem, size, r, "line %s: %s", sim->settings->lines[i].name,
                        strerror(-r));
    }
    r = save_ports(sim);
    if (r < 0)
        return fail(problem, size, r, "%s: %s", sim->ports_file, strerror(-r));
    return 0;
}

int sim_open(struct sim **ret, const struct sim_settings *settings, char *problem, size_t size)
{
    struct sim *sim;
    int r = check_settings(settings, problem, size);

    if (r < 0)
        return r;
    sim = calloc(1, sizeof(*sim));
    if (!sim)
        return fail(problem, size, -ENOMEM, "no memory");
    sim->settings = settings;
    sim->lines = calloc(settings->line_count + 1, sizeof(*sim->lines));
    sim->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!sim->lines || sim->stop < 0)
        r = fail(problem, size, -ENOMEM, "no memory or descriptors");
    if (r == 0)
        r = make_dir(sim, problem, size);
    if (r == 0)
        r = open_lines(sim, problem, size);
    if (r < 0) {
        sim_close(sim);
        return r;
    }
    *ret = sim;
    return 0;
}

void sim_close(struct sim *sim)
{
    if (!sim)
        return;
    if (sim->ports_file[0])
        unlink(sim->ports_file);
    if (sim->stop >= 0)
        eventfd_write(sim->stop, 1);
    for (size_t i = 0; i < sim->line_count; i++) {
        struct played_line *line = &sim->lines[i];
        if (line->runs)
            pthread_join(line->thread, NULL);
        sim_pty_close(line->pty);
        sim_server_close(line->server);
        sim_group_deinit(&line->group);
    }
    if (sim->stop >= 0)
        close(sim->stop);
    free(sim->lines);
    free(sim);
}

json_t *sim_tell(struct sim *sim)
{
    json_t *lines = json_object();
    json_t *devices = json_object();
    json_t *all = json_pack("{s:I, s:o, s:o}", "started", sim->started_ms, "lines", lines,
                            "devices", devices);

    for (size_t i = 0; all && i < sim->line_count; i++) {
        struct sim_group *group = &sim->lines[i].group;
        pthread_mutex_lock(&group->lock);
        sim_record_add(lines, devices, group);
        pthread_mutex_unlock(&group->lock);
    }
    return all;
}

int sim_dump(struct sim *sim)
{
    json_t *all;
    int r;

    if (!sim->settings->dump)
        return 0;
    all = sim_tell(sim);
    if (!all)
        return -ENOMEM;
    r = save(sim->settings->dump, all);
    json_decref(all);
    return r;
}

/* Dumps at each SIGUSR1; returns at the signal that ends the game. */
static int serve_signals(struct sim *sim, int signals)
{
    struct signalfd_siginfo got;

    while (read(signals, &got, sizeof(got)) == (ssize_t)sizeof(got)) {
        if (got.ssi_signo != SIGUSR1)
            return 0;
        int r = sim_dump(sim);
        if (r < 0)
            return r;
    }
    return -errno;
}

static int play(struct sim *sim, int signals, char *problem, size_t size)
{
    int r;

    if (puts("ready") == EOF || fflush(stdout) == EOF)
        return fail(problem, size, -errno, "standard output: %s", strerror(errno));
    r = serve_signals(sim, signals);
    if (r == 0)
        r = sim_dump(sim);
    if (r < 0)
        return fail(problem, size, r, "%s: %s",
                    sim->settings->dump ? sim->settings->dump : "signals", strerror(-r));
    return 0;
}

int sim_run(const struct sim_settings *settings, char *problem, size_t size)
{
    struct sim *sim;
    sigset_t set, before;
    int signals, r;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &set, &before);
    signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (signals < 0) {
        r = fail(problem, size, -errno, "signals: %s", strerror(errno));
        goto restore;
    }
    r = sim_open(&sim, settings, problem, size);
    if (r == 0) {
        r = play(sim, signals, problem, size);
        sim_close(sim);
    }
    close(signals);
restore:
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

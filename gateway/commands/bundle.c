/* jobgate bundle: what somebody far away needs to see of a gateway in trouble, without its
 * keys. */
#include "base/clock.h"
#include "commands/client.h"
#include "commands/commands.h"
#include "commands/fetch.h"
#include "commands/redact.h"
#include "commands/tar.h"
#include "jobs/timetext.h"
#include "links/links_check.h"
#include "site/problems.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEXT_MOST = 8 * 1024 * 1024 };

#define FOLDER "jobgate-bundle/"

static const char help[] =
    "Usage: jobgate bundle [--output FILE]\n"
    "\n"
    "Packs what somebody far away needs to see of a gateway in trouble: versions, the site "
    "and\n"
    "what check says of it, status, metrics, devices, jobs, each device's last frames, and "
    "the\n"
    "journal. Keys, passwords and tokens are removed; look through it all the same before you\n"
    "give it away.\n"
    "\n"
    "  --output FILE   where to (jobgate-bundle-TIME.tar in this folder); - is standard "
    "output\n"
    "  --config FILE   the site (/etc/jobgate/jobgate.conf)\n"
    "  --socket PATH   the gateway's socket (/run/jobgate/jobgate.sock)\n"
    "  --json          print the file's name as JSON\n"
    "\n"
    "Exit status: 0 it was written, also where the gateway does not run; 2 it could not be.\n"
    "\n"
    "Example:\n"
    "  sudo jobgate bundle --output /tmp/gw43.tar\n";

struct bundle {
    FILE *to;
    struct redact *redact;
    int64_t wall_ms;
};

/* --- packing --- */

static void pack(const struct bundle *bundle, const char *name, const char *text, bool foreign)
{
    char *clean = redact_text(bundle->redact, text, foreign);
    char path[100];

    snprintf(path, sizeof(path), FOLDER "%s", name);
    tar_add(bundle->to, path, clean ? clean : "no memory\n", bundle->wall_ms / 1000);
    free(clean);
}

/* All that comes, up to TEXT_MOST, ended by 0. A zero byte becomes a question mark. */
static char *read_all(FILE *from)
{
    char *text = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&text, &size);
    int c;

    for (size_t i = 0; to && i < TEXT_MOST && (c = getc(from)) != EOF; i++)
        putc(c ? c : '?', to);
    if (to)
        fclose(to);
    return text;
}

static void pack_file(const struct bundle *bundle, const char *name, const char *path)
{
    FILE *file = fopen(path, "re");
    char why[200], *text = file ? read_all(file) : NULL;

    if (!file)
        snprintf(why, sizeof(why), "cannot be read: %s\n", strerror(errno));
    pack(bundle, name, text ? text : why, true);
    free(text);
    if (file)
        fclose(file);
}

/* What a program says, or why it cannot. */
static void pack_program(const struct bundle *bundle, const char *name,
                         const char *const words[])
{
    posix_spawn_file_actions_t actions;
    int pipes[2], error;
    char *text = NULL;
    FILE *from;
    pid_t child;

    if (pipe2(pipes, O_CLOEXEC) < 0)
        return;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], STDERR_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    error = posix_spawnp(&child, words[0], &actions, NULL, (char *const *)(uintptr_t)words,
                         environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    from = fdopen(pipes[0], "r");
    if (error == 0 && from)
        text = read_all(from);
    if (from)
        fclose(from);
    else
        close(pipes[0]);
    if (error == 0)
        waitpid(child, NULL, 0);
    pack(bundle, name, text ? text : "cannot be run here\n", true);
    free(text);
}

/* --- its parts --- */

static void pack_about(const struct bundle *bundle)
{
    char at[TIMETEXT_SIZE], text[2000];
    struct utsname system;

    timetext_format(at, bundle->wall_ms);
    uname(&system);
    snprintf(text, sizeof(text),
             "jobgate %s\nat %s, %lld s after the start of the machine\n%s %s %s\n",
             JOBGATE_VERSION, at, (long long)(clock_boot_us() / 1000000), system.sysname,
             system.release, system.machine);
    pack(bundle, "about.txt", text, false);
    pack_file(bundle, "os-release", "/etc/os-release");
}

static void pack_site(const struct bundle *bundle, const struct site *site, const char *config,
                      struct problems *problems)
{
    char *said = NULL;
    size_t size = 0;
    FILE *to = open_memstream(&said, &size);

    if (to) {
        problems_print(problems, to);
        fclose(to);
    }
    pack(bundle, "check.txt", said && *said ? said : "no problem\n", true);
    free(said);
    if (!site)
        pack_file(bundle, "site/jobgate.conf", config);
    for (size_t i = 0; site && i < site->file_count; i++) {
        const char *slash = strrchr(site->files[i], '/');
        char name[90];

        snprintf(name, sizeof(name), "site/%zu-%s", i, slash ? slash + 1 : site->files[i]);
        pack_file(bundle, name, site->files[i]);
    }
}

/* False: the gateway cannot be asked. */
static bool pack_answer(const struct bundle *bundle, const struct client *client,
                        const char *name, const char *path)
{
    struct client_answer answer;
    char text[100];
    int r = client_ask(client, "GET", path, NULL, NULL, &answer);

    if (r != 0) {
        snprintf(text, sizeof(text), "the gateway cannot be asked at %.60s\n", client->path);
        pack(bundle, name, text, false);
        return false;
    }
    pack(bundle, name, answer.body, false);
    client_answer_deinit(&answer);
    return true;
}

static void pack_gateway(const struct bundle *bundle, const struct client *client)
{
    static const struct {
        const char *name, *path;
    } parts[] = {{"status.json", "/jobgate/v1/status"},
                 {"metrics.txt", "/metrics"},
                 {"devices.json", "/devices"},
                 {"jobs.json", "/jobs/v2/query"},
                 {"frames.json", "/jobgate/v1/frames"}};

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        if (!pack_answer(bundle, client, parts[i].name, parts[i].path))
            return;
    }
}

static void pack_system(const struct bundle *bundle)
{
    static const char *const journal[] = {"journalctl", "-q", "-u",        "jobgate", "-n",
                                          "3000",       "-o", "short-iso", NULL};
    static const char *const unit[] = {"systemctl", "cat", "jobgate.service", NULL};
    static const char *const ports[] = {"ls", "-l", "/dev/serial/by-id", "/dev/serial/by-path",
                                        NULL};
    static const char *const disk[] = {"df", "-h", "/var/lib/jobgate", NULL};

    pack_program(bundle, "journal.txt", journal);
    pack_program(bundle, "unit.txt", unit);
    pack_program(bundle, "ports.txt", ports);
    pack_program(bundle, "disk.txt", disk);
}

static int write_bundle(struct bundle *bundle, const struct options *options)
{
    const char *config = options->config ? options->config : SITE_MAIN_FILE;
    struct site_source source = {.config = options->config};
    struct problems problems = {0};
    struct client client = {.path = SITE_SOCKET};
    struct site *site = NULL;

    if (site_load(&site, &source, &problems) == 0)
        links_check(site, &problems);
    bundle->redact = redact_new(site);
    if (!bundle->redact) {
        site_free(site);
        problems_deinit(&problems);
        return -ENOMEM;
    }
    if (options->socket || site)
        snprintf(client.path, sizeof(client.path), "%s",
                 options->socket ? options->socket : site->api.socket);
    pack_about(bundle);
    pack_site(bundle, site, config, &problems);
    pack_gateway(bundle, &client);
    pack_system(bundle);
    tar_end(bundle->to);
    redact_free(bundle->redact);
    problems_deinit(&problems);
    site_free(site);
    return fflush(bundle->to) == 0 && !ferror(bundle->to) ? 0 : -EIO;
}

/* For its owner only, and never over another file. */
static FILE *create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");

    if (fd >= 0 && !file)
        close(fd);
    return file;
}

int command_bundle(int argc, char **argv)
{
    struct options options;
    const char *output = NULL;
    const struct option_spec more[] = {{"output", &output, NULL}, {0}};
    int status = options_read(&options, argc, argv, more, 0, 0, help);
    struct bundle bundle = {.wall_ms = clock_wall_ms()};
    char name[64], at[TIMETEXT_SIZE];

    if (status != OPTIONS_GO_ON)
        return status;
    timetext_format(at, bundle.wall_ms);
    snprintf(name, sizeof(name), "jobgate-bundle-%.10s-%.2s%.2s%.2s.tar", at, at + 11, at + 14,
             at + 17);
    if (!output)
        output = name;
    bundle.to = strcmp(output, "-") == 0 ? stdout : create(output);
    if (!bundle.to) {
        complain(&options, "%s cannot be written: %s", output, strerror(errno));
        return EXIT_WRONG;
    }
    int r = write_bundle(&bundle, &options);
    if (bundle.to != stdout && fclose(bundle.to) != 0)
        r = -errno;
    if (r < 0) {
        complain(&options, "%s was not written whole: %s", output, strerror(-r));
        return EXIT_WRONG;
    }
    if (bundle.to != stdout && options.json)
        print_json(json_pack("{s:s}", "file", output));
    else if (bundle.to != stdout)
        printf("%s\n", output);
    return EXIT_DONE;
}

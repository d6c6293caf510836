/*
 * Key files: the service must be able to read them, and nobody else.
 */
#include "site/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* credential:NAME means $CREDENTIALS_DIRECTORY/NAME, which only systemd can give. */
static bool take_credential(struct reader *reader, const struct setting *setting, char **path)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY"), *name = *path + strlen("credential:");
    char *joined;

    if (*name == '\0' || strchr(name, '/') || strcmp(name, "..") == 0) {
        report(reader, setting->place,
               "%s names the credential \"%.60s\"; write credential:NAME, as in the unit's "
               "LoadCredential=NAME:...",
               setting->name, name);
        return false;
    }
    if (!folder) {
        warn(reader, setting->place,
             "%s: the credential \"%.60s\" can be looked at only in the service; it needs "
             "LoadCredential=%.60s:... in its unit",
             setting->name, name, name);
        return false;
    }
    if (asprintf(&joined, "%s/%s", folder, name) < 0) {
        reader->error = -ENOMEM;
        return false;
    }
    free(*path);
    *path = joined;
    return true;
}

/* There, a file, and readable; what is not is said. */
static bool look_at(struct reader *reader, const struct setting *setting, const char *path,
                    bool secret, struct stat *status)
{
    if (stat(path, status) < 0) {
        if (errno == EACCES && geteuid() != 0)
            warn(reader, setting->place,
                 "%s \"%s\" stands in a folder that this user may not enter; run check as the "
                 "service's user to have it looked at",
                 setting->name, path);
        else
            report(reader, setting->place, "%s \"%s\" cannot be read: %s; put the file there",
                   setting->name, path, strerror(errno));
        return false;
    }
    if (!S_ISREG(status->st_mode)) {
        report(reader, setting->place, "%s \"%s\" is no file; name a file", setting->name,
               path);
        return false;
    }
    if (access(path, R_OK) == 0)
        return true;
    if (secret && status->st_uid != geteuid())
        warn(reader, setting->place,
             "%s \"%s\" may be read by its owner only, which is right if that is the service's "
             "user; run check as that user to be sure",
             setting->name, path);
    else
        report(reader, setting->place, "%s \"%s\" may not be read; chmod %s %s", setting->name,
               path, secret ? "0600" : "0644", path);
    return secret;
}

/* An absolute path of which not even the first folder is there. */
static bool is_nowhere(const char *path)
{
    size_t slashes = strspn(path, "/");
    char *first = strndup(path, slashes + strcspn(path + slashes, "/"));
    struct stat status;
    bool nowhere = first && stat(first, &status) < 0;

    free(first);
    return nowhere;
}

/* A key where its file's name should be; one in 64 begins as a path does. It must not be said
 * again: problems end up in journals. */
static bool is_key_itself(const char *text, const char *path)
{
    static const char base64[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t length = strlen(text), letters = strspn(text, base64);
    size_t padding = strspn(text + letters, "=");
    struct stat status;

    if (strstr(text, "SharedAccessKey=") || strstr(text, "PRIVATE KEY"))
        return true;
    return length >= 40 && letters + padding == length &&
           (padding > 0 || text[0] != '/' || is_nowhere(text)) && stat(path, &status) < 0;
}

void check_secret(struct reader *reader, const struct setting *setting, char **path)
{
    bool credential = *path && strncmp(*path, "credential:", 11) == 0;
    struct stat status;

    if (*path && is_key_itself(setting->text, *path)) {
        report(reader, setting->place,
               "%s is a key itself; write the key into a file with mode 0600, name that file "
               "here, and think of the key as seen",
               setting->name);
        return;
    }
    if (!*path || (credential && !take_credential(reader, setting, path)))
        return;
    if (!look_at(reader, setting, *path, true, &status))
        return;
    if (status.st_size == 0)
        report(reader, setting->place, "%s \"%s\" is empty; write the key into it",
               setting->name, *path);
    /* systemd gives credentials by its own rules. A group may read (root:jobgate 0640). */
    if (!credential && (status.st_mode & 037) != 0)
        report(reader, setting->place,
               "%s \"%s\" may be %s by others (mode %04o); chmod 0600 %s", setting->name, *path,
               (status.st_mode & 04) ? "read" : "changed", (unsigned)status.st_mode & 07777,
               *path);
}

bool check_secret_folder(struct reader *reader, const struct setting *setting, const char *path)
{
    struct stat status;

    if (!path || stat(path, &status) < 0 || !S_ISDIR(status.st_mode))
        return false;
    if ((status.st_mode & 027) != 0)
        report(reader, setting->place,
               "%s \"%s\" may be entered or changed by others (mode %04o); chmod 0700 %s",
               setting->name, path, (unsigned)status.st_mode & 07777, path);
    return true;
}

void check_public(struct reader *reader, const struct setting *setting, const char *path)
{
    struct stat status;

    if (path)
        (void)look_at(reader, setting, path, false, &status);
}

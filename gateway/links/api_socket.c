#include "base/log.h"
#include "links/api_internal.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { SOCKET_MODE = 0660, FOLDER_MODE = 0755, BACKLOG = 64 };

static int make_folder(const char *path, char *why, size_t why_size)
{
    const char *slash = strrchr(path, '/');
    char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];

    if (!slash || slash == path)
        return 0;
    snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
    if (mkdir(folder, FOLDER_MODE) == 0 || errno == EEXIST)
        return 0;
    snprintf(why, why_size, "cannot make folder %s: %s", folder, strerror(errno));
    return -errno;
}

/* A socket that a killed gateway left behind answers nobody; one that answers is another's. */
static int clear_stale(const struct sockaddr_un *address, char *why, size_t why_size)
{
    struct stat found;
    int fd, error;

    if (lstat(address->sun_path, &found) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(found.st_mode)) {
        snprintf(why, why_size, "%s is there and is no socket", address->sun_path);
        return -EEXIST;
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    error = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? errno : 0;
    close(fd);
    if (error == ECONNREFUSED)
        return unlink(address->sun_path) < 0 && errno != ENOENT ? -errno : 0;
    snprintf(why, why_size, "another gateway answers on %s", address->sun_path);
    return -EADDRINUSE;
}

/* Only an installed gateway has the group; a developer's own does without. */
static void give_to_group(const char *path)
{
    struct group group, *found = NULL;
    struct stat made;
    char text[4096];

    if (getgrnam_r("jobgate", &group, text, sizeof(text), &found) != 0 || !found)
        return;
    if (stat(path, &made) == 0 && made.st_gid == found->gr_gid)
        return; /* the service's own group: its sandbox refuses every chown */
    if (chown(path, (uid_t)-1, group.gr_gid) < 0)
        log_warning("api: could not give %s to group jobgate: %s", path, strerror(errno));
}

int api_socket_open(struct api *api, int *ret_fd, char *why, size_t why_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat made;
    int fd, r;

    if (strlen(api->socket) >= sizeof(address.sun_path)) {
        snprintf(why, why_size, "socket path %.200s is longer than %zu characters", api->socket,
                 sizeof(address.sun_path) - 1);
        return -ENAMETOOLONG;
    }
    strcpy(address.sun_path, api->socket);
    why[0] = '\0';
    r = make_folder(api->socket, why, why_size);
    if (r == 0)
        r = clear_stale(&address, why, why_size);
    if (r < 0)
        goto fail;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        r = -errno;
        goto fail;
    }
    /* Before bind, so that the file never exists with more rights than these. */
    if (fchmod(fd, SOCKET_MODE) < 0 ||
        bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        r = -errno;
        goto fail_fd;
    }
    if (chmod(api->socket, SOCKET_MODE) < 0 || lstat(api->socket, &made) < 0 ||
        listen(fd, BACKLOG) < 0) {
        r = -errno;
        unlink(api->socket);
        goto fail_fd;
    }
    give_to_group(api->socket);
    api->inode = made.st_ino;
    api->device = made.st_dev;
    *ret_fd = fd;
    return 0;

fail_fd:
    close(fd);
fail:
    if (why[0] == '\0')
        snprintf(why, why_size, "cannot listen on %s: %s", api->socket, strerror(-r));
    return r;
}

void api_socket_remove(const struct api *api)
{
    struct stat found;

    if (api->inode && lstat(api->socket, &found) == 0 && found.st_ino == api->inode &&
        found.st_dev == api->device)
        unlink(api->socket);
}

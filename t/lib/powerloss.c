/*
 * A disk that loses what was not synced: preloaded into nginx, for one
 * directory ($AKL_POWERLOSS_DIR).
 *
 * A mirror of that directory ($AKL_POWERLOSS_DISK) has what the disk has.  The
 * data of a file get there by fsync() and fdatasync(), names by fsync() of the
 * directory alone: a file that was synced but whose name was not is lost.
 * Data are kept in the mirror by inode, ".data-INODE"; a sync of the directory
 * gives each of its names the inode that it has, in ".names".
 *
 * Where there is ".dies-after-names" in the mirror, the process dies of the
 * next sync of a directory: what it did to files that were renamed has to be
 * on the disk by then.
 */

#define _GNU_SOURCE

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>


static char  dir_watched[256], disk[256];


/* nginx takes its environment away from workers */

__attribute__((constructor))
static void
settings(void)
{
    const char  *value;

    value = getenv("AKL_POWERLOSS_DIR");
    (void) snprintf(dir_watched, sizeof(dir_watched), "%s",
                    value ? value : "");

    value = getenv("AKL_POWERLOSS_DISK");
    (void) snprintf(disk, sizeof(disk), "%s", value ? value : "");
}


static int
ours(int fd, char *path, size_t size)
{
    char     link[64];
    size_t   len;
    ssize_t  n;

    len = strlen(dir_watched);

    if (len == 0) {
        return 0;
    }

    (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, size - 1);

    if (n <= 0) {
        return 0;
    }

    path[n] = '\0';

    return strncmp(path, dir_watched, len) == 0
           && (path[len] == '\0' || path[len] == '/');
}


/* a copy under a name of its own first: we may be killed at any time */

static void
keep_data(int fd)
{
    int          out;
    char         from[64], to[512], tmp[600], buf[4096];
    int          in;
    ssize_t      n;
    struct stat  st;

    if (fstat(fd, &st) == -1) {
        abort();
    }

    (void) snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
    (void) snprintf(to, sizeof(to), "%s/.data-%lu", disk,
                    (unsigned long) st.st_ino);
    (void) snprintf(tmp, sizeof(tmp), "%s.%d", to, (int) getpid());

    in = open(from, O_RDONLY);
    out = open(tmp, O_WRONLY|O_CREAT|O_TRUNC, 0600);

    if (in == -1 || out == -1) {
        abort();
    }

    while ((n = read(in, buf, sizeof(buf))) > 0) {
        if (write(out, buf, n) != n) {
            abort();
        }
    }

    (void) close(in);
    (void) close(out);

    if (rename(tmp, to) == -1) {
        abort();
    }
}


static void
keep_names(const char *path)
{
    DIR            *dir;
    char            to[512], tmp[600];
    FILE           *out;
    struct dirent  *entry;

    (void) snprintf(to, sizeof(to), "%s/.names", disk);
    (void) snprintf(tmp, sizeof(tmp), "%s.%d", to, (int) getpid());

    dir = opendir(path);
    out = fopen(tmp, "w");

    if (dir == NULL || out == NULL) {
        abort();
    }

    while ((entry = readdir(dir))) {
        if (entry->d_name[0] != '.') {
            (void) fprintf(out, "%lu %s\n", (unsigned long) entry->d_ino,
                           entry->d_name);
        }
    }

    (void) closedir(dir);

    if (fclose(out) != 0 || rename(tmp, to) == -1) {
        abort();
    }

    (void) snprintf(to, sizeof(to), "%s/.dies-after-names", disk);

    if (unlink(to) == 0) {
        (void) raise(SIGKILL);
    }
}


static int
sync_by(const char *name, int fd)
{
    int          rc, (*real)(int);
    char         path[512];
    struct stat  st;

    real = (int (*)(int)) dlsym(RTLD_NEXT, name);
    rc = real(fd);

    if (rc == 0 && ours(fd, path, sizeof(path)) && fstat(fd, &st) == 0) {

        if (S_ISDIR(st.st_mode)) {
            keep_names(path);

        } else {
            keep_data(fd);
        }
    }

    return rc;
}


int
fsync(int fd)
{
    return sync_by("fsync", fd);
}


int
fdatasync(int fd)
{
    return sync_by("fdatasync", fd);
}

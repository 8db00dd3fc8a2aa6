/*
 * A disk that is full, can only be read, or cannot be read: preloaded into
 * nginx.  The file $AKL_DISK says which, and of what directory: "full DIR",
 * "read DIR", "lost DIR" where reading fails, "half DIR" where it ends early,
 * as in a file that somebody has cut; or nothing, where the disk is well.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>


static char  control[256];


/* nginx takes its environment away from workers */

__attribute__((constructor))
static void
settings(void)
{
    const char  *value;

    value = getenv("AKL_DISK");
    (void) snprintf(control, sizeof(control), "%s", value ? value : "");
}


static int
call(const char *name, const char *path, int flags, int mode)
{
    int  (*real)(const char *, int, ...);

    real = (int (*)(const char *, int, ...)) dlsym(RTLD_NEXT, name);

    return real(path, flags, mode);
}


/* whether "path" is on a disk of that state now */

static int
state(const char *wanted, const char *path)
{
    int      fd;
    char     buf[512];
    size_t   len;
    ssize_t  n;

    if (control[0] == '\0') {
        return 0;
    }

    fd = call("open", control, O_RDONLY|O_CLOEXEC, 0);
    if (fd == -1) {
        return 0;
    }

    n = read(fd, buf, sizeof(buf) - 1);
    (void) close(fd);

    if (n <= 5) {
        return 0;
    }

    buf[n] = '\0';
    len = strlen(buf + 5);

    return strncmp(buf, wanted, 4) == 0 && strncmp(path, buf + 5, len) == 0;
}


static int
state_of(const char *wanted, int fd)
{
    char     link[64], path[512];
    ssize_t  n;

    (void) snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    n = readlink(link, path, sizeof(path) - 1);

    if (n <= 0) {
        return 0;
    }

    path[n] = '\0';

    return state(wanted, path);
}


/* written to already open files, a disk that was remounted says EROFS, too */

static int
refuses(int fd)
{
    if (state_of("full", fd)) {
        errno = ENOSPC;
        return 1;
    }

    if (state_of("read", fd)) {
        errno = EROFS;
        return 1;
    }

    return 0;
}


static int
open_by(const char *name, const char *path, int flags, int mode)
{
    if ((flags & (O_WRONLY|O_RDWR|O_CREAT|O_TRUNC)) && state("read", path)) {
        errno = EROFS;
        return -1;
    }

    return call(name, path, flags, mode);
}


#define OPEN(name)                                                            \
    int                                                                       \
    name(const char *path, int flags, ...)                                    \
    {                                                                         \
        int      mode;                                                        \
        va_list  args;                                                        \
                                                                              \
        va_start(args, flags);                                                \
        mode = (flags & O_CREAT) ? va_arg(args, int) : 0;                     \
        va_end(args);                                                         \
                                                                              \
        return open_by(#name, path, flags, mode);                             \
    }

OPEN(open)
OPEN(open64)


/* what _FORTIFY_SOURCE makes of open() */

int
__open_2(const char *path, int flags)
{
    return open_by("open", path, flags, 0);
}


int
__open64_2(const char *path, int flags)
{
    return open_by("open64", path, flags, 0);
}


ssize_t
write(int fd, const void *buf, size_t n)
{
    ssize_t  (*real)(int, const void *, size_t);

    real = (ssize_t (*)(int, const void *, size_t)) dlsym(RTLD_NEXT, "write");

    return refuses(fd) ? -1 : real(fd, buf, n);
}


static ssize_t
pread_by(const char *name, int fd, void *buf, size_t n, off_t at)
{
    ssize_t  (*real)(int, void *, size_t, off_t);

    if (state_of("lost", fd)) {
        errno = EIO;
        return -1;
    }

    real = (ssize_t (*)(int, void *, size_t, off_t)) dlsym(RTLD_NEXT, name);

    return real(fd, buf, state_of("half", fd) ? n / 2 : n, at);
}


ssize_t
pread(int fd, void *buf, size_t n, off_t at)
{
    return pread_by("pread", fd, buf, n, at);
}


ssize_t
pread64(int fd, void *buf, size_t n, off64_t at)
{
    return pread_by("pread64", fd, buf, n, at);
}


/* what _FORTIFY_SOURCE makes of them */

ssize_t
__pread_chk(int fd, void *buf, size_t n, off_t at, size_t size)
{
    return (n <= size) ? pread_by("pread", fd, buf, n, at) : -1;
}


ssize_t
__pread64_chk(int fd, void *buf, size_t n, off64_t at, size_t size)
{
    return (n <= size) ? pread_by("pread64", fd, buf, n, at) : -1;
}


static int
truncate_by(const char *name, int fd, off_t len)
{
    int  (*real)(int, off_t);

    if (state_of("read", fd)) {
        errno = EROFS;
        return -1;
    }

    real = (int (*)(int, off_t)) dlsym(RTLD_NEXT, name);

    return real(fd, len);
}


int
ftruncate(int fd, off_t len)
{
    return truncate_by("ftruncate", fd, len);
}


int
ftruncate64(int fd, off64_t len)
{
    return truncate_by("ftruncate64", fd, len);
}


int
rename(const char *from, const char *to)
{
    int  (*real)(const char *, const char *);

    if (state("read", to)) {
        errno = EROFS;
        return -1;
    }

    real = (int (*)(const char *, const char *)) dlsym(RTLD_NEXT, "rename");

    return real(from, to);
}

/*
 * A clock that can be set while nginx runs: preloaded, it adds to the time of
 * day what the file $AKL_CLOCK says, seconds as a number of 64 bits; all
 * processes map it, so that all clocks are set at once.  The monotonic clock
 * is left alone, as settimeofday() leaves it.
 */

#define _GNU_SOURCE

#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/time.h>


static const volatile int64_t  zero;
static const volatile int64_t  *offset = &zero;


/* nginx takes its environment away from workers; a mapping is inherited */

__attribute__((constructor))
static void
settings(void)
{
    int          fd;
    void        *mapped;
    const char  *path;

    path = getenv("AKL_CLOCK");
    if (path == NULL) {
        return;
    }

    fd = open(path, O_RDONLY|O_CLOEXEC);
    if (fd == -1) {
        abort();
    }

    mapped = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) {
        abort();
    }

    offset = mapped;

    (void) close(fd);
}


int
clock_gettime(clockid_t id, struct timespec *ts)
{
    int  rc, (*real)(clockid_t, struct timespec *);

    real = (int (*)(clockid_t, struct timespec *))
               dlsym(RTLD_NEXT, "clock_gettime");
    rc = real(id, ts);

    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) {
        ts->tv_sec += *offset;
    }

    return rc;
}


int
gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    struct timespec  ts;

    (void) zone;
    (void) clock_gettime(CLOCK_REALTIME, &ts);

    tv->tv_sec = ts.tv_sec;
    tv->tv_usec = ts.tv_nsec / 1000;

    return 0;
}


time_t
time(time_t *to)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_REALTIME, &ts);

    if (to != NULL) {
        *to = ts.tv_sec;
    }

    return ts.tv_sec;
}

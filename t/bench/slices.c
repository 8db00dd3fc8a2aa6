/*
 * Reads a file of revocations as a worker does, a slice in each turn of its
 * event loop: "slices FILE BYTES" prints entries, the whole time and that of
 * the longest slice, in microseconds of CPU time, and the bytes of memory.
 */

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>

#include "../../src/k8s/revocations.h"


static double
used(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);

    return ts.tv_sec * 1e6 + ts.tv_nsec / 1e3;
}


int
main(int argc, char **argv)
{
    int                  fd;
    size_t               size, memory;
    double               start, turn, whole, longest;
    ssize_t              n;
    akl_str_t            piece;
    const char          *cause;
    struct stat          st;
    struct mallinfo2     before, after;
    unsigned char       *buf;
    akl_revocations_t   *table;

    size = (argc == 3) ? strtoul(argv[2], NULL, 10) : 0;
    fd = size ? open(argv[1], O_RDONLY) : -1;
    buf = malloc(size);

    if (fd == -1 || buf == NULL || fstat(fd, &st) == -1) {
        (void) fprintf(stderr, "usage: slices FILE BYTES\n");
        return 2;
    }

    /* in a worker OpenSSL has long made its random numbers ready */

    akl_revocations_free(akl_revocations_create(0));

    before = mallinfo2();
    start = used();

    table = akl_revocations_create((size_t) st.st_size);

    longest = used() - start;
    whole = longest;

    for (n = 1; table && n > 0; whole += turn) {
        start = used();

        n = read(fd, buf, size);

        piece.data = buf;
        piece.len = (n > 0) ? (size_t) n : 0;

        if (n < 0
            || akl_revocations_feed(table, piece, time(NULL), &cause) != 0)
        {
            return 1;
        }

        turn = used() - start;
        longest = (turn > longest) ? turn : longest;
    }

    if (table == NULL) {
        return 1;
    }

    after = mallinfo2();
    memory = after.uordblks + after.hblkhd - before.uordblks - before.hblkhd;

    printf("%zu %.0f %.0f %zu\n", akl_revocations_count(table), whole,
           longest, memory);

    akl_revocations_free(table);
    free(buf);

    return close(fd);
}

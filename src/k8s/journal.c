/*
 * The journal of revocations: opening, reading, appending.
 */

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "journal.h"
#include "journal_file.h"


#define AKL_JOURNAL_PIECE  65536
#define AKL_JOURNAL_FIRST  65536        /* size from which it is looked at
                                           what is over */


typedef struct {
    akl_revocations_t  *table;
    int64_t             now;
} akl_journal_merge_t;


static akl_journal_e akl_journal_again(akl_journal_t *journal, size_t end,
    int64_t over, int64_t now);
static akl_journal_e akl_journal_feed(akl_journal_t *journal,
    akl_revocations_t *table, size_t end, int64_t over);
static int akl_journal_merge(const akl_revocation_t *entry, void *data);
static int akl_journal_moved(akl_journal_t *journal);
static akl_journal_e akl_journal_put(akl_journal_t *journal,
    const unsigned char *text, size_t len);
static size_t akl_journal_render(unsigned char *buf, size_t size,
    const akl_revocation_t *entries, size_t n, size_t room, size_t *kept);
static akl_journal_e akl_journal_shrink(akl_journal_t *journal, int64_t over,
    int must);


void
akl_journal_init(akl_journal_t *journal, const char *path, size_t max)
{
    memset(journal, 0, sizeof(akl_journal_t));

    journal->path = path;
    journal->max = max;
    journal->fd = -1;
    journal->consider = AKL_JOURNAL_FIRST;
}


akl_journal_e
akl_journal_open(akl_journal_t *journal, int64_t now)
{
    struct stat    st;
    akl_journal_e  rc;

    if (akl_journal_file_open(journal) != 0) {
        return AKL_JOURNAL_ERROR;
    }

    if (fstat(journal->fd, &st) == -1) {
        return akl_journal_fail(journal, "fstat() failed", errno);
    }

    if (journal->table && st.st_ino == journal->ino
        && st.st_dev == journal->dev
        && (size_t) st.st_size >= akl_journal_size(journal))
    {
        rc = akl_journal_feed(journal, journal->table, st.st_size,
                              now - AKL_JOURNAL_GRACE);

    } else {
        rc = akl_journal_again(journal, st.st_size, now - AKL_JOURNAL_GRACE,
                               now);
    }

    if (rc != AKL_JOURNAL_OK) {
        akl_journal_close(journal);
    }

    return rc;
}


akl_journal_e
akl_journal_read(akl_journal_t *journal, size_t end, int64_t now)
{
    struct stat    st;
    akl_journal_e  rc;

    if (journal->fd == -1 || akl_journal_moved(journal) == ESTALE) {
        akl_journal_close(journal);
        return akl_journal_open(journal, now);
    }

    if (fstat(journal->fd, &st) == -1) {
        return akl_journal_fail(journal, "fstat() failed", errno);
    }

    if ((size_t) st.st_size < akl_journal_size(journal)) {

        /* somebody has cut it: what it says now is what counts */

        return akl_journal_again(journal, st.st_size, now - AKL_JOURNAL_GRACE,
                                 now);
    }

    if (end) {
        return akl_journal_feed(journal, journal->table, end,
                                now - AKL_JOURNAL_GRACE);
    }

    if ((size_t) st.st_size == akl_journal_size(journal)) {
        return AKL_JOURNAL_OK;
    }

    /* lines that are there may still be taken back by who writes them */

    if (flock(journal->fd, LOCK_SH|LOCK_NB) == -1) {
        return (errno == EWOULDBLOCK)
               ? AKL_JOURNAL_BUSY
               : akl_journal_fail(journal, "flock() failed", errno);
    }

    rc = akl_journal_feed(journal, journal->table, SIZE_MAX,
                          now - AKL_JOURNAL_GRACE);

    akl_journal_unlock(journal);

    return rc;
}


akl_journal_e
akl_journal_lock(akl_journal_t *journal, int64_t now)
{
    akl_journal_e  rc;

    for ( ;; ) {

        if (journal->fd == -1 || !journal->writable) {
            akl_journal_close(journal);

            rc = akl_journal_open(journal, now);

            if (rc != AKL_JOURNAL_OK) {
                return rc;
            }

            if (!journal->writable) {
                return akl_journal_fail(journal, "may not be written to",
                                        EACCES);
            }
        }

        if (flock(journal->fd, LOCK_EX|LOCK_NB) == -1) {
            return (errno == EWOULDBLOCK)
                   ? AKL_JOURNAL_BUSY
                   : akl_journal_fail(journal, "flock() failed", errno);
        }

        /* none of us gives its name to another while we have the lock */

        if (akl_journal_moved(journal) == 0) {
            break;
        }

        akl_journal_close(journal);
    }

    rc = akl_journal_read(journal, SIZE_MAX, now);

    /* a file that was deleted or replaced gets what it has lost */

    if (rc == AKL_JOURNAL_OK && journal->more) {
        rc = akl_journal_shrink(journal, now - AKL_JOURNAL_GRACE, 1);
    }

    if (rc != AKL_JOURNAL_OK) {
        akl_journal_unlock(journal);
    }

    return rc;
}


void
akl_journal_unlock(akl_journal_t *journal)
{
    if (journal->fd != -1) {
        (void) flock(journal->fd, LOCK_UN);
    }
}


akl_journal_e
akl_journal_append(akl_journal_t *journal, const akl_revocation_t *entries,
    size_t n, int64_t now, size_t *kept)
{
    size_t          i, len, room;
    int64_t         over;
    akl_str_t       text;
    const char     *cause;
    akl_journal_e   rc;
    unsigned char  *buf;

    *kept = 0;

    len = akl_journal_render(NULL, 0, entries, n, SIZE_MAX, &i);

    if (akl_journal_size(journal) + len > journal->consider
        || akl_journal_size(journal) + len > journal->max)
    {
        /* what is new and counts is worth more than what may count again */

        over = (akl_journal_size(journal) + len > journal->max)
               ? now : now - AKL_JOURNAL_GRACE;

        rc = akl_journal_shrink(journal, over, 0);

        if (rc != AKL_JOURNAL_OK) {
            return rc;
        }
    }

    room = (akl_journal_size(journal) < journal->max)
           ? journal->max - akl_journal_size(journal) : 0;

    len = akl_journal_render(NULL, 0, entries, n, room, kept);

    if (*kept == 0) {
        return AKL_JOURNAL_OK;
    }

    buf = malloc(len);

    if (buf == NULL) {
        *kept = 0;
        return akl_journal_fail(journal, "malloc() failed", ENOMEM);
    }

    (void) akl_journal_render(buf, len, entries, n, room, kept);

    rc = akl_journal_put(journal, buf, len);

    if (rc != AKL_JOURNAL_OK) {
        *kept = 0;
        free(buf);
        return rc;
    }

    text.data = buf;
    text.len = len;

    /* what is on the disk but not in the table is read by the next look */

    if (akl_revocations_feed(journal->table, text, now, &cause) != 0) {
        rc = akl_journal_fail(journal, cause, 0);
        akl_journal_close(journal);
    }

    free(buf);

    return rc;
}


size_t
akl_journal_size(const akl_journal_t *journal)
{
    return journal->table ? akl_revocations_read(journal->table) : 0;
}


void
akl_journal_close(akl_journal_t *journal)
{
    if (journal->fd != -1) {
        (void) close(journal->fd);
        journal->fd = -1;
    }
}


void
akl_journal_free(akl_journal_t *journal)
{
    akl_journal_close(journal);
    akl_revocations_free(journal->table);
    journal->table = NULL;
}


/*
 * From its first line on, into a table of its own until it is known good; but
 * for what is over at "over".  What counted before, and does at "now", goes on
 * to count, whatever became of the file.
 */

static akl_journal_e
akl_journal_again(akl_journal_t *journal, size_t end, int64_t over,
    int64_t now)
{
    size_t              n;
    struct stat         st;
    akl_journal_e       rc;
    akl_revocations_t  *table;

    if (fstat(journal->fd, &st) == -1) {
        return akl_journal_fail(journal, "fstat() failed", errno);
    }

    if (!S_ISREG(st.st_mode)) {
        return akl_journal_fail(journal, "is no file", 0);
    }

    table = akl_revocations_create(st.st_size);
    if (table == NULL) {
        return akl_journal_fail(journal, "malloc() failed", ENOMEM);
    }

    rc = akl_journal_feed(journal, table, end, over);

    n = akl_revocations_count(table);

    if (rc == AKL_JOURNAL_OK && journal->table) {
        akl_journal_merge_t  to = { table, now };

        if (akl_revocations_each(journal->table, akl_journal_merge, &to)
            != 0)
        {
            rc = akl_journal_fail(journal, "malloc() failed", ENOMEM);
        }
    }

    if (rc != AKL_JOURNAL_OK) {
        akl_revocations_free(table);
        return rc;
    }

    akl_revocations_free(journal->table);

    journal->table = table;
    journal->dev = st.st_dev;
    journal->ino = st.st_ino;
    journal->more = (akl_revocations_count(table) > n);

    return AKL_JOURNAL_OK;
}


static int
akl_journal_merge(const akl_revocation_t *entry, void *data)
{
    akl_journal_merge_t  *to = data;

    return (entry->until > to->now) ? akl_revocations_add(to->table, entry)
                                    : 0;
}


/*
 * Whole lines up to "end".  After a loss of power a file may be longer than
 * what was brought to the disk of it, and reads as zeros there: nobody was
 * told that any of that is kept, and no line of ours has such a byte.
 */

static akl_journal_e
akl_journal_feed(akl_journal_t *journal, akl_revocations_t *table, size_t end,
    int64_t over)
{
    size_t          at, len, whole;
    ssize_t         n;
    akl_str_t       piece;
    const char     *cause;
    unsigned char  *buf, *zero;
    akl_journal_e   rc;

    at = akl_revocations_read(table);

    if (at >= end) {
        return AKL_JOURNAL_OK;
    }

    buf = malloc(AKL_JOURNAL_PIECE);

    if (buf == NULL) {
        return akl_journal_fail(journal, "malloc() failed", ENOMEM);
    }

    rc = AKL_JOURNAL_OK;

    while (at < end) {
        len = end - at;

        if (len > AKL_JOURNAL_PIECE) {
            len = AKL_JOURNAL_PIECE;
        }

        n = pread(journal->fd, buf, len, at);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            rc = akl_journal_fail(journal, "read() failed", errno);
            break;
        }

        zero = memchr(buf, 0, n);

        if (zero) {
            n = zero - buf;
        }

        for (whole = n; whole && buf[whole - 1] != '\n'; whole--) {
            /* void */
        }

        /* none: its end, or less than a line, unless a line is endless */

        if (whole == 0) {

            if ((size_t) n == AKL_JOURNAL_PIECE) {
                rc = akl_journal_fail(journal, "is too long", 0);
                journal->line = akl_revocations_line(table) + 1;
            }

            break;
        }

        piece.data = buf;
        piece.len = whole;

        if (akl_revocations_feed(table, piece, over, &cause) != 0) {
            rc = akl_journal_fail(journal, cause, 0);
            journal->line = akl_revocations_line(table) + 1;
            break;
        }

        at += whole;

        if (zero && whole == (size_t) n) {
            break;
        }
    }

    free(buf);

    return rc;
}


/* 0, or an error; ESTALE where the name means another file by now */

static int
akl_journal_moved(akl_journal_t *journal)
{
    struct stat  st;

    if (stat(journal->path, &st) == -1) {
        return errno;
    }

    return (st.st_ino == journal->ino && st.st_dev == journal->dev) ? 0
                                                                    : ESTALE;
}


/* behind the last whole line; all of it is on the disk, or none is there */

static akl_journal_e
akl_journal_put(akl_journal_t *journal, const unsigned char *text, size_t len)
{
    int          err;
    ssize_t      n;
    size_t       size;
    const char  *cause;
    struct stat  st;

    size = akl_journal_size(journal);

    if (fstat(journal->fd, &st) == -1) {
        return akl_journal_fail(journal, "fstat() failed", errno);
    }

    if ((size_t) st.st_size != size
        && ftruncate(journal->fd, (off_t) size) == -1)
    {
        return akl_journal_fail(journal, "ftruncate() failed", errno);
    }

    /* its name may be that of a file that another process has just made */

    if (!journal->linked && akl_journal_file_link(journal) != 0) {
        return AKL_JOURNAL_ERROR;
    }

    do {
        n = write(journal->fd, text, len);
    } while (n == -1 && errno == EINTR);

    if (n == (ssize_t) len) {

        if (fdatasync(journal->fd) == 0) {
            return AKL_JOURNAL_OK;
        }

        err = errno;
        cause = "fdatasync() failed";

    } else {
        err = (n == -1) ? errno : ENOSPC;
        cause = "write() failed";
    }

    (void) akl_journal_fail(journal, cause, err);

    if (ftruncate(journal->fd, (off_t) size) == -1) {
        return akl_journal_fail(journal, "ftruncate() failed", errno);
    }

    return AKL_JOURNAL_ERROR;
}


/* as many entries as "room" has bytes for */

static size_t
akl_journal_render(unsigned char *buf, size_t size,
    const akl_revocation_t *entries, size_t n, size_t room, size_t *kept)
{
    size_t  i, len, one;

    len = 0;

    for (i = 0; i < n; i++) {
        one = akl_revocation_write(NULL, 0, &entries[i]);

        if (one > room - len) {
            break;
        }

        if (buf) {
            (void) akl_revocation_write(buf + len, size - len, &entries[i]);
        }

        len += one;
    }

    *kept = i;

    return len;
}


/*
 * Writes the file anew where at least half of its lines are over or said
 * twice, or where it has none by now.  Not looked at again before it is twice
 * as long, so that the cost for an entry stays the same; but a file that is
 * full is.
 */

static akl_journal_e
akl_journal_shrink(akl_journal_t *journal, int64_t over, int must)
{
    size_t         lines, alive;
    akl_journal_e  rc;

    lines = akl_revocations_line(journal->table);
    alive = akl_revocations_alive(journal->table, over);

    journal->consider = 2 * akl_journal_size(journal);

    if (journal->consider < AKL_JOURNAL_FIRST) {
        journal->consider = AKL_JOURNAL_FIRST;
    }

    if (!must && alive * 2 > lines) {
        return AKL_JOURNAL_OK;
    }

    rc = akl_journal_file_anew(journal, over);

    if (rc != AKL_JOURNAL_OK) {

        /* one that may go on growing does */

        return must ? rc : AKL_JOURNAL_OK;
    }

    return akl_journal_again(journal, SIZE_MAX, over, over);
}

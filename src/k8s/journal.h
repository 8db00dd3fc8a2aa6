/*
 * A journal of revocations: a file that several processes append to, each
 * entry on the disk before anybody is told that it is kept.
 *
 * Appending is done under flock(2), so a process that dies gives the lock
 * back.  What is read are whole lines; what a writer that died has left of a
 * line is cut off by the next one.  A file in which half is over is written
 * anew beside the old one and takes its name.
 *
 * "now" is a time at which nothing is over that may count again: not that of a
 * clock that has just been set forward.  One may have been wrong all along, so
 * what is over stays for a day more, in the file and in the table, unless the
 * file is full.
 */

#ifndef AKL_JOURNAL_H
#define AKL_JOURNAL_H

#include <sys/types.h>
#include "revocations.h"


#define AKL_JOURNAL_PATH   4096
#define AKL_JOURNAL_GRACE  86400        /* s */


/* all zero but for path and max at first, and fd -1 */

typedef struct {
    const char         *path;           /* NUL-terminated; not owned */
    size_t              max;            /* bytes */
    int                 fd;             /* -1: closed */
    int                 error;          /* errno of what failed, or 0 */
    const char         *cause;          /* static; with a line where that is
                                           not 0 */
    size_t              line;
    dev_t               dev;
    ino_t               ino;
    size_t              consider;       /* size at which it is looked at
                                           whether writing anew pays */
    unsigned            writable:1;
    unsigned            linked:1;       /* its name is on the disk */
    unsigned            more:1;         /* the table has entries that the file
                                           lacks */
    akl_revocations_t  *table;          /* what was read */
} akl_journal_t;


typedef enum {
    AKL_JOURNAL_OK = 0,
    AKL_JOURNAL_BUSY,                   /* another process has the lock */
    AKL_JOURNAL_ERROR                   /* see cause and error */
} akl_journal_e;


void akl_journal_init(akl_journal_t *journal, const char *path, size_t max);

/*
 * Opens the file, makes it (mode 0600) where there is none, and reads what was
 * not read yet.  One that may not be written to is opened for reading.  What
 * was read before stays in the table while it counts, also where the file is
 * another one now, or on AKL_JOURNAL_ERROR.
 */
akl_journal_e akl_journal_open(akl_journal_t *journal, int64_t now);

/*
 * Reads what was added, and all of it where the name means another file by
 * now: up to "end" bytes, which are known to be complete, or with 0 as far as
 * it goes, provided that nobody is writing (AKL_JOURNAL_BUSY).  What was read
 * before stays in force on AKL_JOURNAL_ERROR.
 */
akl_journal_e akl_journal_read(akl_journal_t *journal, size_t end,
    int64_t now);

/* Takes the lock, without waiting, and reads all that others have added. */
akl_journal_e akl_journal_lock(akl_journal_t *journal, int64_t now);

/*
 * Under the lock: appends the first of "n" entries, as many as there is room
 * for, by one write, brings them to the disk and into the table; *kept is
 * their number.  On AKL_JOURNAL_ERROR none is kept, and none of them is left
 * in the file.
 */
akl_journal_e akl_journal_append(akl_journal_t *journal,
    const akl_revocation_t *entries, size_t n, int64_t now, size_t *kept);

void akl_journal_unlock(akl_journal_t *journal);

/* Bytes of the lines that were read or written. */
size_t akl_journal_size(const akl_journal_t *journal);

/* Closes the file; the table stays. */
void akl_journal_close(akl_journal_t *journal);

/* Closes the file and frees the table. */
void akl_journal_free(akl_journal_t *journal);


#endif /* AKL_JOURNAL_H */

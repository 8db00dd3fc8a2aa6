/*
 * The file of a journal: made, named, and written anew.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/file.h>

#include "journal_file.h"


typedef struct {
    int64_t         now;
    size_t          len;
    size_t          size;
    unsigned char  *buf;
} akl_journal_text_t;


static int akl_journal_file_text(const akl_revocation_t *entry, void *data);
static int akl_journal_file_write(akl_journal_t *journal, const char *path,
    const akl_journal_text_t *text);


int
akl_journal_file_open(akl_journal_t *journal)
{
    int  fd, flags;

    flags = O_RDWR|O_APPEND|O_NONBLOCK|O_CLOEXEC;

    /* two who make it at once are to have the same one */

    do {
        fd = open(journal->path, flags);

        if (fd == -1 && errno == ENOENT) {
            fd = open(journal->path, flags|O_CREAT|O_EXCL, 0600);
        }

    } while (fd == -1 && errno == EEXIST);

    journal->writable = (fd != -1);

    if (fd == -1 && (errno == EACCES || errno == EROFS || errno == EPERM)) {
        journal->error = errno;
        fd = open(journal->path, O_RDONLY|O_NONBLOCK|O_CLOEXEC);
    }

    if (fd == -1) {
        (void) akl_journal_fail(journal, "open() failed", errno);
        return -1;
    }

    journal->fd = fd;
    journal->linked = 0;

    return 0;
}


int
akl_journal_file_link(akl_journal_t *journal)
{
    int          fd;
    char         dir[AKL_JOURNAL_PATH];
    size_t       len;
    const char  *slash;

    slash = strrchr(journal->path, '/');
    len = slash ? (size_t) (slash - journal->path) + 1 : 2;

    if (len >= sizeof(dir)) {
        (void) akl_journal_fail(journal, "has too long a name", 0);
        return -1;
    }

    memcpy(dir, slash ? journal->path : "./", len);
    dir[len] = '\0';

    fd = open(dir, O_RDONLY|O_DIRECTORY|O_CLOEXEC);

    if (fd == -1) {
        (void) akl_journal_fail(journal, "open() of its directory failed",
                                errno);
        return -1;
    }

    if (fsync(fd) == -1) {
        (void) akl_journal_fail(journal, "fsync() of its directory failed",
                                errno);
        (void) close(fd);
        return -1;
    }

    (void) close(fd);

    journal->linked = 1;

    return 0;
}


akl_journal_e
akl_journal_file_anew(akl_journal_t *journal, int64_t now)
{
    int                 fd;
    char                path[AKL_JOURNAL_PATH];
    size_t              len;
    akl_journal_text_t  text;

    len = strlen(journal->path);

    if (len + sizeof(".new") > sizeof(path)) {
        return akl_journal_fail(journal, "has too long a name", 0);
    }

    memcpy(path, journal->path, len);
    memcpy(path + len, ".new", sizeof(".new"));

    memset(&text, 0, sizeof(akl_journal_text_t));
    text.now = now;

    (void) akl_revocations_each(journal->table, akl_journal_file_text, &text);

    text.size = text.len;
    text.len = 0;
    text.buf = malloc(text.size + 1);

    if (text.buf == NULL) {
        return akl_journal_fail(journal, "malloc() failed", ENOMEM);
    }

    (void) akl_revocations_each(journal->table, akl_journal_file_text, &text);

    fd = akl_journal_file_write(journal, path, &text);

    free(text.buf);

    if (fd == -1) {
        return AKL_JOURNAL_ERROR;
    }

    if (rename(path, journal->path) == -1) {
        (void) akl_journal_fail(journal, "rename() to it failed", errno);
        (void) unlink(path);
        (void) close(fd);
        return AKL_JOURNAL_ERROR;
    }

    (void) close(journal->fd);

    journal->fd = fd;
    journal->writable = 1;

    /* who appends tries again where this fails, before it counts */

    journal->linked = 0;
    (void) akl_journal_file_link(journal);

    return AKL_JOURNAL_OK;
}


static int
akl_journal_file_text(const akl_revocation_t *entry, void *data)
{
    akl_journal_text_t  *text = data;

    if (entry->until > text->now) {
        text->len += akl_revocation_write(
                              text->buf ? text->buf + text->len : NULL,
                              text->buf ? text->size - text->len : 0, entry);
    }

    return 0;
}


/* a locked file with that text on the disk, or -1 */

static int
akl_journal_file_write(akl_journal_t *journal, const char *path,
    const akl_journal_text_t *text)
{
    int          fd;
    size_t       len;
    ssize_t      n;
    const char  *cause;

    /* one who died with the lock may have left it */

    (void) unlink(path);

    fd = open(path, O_RDWR|O_APPEND|O_NONBLOCK|O_CLOEXEC|O_CREAT|O_EXCL,
              0600);

    if (fd == -1) {
        (void) akl_journal_fail(journal, "open() beside it failed", errno);
        return -1;
    }

    for (len = 0; len < text->len; len += n) {
        n = write(fd, text->buf + len, text->len - len);

        if (n == -1 && errno == EINTR) {
            n = 0;
        }

        if (n == -1) {
            cause = "write() beside it failed";
            goto failed;
        }
    }

    if (fsync(fd) == -1) {
        cause = "fsync() beside it failed";
        goto failed;
    }

    if (flock(fd, LOCK_EX|LOCK_NB) == -1) {
        cause = "flock() beside it failed";
        goto failed;
    }

    return fd;

failed:

    (void) akl_journal_fail(journal, cause, errno);
    (void) close(fd);
    (void) unlink(path);

    return -1;
}


akl_journal_e
akl_journal_fail(akl_journal_t *journal, const char *cause, int error)
{
    journal->cause = cause;
    journal->error = error;
    journal->line = 0;

    return AKL_JOURNAL_ERROR;
}

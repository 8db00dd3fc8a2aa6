/*
 * Files of revocations, as the configuration names them.
 */

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/stat.h>

#include "file.h"
#include "setup.h"


#define AKL_SETUP_PIECE  65536


static int
akl_setup_revoked_failed(akl_setup_revoked_t *file, const char *cause,
    int error)
{
    file->cause = cause;
    file->error = error;

    return -1;
}


/* by the same reader as the module's, and no longer than it holds */

static int
akl_setup_revoked_feed(akl_setup_revoked_t *file, int fd, int64_t now)
{
    ssize_t         n;
    akl_str_t       piece;
    const char     *cause;
    unsigned char  *buf, *zero;

    buf = akl_mem(AKL_SETUP_PIECE);

    for ( ;; ) {
        n = read(fd, buf, AKL_SETUP_PIECE);

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            return akl_setup_revoked_failed(file, "cannot be read", errno);
        }

        if (n == 0) {
            break;
        }

        /* what a loss of power leaves behind the end of a journal */

        zero = file->journal ? memchr(buf, 0, (size_t) n) : NULL;

        piece.data = buf;
        piece.len = zero ? (size_t) (zero - buf) : (size_t) n;

        if (akl_revocations_feed(file->table, piece, now, &cause) != 0) {
            file->line = akl_revocations_line(file->table) + 1;
            return akl_setup_revoked_failed(file, cause, 0);
        }

        if (zero) {
            break;
        }
    }

    /* the last line of a journal may be torn */

    if (!file->journal
        && akl_revocations_end(file->table, now, &cause) != 0)
    {
        file->line = akl_revocations_line(file->table) + 1;
        return akl_setup_revoked_failed(file, cause, 0);
    }

    return 0;
}


static void
akl_setup_revoked_read(akl_setup_revoked_t *file, int64_t now)
{
    int          fd;
    struct stat  st;

    fd = open(file->path, O_RDONLY|O_NONBLOCK|O_CLOEXEC);

    if (fd == -1) {
        (void) akl_setup_revoked_failed(file, "cannot be read", errno);
        return;
    }

    if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode)) {
        (void) akl_setup_revoked_failed(file, "is no file", 0);

    } else {
        file->table = akl_revocations_create((size_t) st.st_size);

        if (file->table == NULL) {
            (void) akl_setup_revoked_failed(file, "finds no memory", 0);

        } else if (akl_setup_revoked_feed(file, fd, now) != 0) {
            akl_revocations_free(file->table);
            file->table = NULL;
        }
    }

    (void) close(fd);
}


static void
akl_setup_revoked_walk(akl_setup_t *setup, akl_directive_t *d,
    akl_setup_revoked_t ***last, int64_t now)
{
    akl_setup_revoked_t  *file;

    for ( /* void */ ; d; d = d->next) {

        akl_setup_revoked_walk(setup, d->block, last, now);

        if (strcmp(d->args[0], "akl_k8s_revocations") != 0 || d->n < 2) {
            continue;
        }

        file = akl_mem(sizeof(akl_setup_revoked_t));

        file->directive = d;
        file->path = akl_file_in(setup->dir, d->args[1]);
        file->journal = (d->n > 2 && strncmp(d->args[2], "journal", 7) == 0);

        akl_setup_revoked_read(file, now);

        **last = file;
        *last = &file->next;
    }
}


void
akl_setup_revoked(akl_setup_t *setup, int64_t now)
{
    akl_setup_revoked_t  **last;

    last = &setup->revoked;

    akl_setup_revoked_walk(setup, setup->tree, &last, now);
}


void
akl_setup_revoked_free(akl_setup_t *setup)
{
    akl_setup_revoked_t  *file;

    for (file = setup->revoked; file; file = file->next) {
        akl_revocations_free(file->table);
        file->table = NULL;
    }
}

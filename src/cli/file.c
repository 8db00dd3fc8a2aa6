/*
 * Files: bounded reading, writing in one step.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file.h"


#define AKL_FILE_PART  4096             /* bytes of one read(2) */


const char *
akl_file_read(const char *path, akl_str_t *text)
{
    int           fd;
    char          part[AKL_FILE_PART];
    ssize_t       n;
    akl_buf_t     buf;
    struct stat   st;
    const char   *cause;

    text->len = 0;
    text->data = (const unsigned char *) "";

    if (strcmp(path, "-") == 0) {
        fd = STDIN_FILENO;

    } else {

        /* without waiting for somebody to write into a pipe */

        fd = open(path, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

        if (fd == -1) {
            return strerror(errno);
        }

        if (fstat(fd, &st) == -1) {
            cause = strerror(errno);
            (void) close(fd);
            return cause;
        }

        /* what a shell makes of <(command) is a pipe that has its writer */

        if (S_ISFIFO(st.st_mode)) {
            (void) fcntl(fd, F_SETFL, 0);

        } else if (!S_ISREG(st.st_mode)) {
            (void) close(fd);
            return S_ISDIR(st.st_mode) ? "Is a directory" : "is no file";
        }
    }

    memset(&buf, 0, sizeof(akl_buf_t));
    akl_buf_puts(&buf, "");

    cause = NULL;

    for ( ;; ) {
        n = read(fd, part, sizeof(part));

        if (n == -1 && errno == EINTR) {
            continue;
        }

        if (n == -1) {
            cause = strerror(errno);
            break;
        }

        if (n == 0) {
            break;
        }

        akl_buf_add(&buf, part, (size_t) n);

        if (buf.len > AKL_FILE_MAX) {
            cause = "is larger than 1 MB";
            break;
        }
    }

    explicit_bzero(part, sizeof(part));

    if (fd != STDIN_FILENO) {
        (void) close(fd);
    }

    if (cause == NULL) {
        text->data = (const unsigned char *) buf.data;
        text->len = buf.len;
    }

    return cause;
}


static const char *
akl_file_fill(int fd, akl_str_t text, mode_t mode)
{
    size_t    done;
    ssize_t   n;

    /* before anything secret is in it, whatever the umask is */

    if (fchmod(fd, mode) == -1) {
        return strerror(errno);
    }

    for (done = 0; done < text.len; done += (size_t) n) {
        n = write(fd, text.data + done, text.len - done);

        if (n == -1 && errno == EINTR) {
            n = 0;
        }

        if (n == -1) {
            return strerror(errno);
        }
    }

    return fsync(fd) == -1 ? strerror(errno) : NULL;
}


const char *
akl_file_write(const char *path, akl_str_t text, mode_t mode, int replace)
{
    int          fd, failed;
    char        *temp, real[PATH_MAX];
    const char  *cause;

    if (realpath(path, real) != NULL) {

        if (!replace) {
            return "File exists";
        }

        path = real;
    }

    temp = akl_mem_printf("%s.XXXXXX", path);

    fd = mkstemp(temp);

    if (fd == -1) {
        return strerror(errno);
    }

    cause = akl_file_fill(fd, text, mode);

    if (close(fd) == -1 && cause == NULL) {
        cause = strerror(errno);
    }

    if (cause == NULL) {

        /* link() is the step that never replaces what came in between */

        failed = replace ? rename(temp, path) : link(temp, path);

        if (failed == -1) {
            cause = strerror(errno);
        }

        if (replace && cause == NULL) {
            return NULL;
        }
    }

    (void) unlink(temp);

    return cause;
}


const char *
akl_file_write_all(const akl_file_t *files, size_t n, int replace)
{
    size_t       i, k;
    const char  *cause;

    for (i = 0; i < n && !replace; i++) {
        if (access(files[i].path, F_OK) == 0) {
            return akl_mem_printf("cannot write \"%s\": %s", files[i].path,
                                  strerror(EEXIST));
        }
    }

    for (i = 0; i < n; i++) {
        cause = akl_file_write(files[i].path, files[i].text, files[i].mode,
                               replace);
        if (cause == NULL) {
            continue;
        }

        for (k = 0; k < i && !replace; k++) {
            (void) unlink(files[k].path);
        }

        return akl_mem_printf("cannot write \"%s\": %s", files[i].path,
                              cause);
    }

    return NULL;
}


char *
akl_file_dir(const char *path)
{
    const char  *slash;

    slash = strrchr(path, '/');

    if (slash == NULL) {
        return akl_mem_str(".");
    }

    if (slash == path) {
        return akl_mem_str("/");
    }

    return akl_mem_strn(path, (size_t) (slash - path));
}


const char *
akl_file_name(const char *path)
{
    const char  *slash;

    slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}


char *
akl_file_real(const char *path)
{
    char  real[PATH_MAX];

    return akl_mem_str(realpath(path, real) ? real : path);
}


char *
akl_file_in(const char *dir, const char *path)
{
    if (*path == '/') {
        return akl_mem_str(path);
    }

    return akl_mem_printf("%s/%s", dir, path);
}

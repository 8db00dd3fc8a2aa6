/*
 * Files: bounded reading, writing in one step.
 */

#ifndef AKL_CLI_FILE_H
#define AKL_CLI_FILE_H

#include <sys/types.h>

#include "mem.h"


#define AKL_FILE_MAX  (1024 * 1024)     /* as the module's sources */


/*
 * Reads a whole regular file, or standard input where "path" is "-"; at most
 * AKL_FILE_MAX bytes.  The text is NUL-terminated.  NULL, or the cause
 * ("No such file or directory", "is larger than 1 MB").
 */
const char *akl_file_read(const char *path, akl_str_t *text);

/*
 * Writes a file in one step: a new one beside it, synced, then renamed, so
 * that a reader sees the old content or the new.  A symlink is followed, so
 * that it stays one.  With "replace" 0 an existing file is left alone.  NULL,
 * or the cause.
 */
const char *akl_file_write(const char *path, akl_str_t text, mode_t mode,
    int replace);

/* one of several files that belong together */

typedef struct {
    const char  *path;
    akl_str_t    text;
    mode_t       mode;
} akl_file_t;


/*
 * Writes all of them or none: with "replace" 0 they must all be new.  NULL,
 * or the cause with the name of the file.
 */
const char *akl_file_write_all(const akl_file_t *files, size_t n,
    int replace);

/* The directory of a path, without its last "/"; "." where it names none. */
char *akl_file_dir(const char *path);

/* What is behind its last "/". */
const char *akl_file_name(const char *path);

/* The absolute path, without symlinks, of what is there; else "path". */
char *akl_file_real(const char *path);

/* "path" itself where it is absolute, else below "dir". */
char *akl_file_in(const char *dir, const char *path);


#endif /* AKL_CLI_FILE_H */

/*
 * nginx configurations: read as nginx reads them, includes too, and written.
 */

#ifndef AKL_CLI_NGINXCONF_H
#define AKL_CLI_NGINXCONF_H

#include "mem.h"


typedef struct akl_directive_s  akl_directive_t;

struct akl_directive_s {
    char             **args;            /* args[0] is the name */
    size_t             n;
    const char        *file;
    size_t             line;
    akl_directive_t   *block;           /* the first one inside, or NULL */
    akl_directive_t   *next;
    unsigned           has_block:1;
};


/*
 * Reads "path" and what it includes; relative paths are below its directory,
 * as "nginx -c" has it.  The tree has no "include" left: what was included
 * stands in its place.  *first is NULL for an empty file.  NULL, or the error
 * with file and line.
 */
const char *akl_nginxconf_read(const char *path, akl_directive_t **first);

/* The same of a text that would stand in "path". */
const char *akl_nginxconf_parse(const char *path, akl_str_t text,
    akl_directive_t **first);

/* The next directive called "name", from "first" on; NULL: none. */
akl_directive_t *akl_directive_find(akl_directive_t *first, const char *name);

/* Appends a word, quoted where nginx needs it. */
void akl_nginxconf_word(akl_buf_t *buf, const char *word);

/* Appends a line inside a block: indented name, words, ";". */
void akl_nginxconf_line(akl_buf_t *buf, const char *name,
    const char *const *words, size_t n);
void akl_nginxconf_pair(akl_buf_t *buf, const char *name, const char *word);


#endif /* AKL_CLI_NGINXCONF_H */

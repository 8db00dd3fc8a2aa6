/*
 * Memory of the program: everything lives in one list of blocks until
 * akl_mem_free(), or until a mark is gone back to, and is wiped then, since
 * much of it is tokens and keys.  A program that is out of memory says so and
 * ends, so that no caller has to look.
 */

#ifndef AKL_CLI_MEM_H
#define AKL_CLI_MEM_H

#include <stdarg.h>

#include "../jose/str.h"


typedef struct akl_mem_block_s  akl_mem_block_t;

/* text that grows; always NUL-terminated behind "len" once it was added to */

typedef struct {
    size_t       len;
    size_t       size;
    char        *data;
} akl_buf_t;


/* Zeroed memory; never NULL. */
void *akl_mem(size_t size);

/* A NUL-terminated copy. */
char *akl_mem_str(const char *text);
char *akl_mem_strn(const void *data, size_t len);

/* As asprintf(3) and vasprintf(3). */
char *akl_mem_printf(const char *format, ...)
    __attribute__((format(printf, 1, 2)));
char *akl_mem_vprintf(const char *format, va_list args)
    __attribute__((format(printf, 1, 0)));

/* A mark of what is there now, and the way back to it: all that was got since
 * is wiped and freed. */
akl_mem_block_t *akl_mem_mark(void);
void akl_mem_release(akl_mem_block_t *mark);

/* Wipes and frees everything. */
void akl_mem_free(void);

/* Appends; the buffer starts zeroed, and what it outgrows is wiped. */
void akl_buf_add(akl_buf_t *buf, const void *data, size_t len);
void akl_buf_puts(akl_buf_t *buf, const char *text);
void akl_buf_printf(akl_buf_t *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The content of a NUL-terminated text. */
static inline akl_str_t
akl_str_of(const char *text)
{
    akl_str_t  s;

    s.data = (const unsigned char *) text;
    s.len = (text == NULL) ? 0 : strlen(text);

    return s;
}


#endif /* AKL_CLI_MEM_H */

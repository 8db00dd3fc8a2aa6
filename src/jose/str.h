/*
 * A counted string of the plain-C half: never NUL-terminated by contract,
 * never owned by itself.  The layout is that of nginx's ngx_str_t, so the
 * glue may hand one over as the other: compilers are told so.
 */

#ifndef AKL_STR_H
#define AKL_STR_H

#include <stddef.h>
#include <string.h>


typedef struct __attribute__((__may_alias__)) {
    size_t                len;
    const unsigned char  *data;
} akl_str_t;


/* strings that belong to somebody else */

typedef struct {
    const akl_str_t      *elts;
    size_t                n;
} akl_list_t;


#define akl_str(text)                                                         \
    ((akl_str_t) { sizeof(text) - 1, (const unsigned char *) (text) })

#define akl_str_eq(a, b)                                                      \
    ((a).len == (b).len                                                       \
     && ((a).len == 0 || memcmp((a).data, (b).data, (a).len) == 0))


/* a letter of ASCII in lower case, anything else as it is */

static inline unsigned char
akl_lower(unsigned char ch)
{
    return (ch >= 'A' && ch <= 'Z') ? ch | 0x20 : ch;
}


#endif /* AKL_STR_H */

/*
 * application/x-www-form-urlencoded, as RFC 6749 appendix B has it: pairs of
 * a name and a value.
 */

#ifndef AKL_URLENCODED_H
#define AKL_URLENCODED_H

#include <sys/types.h>
#include "../jose/str.h"


/* what of a form is still to be read */

typedef struct {
    unsigned char  *p;
    unsigned char  *last;
} akl_urlencoded_t;


/*
 * Decodes the next pair in place, in "data" of the reader: 1 with *name and
 * *value, which point there; 0 where there is none left; -1 where a "%" is
 * not followed by two hexadecimal digits, after which nothing may be read.
 * A pair without "=" has a value of len 0; so has "&&" a name as well.
 */
int akl_urlencoded_next(akl_urlencoded_t *form, akl_str_t *name,
    akl_str_t *value);

/*
 * Decodes one name or value in place, "+" for a space included.  Returns its
 * new length, or -1: a wrong "%".
 */
ssize_t akl_urlencoded_decode(unsigned char *data, size_t len);


#endif /* AKL_URLENCODED_H */

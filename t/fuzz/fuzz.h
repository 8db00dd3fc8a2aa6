/*
 * What the fuzzers have in common.
 */

#ifndef FUZZ_H
#define FUZZ_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/jose/str.h"


/* A broken promise ends the process, and so leaves the input behind. */

#define check(condition)  do { if (!(condition)) { abort(); } } while (0)


/*
 * Takes one input, which it may neither change nor keep; returns 0.  A target
 * calls it by the name that libFuzzer has for it; cost.c stands in between.
 */
#define LLVMFuzzerTestOneInput  fuzz_target

int fuzz_target(const uint8_t *data, size_t size);


/* The text of a C string, which it borrows. */
static inline akl_str_t
fuzz_str(const char *text)
{
    return (akl_str_t) { strlen(text), (const unsigned char *) text };
}


/*
 * Cuts the text before the first "sep" off the front of *rest, and returns
 * it; all of *rest where there is no "sep".
 */
static inline akl_str_t
fuzz_cut(akl_str_t *rest, unsigned char sep)
{
    akl_str_t             piece;
    const unsigned char  *end;

    piece = *rest;
    end = rest->len ? memchr(rest->data, sep, rest->len) : NULL;

    if (end == NULL) {
        rest->data += rest->len;
        rest->len = 0;
        return piece;
    }

    piece.len = (size_t) (end - rest->data);
    rest->data += piece.len + 1;
    rest->len -= piece.len + 1;

    return piece;
}


#endif /* FUZZ_H */

/*
 * A second decoder of forms: it goes through the text byte by byte, and knows
 * nothing of the first.
 */

#ifndef FUZZ_FORM_H
#define FUZZ_FORM_H

#include "fuzz.h"


#define PAIRS  4096


typedef struct {
    unsigned char  *name;
    unsigned char  *value;
    size_t          name_len;
    size_t          value_len;
} pair_t;


/*
 * Decodes a form into "text", which has room for all of it, and "pairs".
 * Returns how many there are, or -1 where it is not well encoded or has more.
 */

static inline int
plainly(const uint8_t *data, size_t size, unsigned char *text, pair_t *pairs)
{
    int             n, value;
    char            hex[3];
    size_t          i;
    unsigned char   ch;

    static const char  digits[] = "0123456789abcdefABCDEF";

    n = -1;
    value = 0;

    for (i = 0; i < size; i++) {

        if (i == 0 || data[i - 1] == '&') {

            if (++n == PAIRS) {
                return -1;
            }

            pairs[n].name = text;
            pairs[n].name_len = 0;
            pairs[n].value = NULL;
            pairs[n].value_len = 0;
            value = 0;
        }

        ch = data[i];

        if (ch == '&') {
            continue;
        }

        if (ch == '=' && !value) {
            value = 1;
            pairs[n].value = text;
            continue;
        }

        if (ch == '+') {
            ch = ' ';

        } else if (ch == '%') {

            if (size - i < 3 || data[i + 1] == '\0' || data[i + 2] == '\0'
                || strchr(digits, data[i + 1]) == NULL
                || strchr(digits, data[i + 2]) == NULL)
            {
                return -1;
            }

            hex[0] = (char) data[i + 1];
            hex[1] = (char) data[i + 2];
            hex[2] = '\0';

            ch = (unsigned char) strtol(hex, NULL, 16);
            i += 2;
        }

        *text++ = ch;

        if (value) {
            pairs[n].value_len++;

        } else {
            pairs[n].name_len++;
        }
    }

    return n + 1;
}


#endif /* FUZZ_FORM_H */

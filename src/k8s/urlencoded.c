/*
 * Forms, pair by pair.
 */

#include "../jose/count.h"
#include "urlencoded.h"


static int akl_urlencoded_digit(unsigned char ch);


int
akl_urlencoded_next(akl_urlencoded_t *form, akl_str_t *name, akl_str_t *value)
{
    size_t          len;
    ssize_t         n, m;
    unsigned char  *p, *amp, *eq, *text;

    p = form->p;
    len = (size_t) (form->last - p);

    if (len == 0) {
        return 0;
    }

    amp = memchr(p, '&', len);

    if (amp == NULL) {
        amp = form->last;
        form->p = amp;

    } else {
        form->p = amp + 1;
    }

    len = (size_t) (amp - p);
    akl_count((size_t) (form->p - p) + len);

    eq = memchr(p, '=', len);
    text = eq ? eq + 1 : amp;

    if (eq == NULL) {
        eq = amp;
    }

    n = akl_urlencoded_decode(p, (size_t) (eq - p));
    m = akl_urlencoded_decode(text, (size_t) (amp - text));

    if (n < 0 || m < 0) {
        return -1;
    }

    name->data = p;
    name->len = (size_t) n;
    value->data = text;
    value->len = (size_t) m;

    return 1;
}


ssize_t
akl_urlencoded_decode(unsigned char *data, size_t len)
{
    int             high, low;
    unsigned char  *src, *dst, *last;

    akl_count(len);

    dst = data;
    last = data + len;

    for (src = data; src < last; src++) {

        if (*src == '+') {
            *dst++ = ' ';
            continue;
        }

        if (*src != '%') {
            *dst++ = *src;
            continue;
        }

        if (last - src < 3) {
            return -1;
        }

        high = akl_urlencoded_digit(src[1]);
        low = akl_urlencoded_digit(src[2]);

        if (high < 0 || low < 0) {
            return -1;
        }

        *dst++ = (unsigned char) (high << 4 | low);
        src += 2;
    }

    return dst - data;
}


static int
akl_urlencoded_digit(unsigned char ch)
{
    if (ch >= '0' && ch <= '9') {
        return ch - '0';
    }

    ch |= 0x20;

    return (ch >= 'a' && ch <= 'f') ? ch - 'a' + 10 : -1;
}

#include <stdint.h>

#include "base64.h"
#include "count.h"


#define AKL_B64_NOT_URL    0x40         /* none of base64url */
#define AKL_B64_NOT_PLAIN  0x80         /* none of base64 */
#define AKL_B64_BITS       0x3f


static const unsigned char  akl_base64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


/* from '+' to 'z', both alphabets; the bits that are set mean: is one of it */

static const unsigned char  akl_base64_values[256] = {
    0xbe, 0x00, 0x7e, 0x00, 0xbf, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8,
    0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0x00, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7,
    0xc8, 0xc9, 0xca, 0xcb, 0xcc, 0xcd, 0xce, 0xcf, 0xd0, 0xd1,
    0xd2, 0xd3, 0xd4, 0xd5, 0xd6, 0xd7, 0xd8, 0xd9, 0x00, 0x00,
    0x00, 0x00, 0x7f, 0x00, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf,
    0xe0, 0xe1, 0xe2, 0xe3, 0xe4, 0xe5, 0xe6, 0xe7, 0xe8, 0xe9,
    0xea, 0xeb, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf2, 0xf3
};


static inline unsigned
akl_base64_value(unsigned char ch)
{
    return akl_base64_values[(unsigned char) (ch - '+')]
           ^ (AKL_B64_NOT_URL | AKL_B64_NOT_PLAIN);
}


/* the one or two bytes that 2 or 3 characters left over stand for */

static ssize_t
akl_base64_tail(unsigned char *dst, uint32_t acc, unsigned n)
{
    unsigned  spare;

    if (n == 0) {
        return 0;
    }

    spare = (n == 2) ? 4 : 2;

    if (n == 1 || (acc & ((1u << spare) - 1))) {
        return -1;
    }

    acc >>= spare;
    dst[n - 2] = (unsigned char) acc;

    if (n == 3) {
        dst[0] = (unsigned char) (acc >> 8);
    }

    return n - 1;
}


/* four characters of the alphabet in a row, as nearly all are */

static inline int
akl_base64_four(unsigned char *dst, unsigned bad, const unsigned char *s)
{
    unsigned  a, b, c, d;
    uint32_t  acc;

    a = akl_base64_value(s[0]);
    b = akl_base64_value(s[1]);
    c = akl_base64_value(s[2]);
    d = akl_base64_value(s[3]);

    if ((a | b | c | d) & bad) {
        return 0;
    }

    acc = (a & AKL_B64_BITS) << 18 | (b & AKL_B64_BITS) << 12
          | (c & AKL_B64_BITS) << 6 | (d & AKL_B64_BITS);

    dst[0] = (unsigned char) (acc >> 16);
    dst[1] = (unsigned char) (acc >> 8);
    dst[2] = (unsigned char) acc;

    return 1;
}


/*
 * Either alphabet: "bad" is the bit of what it lacks.  Padding and white space
 * belong to the standard one; what is base64url is canonical, without them.
 */

static inline ssize_t
akl_base64_read(unsigned char *dst, akl_str_t src, unsigned bad)
{
    size_t          i;
    ssize_t         tail;
    unsigned        n, pad, v;
    uint32_t        acc;
    unsigned char  *p;

    akl_count(src.len);

    p = dst;
    n = 0;
    pad = 0;
    acc = 0;

    for (i = 0; i < src.len; i++) {

        if (n == 0 && pad == 0 && src.len - i >= 4
            && akl_base64_four(p, bad, src.data + i))
        {
            p += 3;
            i += 3;
            continue;
        }

        if (bad == AKL_B64_NOT_PLAIN) {

            if (src.data[i] == '=') {
                pad++;
                continue;
            }

            if (src.data[i] == ' '
                || (src.data[i] >= '\t' && src.data[i] <= '\r'))
            {
                continue;
            }
        }

        v = akl_base64_value(src.data[i]);

        if ((v & bad) || pad) {
            return -1;
        }

        acc = acc << 6 | (v & AKL_B64_BITS);

        if (++n == 4) {
            p[0] = (unsigned char) (acc >> 16);
            p[1] = (unsigned char) (acc >> 8);
            p[2] = (unsigned char) acc;

            p += 3;
            n = 0;
            acc = 0;
        }
    }

    if (pad && (n == 0 || n + pad != 4)) {
        return -1;
    }

    tail = akl_base64_tail(p, acc, n);

    return (tail < 0) ? -1 : (p - dst) + tail;
}


ssize_t
akl_base64url_decode(unsigned char *dst, akl_str_t src)
{
    return akl_base64_read(dst, src, AKL_B64_NOT_URL);
}


ssize_t
akl_base64_decode(unsigned char *dst, akl_str_t src)
{
    return akl_base64_read(dst, src, AKL_B64_NOT_PLAIN);
}


size_t
akl_base64url_encode(unsigned char *dst, akl_str_t src)
{
    size_t                n;
    uint32_t              acc;
    unsigned char        *p;
    const unsigned char  *s;

    p = dst;
    s = src.data;

    for (n = src.len; n >= 3; n -= 3) {
        acc = (uint32_t) s[0] << 16 | s[1] << 8 | s[2];

        *p++ = akl_base64url_alphabet[acc >> 18];
        *p++ = akl_base64url_alphabet[(acc >> 12) & 0x3f];
        *p++ = akl_base64url_alphabet[(acc >> 6) & 0x3f];
        *p++ = akl_base64url_alphabet[acc & 0x3f];

        s += 3;
    }

    if (n == 1) {
        *p++ = akl_base64url_alphabet[s[0] >> 2];
        *p++ = akl_base64url_alphabet[(s[0] & 0x03) << 4];

    } else if (n == 2) {
        *p++ = akl_base64url_alphabet[s[0] >> 2];
        *p++ = akl_base64url_alphabet[(s[0] & 0x03) << 4 | s[1] >> 4];
        *p++ = akl_base64url_alphabet[(s[1] & 0x0f) << 2];
    }

    return (size_t) (p - dst);
}

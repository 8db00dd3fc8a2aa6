#include <stdint.h>

#include "base64.h"


#define AKL_B64_BAD    64
#define AKL_B64_SPACE  65


static const unsigned char  akl_base64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";


/* by character; AKL_B64_BAD is what is none of the alphabet */
static const unsigned char  akl_base64url_values[256] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 62, 64, 64,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64,
    64,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 63,
    64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64
};


/* the same, with AKL_B64_SPACE for what may stand between */
static const unsigned char  akl_base64_values[256] = {
    64, 64, 64, 64, 64, 64, 64, 64, 64, 65, 65, 65, 65, 65, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    65, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 62, 64, 64, 64, 63,
    52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 64, 64, 64, 64, 64, 64,
    64,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
    15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 64, 64, 64, 64, 64,
    64, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
    41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64,
    64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64
};


/* the one or two bytes that 2 or 3 characters left over stand for */

static ssize_t
akl_base64_tail(unsigned char *dst, uint32_t acc, unsigned n)
{
    switch (n) {

    case 0:
        return 0;

    case 2:
        if (acc & 0x0f) {
            return -1;
        }

        dst[0] = (unsigned char) (acc >> 4);
        return 1;

    case 3:
        if (acc & 0x03) {
            return -1;
        }

        dst[0] = (unsigned char) (acc >> 10);
        dst[1] = (unsigned char) (acc >> 2);
        return 2;

    default:
        return -1;
    }
}


/* four characters of the alphabet in a row, as nearly all are */

static inline int
akl_base64_four(unsigned char *dst, const unsigned char *values,
    const unsigned char *s)
{
    unsigned  a, b, c, d;
    uint32_t  acc;

    a = values[s[0]];
    b = values[s[1]];
    c = values[s[2]];
    d = values[s[3]];

    if ((a | b | c | d) & AKL_B64_BAD) {
        return 0;
    }

    acc = (uint32_t) a << 18 | b << 12 | c << 6 | d;

    dst[0] = (unsigned char) (acc >> 16);
    dst[1] = (unsigned char) (acc >> 8);
    dst[2] = (unsigned char) acc;

    return 1;
}


ssize_t
akl_base64url_decode(unsigned char *dst, akl_str_t src)
{
    size_t                i, tail;
    ssize_t               n;
    unsigned              v;
    uint32_t              acc;
    unsigned char        *p;
    const unsigned char  *s;

    p = dst;
    s = src.data;
    tail = src.len % 4;

    for (i = src.len / 4; i > 0; i--) {
        if (!akl_base64_four(p, akl_base64url_values, s)) {
            return -1;
        }

        p += 3;
        s += 4;
    }

    acc = 0;

    for (i = 0; i < tail; i++) {
        v = akl_base64url_values[s[i]];

        if (v & AKL_B64_BAD) {
            return -1;
        }

        acc = acc << 6 | v;
    }

    n = akl_base64_tail(p, acc, (unsigned) tail);

    return (n < 0) ? -1 : (p - dst) + n;
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


ssize_t
akl_base64_decode(unsigned char *dst, akl_str_t src)
{
    size_t          i;
    ssize_t         tail;
    unsigned        n, pad, v;
    uint32_t        acc;
    unsigned char  *p;

    p = dst;
    n = 0;
    pad = 0;
    acc = 0;

    for (i = 0; i < src.len; i++) {

        if (n == 0 && pad == 0 && src.len - i >= 4
            && akl_base64_four(p, akl_base64_values, src.data + i))
        {
            p += 3;
            i += 3;
            continue;
        }

        if (src.data[i] == '=') {
            pad++;
            continue;
        }

        v = akl_base64_values[src.data[i]];

        if (v == AKL_B64_SPACE) {
            continue;
        }

        if (v == AKL_B64_BAD || pad) {
            return -1;
        }

        acc = acc << 6 | v;

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

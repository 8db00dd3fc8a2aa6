#include "jose.h"


static size_t akl_der_put_uint(unsigned char *p, akl_str_t n);
static int akl_der_get_uint(akl_str_t *in, unsigned char *n, size_t len);
static int akl_scalar_valid(const unsigned char *n, const akl_curve_t *curve);


int
akl_der_get(akl_str_t *in, unsigned char tag, akl_str_t *value)
{
    size_t                len, head;
    const unsigned char  *p;

    p = in->data;

    if (in->len < 2 || p[0] != tag) {
        return -1;
    }

    len = p[1];
    head = 2;

    if (len == 0x81) {
        if (in->len < 3 || p[2] < 0x80) {
            return -1;
        }

        len = p[2];
        head = 3;

    } else if (len == 0x82) {
        if (in->len < 4 || p[2] == 0) {
            return -1;
        }

        len = (size_t) p[2] << 8 | p[3];
        head = 4;

    } else if (len >= 0x80) {
        return -1;
    }

    if (len > in->len - head) {
        return -1;
    }

    value->data = p + head;
    value->len = len;

    in->data += head + len;
    in->len -= head + len;

    return 0;
}


size_t
akl_der_put_head(unsigned char *p, unsigned char tag, size_t len)
{
    size_t  n;

    n = (len < 0x80) ? 2 : (len < 0x100) ? 3 : 4;

    if (p == NULL) {
        return n;
    }

    *p++ = tag;

    if (n > 2) {
        *p++ = (unsigned char) (0x80 + n - 2);
    }

    if (n == 4) {
        *p++ = (unsigned char) (len >> 8);
    }

    *p = (unsigned char) len;

    return n;
}


size_t
akl_der_put_pair(unsigned char *der, akl_str_t a, akl_str_t b)
{
    size_t  n;

    n = akl_der_put_uint(NULL, a) + akl_der_put_uint(NULL, b);
    n = akl_der_put_head(der, 0x30, n);

    n += akl_der_put_uint(der + n, a);

    return n + akl_der_put_uint(der + n, b);
}


size_t
akl_ecdsa_to_der(unsigned char *der, const unsigned char *raw,
    const akl_curve_t *curve)
{
    akl_str_t  r, s;

    r.data = raw;
    r.len = curve->size;

    s.data = raw + curve->size;
    s.len = curve->size;

    if (!akl_scalar_valid(r.data, curve) || !akl_scalar_valid(s.data, curve)) {
        return 0;
    }

    return akl_der_put_pair(der, r, s);
}


int
akl_ecdsa_from_der(unsigned char *raw, akl_str_t der, const akl_curve_t *curve)
{
    akl_str_t  body;

    if (akl_der_get(&der, 0x30, &body) != 0
        || der.len != 0
        || akl_der_get_uint(&body, raw, curve->size) != 0
        || akl_der_get_uint(&body, raw + curve->size, curve->size) != 0
        || body.len != 0)
    {
        return -1;
    }

    return 0;
}


/* an INTEGER of these bytes, big-endian; "p" may be NULL to measure */

static size_t
akl_der_put_uint(unsigned char *p, akl_str_t n)
{
    size_t  pad, head;

    while (n.len > 1 && *n.data == 0) {
        n.data++;
        n.len--;
    }

    pad = *n.data >> 7;
    head = akl_der_put_head(p, 0x02, n.len + pad);

    if (p != NULL) {
        p[head] = 0;
        memcpy(p + head + pad, n.data, n.len);
    }

    return head + pad + n.len;
}


/* an INTEGER, not negative, into "len" bytes with zeros in front */

static int
akl_der_get_uint(akl_str_t *in, unsigned char *n, size_t len)
{
    akl_str_t  value;

    if (akl_der_get(in, 0x02, &value) != 0
        || value.len == 0
        || (value.data[0] & 0x80))
    {
        return -1;
    }

    if (value.data[0] == 0) {
        value.data++;
        value.len--;
    }

    if (value.len > len) {
        return -1;
    }

    memset(n, 0, len - value.len);
    memcpy(n + len - value.len, value.data, value.len);

    return 0;
}


/* 1 where 0 < n < order; signatures are public, time may tell */

static int
akl_scalar_valid(const unsigned char *n, const akl_curve_t *curve)
{
    size_t  i;

    if (memcmp(n, curve->order, curve->size) >= 0) {
        return 0;
    }

    for (i = 0; i < curve->size; i++) {
        if (n[i]) {
            return 1;
        }
    }

    return 0;
}

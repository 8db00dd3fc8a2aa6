#include <inttypes.h>
#include <stdio.h>

#include "count.h"
#include "json.h"


static void akl_json_out_put(akl_json_out_t *out, const void *data,
    size_t len);
static void akl_json_out_key(akl_json_out_t *out, const char *key);
static void akl_json_out_quoted(akl_json_out_t *out, akl_str_t value);


void
akl_json_out_init(akl_json_out_t *out, unsigned char *buf, size_t size)
{
    out->buf = buf;
    out->size = size;
    out->len = 0;
    out->overflow = 0;
    out->comma = 0;
}


void
akl_json_out_open(akl_json_out_t *out, const char *key, char bracket)
{
    akl_json_out_key(out, key);
    akl_json_out_put(out, &bracket, 1);
    out->comma = 0;
}


void
akl_json_out_close(akl_json_out_t *out, char bracket)
{
    akl_json_out_put(out, &bracket, 1);
    out->comma = 1;
}


void
akl_json_out_str(akl_json_out_t *out, const char *key, akl_str_t value)
{
    akl_json_out_key(out, key);
    akl_json_out_quoted(out, value);
}


void
akl_json_out_int(akl_json_out_t *out, const char *key, int64_t value)
{
    int   n;
    char  text[sizeof("-9223372036854775808")];

    n = snprintf(text, sizeof(text), "%" PRId64, value);

    akl_json_out_key(out, key);
    akl_json_out_put(out, text, (size_t) n);
}


void
akl_json_out_raw(akl_json_out_t *out, const char *key, akl_str_t json)
{
    akl_json_out_key(out, key);
    akl_json_out_put(out, json.data, json.len);
}


static void
akl_json_out_put(akl_json_out_t *out, const void *data, size_t len)
{
    if (out->buf != NULL && !out->overflow && len > 0) {

        if (len > out->size - out->len) {
            out->overflow = 1;

        } else {
            memcpy(out->buf + out->len, data, len);
        }
    }

    out->len += len;
}


static void
akl_json_out_key(akl_json_out_t *out, const char *key)
{
    akl_str_t  name;

    if (out->comma) {
        akl_json_out_put(out, ",", 1);
    }

    out->comma = 1;

    if (key != NULL) {
        name.len = strlen(key);
        name.data = (const unsigned char *) key;

        akl_json_out_quoted(out, name);
        akl_json_out_put(out, ":", 1);
    }
}


static void
akl_json_out_quoted(akl_json_out_t *out, akl_str_t value)
{
    size_t                n;
    unsigned char         escape[6];
    const unsigned char  *p, *last, *plain;

    static const char           hex[] = "0123456789abcdef";
    static const unsigned char  letters[] = "btn\0fr";

    if (value.len == 0) {
        akl_json_out_put(out, "\"\"", 2);
        return;
    }

    akl_json_out_put(out, "\"", 1);

    plain = value.data;
    last = value.data + value.len;

    for (p = value.data; p < last; p += n) {

        p += akl_json_plain(p, last);

        if (p == last) {
            break;
        }

        n = akl_json_utf8(p, (size_t) (last - p));

        if (n && *p >= ' ' && *p != '"' && *p != '\\') {
            continue;
        }

        akl_json_out_put(out, plain, (size_t) (p - plain));

        if (n == 0) {
            n = 1;
            akl_json_out_put(out, "\xef\xbf\xbd", 3);

        } else if (*p == '"' || *p == '\\') {
            escape[0] = '\\';
            escape[1] = *p;
            akl_json_out_put(out, escape, 2);

        } else if (*p >= '\b' && *p <= '\r' && *p != '\v') {
            escape[0] = '\\';
            escape[1] = letters[*p - '\b'];
            akl_json_out_put(out, escape, 2);

        } else {
            memcpy(escape, "\\u00", 4);
            escape[4] = (unsigned char) hex[*p >> 4];
            escape[5] = (unsigned char) hex[*p & 0x0f];
            akl_json_out_put(out, escape, 6);
        }

        plain = p + n;
    }

    akl_json_out_put(out, plain, (size_t) (last - plain));
    akl_json_out_put(out, "\"", 1);
}


#define AKL_JSON_EACH(byte)  ((uint64_t) (byte) * 0x0101010101010101u)

#define akl_json_zero(word)                                                   \
    (((word) - AKL_JSON_EACH(0x01)) & ~(word) & AKL_JSON_EACH(0x80))

/*
 * Eight bytes at a time.  What subtracting borrows spoils bytes above the
 * first special one only, so that one is exact.
 */

size_t
akl_json_plain(const unsigned char *p, const unsigned char *last)
{
    size_t    n;
    uint64_t  word, special;

    for (n = 0; (size_t) (last - p) - n >= sizeof(word); n += sizeof(word)) {

        akl_count(sizeof(word));
        memcpy(&word, p + n, sizeof(word));

        special = (word & AKL_JSON_EACH(0x80))
                  | ((word - AKL_JSON_EACH(' ')) & ~word & AKL_JSON_EACH(0x80))
                  | akl_json_zero(word ^ AKL_JSON_EACH('"'))
                  | akl_json_zero(word ^ AKL_JSON_EACH('\\'));

        if (special) {
#if (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)
            n += (size_t) __builtin_ctzll(special) / 8;
#endif
            break;
        }
    }

    return n;
}


/* length of the well-formed UTF-8 sequence (RFC 3629) at "p", 0 for none */

size_t
akl_json_utf8(const unsigned char *p, size_t len)
{
    size_t         i, n;
    unsigned char  low, high;

    if (p[0] < 0x80) {
        return 1;
    }

    low = 0x80;
    high = 0xbf;

    if (p[0] >= 0xc2 && p[0] <= 0xdf) {
        n = 2;

    } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
        n = 3;
        low = (p[0] == 0xe0) ? 0xa0 : low;
        high = (p[0] == 0xed) ? 0x9f : high;

    } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
        n = 4;
        low = (p[0] == 0xf0) ? 0x90 : low;
        high = (p[0] == 0xf4) ? 0x8f : high;

    } else {
        return 0;
    }

    akl_count(n);

    if (n > len || p[1] < low || p[1] > high) {
        return 0;
    }

    for (i = 2; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return n;
}

#include <math.h>

#include "json.h"


#define AKL_JSON_DEPTH     32
#define AKL_JSON_TIME_MAX  ((int64_t) 1 << 53)


static int akl_json_shallow(akl_str_t text);
static size_t akl_json_count(akl_str_t text, unsigned char c);
static void akl_json_out_put(akl_json_out_t *out, const void *data,
    size_t len);
static void akl_json_out_key(akl_json_out_t *out, const char *key);
static void akl_json_out_quoted(akl_json_out_t *out, akl_str_t value);


json_t *
akl_json_object(akl_str_t text)
{
    json_t        *root;
    json_error_t   error;

    if (text.len == 0
        || memchr(text.data, '\0', text.len) != NULL
        || !akl_json_shallow(text))
    {
        return NULL;
    }

    root = json_loadb((const char *) text.data, text.len,
                      JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        return NULL;
    }

    if (!json_is_object(root)) {
        json_decref(root);
        return NULL;
    }

    return root;
}


/* occurrences of "c", but no more than it takes to pass AKL_JSON_DEPTH */

static size_t
akl_json_count(akl_str_t text, unsigned char c)
{
    size_t                n;
    const unsigned char  *p, *last;

    p = text.data;
    last = p + text.len;

    for (n = 0; n <= AKL_JSON_DEPTH; n++) {
        p = memchr(p, c, last - p);

        if (p == NULL) {
            break;
        }

        p++;
    }

    return n;
}


/*
 * jansson recurses per level and builds what it has read so far before it
 * gives up, so depth is counted over the bare text first.
 */

static int
akl_json_shallow(akl_str_t text)
{
    size_t    i;
    unsigned  depth, quoted;

    /* as good as always there are not enough brackets to go that deep */

    if (akl_json_count(text, '{') + akl_json_count(text, '[')
        <= AKL_JSON_DEPTH)
    {
        return 1;
    }

    depth = 0;
    quoted = 0;

    for (i = 0; i < text.len; i++) {

        switch (text.data[i]) {

        case '"':
            quoted = !quoted;
            break;

        case '\\':
            if (quoted) {
                i++;
            }

            break;

        case '{':
        case '[':
            if (!quoted && ++depth > AKL_JSON_DEPTH) {
                return 0;
            }

            break;

        case '}':
        case ']':
            if (!quoted && depth) {
                depth--;
            }

            break;
        }
    }

    return 1;
}


int
akl_json_string(const json_t *object, const char *key, akl_str_t *value)
{
    json_t  *member;

    value->len = 0;
    value->data = NULL;

    member = json_object_get(object, key);

    if (member == NULL) {
        return 1;
    }

    if (!json_is_string(member)) {
        return -1;
    }

    value->len = json_string_length(member);
    value->data = (const unsigned char *) json_string_value(member);

    return 0;
}


int
akl_json_time(const json_t *object, const char *key, int64_t *value)
{
    double        real;
    json_t       *member;
    json_int_t    integer;

    *value = 0;

    member = json_object_get(object, key);

    if (member == NULL) {
        return 1;
    }

    if (json_is_integer(member)) {
        integer = json_integer_value(member);

        if (integer < 0 || integer > AKL_JSON_TIME_MAX) {
            return -1;
        }

        *value = integer;
        return 0;
    }

    if (!json_is_real(member)) {
        return -1;
    }

    real = json_real_value(member);

    if (!isfinite(real) || real < 0 || real > (double) AKL_JSON_TIME_MAX) {
        return -1;
    }

    *value = (int64_t) real;
    return 0;
}


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
    char     *p, text[sizeof("-9223372036854775808")];
    uint64_t  n;

    n = (value < 0) ? 0 - (uint64_t) value : (uint64_t) value;
    p = text + sizeof(text);

    do {
        *--p = (char) ('0' + n % 10);
        n /= 10;
    } while (n);

    if (value < 0) {
        *--p = '-';
    }

    akl_json_out_key(out, key);
    akl_json_out_put(out, p, (size_t) (text + sizeof(text) - p));
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

/* bytes at "p" that need no look: eight printable ASCII ones at a time */

size_t
akl_json_plain(const unsigned char *p, const unsigned char *last)
{
    size_t    n;
    uint64_t  word, special;

    for (n = 0; (size_t) (last - p) - n >= sizeof(word); n += sizeof(word)) {

        memcpy(&word, p + n, sizeof(word));

        special = (word & AKL_JSON_EACH(0x80))
                  | ((word - AKL_JSON_EACH(' ')) & ~word & AKL_JSON_EACH(0x80))
                  | akl_json_zero(word ^ AKL_JSON_EACH('"'))
                  | akl_json_zero(word ^ AKL_JSON_EACH('\\'));

        if (special) {
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

/*
 * Flattened claims: name length, type, count, name, then each value with its
 * length before it.  Lengths are 16 bits, in the machine's own order.
 */

#include <stdint.h>

#include "akl_subclaims.h"


typedef struct {
    uint16_t  size;                     /* of the whole record */
    uint16_t  name;
    uint16_t  type;
    uint16_t  n;
} akl_claim_head_t;


typedef struct {
    unsigned char  *dst;
    size_t          size;
    size_t          len;
} akl_flat_t;


static void akl_flat_claim(akl_flat_t *flat, const char *name,
    const json_t *value);
static size_t akl_flat_text(const json_t *value, char *buf, size_t size,
    const char **text);
static void akl_flat_put(akl_flat_t *flat, size_t at, const void *data,
    size_t len);
static int akl_flat_same(akl_str_t a, const unsigned char *b, size_t len,
    int icase);


size_t
akl_claims_flatten(const json_t *payload, unsigned char *dst, size_t size)
{
    json_t      *value;
    akl_flat_t   flat;
    const char  *name;

    flat.dst = dst;
    flat.size = size;
    flat.len = 0;

    json_object_foreach((json_t *) payload, name, value) {
        akl_flat_claim(&flat, name, value);
    }

    return flat.len;
}


static void
akl_flat_claim(akl_flat_t *flat, const char *name, const json_t *value)
{
    char               buf[AKL_CLAIMS_MAX];
    size_t             i, n, at, len;
    uint16_t           short_len;
    const char        *text;
    const json_t      *elt;
    akl_claim_head_t   head;

    n = 1;

    if (json_is_string(value)) {
        head.type = AKL_CLAIM_STRING;

    } else if (json_is_number(value) || json_is_boolean(value)) {
        head.type = AKL_CLAIM_SCALAR;

    } else if (json_is_array(value)) {
        head.type = AKL_CLAIM_LIST;
        n = json_array_size(value);

    } else {
        head.type = AKL_CLAIM_JSON;
    }

    len = strlen(name);

    if (len > AKL_CLAIMS_MAX || n > AKL_CLAIMS_MAX) {
        return;
    }

    head.name = (uint16_t) len;
    head.n = (uint16_t) n;

    at = flat->len + sizeof(akl_claim_head_t);

    akl_flat_put(flat, at, name, len);
    at += len;

    for (i = 0; i < n; i++) {

        elt = (head.type == AKL_CLAIM_LIST) ? json_array_get(value, i) : value;
        len = akl_flat_text(elt, buf, sizeof(buf), &text);

        if (len > AKL_CLAIMS_MAX
            || at + sizeof(short_len) + len > AKL_CLAIMS_MAX)
        {
            return;
        }

        short_len = (uint16_t) len;

        akl_flat_put(flat, at, &short_len, sizeof(short_len));
        at += sizeof(short_len);

        akl_flat_put(flat, at, text, len);
        at += len;
    }

    if (at > AKL_CLAIMS_MAX) {
        return;
    }

    head.size = (uint16_t) (at - flat->len);

    akl_flat_put(flat, flat->len, &head, sizeof(akl_claim_head_t));
    flat->len = at;
}


/* its text in *text, in "buf" where it must be made */

static size_t
akl_flat_text(const json_t *value, char *buf, size_t size, const char **text)
{
    if (json_is_string(value)) {
        *text = json_string_value(value);
        return json_string_length(value);
    }

    *text = buf;

    return json_dumpb(value, buf, size, JSON_COMPACT|JSON_ENCODE_ANY);
}


static void
akl_flat_put(akl_flat_t *flat, size_t at, const void *data, size_t len)
{
    if (flat->dst && at + len <= flat->size && len) {
        memcpy(flat->dst + at, data, len);
    }
}


int
akl_claims_lookup(akl_str_t flat, akl_str_t name, int icase,
    akl_claim_t *claim)
{
    akl_claim_head_t      head;
    const unsigned char  *p, *last;

    p = flat.data;
    last = p + flat.len;

    while ((size_t) (last - p) >= sizeof(akl_claim_head_t)) {

        memcpy(&head, p, sizeof(akl_claim_head_t));

        if (head.size < sizeof(akl_claim_head_t) + head.name
            || head.size > last - p)
        {
            return 0;
        }

        if (akl_flat_same(name, p + sizeof(akl_claim_head_t), head.name,
                          icase))
        {
            claim->type = (akl_claim_type_t) head.type;
            claim->n = head.n;
            claim->rest = p + sizeof(akl_claim_head_t) + head.name;
            claim->last = p + head.size;

            return 1;
        }

        p += head.size;
    }

    return 0;
}


static int
akl_flat_same(akl_str_t a, const unsigned char *b, size_t len, int icase)
{
    size_t         i;
    unsigned char  x, y;

    if (a.len != len) {
        return 0;
    }

    if (!icase) {
        return memcmp(a.data, b, len) == 0;
    }

    for (i = 0; i < len; i++) {
        x = a.data[i];
        y = b[i];

        if (x >= 'A' && x <= 'Z') {
            x |= 0x20;
        }

        if (y >= 'A' && y <= 'Z') {
            y |= 0x20;
        }

        if (x != y) {
            return 0;
        }
    }

    return 1;
}


int
akl_claim_next(akl_claim_t *claim, akl_str_t *value)
{
    uint16_t  len;

    if (claim->n == 0
        || (size_t) (claim->last - claim->rest) < sizeof(len))
    {
        return 0;
    }

    memcpy(&len, claim->rest, sizeof(len));
    claim->rest += sizeof(len);

    if (len > claim->last - claim->rest) {
        return 0;
    }

    value->data = claim->rest;
    value->len = len;

    claim->rest += len;
    claim->n--;

    return 1;
}


int
akl_claims_find(akl_str_t flat, akl_str_t name, akl_str_t *value)
{
    akl_claim_t  claim;

    return akl_claims_lookup(flat, name, 0, &claim)
           && akl_claim_next(&claim, value);
}


const char *
akl_subclaim_parse(akl_str_t text, akl_str_t *name, akl_str_t *globs,
    size_t *n)
{
    size_t                count;
    akl_str_t             glob;
    const char           *cause;
    const unsigned char  *p, *last, *end;

    p = text.len ? memchr(text.data, '=', text.len) : NULL;

    if (p == NULL) {
        return "is not of the form claim=value,...";
    }

    name->data = text.data;
    name->len = p - text.data;

    if (name->len == 0) {
        return "names no claim";
    }

    last = text.data + text.len;
    count = 0;

    do {
        p++;

        end = memchr(p, ',', last - p);
        if (end == NULL) {
            end = last;
        }

        glob.data = p;
        glob.len = end - p;

        cause = akl_glob_check(glob);
        if (cause) {
            return (glob.len == 0) ? "has an empty value" : cause;
        }

        if (globs) {
            if (count == *n) {
                return "has too many values";
            }

            globs[count] = glob;
        }

        count++;
        p = end;

    } while (p < last);

    *n = count;

    return NULL;
}


int
akl_subclaim_match(const akl_subclaim_t *rule, akl_str_t name, akl_str_t flat)
{
    size_t       i;
    akl_str_t    value;
    akl_claim_t  claim;

    if (!akl_claims_lookup(flat, name, 0, &claim)) {
        return 0;
    }

    while (akl_claim_next(&claim, &value)) {
        for (i = 0; i < rule->values.n; i++) {
            if (akl_glob_match(rule->values.elts[i], value, rule->icase)) {
                return 1;
            }
        }
    }

    return 0;
}

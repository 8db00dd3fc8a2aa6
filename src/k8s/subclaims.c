/*
 * Flattened claims: name length, type, count, name, then each value with its
 * length before it.  Lengths are 16 bits, in the machine's own order.
 */

#include <stdint.h>

#include "subclaims.h"


typedef struct {
    uint16_t  size;                     /* of the whole record */
    uint16_t  name;
    uint16_t  type;
    uint16_t  n;
} akl_claim_head_t;


typedef struct {
    unsigned char  *dst;                /* NULL: only measured */
    size_t          size;
    size_t          len;
} akl_flat_t;


static int akl_flat_claim(akl_flat_t *flat, const akl_doc_t *doc,
    akl_str_t name, const akl_node_t *value);
static int akl_flat_put(akl_flat_t *flat, const void *data, size_t len);
static int akl_flat_same(akl_str_t a, const unsigned char *b, size_t len,
    int icase);


ssize_t
akl_claims_flatten(const akl_doc_t *payload, unsigned char *dst, size_t size)
{
    akl_flat_t         flat;
    const akl_node_t  *name;

    flat.dst = dst;
    flat.size = (dst && size < AKL_CLAIMS_MAX) ? size : AKL_CLAIMS_MAX;
    flat.len = 0;

    for (name = akl_doc_first(payload, payload->nodes);
         name;
         name = akl_doc_next(payload, payload->nodes, name + 1))
    {
        if (akl_flat_claim(&flat, payload, name->text, name + 1) != 0) {
            return -1;
        }
    }

    return (ssize_t) flat.len;
}


static int
akl_flat_claim(akl_flat_t *flat, const akl_doc_t *doc, akl_str_t name,
    const akl_node_t *value)
{
    size_t             start;
    uint16_t           len;
    akl_claim_head_t   head;
    const akl_node_t  *elt;

    switch (value->type) {

    case AKL_NODE_STRING:
        head.type = AKL_CLAIM_STRING;
        break;

    case AKL_NODE_ARRAY:
        head.type = AKL_CLAIM_LIST;
        break;

    case AKL_NODE_OBJECT:
    case AKL_NODE_NULL:
        head.type = AKL_CLAIM_JSON;
        break;

    default:
        head.type = AKL_CLAIM_SCALAR;
    }

    start = flat->len;

    head.name = (uint16_t) name.len;
    head.n = 0;
    head.size = 0;

    if (akl_flat_put(flat, &head, sizeof(akl_claim_head_t)) != 0
        || akl_flat_put(flat, name.data, name.len) != 0)
    {
        return -1;
    }

    elt = (head.type == AKL_CLAIM_LIST) ? akl_doc_first(doc, value) : value;

    while (elt) {

        len = (uint16_t) elt->text.len;

        if (akl_flat_put(flat, &len, sizeof(len)) != 0
            || akl_flat_put(flat, elt->text.data, elt->text.len) != 0)
        {
            return -1;
        }

        head.n++;
        elt = (head.type == AKL_CLAIM_LIST) ? akl_doc_next(doc, value, elt)
                                            : NULL;
    }

    head.size = (uint16_t) (flat->len - start);

    if (flat->dst) {
        memcpy(flat->dst + start, &head, sizeof(akl_claim_head_t));
    }

    return 0;
}


/* what fits is below AKL_CLAIMS_MAX, and so are its lengths and counts */

static int
akl_flat_put(akl_flat_t *flat, const void *data, size_t len)
{
    if (len > flat->size - flat->len) {
        return -1;
    }

    if (flat->dst && len) {
        memcpy(flat->dst + flat->len, data, len);
    }

    flat->len += len;

    return 0;
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
    size_t  i;

    if (a.len != len) {
        return 0;
    }

    if (!icase) {
        return memcmp(a.data, b, len) == 0;
    }

    for (i = 0; i < len; i++) {
        if (akl_lower(a.data[i]) != akl_lower(b[i])) {
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


int
akl_claims_string(akl_str_t flat, akl_str_t name, akl_str_t *value)
{
    akl_claim_t  claim;

    return akl_claims_lookup(flat, name, 0, &claim)
           && claim.type == AKL_CLAIM_STRING
           && akl_claim_next(&claim, value)
           && value->len;
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

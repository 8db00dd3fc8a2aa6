/*
 * Looking at what was read, and the index over an object's names.
 */

#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "count.h"
#include "doc.h"


#define AKL_DOC_PAIRS      8            /* members compared pair by pair */
#define AKL_DOC_TIME_MAX   ((int64_t) 1 << 53)


/* a number's magnitude: 0.DIGITS times ten to the power of "point" */

typedef struct {
    const unsigned char  *digit;        /* the first that is not 0, or NULL */
    const unsigned char  *last;         /* behind the digits */
    int64_t               point;
} akl_decimal_t;


static akl_slot_t *akl_doc_slot(const akl_doc_t *doc, akl_str_t name,
    uint32_t *hash);
static uint32_t akl_doc_hash(akl_str_t name);
static void akl_decimal(akl_decimal_t *d, akl_str_t number);
static int akl_decimal_below(const akl_decimal_t *d, const char *limit);


static __thread uint32_t  akl_doc_secret;       /* 0: none yet */

#ifdef AKL_COUNT
uint64_t  akl_looked;
#endif


void
akl_doc_init(akl_doc_t *doc)
{
    doc->nodes = doc->few;
    doc->n = 0;
    doc->size = AKL_DOC_NODES;
    doc->index = doc->few_slots;
    doc->slots = 0;
    doc->room = AKL_DOC_SLOTS;
    doc->strings = NULL;
    doc->strings_len = 0;
    doc->starved = 0;
}


void
akl_doc_free(akl_doc_t *doc)
{
    if (doc->nodes != doc->few) {
        free(doc->nodes);
    }

    if (doc->index != doc->few_slots) {
        free(doc->index);
    }

    if (doc->strings != NULL) {
        OPENSSL_cleanse(doc->strings, doc->strings_len);
        free(doc->strings);
    }

    akl_doc_init(doc);
}


const akl_node_t *
akl_doc_first(const akl_doc_t *doc, const akl_node_t *parent)
{
    const akl_node_t  *node;

    node = parent + 1;

    return (node < doc->nodes + parent->next) ? node : NULL;
}


const akl_node_t *
akl_doc_next(const akl_doc_t *doc, const akl_node_t *parent,
    const akl_node_t *node)
{
    node = doc->nodes + node->next;

    return (node < doc->nodes + parent->next) ? node : NULL;
}


const akl_node_t *
akl_doc_get(const akl_doc_t *doc, const akl_node_t *object, const char *key)
{
    uint32_t           hash;
    akl_str_t          name;
    akl_slot_t        *slot;
    const akl_node_t  *node, *last;

    if (object == NULL || object->type != AKL_NODE_OBJECT) {
        return NULL;
    }

    name.len = strlen(key);
    name.data = (const unsigned char *) key;

    if (doc->slots && object == doc->nodes) {
        slot = akl_doc_slot(doc, name, &hash);
        return slot->node ? doc->nodes + slot->node + 1 : NULL;
    }

    last = doc->nodes + object->next;

    for (node = object + 1;
         node < last;
         node = doc->nodes + (node + 1)->next)
    {
        akl_count(1 + ((node->text.len == name.len) ? name.len : 0));

        if (akl_str_eq(node->text, name)) {
            return node + 1;
        }
    }

    return NULL;
}


int
akl_doc_index(akl_doc_t *doc, const akl_node_t *object, uint32_t members)
{
    uint32_t           slots, hash;
    akl_slot_t        *slot;
    const akl_node_t  *a, *b, *nodes, *last;

    doc->slots = 0;

    nodes = doc->nodes;
    last = nodes + object->next;

    if (members <= AKL_DOC_PAIRS) {

        for (a = object + 1; a < last; a = nodes + (a + 1)->next) {
            for (b = nodes + (a + 1)->next; b < last;
                 b = nodes + (b + 1)->next)
            {
                akl_count((a->text.len == b->text.len) ? a->text.len : 0);

                if (akl_str_eq(a->text, b->text)) {
                    return -1;
                }
            }
        }

        return 0;
    }

    /* names are a stranger's: only a secret keeps them apart in the index */

    while (akl_doc_secret < 0x10000) {

        if (RAND_bytes((unsigned char *) &akl_doc_secret,
                       sizeof(akl_doc_secret))
            != 1)
        {
            doc->starved = 1;
            return -1;
        }

        akl_doc_secret &= 0x3fffffff;
    }

    for (slots = AKL_DOC_SLOTS / 2; slots / 2 < members; slots *= 2) {
        /* void */
    }

    if (slots > doc->room) {

        if (doc->index != doc->few_slots) {
            free(doc->index);
        }

        doc->index = malloc(slots * sizeof(akl_slot_t));

        if (doc->index == NULL) {
            doc->index = doc->few_slots;
            doc->room = AKL_DOC_SLOTS;
            doc->starved = 1;
            return -1;
        }

        doc->room = slots;
    }

    akl_count(slots);
    memset(doc->index, 0, slots * sizeof(akl_slot_t));
    doc->slots = slots;

    for (a = object + 1; a < last; a = nodes + (a + 1)->next) {

        slot = akl_doc_slot(doc, a->text, &hash);

        if (slot->node) {
            return -1;
        }

        slot->node = (uint32_t) (a - nodes);
        slot->hash = hash;
    }

    return 0;
}


/* where a name is, or where it would have to go */

static akl_slot_t *
akl_doc_slot(const akl_doc_t *doc, akl_str_t name, uint32_t *hash)
{
    uint32_t     i;
    akl_slot_t  *slot;

    *hash = akl_doc_hash(name);

    /* neighbours are sent apart, or they would queue up */

    for (i = (uint32_t) (*hash * 0x9e3779b97f4a7c15u >> 32); ; i++) {

        slot = &doc->index[i & (doc->slots - 1)];
        akl_count(1);

        if (slot->node == 0) {
            return slot;
        }

        if (slot->hash == *hash) {
            akl_count(name.len);

            if (akl_str_eq(doc->nodes[slot->node].text, name)) {
                return slot;
            }
        }
    }
}


/*
 * The name as a polynomial modulo 2^31 - 1, its argument a secret: two names
 * of n bytes agree for n in 2^31 secrets at most, whoever chose them.
 */

static uint32_t
akl_doc_hash(akl_str_t name)
{
    size_t    i;
    uint64_t  h;

    akl_count(name.len);
    h = 1;

    for (i = 0; i < name.len; i++) {
        h = h * akl_doc_secret + name.data[i];
        h = (h & 0x7fffffff) + (h >> 31);
    }

    return (uint32_t) (h % 0x7fffffff);
}


int
akl_doc_string(const akl_doc_t *doc, const akl_node_t *object,
    const char *key, akl_str_t *value)
{
    const akl_node_t  *node;

    value->len = 0;
    value->data = NULL;

    node = akl_doc_get(doc, object, key);

    if (node == NULL) {
        return 1;
    }

    if (node->type != AKL_NODE_STRING) {
        return -1;
    }

    *value = node->text;

    return 0;
}


int
akl_doc_time(const akl_doc_t *doc, const akl_node_t *object, const char *key,
    int64_t *value)
{
    int64_t               seconds;
    akl_decimal_t         d;
    const akl_node_t     *node;
    const unsigned char  *p;

    *value = 0;

    node = akl_doc_get(doc, object, key);

    if (node == NULL) {
        return 1;
    }

    if (node->type != AKL_NODE_INTEGER && node->type != AKL_NODE_REAL) {
        return -1;
    }

    akl_decimal(&d, node->text);

    if (d.digit == NULL) {
        return 0;
    }

    if (node->text.data[0] == '-'
        || !akl_decimal_below(&d, "9999999999999999"))
    {
        return -1;
    }

    seconds = 0;

    for (p = d.digit; d.point > 0; d.point--) {

        if (p < d.last && *p == '.') {
            p++;
        }

        seconds = seconds * 10 + ((p < d.last) ? *p++ - '0' : 0);
    }

    if (seconds > AKL_DOC_TIME_MAX) {
        return -1;
    }

    *value = seconds;

    return 0;
}


/*
 * As jansson: integers of 64 bits, and reals below what rounds to infinity,
 * which is 2^1024 - 2^970.  strtod() would obey the locale, and want a copy.
 */

int
akl_doc_number(akl_str_t number, uint32_t type)
{
    akl_decimal_t  d;

    akl_decimal(&d, number);

    if (type == AKL_NODE_INTEGER) {
        return akl_decimal_below(&d, (number.data[0] == '-')
                                     ? "9223372036854775809"
                                     : "9223372036854775808");
    }

    return akl_decimal_below(&d,
        "17976931348623158079372897140530341507993413271003782693617377898044"
        "49682927647509466490179775872070963302864166928879109465555478519404"
        "02630657488671505820681908902000708383676273854845817711531764475730"
        "27006985557136695962284291481986083493647529271907416844436551070434"
        "2711559699508093042880177904174497792");
}


static void
akl_decimal(akl_decimal_t *d, akl_str_t number)
{
    int                   fraction, negative;
    int64_t               exponent;
    const unsigned char  *p, *last;

    akl_count(number.len);

    d->digit = NULL;
    d->point = 0;

    p = number.data;
    last = p + number.len;
    fraction = 0;

    if (*p == '-') {
        p++;
    }

    for ( /* void */ ; p < last && (*p | 0x20) != 'e'; p++) {

        if (*p == '.') {
            fraction = 1;
            continue;
        }

        if (d->digit == NULL && *p != '0') {
            d->digit = p;
        }

        if (d->digit == NULL) {
            d->point -= fraction;

        } else if (!fraction) {
            d->point++;
        }
    }

    d->last = p;

    if (p == last) {
        return;
    }

    p++;
    negative = (*p == '-');
    exponent = 0;

    for (p += (*p < '0'); p < last; p++) {

        /* longer than any text may be: it can come to nothing else */

        if (exponent < INT64_MAX / 100) {
            exponent = exponent * 10 + (*p - '0');
        }
    }

    d->point += negative ? -exponent : exponent;
}


/* "limit" are digits, the first of them not 0 */

static int
akl_decimal_below(const akl_decimal_t *d, const char *limit)
{
    int64_t               len;
    const unsigned char  *p;

    len = (int64_t) strlen(limit);

    if (d->digit == NULL || d->point != len) {
        return d->digit == NULL || d->point < len;
    }

    for (p = d->digit; *limit != '\0' && p < d->last; p++) {

        if (*p == '.') {
            continue;
        }

        if (*p != (unsigned char) *limit) {
            return *p < (unsigned char) *limit;
        }

        akl_count(1);
        limit++;
    }

    /* what the digits lack are zeroes */

    return limit[strspn(limit, "0")] != '\0';
}

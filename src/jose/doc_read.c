/*
 * Reading: recursive descent, at most 32 levels deep.
 */

#include <stdlib.h>

#include "count.h"
#include "doc.h"
#include "json.h"


#define AKL_DOC_DEPTH  32


typedef struct {
    akl_doc_t            *doc;
    const unsigned char  *p;
    const unsigned char  *last;
    unsigned char        *strings;      /* where the next one goes */
    unsigned              depth;
} akl_reader_t;


static int akl_read_value(akl_reader_t *r);
static int akl_read_inside(akl_reader_t *r, uint32_t type);
static int akl_read_string(akl_reader_t *r);
static int akl_read_escape(akl_reader_t *r, unsigned char **dst);
static int akl_read_hex(akl_reader_t *r, uint32_t *code);
static int akl_read_number(akl_reader_t *r);
static int akl_read_word(akl_reader_t *r, const char *word, uint32_t type);
static int akl_doc_node(akl_doc_t *doc, uint32_t type, uint32_t *index);


/* the next byte that is no white space, 0 at the end */

static unsigned char
akl_read_next(akl_reader_t *r)
{
    const unsigned char  *from;

    for (from = r->p; r->p < r->last; r->p++) {
        if (*r->p != ' ' && *r->p != '\n' && *r->p != '\t' && *r->p != '\r') {
            break;
        }
    }

    akl_count((size_t) (r->p - from) + 1);

    return (r->p < r->last) ? *r->p : 0;
}


int
akl_doc_parse(akl_doc_t *doc, akl_str_t text)
{
    akl_reader_t  r;

    akl_doc_init(doc);

    if (text.len == 0 || text.len > UINT32_MAX / 2) {
        return -1;
    }

    r.doc = doc;
    r.p = text.data;
    r.last = text.data + text.len;
    r.strings = NULL;
    r.depth = 0;

    doc->strings_len = text.len;

    if (akl_read_next(&r) != '{' || akl_read_value(&r) != 0) {
        doc->slots = 0;
        return doc->starved ? AKL_DOC_MEMORY : -1;
    }

    (void) akl_read_next(&r);

    return (r.p == r.last) ? 0 : -1;
}


static int
akl_doc_node(akl_doc_t *doc, uint32_t type, uint32_t *index)
{
    akl_node_t  *nodes;

    if (doc->n == doc->size) {

        nodes = malloc(2 * (size_t) doc->size * sizeof(akl_node_t));
        if (nodes == NULL) {
            doc->starved = 1;
            return -1;
        }

        akl_count(doc->n);
        memcpy(nodes, doc->nodes, doc->n * sizeof(akl_node_t));

        if (doc->nodes != doc->few) {
            free(doc->nodes);
        }

        doc->nodes = nodes;
        doc->size *= 2;
    }

    *index = doc->n++;

    doc->nodes[*index].type = type;
    doc->nodes[*index].next = doc->n;
    doc->nodes[*index].text.data = NULL;
    doc->nodes[*index].text.len = 0;

    return 0;
}


static int
akl_read_value(akl_reader_t *r)
{
    switch (akl_read_next(r)) {

    case 0:
        return -1;

    case '{':
        return akl_read_inside(r, AKL_NODE_OBJECT);

    case '[':
        return akl_read_inside(r, AKL_NODE_ARRAY);

    case '"':
        return akl_read_string(r);

    case 't':
        return akl_read_word(r, "true", AKL_NODE_TRUE);

    case 'f':
        return akl_read_word(r, "false", AKL_NODE_FALSE);

    case 'n':
        return akl_read_word(r, "null", AKL_NODE_NULL);

    default:
        return akl_read_number(r);
    }
}


/* an object with its members, no name twice; or an array with its elements */

static int
akl_read_inside(akl_reader_t *r, uint32_t type)
{
    uint32_t              self, n;
    akl_node_t           *node;
    unsigned char         ch, end;
    const unsigned char  *from;

    end = (type == AKL_NODE_OBJECT) ? '}' : ']';
    from = r->p++;

    if (++r->depth > AKL_DOC_DEPTH || akl_doc_node(r->doc, type, &self) != 0) {
        return -1;
    }

    n = 0;

    if (akl_read_next(r) == end) {
        r->p++;

    } else {

        do {
            n++;

            if (type == AKL_NODE_OBJECT) {

                if (akl_read_next(r) != '"' || akl_read_string(r) != 0
                    || akl_read_next(r) != ':')
                {
                    return -1;
                }

                r->p++;
            }

            if (akl_read_value(r) != 0) {
                return -1;
            }

            ch = akl_read_next(r);

            if (ch != ',' && ch != end) {
                return -1;
            }

            r->p++;

        } while (ch == ',');
    }

    node = &r->doc->nodes[self];

    node->next = r->doc->n;
    node->text.data = from;
    node->text.len = (size_t) (r->p - from);
    r->depth--;

    return (type == AKL_NODE_OBJECT) ? akl_doc_index(r->doc, node, n) : 0;
}


static int
akl_read_string(akl_reader_t *r)
{
    size_t                len, n;
    uint32_t              self;
    unsigned char        *dst, *start;
    const unsigned char  *from;

    if (akl_doc_node(r->doc, AKL_NODE_STRING, &self) != 0) {
        return -1;
    }

    from = ++r->p;
    start = NULL;
    dst = NULL;

    for ( ;; ) {

        akl_count(1);

        if (r->p == r->last || *r->p < ' ') {
            return -1;
        }

        if (*r->p == '"') {
            break;
        }

        if (*r->p != '\\') {
            n = (*r->p < 0x80) ? akl_json_plain(r->p, r->last) : 0;

            if (n == 0) {
                n = akl_json_utf8(r->p, (size_t) (r->last - r->p));
            }

            if (n == 0) {
                return -1;
            }

            r->p += n;
            continue;
        }

        /* the first escape: from here on a copy, never longer than the text */

        if (r->strings == NULL) {
            r->doc->strings = malloc(r->doc->strings_len);
            if (r->doc->strings == NULL) {
                r->doc->starved = 1;
                return -1;
            }

            r->strings = r->doc->strings;
        }

        if (start == NULL) {
            start = r->strings;
            dst = start;
        }

        len = (size_t) (r->p - from);
        akl_count(len);
        memcpy(dst, from, len);
        dst += len;

        if (akl_read_escape(r, &dst) != 0) {
            return -1;
        }

        from = r->p;
    }

    len = (size_t) (r->p - from);
    r->p++;

    if (start != NULL) {
        akl_count(len);
        memcpy(dst, from, len);

        r->strings = dst + len;
        from = start;
        len = (size_t) (r->strings - start);
    }

    r->doc->nodes[self].text.data = from;
    r->doc->nodes[self].text.len = len;

    return 0;
}


static int
akl_read_escape(akl_reader_t *r, unsigned char **to)
{
    unsigned              i, n;
    uint32_t              code, low;
    unsigned char        *dst;
    const unsigned char  *found;

    static const unsigned char  leads[] = { 0, 0, 0xc0, 0xe0, 0xf0 };
    static const unsigned char  names[] = "\"\\/bfnrt";
    static const unsigned char  values[] = "\"\\/\b\f\n\r\t";

    dst = *to;

    if (r->last - r->p < 2) {
        return -1;
    }

    akl_count(2);
    r->p += 2;

    if (r->p[-1] != 'u') {
        found = memchr(names, r->p[-1], sizeof(names) - 1);

        if (found == NULL) {
            return -1;
        }

        *dst = values[found - names];
        *to = dst + 1;

        return 0;
    }

    if (akl_read_hex(r, &code) != 0 || code == 0
        || (code >= 0xdc00 && code <= 0xdfff))
    {
        return -1;
    }

    if (code >= 0xd800 && code <= 0xdbff) {

        if (r->last - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u') {
            return -1;
        }

        r->p += 2;

        if (akl_read_hex(r, &low) != 0 || low < 0xdc00 || low > 0xdfff) {
            return -1;
        }

        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }

    n = (code < 0x80) ? 1 : (code < 0x800) ? 2 : (code < 0x10000) ? 3 : 4;

    for (i = n - 1; i > 0; i--) {
        dst[i] = (unsigned char) (0x80 | (code & 0x3f));
        code >>= 6;
    }

    dst[0] = (unsigned char) (leads[n] | code);
    *to = dst + n;

    return 0;
}


static int
akl_read_hex(akl_reader_t *r, uint32_t *code)
{
    int            i;
    unsigned char  ch;

    if (r->last - r->p < 4) {
        return -1;
    }

    akl_count(4);
    *code = 0;

    for (i = 0; i < 4; i++) {
        ch = *r->p++;

        if (ch >= '0' && ch <= '9') {
            ch -= '0';

        } else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f') {
            ch = (unsigned char) ((ch | 0x20) - 'a' + 10);

        } else {
            return -1;
        }

        *code = *code << 4 | ch;
    }

    return 0;
}


static int
akl_read_digits(akl_reader_t *r)
{
    const unsigned char  *from;

    for (from = r->p; r->p < r->last && *r->p >= '0' && *r->p <= '9'; r->p++) {
        /* void */
    }

    return (r->p > from) ? 0 : -1;
}


static int
akl_read_number(akl_reader_t *r)
{
    uint32_t              self, type;
    akl_str_t             number;
    const unsigned char  *digits;

    number.data = r->p;
    type = AKL_NODE_INTEGER;

    if (*r->p == '-') {
        r->p++;
    }

    digits = r->p;

    if (akl_read_digits(r) != 0 || (*digits == '0' && r->p - digits > 1)) {
        return -1;
    }

    if (r->p < r->last && *r->p == '.') {
        type = AKL_NODE_REAL;
        r->p++;

        if (akl_read_digits(r) != 0) {
            return -1;
        }
    }

    if (r->p < r->last && (*r->p | 0x20) == 'e') {
        type = AKL_NODE_REAL;
        r->p++;

        if (r->p < r->last && (*r->p == '+' || *r->p == '-')) {
            r->p++;
        }

        if (akl_read_digits(r) != 0) {
            return -1;
        }
    }

    number.len = (size_t) (r->p - number.data);

    akl_count(number.len);

    if (!akl_doc_number(number, type)
        || akl_doc_node(r->doc, type, &self) != 0)
    {
        return -1;
    }

    r->doc->nodes[self].text = number;

    return 0;
}


static int
akl_read_word(akl_reader_t *r, const char *word, uint32_t type)
{
    size_t    len;
    uint32_t  self;

    len = strlen(word);

    if ((size_t) (r->last - r->p) < len || memcmp(r->p, word, len) != 0
        || akl_doc_node(r->doc, type, &self) != 0)
    {
        return -1;
    }

    r->doc->nodes[self].text.data = r->p;
    r->doc->nodes[self].text.len = len;
    r->p += len;

    return 0;
}

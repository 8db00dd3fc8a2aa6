/*
 * Reading: recursive descent, at most 32 levels deep.
 */

#include <stdlib.h>

#include "doc_number.h"
#include "json.h"


#define AKL_DOC_DEPTH    32
#define AKL_DOC_PAIRS    64             /* members compared pair by pair */


typedef struct {
    akl_doc_t            *doc;
    const unsigned char  *p;
    const unsigned char  *last;
    unsigned char        *strings;      /* where the next one goes */
    unsigned              depth;
    akl_str_t             text;
} akl_reader_t;


static int akl_read_value(akl_reader_t *r);
static int akl_read_object(akl_reader_t *r, uint32_t self);
static int akl_read_array(akl_reader_t *r, uint32_t self);
static int akl_read_string(akl_reader_t *r);
static int akl_read_escape(akl_reader_t *r, unsigned char **dst);
static int akl_read_hex(akl_reader_t *r, uint32_t *code);
static int akl_read_number(akl_reader_t *r);
static int akl_read_word(akl_reader_t *r, const char *word, uint32_t type);
static int akl_read_unique(akl_reader_t *r, uint32_t self, uint32_t members);
static int akl_doc_node(akl_doc_t *doc, uint32_t type, uint32_t *index);


static void
akl_read_space(akl_reader_t *r)
{
    while (r->p < r->last
           && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t'
               || *r->p == '\r'))
    {
        r->p++;
    }
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
    r.text = text;

    akl_read_space(&r);

    if (r.p == r.last || *r.p != '{' || akl_read_value(&r) != 0) {
        return -1;
    }

    akl_read_space(&r);

    return (r.p == r.last) ? 0 : -1;
}


static int
akl_doc_node(akl_doc_t *doc, uint32_t type, uint32_t *index)
{
    akl_node_t  *nodes;

    if (doc->n == doc->size) {

        nodes = malloc(2 * (size_t) doc->size * sizeof(akl_node_t));
        if (nodes == NULL) {
            return -1;
        }

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
    int                   rc;
    uint32_t              self;
    const unsigned char  *from;

    if (r->p == r->last) {
        return -1;
    }

    from = r->p;

    switch (*from) {

    case '{':
    case '[':

        if (++r->depth > AKL_DOC_DEPTH
            || akl_doc_node(r->doc, (*r->p == '{') ? AKL_NODE_OBJECT
                                                   : AKL_NODE_ARRAY, &self)
               != 0)
        {
            return -1;
        }

        rc = (*r->p++ == '{') ? akl_read_object(r, self)
                              : akl_read_array(r, self);

        r->doc->nodes[self].next = r->doc->n;
        r->doc->nodes[self].text.data = from;
        r->doc->nodes[self].text.len = (size_t) (r->p - from);
        r->depth--;

        return rc;

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


static int
akl_read_object(akl_reader_t *r, uint32_t self)
{
    uint32_t  members;

    akl_read_space(r);

    if (r->p < r->last && *r->p == '}') {
        r->p++;
        return 0;
    }

    for (members = 1; ; members++) {

        if (r->p == r->last || *r->p != '"' || akl_read_string(r) != 0) {
            return -1;
        }

        akl_read_space(r);

        if (r->p == r->last || *r->p++ != ':') {
            return -1;
        }

        akl_read_space(r);

        if (akl_read_value(r) != 0) {
            return -1;
        }

        akl_read_space(r);

        if (r->p == r->last) {
            return -1;
        }

        if (*r->p == '}') {
            r->p++;
            r->doc->nodes[self].next = r->doc->n;

            return akl_read_unique(r, self, members);
        }

        if (*r->p++ != ',') {
            return -1;
        }

        akl_read_space(r);
    }
}


static int
akl_read_array(akl_reader_t *r, uint32_t self)
{
    (void) self;

    akl_read_space(r);

    if (r->p < r->last && *r->p == ']') {
        r->p++;
        return 0;
    }

    for ( ;; ) {

        if (akl_read_value(r) != 0) {
            return -1;
        }

        akl_read_space(r);

        if (r->p == r->last) {
            return -1;
        }

        if (*r->p == ']') {
            r->p++;
            return 0;
        }

        if (*r->p++ != ',') {
            return -1;
        }

        akl_read_space(r);
    }
}


/*
 * No name twice.  Objects with very many members are left to jansson, whose
 * table takes them in linear time.
 */

static int
akl_read_unique(akl_reader_t *r, uint32_t self, uint32_t members)
{
    json_t            *root;
    const akl_node_t  *a, *b, *nodes, *last;

    if (members > AKL_DOC_PAIRS) {

        root = akl_json_object(r->text);

        if (root == NULL) {
            return -1;
        }

        json_decref(root);
        return 0;
    }

    nodes = r->doc->nodes;
    last = nodes + nodes[self].next;

    for (a = nodes + self + 1; a < last; a = nodes + (a + 1)->next) {
        for (b = nodes + (a + 1)->next; b < last; b = nodes + (b + 1)->next) {
            if (akl_str_eq(a->text, b->text)) {
                return -1;
            }
        }
    }

    return 0;
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

        r->p += akl_json_plain(r->p, r->last);

        if (r->p == r->last) {
            return -1;
        }

        if (*r->p == '"') {
            break;
        }

        if (*r->p < ' ') {
            return -1;
        }

        if (*r->p != '\\') {
            n = akl_json_utf8(r->p, (size_t) (r->last - r->p));

            if (n == 0) {
                return -1;
            }

            r->p += n;
            continue;
        }

        /* the first escape: from here on a copy, never longer than the text */

        if (r->strings == NULL) {
            r->doc->strings = malloc(r->text.len);
            if (r->doc->strings == NULL) {
                return -1;
            }

            r->strings = r->doc->strings;
        }

        if (start == NULL) {
            start = r->strings;
            dst = start;
        }

        len = (size_t) (r->p - from);
        memcpy(dst, from, len);
        dst += len;

        if (akl_read_escape(r, &dst) != 0) {
            return -1;
        }

        from = r->p;
    }

    len = (size_t) (r->p - from);
    r->p++;

    if (start == NULL) {
        r->doc->nodes[self].text.data = from;
        r->doc->nodes[self].text.len = len;
        return 0;
    }

    memcpy(dst, from, len);
    dst += len;

    r->strings = dst;
    r->doc->nodes[self].text.data = start;
    r->doc->nodes[self].text.len = (size_t) (dst - start);

    return 0;
}


static int
akl_read_escape(akl_reader_t *r, unsigned char **to)
{
    uint32_t              code, low;
    unsigned char        *dst;
    const unsigned char  *found;

    static const unsigned char  names[] = "\"\\/bfnrt";
    static const unsigned char  values[] = "\"\\/\b\f\n\r\t";

    dst = *to;

    if (r->last - r->p < 2) {
        return -1;
    }

    r->p++;

    if (*r->p != 'u') {
        found = memchr(names, *r->p, sizeof(names) - 1);

        if (found == NULL) {
            return -1;
        }

        r->p++;
        *dst++ = values[found - names];
        *to = dst;

        return 0;
    }

    r->p++;

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

    if (code < 0x80) {
        *dst++ = (unsigned char) code;

    } else if (code < 0x800) {
        *dst++ = (unsigned char) (0xc0 | code >> 6);
        *dst++ = (unsigned char) (0x80 | (code & 0x3f));

    } else if (code < 0x10000) {
        *dst++ = (unsigned char) (0xe0 | code >> 12);
        *dst++ = (unsigned char) (0x80 | (code >> 6 & 0x3f));
        *dst++ = (unsigned char) (0x80 | (code & 0x3f));

    } else {
        *dst++ = (unsigned char) (0xf0 | code >> 18);
        *dst++ = (unsigned char) (0x80 | (code >> 12 & 0x3f));
        *dst++ = (unsigned char) (0x80 | (code >> 6 & 0x3f));
        *dst++ = (unsigned char) (0x80 | (code & 0x3f));
    }

    *to = dst;

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


/* as jansson: integers of 64 bits, finite reals */

static int
akl_read_number(akl_reader_t *r)
{
    double                real;
    int64_t               integer;
    uint32_t              self, type;
    akl_str_t             number;
    const unsigned char  *from, *digits;

    from = r->p;
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

    number.data = from;
    number.len = (size_t) (r->p - from);

    if (akl_doc_number(number, type, &integer, &real) != 0
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

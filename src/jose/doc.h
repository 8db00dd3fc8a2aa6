/*
 * The JSON reader of everything that comes with a request (RFC 8259, read
 * strictly): no tree is built, each value becomes a node in one array, and
 * strings stay where they are in the text.  Its cost is one pass over the
 * text, whatever the shape.  It takes and refuses exactly what
 * akl_json_object() does; a fuzzer holds both together.
 */

#ifndef AKL_DOC_H
#define AKL_DOC_H

#include <stdint.h>
#include "str.h"


#define AKL_DOC_NODES  192              /* before memory is asked for */
#define AKL_DOC_SLOTS  64


typedef enum {
    AKL_NODE_OBJECT = 0,
    AKL_NODE_ARRAY,
    AKL_NODE_STRING,
    AKL_NODE_INTEGER,
    AKL_NODE_REAL,
    AKL_NODE_TRUE,
    AKL_NODE_FALSE,
    AKL_NODE_NULL
} akl_node_type_t;


/*
 * "text" is a string's content without escapes, else the value as it stands.
 * The members of an object follow it, each name before its value; so do the
 * elements of an array.  "next" is the index behind the value and all in it.
 */
typedef struct {
    akl_str_t            text;
    uint32_t             next;
    uint32_t             type;          /* akl_node_type_t */
} akl_node_t;


/* of an index over names; the root is no name, so 0 is a free one */

typedef struct {
    uint32_t             node;
    uint32_t             hash;
} akl_slot_t;


/* what akl_doc_parse() returns where memory is short */

#define AKL_DOC_MEMORY  (-2)


/* not to be moved or copied: it points into itself */

typedef struct {
    akl_node_t          *nodes;         /* the root is nodes[0] */
    uint32_t             n;
    uint32_t             size;
    akl_slot_t          *index;         /* of the root's names */
    uint32_t             slots;         /* a power of two; 0: no index */
    uint32_t             room;          /* slots that "index" has room for */
    unsigned char       *strings;       /* those that had escapes; owned */
    size_t               strings_len;
    unsigned             starved:1;     /* memory was short */
    akl_node_t           few[AKL_DOC_NODES];
    akl_slot_t           few_slots[AKL_DOC_SLOTS];
} akl_doc_t;


/* Makes an empty one, which owns nothing and is safe to akl_doc_free(). */
void akl_doc_init(akl_doc_t *doc);

/*
 * Reads "text", which must outlive *doc and hold an object.  0; -1 for
 * anything else: syntax error, doubled member at any depth, byte order mark,
 * trailing data, invalid UTF-8, U+0000 anywhere, nesting beyond 32, a number
 * that is no integer of 64 bits and no finite real; or AKL_DOC_MEMORY, which
 * says nothing of the text: memory is short, or there are no random bytes.
 * *doc is always safe to akl_doc_free(), which wipes the strings it owns.
 */
int akl_doc_parse(akl_doc_t *doc, akl_str_t text);

void akl_doc_free(akl_doc_t *doc);

/* The value of an object's member, or NULL where "object" is none or lacks
 * it; "object" may be NULL. */
const akl_node_t *akl_doc_get(const akl_doc_t *doc, const akl_node_t *object,
    const char *key);

/*
 * The string member "key": 0 and *value (borrowed from *doc), 1 where it is
 * absent, -1 where it is no string.  *value is {0, NULL} unless found.
 */
int akl_doc_string(const akl_doc_t *doc, const akl_node_t *object,
    const char *key, akl_str_t *value);

/*
 * A NumericDate (RFC 7519 section 2) in whole seconds: 0 and *value, 1 where
 * absent, -1 where it is no number, negative or beyond 2^53.  Fractions are
 * cut off.
 */
int akl_doc_time(const akl_doc_t *doc, const akl_node_t *object,
    const char *key, int64_t *value);

/* Elements of an array, or names and values of an object in turn: the first
 * one and the one after "node" in "parent", NULL at the end. */
const akl_node_t *akl_doc_first(const akl_doc_t *doc,
    const akl_node_t *parent);
const akl_node_t *akl_doc_next(const akl_doc_t *doc, const akl_node_t *parent,
    const akl_node_t *node);


/* Of the reader, for akl_doc_parse() alone: 1 where a number is in range. */
int akl_doc_number(akl_str_t number, uint32_t type);

/*
 * Of the reader: indexes the names of an object of so many members, in place
 * of any other index.  0, or -1 where one is there twice or, as "starved"
 * says, memory is short.
 */
int akl_doc_index(akl_doc_t *doc, const akl_node_t *object, uint32_t members);


#endif /* AKL_DOC_H */

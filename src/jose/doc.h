/*
 * JSON read without building a tree: each value becomes a node in one array,
 * strings stay where they are in the text.  It takes and refuses exactly what
 * akl_json_object() does (RFC 8259, strictly), at a fraction of the cost; a
 * fuzzer holds both together.
 */

#ifndef AKL_DOC_H
#define AKL_DOC_H

#include <stdint.h>
#include "str.h"


#define AKL_DOC_NODES  192              /* before memory is asked for */


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


typedef struct {
    akl_node_t          *nodes;         /* the root is nodes[0] */
    uint32_t             n;
    uint32_t             size;
    unsigned char       *strings;       /* those that had escapes; owned */
    akl_node_t           few[AKL_DOC_NODES];
} akl_doc_t;


/* Makes an empty one, which owns nothing and is safe to akl_doc_free(). */
void akl_doc_init(akl_doc_t *doc);

/*
 * Reads "text", which must outlive *doc and hold an object.  0, or -1; *doc is
 * always safe to akl_doc_free().
 */
int akl_doc_parse(akl_doc_t *doc, akl_str_t text);

void akl_doc_free(akl_doc_t *doc);

/* The value of an object's member, or NULL where "object" is none or lacks
 * it; "object" may be NULL. */
const akl_node_t *akl_doc_get(const akl_doc_t *doc, const akl_node_t *object,
    const char *key);

/* As akl_json_string() and akl_json_time(). */
int akl_doc_string(const akl_doc_t *doc, const akl_node_t *object,
    const char *key, akl_str_t *value);
int akl_doc_time(const akl_doc_t *doc, const akl_node_t *object,
    const char *key, int64_t *value);

/* Elements of an array, or names and values of an object in turn: the first
 * one and the one after "node" in "parent", NULL at the end. */
const akl_node_t *akl_doc_first(const akl_doc_t *doc,
    const akl_node_t *parent);
const akl_node_t *akl_doc_next(const akl_doc_t *doc, const akl_node_t *parent,
    const akl_node_t *node);


#endif /* AKL_DOC_H */

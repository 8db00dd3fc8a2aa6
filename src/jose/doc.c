/*
 * Looking at what was read.
 */

#ifndef _GNU_SOURCE
#define _GNU_SOURCE                     /* strtod_l() */
#endif

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "doc_number.h"


#define AKL_DOC_NUMBER    64            /* digits before memory is asked for */
#define AKL_DOC_TIME_MAX  ((int64_t) 1 << 53)


void
akl_doc_init(akl_doc_t *doc)
{
    doc->nodes = doc->few;
    doc->n = 0;
    doc->size = AKL_DOC_NODES;
    doc->strings = NULL;
}


void
akl_doc_free(akl_doc_t *doc)
{
    if (doc->nodes != doc->few) {
        free(doc->nodes);
    }

    free(doc->strings);

    akl_doc_init(doc);
}


/*
 * strtod() takes the decimal point of the process's locale, which another
 * module may have set; JSON's is a full stop everywhere.
 */

static double
akl_doc_real(const char *text)
{
    static locale_t  plain;

    if (plain == (locale_t) 0) {
        plain = newlocale(LC_ALL_MASK, "C", (locale_t) 0);
    }

    return (plain == (locale_t) 0) ? NAN : strtod_l(text, NULL, plain);
}


/* 0 where it is in range */

int
akl_doc_number(akl_str_t number, uint32_t type, int64_t *integer, double *real)
{
    int    rc;
    char  *text, few[AKL_DOC_NUMBER];

    text = few;

    if (number.len >= sizeof(few)) {
        text = malloc(number.len + 1);
        if (text == NULL) {
            return -1;
        }
    }

    memcpy(text, number.data, number.len);
    text[number.len] = '\0';

    if (type == AKL_NODE_INTEGER) {
        errno = 0;
        *integer = strtoll(text, NULL, 10);
        rc = (errno == ERANGE) ? -1 : 0;

    } else {
        *real = akl_doc_real(text);
        rc = isfinite(*real) ? 0 : -1;
    }

    if (text != few) {
        free(text);
    }

    return rc;
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
    size_t             len;
    const akl_node_t  *node, *last;

    if (object == NULL || object->type != AKL_NODE_OBJECT) {
        return NULL;
    }

    len = strlen(key);
    last = doc->nodes + object->next;

    for (node = object + 1; node < last; node = doc->nodes + (node + 1)->next) {
        if (node->text.len == len && memcmp(node->text.data, key, len) == 0) {
            return node + 1;
        }
    }

    return NULL;
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
    double             real;
    int64_t            integer;
    const akl_node_t  *node;

    *value = 0;

    node = akl_doc_get(doc, object, key);

    if (node == NULL) {
        return 1;
    }

    if (node->type != AKL_NODE_INTEGER && node->type != AKL_NODE_REAL) {
        return -1;
    }

    if (akl_doc_number(node->text, node->type, &integer, &real) != 0) {
        return -1;
    }

    if (node->type == AKL_NODE_INTEGER) {

        if (integer < 0 || integer > AKL_DOC_TIME_MAX) {
            return -1;
        }

        *value = integer;

        return 0;
    }

    if (real < 0 || real > (double) AKL_DOC_TIME_MAX) {
        return -1;
    }

    *value = (int64_t) real;

    return 0;
}

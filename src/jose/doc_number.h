/*
 * Numbers of a document, between its two files.
 */

#ifndef AKL_DOC_NUMBER_H
#define AKL_DOC_NUMBER_H

#include "doc.h"


/*
 * The value of a number's text, which is one of JSON: an integer of 64 bits
 * for AKL_NODE_INTEGER, else a finite real.  0, or -1 where it is out of
 * range.
 */
int akl_doc_number(akl_str_t number, uint32_t type, int64_t *integer,
    double *real);


#endif /* AKL_DOC_NUMBER_H */

/*
 * Label selectors of the simplest kind: labels that an object must have, all
 * of them, each with one value.
 */

#ifndef AKL_SELECTOR_H
#define AKL_SELECTOR_H

#include "../jose/str.h"


typedef struct {
    akl_str_t     key;                  /* "team", "example.com/team" */
    akl_str_t     value;                /* may be empty */
} akl_label_t;


/* what is wrong with a label whose key is in the selector already */
#define AKL_LABEL_TWICE                                                       \
    "has a key that is there already, a label has but one value"


/* labels that belong to somebody else */

typedef struct {
    akl_label_t  *elts;
    size_t        n;                    /* 0: all objects meet it */
} akl_selector_t;


/*
 * Reads "key=value" into *label, which borrows from "text".  NULL, or what is
 * wrong with it, a static sentence without its subject.  Kubernetes, "Labels
 * and Selectors", Syntax and character set: a key is a name of up to 63
 * characters, before it perhaps a DNS subdomain of up to 253 and a slash; a
 * value has up to 63 characters or none; names and values begin and end with
 * a letter or digit.
 */
const char *akl_label_parse(akl_str_t text, akl_label_t *label);

/* The label of that key, or NULL. */
const akl_label_t *akl_selector_find(const akl_selector_t *selector,
    akl_str_t key);


#endif /* AKL_SELECTOR_H */

/*
 * Names as Kubernetes demands them; each function returns 1 or 0.
 */

#ifndef AKL_NAMES_H
#define AKL_NAMES_H

#include "../jose/str.h"


/* A label of RFC 1123 section 2.1 in lower case, at most 63 characters. */
int akl_name_label(akl_str_t s);

/* Labels joined by dots, at most 253 characters in all. */
int akl_name_subdomain(akl_str_t s);

/* An object's uid: printable ASCII without quotes, at most 128 characters. */
int akl_name_uid(akl_str_t s);


#endif /* AKL_NAMES_H */

/*
 * Names as Kubernetes demands them; each function returns 1 or 0.
 */

#ifndef AKL_NAMES_H
#define AKL_NAMES_H

#include "../jose/str.h"


#define AKL_LABEL_MAX      63             /* RFC 1123 section 2.1 */
#define AKL_SUBDOMAIN_MAX  253            /* the same, labels and dots */
#define AKL_UID_MAX        128


/* A label of RFC 1123 section 2.1 in lower case, at most AKL_LABEL_MAX
 * characters. */
int akl_name_label(akl_str_t s);

/* Labels joined by dots, at most AKL_SUBDOMAIN_MAX characters in all. */
int akl_name_subdomain(akl_str_t s);

/* An object's uid: printable ASCII without quotes, at most AKL_UID_MAX
 * characters. */
int akl_name_uid(akl_str_t s);


#endif /* AKL_NAMES_H */

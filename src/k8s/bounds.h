/*
 * The bounds of an auth method: globs in lists, OR inside a list, AND
 * between lists; and labels of the namespace, which only the API server knows.
 */

#ifndef AKL_BOUNDS_H
#define AKL_BOUNDS_H

#include "pod_token.h"
#include "selector.h"


typedef struct {
    akl_list_t      namespaces;           /* n 0: not bound */
    akl_list_t      pod_names;
    akl_list_t      sa_names;
    akl_selector_t  selector;             /* of the namespace */
} akl_bounds_t;


/*
 * 1 where "value" matches: "*" any run, "?" one character (a UTF-8 sequence
 * counts as one), all else byte by byte, ASCII case ignored with "icase".
 * Linear in time for every pattern.
 */
int akl_glob_match(akl_str_t glob, akl_str_t value, int icase);

/* NULL where "glob" can be a bound, else a static cause ("empty", ...). */
const char *akl_glob_check(akl_str_t glob);

/*
 * Holds an identity against the lists of globs: AKL_OK,
 * AKL_NAMESPACE_NOT_BOUND, AKL_SERVICE_ACCOUNT_NOT_BOUND or
 * AKL_POD_NOT_BOUND.  Fails closed: a bound on what the identity lacks
 * refuses.  The selector is left to akl_namespace_judge().
 */
akl_reason_t akl_bounds_check(const akl_bounds_t *bounds,
    const akl_identity_t *identity);

/*
 * NULL where "id" looks like an Akeyless access id ("p-", then 14 or 12
 * alphanumerics of which the last but one is "k"), else a static cause.
 */
const char *akl_access_id_check(akl_str_t id);


#endif /* AKL_BOUNDS_H */

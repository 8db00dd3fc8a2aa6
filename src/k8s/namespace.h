/*
 * Namespaces (core/v1): the judgement of the answer to a read of one, by the
 * labels that it must have.
 */

#ifndef AKL_NAMESPACE_H
#define AKL_NAMESPACE_H

#include "judgement.h"
#include "selector.h"


#define AKL_NAMESPACE_PATH  "/api/v1/namespaces/"   /* the name follows */

/*
 * Bytes of an answer looked at: annotations alone may be 256 KiB (apimachinery
 * TotalAnnotationSizeLimitB), twice that where each byte is escaped.
 */
#define AKL_NAMESPACE_ANSWER_MAX  (640 * 1024)


/*
 * Judges the answer to a read of the namespace "name".  AKL_OK where it has
 * all labels of the selector; AKL_NAMESPACE_NOT_BOUND where it lacks one, has
 * another value, or is gone; any other reason where nobody knows.  A label
 * counts also while the namespace is being deleted.  "name", "selector" and
 * "body" must outlive *judged, which is always safe to akl_judgement_clear().
 */
void akl_namespace_judge(akl_judgement_t *judged, unsigned status,
    akl_str_t body, akl_str_t name, const akl_selector_t *selector);


#endif /* AKL_NAMESPACE_H */

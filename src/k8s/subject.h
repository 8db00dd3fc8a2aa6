/*
 * Subjects of minted tokens: the "sub" that the text of token_subject and an
 * identity come to.  RFC 7519 section 4.1.2 wants it to be locally unique, so
 * the text has to keep its variables apart.
 */

#ifndef AKL_SUBJECT_H
#define AKL_SUBJECT_H

#include "pod_token.h"


/* bytes; a SPIFFE id has as many at most (SPIFFE-ID section 2.3) */
#define AKL_SUBJECT_MAX    2048

#define AKL_SUBJECT_PARTS  32

/* as Kubernetes itself names an account */
#define AKL_SUBJECT_DEFAULT                                                   \
    "system:serviceaccount:$akl_k8s_namespace:$akl_k8s_service_account"


typedef struct akl_subject_variable_s  akl_subject_variable_t;

typedef struct {
    const akl_subject_variable_t  *variable;    /* NULL: the text itself */
    akl_str_t                      text;
} akl_subject_part_t;


typedef struct {
    akl_subject_part_t             parts[AKL_SUBJECT_PARTS];
    size_t                         n;
} akl_subject_t;


/*
 * Reads a text with "$akl_k8s_..." or "${akl_k8s_...}" in it, of the identity
 * or the name "config" of the auth config.  Both texts must outlive *subject.
 * NULL, or a static cause: an unknown variable, one that cannot be told from
 * the next, a text that may come to more than AKL_SUBJECT_MAX bytes.
 */
const char *akl_subject_parse(akl_subject_t *subject, akl_str_t text,
    akl_str_t config);

/*
 * Writes the subject of an identity whose names are Kubernetes' own to "dst",
 * which has AKL_SUBJECT_MAX bytes; *sub is there.  NULL, or a static sentence
 * that names the variable which is empty.
 */
const char *akl_subject_write(const akl_subject_t *subject,
    const akl_identity_t *identity, unsigned char *dst, akl_str_t *sub);

/*
 * Whether each subject is a SPIFFE id (SPIFFE-ID section 2) of one trust
 * domain: NULL, and *domain in the text; or a static cause.
 */
const char *akl_subject_spiffe(const akl_subject_t *subject,
    akl_str_t *domain);


#endif /* AKL_SUBJECT_H */

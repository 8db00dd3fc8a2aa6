/*
 * Calls to an API server.
 */

#ifndef AKL_CLI_KUBE_H
#define AKL_CLI_KUBE_H

#include <jansson.h>

#include "http.h"


typedef struct {
    akl_http_peer_t   peer;             /* https only */
    const char       *prefix;           /* of all paths; Rancher has one */
    const char       *bearer;           /* or NULL */
} akl_kube_t;


/*
 * One call; "body" is NULL or a JSON value whose reference is taken.  The
 * JSON object of the answer, a new reference, or NULL where there is none.
 */
json_t *akl_kube(const akl_kube_t *kube, const char *method, const char *path,
    json_t *body, akl_http_answer_t *answer);

/*
 * What went wrong, in the server's own words, cleaned; "object" may be NULL.
 */
const char *akl_kube_message(const akl_http_answer_t *answer, json_t *object);

/* A string member along a path of names ("status.token"), or NULL. */
const char *akl_kube_text(json_t *object, const char *path);

/*
 * The cluster's issuer, from its discovery document; NULL where it has none,
 * or does not tell it to us.
 */
const char *akl_kube_issuer(const akl_kube_t *kube,
    akl_http_answer_t *answer);


#endif /* AKL_CLI_KUBE_H */

/*
 * The service-account JWT a pod presents, in both layouts: legacy secret
 * tokens with flat claims, projected tokens with a nested "kubernetes.io".
 * What stands here is claimed, not established.
 */

#ifndef AKL_POD_TOKEN_H
#define AKL_POD_TOKEN_H

#include <stdint.h>
#include "../jose/json.h"
#include "../jose/jws.h"
#include "reason.h"


#define AKL_LEEWAY  60                    /* seconds, as the API server's */

/* where the kubelet mounts a pod's own "token", "ca.crt" and "namespace" */
#define AKL_POD_MOUNT  "/var/run/secrets/kubernetes.io/serviceaccount"


typedef struct {
    akl_str_t  namespace;
    akl_str_t  sa_name;
    akl_str_t  sa_uid;
    akl_str_t  secret_name;
    akl_str_t  pod_name;
    akl_str_t  pod_uid;
    akl_str_t  node_name;
} akl_identity_t;


typedef struct {
    akl_jws_t       jws;
    akl_str_t       issuer;
    akl_str_t       subject;
    akl_str_t       jti;
    const akl_node_t *aud;                /* array, string or NULL; borrowed */
    int64_t         exp;                  /* 0: none */
    int64_t         nbf;
    int64_t         iat;
    akl_identity_t  claimed;              /* borrowed from jws.payload */
    unsigned        legacy:1;
} akl_pod_token_t;


typedef struct {
    const akl_str_t   *issuers;           /* n_issuers == 0: not checked */
    size_t             n_issuers;
    akl_list_t         audiences;         /* any of them; n 0: not checked */
} akl_pod_policy_t;


/*
 * Parses "token" (borrowed while *pod lives).  AKL_OK, AKL_TOKEN_TOO_LARGE,
 * AKL_TOKEN_MALFORMED or AKL_ALGORITHM_NOT_ALLOWED (Kubernetes signs with
 * RS256, ES256, ES384 or ES512); *pod is always safe to clear.
 */
akl_reason_t akl_pod_token_parse(akl_pod_token_t *pod, akl_str_t token);

/*
 * The local checks, in this order: issuer (byte-exact), exp and nbf against
 * "now" (seconds since the epoch) with AKL_LEEWAY, audience (a legacy token
 * without "aud" passes).
 */
akl_reason_t akl_pod_token_check(const akl_pod_token_t *pod,
    const akl_pod_policy_t *policy, int64_t now);

typedef enum {
    AKL_SIGNATURE_VERIFIED = 0,           /* one of the keys has made it */
    AKL_SIGNATURE_FOREIGN,                /* made by a key that is not there */
    AKL_SIGNATURE_BROKEN,                 /* not made by the key it names */
    AKL_SIGNATURE_NOMEM
} akl_signature_t;

/*
 * Holds the signature against a cluster's keys.  A key that is not among them
 * may be a new one: the cluster's own word counts then.
 */
akl_signature_t akl_pod_token_signature(const akl_pod_token_t *pod,
    const akl_jwks_t *keys);

/*
 * Writes the token's audiences as JSON, array or string, nothing where it has
 * none.
 */
void akl_pod_token_write_aud(const akl_pod_token_t *pod,
    akl_json_out_t *out);

/* 1 where "audience" is among the token's, else 0. */
int akl_pod_token_has_audience(const akl_pod_token_t *pod, akl_str_t audience);

void akl_pod_token_clear(akl_pod_token_t *pod);


#endif /* AKL_POD_TOKEN_H */

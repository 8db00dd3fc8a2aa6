/*
 * Minting: a signed token for an identity.
 */

#ifndef NGX_HTTP_AKL_K8S_MINT_H
#define NGX_HTTP_AKL_K8S_MINT_H

#include "../certificate.h"
#include "../module.h"


/* a minted token; strings of len 0 where none was minted */

typedef struct {
    akl_str_t    token;
    akl_str_t    jti;
    time_t       issued;            /* its iat */
    time_t       expires;           /* its exp */
} ngx_http_akl_k8s_minted_t;


/* how many audiences a config may mint tokens for */
#define NGX_HTTP_AKL_K8S_AUDIENCES  64

/* the first one of them */
#define NGX_HTTP_AKL_K8S_AUDIENCE_FIRST  1


/*
 * What a login wants of its token, beyond the identity: the same for all
 * logins, unless they ask for something else.
 */

typedef struct {
    uint64_t     audiences;         /* bits, by index in token_audience */
    u_char       certificate[NGX_HTTP_AKL_K8S_THUMBPRINT_LEN];
    unsigned     bound:1;           /* to that one */
} ngx_http_akl_k8s_wanted_t;


/* 1 where that is what all logins get that ask for nothing */
#define ngx_http_akl_k8s_wanted_usual(wanted)                                 \
    ((wanted)->audiences == NGX_HTTP_AKL_K8S_AUDIENCE_FIRST                   \
     && !(wanted)->bound)


/*
 * Signs a token for "identity", with the pod token's audiences "aud" (JSON,
 * len 0: none) and its end "expires" (0: none); memory of "pool".  "r" gives
 * the values of token_claims that hold variables and may be NULL where there
 * are none; "wanted" is what the token is for.  AKL_OK and *minted, or
 * AKL_ACCESS_EXPIRED, AKL_TOKEN_EXPIRED, AKL_SUBJECT_INCOMPLETE,
 * AKL_TOKEN_TOO_LARGE, AKL_INTERNAL_ERROR.
 */
akl_reason_t ngx_http_akl_k8s_mint(ngx_http_akl_k8s_cluster_t *cluster,
    ngx_http_request_t *r, ngx_pool_t *pool, akl_identity_t *identity,
    akl_str_t aud, time_t expires, const ngx_http_akl_k8s_wanted_t *wanted,
    ngx_http_akl_k8s_minted_t *minted);


#endif /* NGX_HTTP_AKL_K8S_MINT_H */

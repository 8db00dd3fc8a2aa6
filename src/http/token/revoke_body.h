/*
 * What a request to revoke says.
 */

#ifndef NGX_HTTP_AKL_K8S_REVOKE_BODY_H
#define NGX_HTTP_AKL_K8S_REVOKE_BODY_H

#include "revocations.h"


#define NGX_HTTP_AKL_K8S_REVOKE_BODY_MAX  (AKL_JWS_MAX + 8192)


/* a request to revoke; lives as long as the HTTP request */

typedef struct {
    ngx_http_akl_k8s_revocation_t   rev;
    ngx_str_t                       before;     /* as a text */
    ngx_str_t                       token;      /* RFC 7009 section 2.1 */
    ngx_http_request_t             *request;
    unsigned                        own:1;      /* the token presented */
    unsigned                        empty:1;    /* own, and nothing named */
    unsigned                        quiet:1;    /* answered without a body */
    unsigned                        vault:1;    /* in Vault's shape */
    unsigned                        waits:1;
} ngx_http_akl_k8s_revoke_t;


/*
 * Fills one of jti, sub (and the time) and token, from a form or JSON; with
 * "own" set it may be none of them, as an empty object, which sets "empty".
 * NGX_OK; NGX_DECLINED with *cause, a static text; NGX_ERROR where memory is
 * short.
 */
ngx_int_t ngx_http_akl_k8s_revoke_parse(ngx_http_akl_k8s_revoke_t *revoke,
    ngx_str_t *body, const char **cause);


#endif /* NGX_HTTP_AKL_K8S_REVOKE_BODY_H */

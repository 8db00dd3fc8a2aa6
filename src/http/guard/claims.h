/*
 * The claims of the token of a request.
 */

#ifndef NGX_HTTP_AKL_K8S_CLAIMS_H
#define NGX_HTTP_AKL_K8S_CLAIMS_H

#include "../module.h"


/*
 * The claims of the request's token, flattened, in the request's pool: those
 * the guard verified, else those of the minted token, which are decoded at
 * the first call.  len 0 where there are none.
 */
ngx_str_t *ngx_http_akl_k8s_claims(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);

/*
 * The value of the claim "name" for a variable: its text, or JSON where it is
 * an object, and the elements of a list joined by commas.  Variables are in
 * lower case, so a claim is also found by another case where none is the
 * same.  *value is of len 0 where there is none.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_claim(ngx_http_request_t *r, ngx_str_t *claims,
    akl_str_t name, akl_str_t *value);

/* Fills ctx->identity, jti and so on from the claims. */
void ngx_http_akl_k8s_identify(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);


#endif /* NGX_HTTP_AKL_K8S_CLAIMS_H */

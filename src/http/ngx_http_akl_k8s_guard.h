/*
 * Guard, requirements and exchange: what the phase handlers share.
 */

#ifndef NGX_HTTP_AKL_K8S_GUARD_H
#define NGX_HTTP_AKL_K8S_GUARD_H

#include <ngx_config.h>

#include "../k8s/akl_subclaims.h"
#include "ngx_http_akl_k8s.h"


#define NGX_HTTP_AKL_K8S_GUARD_TIME  60     /* s that a verified token stands */


/* a claim as a variable asks for it: the name is in lower case there */

typedef enum {
    NGX_HTTP_AKL_K8S_EXACT = 0,
    NGX_HTTP_AKL_K8S_ANY_CASE
} ngx_http_akl_k8s_name_e;


/*
 * Forgets what another location established for r: called where guard or
 * exchange begin.
 */
void ngx_http_akl_k8s_forget(ngx_http_akl_k8s_ctx_t *ctx);

/*
 * The claims of the request's token, flattened, in the request's pool: those
 * the guard verified, else those of the minted token, which are decoded at
 * the first call.  len 0 where there are none.
 */
ngx_str_t *ngx_http_akl_k8s_claims(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);

/*
 * Holds the request's claims against the location's akl_k8s_require, and
 * logs a refusal: AKL_OK or AKL_CLAIM_NOT_ALLOWED.
 */
akl_reason_t ngx_http_akl_k8s_require_check(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);

/*
 * The answer of guard and exchange to a reason other than AKL_OK: the headers
 * are set, and the status returned for the phase engine; or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_refuse(ngx_http_request_t *r, akl_reason_t reason);

/* Fills ctx->identity, jti and so on from the claims. */
void ngx_http_akl_k8s_identify(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);

/*
 * The exchange of a location, in whichever phase: NGX_DECLINED where there is
 * none, NGX_OK, NGX_AGAIN, or a status.
 */
ngx_int_t ngx_http_akl_k8s_exchange_run(ngx_http_request_t *r);

/* 1 where the token of these particulars was revoked. */
ngx_uint_t ngx_http_akl_k8s_revoked(ngx_http_akl_k8s_main_conf_t *amcf,
    ngx_str_t *jti, ngx_str_t *sub, time_t iat);


#endif /* NGX_HTTP_AKL_K8S_GUARD_H */

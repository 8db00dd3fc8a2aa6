/*
 * Guard, requirements and exchange: what the phase handlers share.
 */

#ifndef NGX_HTTP_AKL_K8S_GUARD_H
#define NGX_HTTP_AKL_K8S_GUARD_H

#include <ngx_config.h>

#include "../../k8s/subclaims.h"
#include "../module.h"


#define NGX_HTTP_AKL_K8S_GUARD_TIME  60     /* s that a verified token stands */


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
 * The value of the claim "name" for a variable: its text, or JSON where it is
 * an object, and the elements of a list joined by commas.  Variables are in
 * lower case, so a claim is also found by another case where none is the
 * same.  *value is of len 0 where there is none.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_claim(ngx_http_request_t *r, ngx_str_t *claims,
    akl_str_t name, akl_str_t *value);

/*
 * Verifies "token" as one that one of these auth configs (of .._config_t *)
 * minted, from memory where it was seen before, and sets the context's
 * config, claims and token_expires.  AKL_OK or why not; sets no outcome.
 */
akl_reason_t ngx_http_akl_k8s_guard_token(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_array_t *configs, ngx_str_t *token);

/*
 * Merges akl_k8s_require: what the levels above demand, then what this one
 * does.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_merge_require(ngx_conf_t *cf,
    ngx_http_akl_k8s_loc_conf_t *prev, ngx_http_akl_k8s_loc_conf_t *conf);

/*
 * Holds the request's claims against the location's akl_k8s_require, sets the
 * outcome and logs a refusal: AKL_OK or AKL_CLAIM_NOT_ALLOWED.
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

/*
 * Minted tokens, verified.
 */

#ifndef NGX_HTTP_AKL_K8S_MINTED_H
#define NGX_HTTP_AKL_K8S_MINTED_H

#include "../module.h"


#define NGX_HTTP_AKL_K8S_MINTED_TIME  60    /* s that a verified token stands */


/*
 * Verifies "token" as one that one of these auth configs (of .._config_t *)
 * minted, from memory where it was seen before, and sets the context's
 * config, claims and token_expires.  AKL_OK or why not; sets no outcome.  Of a
 * token that is revoked the claims are set as well, for the log line alone:
 * ngx_http_akl_k8s_minted_refused() drops them.
 */
akl_reason_t ngx_http_akl_k8s_minted(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, ngx_array_t *configs, ngx_str_t *token);

/*
 * Whether who presents the token that ngx_http_akl_k8s_minted() has verified
 * is its holder: AKL_OK where it is bound to the client certificate of r, or
 * neither bound nor has to be; or AKL_CERTIFICATE_MISSING,
 * AKL_CERTIFICATE_MISMATCH, AKL_INTERNAL_ERROR.
 */
akl_reason_t ngx_http_akl_k8s_minted_holder(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);

/*
 * Sets the outcome of a token that is refused, with "detail" for the log or
 * NULL, and drops what it says: whoever presented it may still get in, by
 * "satisfy any" or a dry run, and is not the pod that it was minted for.
 */
void ngx_http_akl_k8s_minted_refused(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_reason_t reason, const char *detail);

/*
 * Reads the payload of a token that was verified, or minted, here.  The text
 * is in memory of "pool", which must outlive *payload.  NGX_OK or NGX_ERROR;
 * *payload is always safe to akl_doc_free().
 */
ngx_int_t ngx_http_akl_k8s_minted_payload(ngx_pool_t *pool, ngx_str_t *token,
    akl_doc_t *payload);


#endif /* NGX_HTTP_AKL_K8S_MINTED_H */

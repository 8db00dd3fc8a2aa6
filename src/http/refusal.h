/*
 * Refusals: the headers that belong to one, and how guard and exchange refuse.
 */

#ifndef NGX_HTTP_AKL_K8S_REFUSAL_H
#define NGX_HTTP_AKL_K8S_REFUSAL_H

#include "module.h"


/*
 * The headers that belong to every refusal or outage: Retry-After (a second,
 * or what the API server asks for, a minute at most) with 503, Cache-Control:
 * no-store.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_refusal_headers(ngx_http_request_t *r,
    ngx_uint_t status);

/*
 * WWW-Authenticate (RFC 6750 section 3) with 401 and 403, nothing with other
 * statuses.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_challenge(ngx_http_request_t *r,
    akl_reason_t reason, ngx_uint_t status);

/* Has our WWW-Authenticate, which is there, ask for HTTP Basic instead. */
void ngx_http_akl_k8s_challenge_basic(ngx_http_request_t *r);

/* Takes our WWW-Authenticate back, if there is one. */
void ngx_http_akl_k8s_withdraw(ngx_http_request_t *r);

/*
 * The answer of guard and exchange to an outcome other than AKL_OK: the
 * headers are set and the outcome told.  Returns the status, for the phase
 * engine; where memory is short that of internal_error, told instead.
 */
ngx_int_t ngx_http_akl_k8s_refuse(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);


#endif /* NGX_HTTP_AKL_K8S_REFUSAL_H */

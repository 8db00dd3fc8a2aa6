/*
 * One login: from a pod token and an auth config to an outcome.
 */

#ifndef NGX_HTTP_AKL_K8S_LOGIN_H
#define NGX_HTTP_AKL_K8S_LOGIN_H

#include "../module.h"


/*
 * One login, steps 2 to 8 of a login: from a pod token and an auth config to
 * an identity and a minted token in the request's context.
 */

typedef void (*ngx_http_akl_k8s_login_pt)(ngx_http_request_t *r);

/*
 * Runs a login of "token" against "config" for r.  NGX_OK: done, the outcome
 * (reason, identity, token) is in the context; NGX_AGAIN: a review is under
 * way and "handler" will be called with r when the outcome is there (nothing
 * is called when the client leaves before); NGX_ERROR: there is no memory even
 * for a context, which is logged.
 * "audiences" has the bits of those of token_audience that the minted token is
 * to be for; 0: the first.
 * "alias" (may be NULL) is the digest of the raw request that led to config
 * and token; on success it is remembered as a short cut.
 */
ngx_int_t ngx_http_akl_k8s_login(ngx_http_request_t *r,
    ngx_http_akl_k8s_config_t *config, ngx_str_t *token, uint64_t audiences,
    ngx_akl_key_t *alias, ngx_http_akl_k8s_login_pt handler);

/*
 * The end of a login against the context's config that has no pod token to
 * begin with: outcome, log line and metric, as of any other.
 */
void ngx_http_akl_k8s_login_refused(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_reason_t reason);

/*
 * The short cut: NGX_OK with the outcome in the context where the alias leads
 * to a live verdict with a fresh minted token, NGX_DECLINED otherwise.
 */
ngx_int_t ngx_http_akl_k8s_login_alias(ngx_http_request_t *r,
    ngx_akl_key_t *alias);


#endif /* NGX_HTTP_AKL_K8S_LOGIN_H */

/*
 * What is known of a request: its context, the outcome and its log line, the
 * token it carries.
 */

#ifndef NGX_HTTP_AKL_K8S_REQUEST_H
#define NGX_HTTP_AKL_K8S_REQUEST_H

#include "module.h"


/* what is begun for a request where its location serves nothing of ours */
#define NGX_HTTP_AKL_K8S_EXCHANGE  "exchange"
#define NGX_HTTP_AKL_K8S_GUARD     "guard"


/*
 * The request's context, made when "create" is set; NULL when out of memory.
 * Without "create" that of the parent of a clone, to be read only, or NULL
 * where there is none.
 */
ngx_http_akl_k8s_ctx_t *ngx_http_akl_k8s_ctx(ngx_http_request_t *r,
    ngx_uint_t create);

/*
 * Begins on what "task" (static) names, which is said in the lines of the log
 * from now on: "TASK failed, REASON: ...", "TASK refused, REASON: ...".
 */
void ngx_http_akl_k8s_begin(ngx_http_request_t *r, const char *task);

/*
 * Sets the outcome, which is told later, once and at the request's end: an
 * answer may yet fail for want of memory.  The line of the log is made, where
 * it is no ok: a refusal at the location's level, an outage as an error.
 * "detail" (may be NULL) goes to the log only.  Without memory for that line
 * the outcome, in ctx->reason, is internal_error.
 */
void ngx_http_akl_k8s_outcome(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx, akl_reason_t reason, const char *detail);

/*
 * Tells an outcome that was not told: its line, and the counter that
 * ctx->counts says; where that is none, internal_error counts as a refused
 * request.  Called where no answer of ours can fail any more.
 */
void ngx_http_akl_k8s_tell(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);

/* bytes of a text in a log line, and the most that they take when escaped */
#define NGX_HTTP_AKL_K8S_LOG_LEN   128
#define NGX_HTTP_AKL_K8S_LOG_SIZE  (NGX_HTTP_AKL_K8S_LOG_LEN * 4              \
                                    + sizeof("..."))

/*
 * The end of a request that cannot be answered as it should: the outcome is
 * internal_error with that detail for the log, and told, in place of one that
 * was not told or of a login's ok, which counts no more.  What has failed once
 * is not told again.  Returns NGX_HTTP_INTERNAL_SERVER_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_fail(ngx_http_request_t *r, const char *detail);

/* The same where memory is short. */
ngx_int_t ngx_http_akl_k8s_no_memory(ngx_http_request_t *r);

/*
 * Writes "src", which may be anything, for a log line to "dst" (of
 * NGX_HTTP_AKL_K8S_LOG_SIZE bytes): quotes, backslashes and all that is not
 * printable ASCII as \xXX, the rest of a long text as "...", and a NUL.
 * Returns dst.
 */
u_char *ngx_http_akl_k8s_log_text(u_char *dst, akl_str_t src);

/* The auth config called "name", or NULL. */
ngx_http_akl_k8s_config_t *ngx_http_akl_k8s_find_config(
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_str_t *name);

/* $request_id of nginx; len 0 where memory is short. */
akl_str_t ngx_http_akl_k8s_request_id(ngx_http_request_t *r);

/*
 * The token of "Authorization: Bearer" (RFC 6750 section 2.1), or of "source"
 * where that is not NULL: AKL_OK, AKL_TOKEN_MISSING, AKL_TOKEN_MALFORMED (the
 * scheme only), or AKL_INTERNAL_ERROR (memory is short).  *token points into
 * the request, which is overwritten when it is freed; its bytes are
 * akl_jws_parse()'s to judge.
 */
akl_reason_t ngx_http_akl_k8s_bearer(ngx_http_request_t *r,
    ngx_http_complex_value_t *source, ngx_str_t *token);

/*
 * Forgets what another location established for r: called where guard or
 * exchange begin.
 */
void ngx_http_akl_k8s_forget(ngx_http_akl_k8s_ctx_t *ctx);

/*
 * In the server rewrite phase, as nginx's phase engine calls it: gives each
 * subrequest but clones a context of its own.
 */
ngx_int_t ngx_http_akl_k8s_subrequest(ngx_http_request_t *r);


/*
 * Whether a request came over HTTP/2 or 3.  Its connection is none that could
 * be watched: nginx calls its handlers when its stream is reset.
 */
static ngx_inline ngx_uint_t
ngx_http_akl_k8s_multiplexed(ngx_http_request_t *r)
{
#if (NGX_HTTP_V3)

    if (r->connection->quic) {
        return 1;
    }

#endif

    return r->stream != NULL;
}


#endif /* NGX_HTTP_AKL_K8S_REQUEST_H */

/*
 * What must not stay in memory for longer than it is of use: tokens in the
 * request that they came by, and in copies of it.  nginx frees its buffers and
 * pools as they are.
 */

#ifndef NGX_HTTP_AKL_K8S_SECRET_H
#define NGX_HTTP_AKL_K8S_SECRET_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * Memory of "pool", not aligned, that is overwritten when the pool is
 * destroyed.  NULL where memory is short.
 */
u_char *ngx_http_akl_k8s_secret(ngx_pool_t *pool, size_t len);

/* The same with a copy of "src" in it; ngx_pstrdup() of secrets. */
u_char *ngx_http_akl_k8s_secret_copy(ngx_pool_t *pool, ngx_str_t *src);

/*
 * Has a text overwritten that is in memory of the pool already, such as a copy
 * that nginx made.  NGX_OK, or NGX_ERROR where memory is short.
 */
ngx_int_t ngx_http_akl_k8s_secret_text(ngx_pool_t *pool, ngx_str_t *text);

/*
 * Overwrites the values of members of the query that are called as tokens are,
 * at once and with '*', in the URI and the request line, which nginx writes
 * into its logs; r->args becomes a copy.  Of a subrequest r->args alone, as the
 * rest is its main request's.  Returns 1 where r->args has such a member, else
 * 0.
 */
ngx_uint_t ngx_http_akl_k8s_secret_query(ngx_http_request_t *r);

/*
 * Has overwritten, when a request is freed, the head and the body that it came
 * by (over HTTP/1 nginx's buffers up to what the client has sent behind it,
 * which is its next request; over HTTP/2 and 3 the values of all headers), the
 * head that was written for an upstream, and nginx's buffer of what it had
 * OpenSSL send.  What a connection of HTTP/2 holds of its first frames is
 * overwritten likewise, or with its end.  A subrequest came by what its main
 * request did.  May be called again.  NGX_OK, or NGX_ERROR where memory is
 * short.
 */
ngx_int_t ngx_http_akl_k8s_secret_request(ngx_http_request_t *r);

/*
 * In the precontent phase, as nginx's phase engine calls it: overwrites the
 * head for an upstream that r was at before "error_page" led here, which is
 * lost when it gets another one; and has a subrequest overwritten where its
 * main request is.
 */
ngx_int_t ngx_http_akl_k8s_secret_passed(ngx_http_request_t *r);


#endif /* NGX_HTTP_AKL_K8S_SECRET_H */

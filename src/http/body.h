/*
 * The one way to read a request's body: bounded, and never to a file.
 */

#ifndef NGX_HTTP_AKL_K8S_BODY_H
#define NGX_HTTP_AKL_K8S_BODY_H

#include "module.h"


/*
 * Called once with the whole body, which lives as long as the request and is
 * of len 0 where there is none; NULL: it is larger than was allowed.  Returns
 * what finalizes the request, or NGX_AGAIN where it waits for a review.
 */
typedef ngx_int_t (*ngx_http_akl_k8s_body_pt)(ngx_http_request_t *r,
    ngx_str_t *body);


/*
 * Reads a body of at most "max" bytes, whatever client_max_body_size says, and
 * calls "handler", perhaps from within.  Whoever serves the request after an
 * internal redirect finds the body whole.  Returns what a content handler
 * returns.
 */
ngx_int_t ngx_http_akl_k8s_read_body(ngx_http_request_t *r, size_t max,
    ngx_http_akl_k8s_body_pt handler);

/*
 * Holds the request's Content-Type against "type", in lower case; parameters
 * aside (RFC 9110 section 8.3.1).  NGX_OK, NGX_DECLINED (none was sent), or
 * NGX_ERROR (another).
 */
ngx_int_t ngx_http_akl_k8s_content_type(ngx_http_request_t *r,
    const char *type);


#endif /* NGX_HTTP_AKL_K8S_BODY_H */

/*
 * Which of several types of content a client likes best: the request's Accept
 * (RFC 9110 section 12.5.1).
 */

#ifndef NGX_HTTP_AKL_K8S_ACCEPT_H
#define NGX_HTTP_AKL_K8S_ACCEPT_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * The index of the type, such as "text/html", that has the highest quality in
 * the request: the first of these where there are several, or none has any.
 * Of the ranges that match a type the most specific one counts; parameters of
 * a range, but for its quality, are not looked at, and neither is a range that
 * cannot be read.
 */
ngx_uint_t ngx_http_akl_k8s_accept(ngx_http_request_t *r,
    const ngx_str_t *types, ngx_uint_t n);


#endif /* NGX_HTTP_AKL_K8S_ACCEPT_H */

/*
 * The one way into a location that serves something of ours, and out of it:
 * whatever becomes of a request, it is answered in the location's shape.
 */

#ifndef NGX_HTTP_AKL_K8S_CONTENT_H
#define NGX_HTTP_AKL_K8S_CONTENT_H

#include "module.h"


/*
 * The content handler of all locations with a service: runs it, and returns
 * what a content handler returns.
 */
ngx_int_t ngx_http_akl_k8s_content(ngx_http_request_t *r);

/*
 * ngx_http_finalize_request() for what a service answers later than from its
 * handler.  "rc" as there.
 */
void ngx_http_akl_k8s_finalize(ngx_http_request_t *r, ngx_int_t rc);


#endif /* NGX_HTTP_AKL_K8S_CONTENT_H */

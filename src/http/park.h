/*
 * Requests that wait for a review, and notice meanwhile whether their client
 * does.
 */

#ifndef NGX_HTTP_AKL_K8S_PARK_H
#define NGX_HTTP_AKL_K8S_PARK_H

#include "module.h"


/*
 * Parks a request that waits for a review: a client that leaves meanwhile is
 * noticed, a body that was not read stays unread.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_park(ngx_http_request_t *r);

/*
 * The contrary, before its phases go on: what the client sends is left for
 * the one who reads the body.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_http_akl_k8s_unpark(ngx_http_request_t *r);


#endif /* NGX_HTTP_AKL_K8S_PARK_H */

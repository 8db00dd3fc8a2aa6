/*
 * The guard of a location: what nginx's phase engine calls.
 */

#ifndef NGX_HTTP_AKL_K8S_GUARD_H
#define NGX_HTTP_AKL_K8S_GUARD_H

#include "../module.h"


/* In the access phase, for main requests. */
ngx_int_t ngx_http_akl_k8s_guard_handler(ngx_http_request_t *r);

/* In the preaccess phase, for subrequests, which have no access phase. */
ngx_int_t ngx_http_akl_k8s_guard_subrequest(ngx_http_request_t *r);

/* In the precontent phase, which only a request that may pass reaches. */
ngx_int_t ngx_http_akl_k8s_guard_granted(ngx_http_request_t *r);


#endif /* NGX_HTTP_AKL_K8S_GUARD_H */

/*
 * The exchange of a pod token for a minted one, in flight.
 */

#ifndef NGX_HTTP_AKL_K8S_EXCHANGE_H
#define NGX_HTTP_AKL_K8S_EXCHANGE_H

#include "../module.h"


/* In the access phase: what nginx's phase engine calls. */
ngx_int_t ngx_http_akl_k8s_exchange_handler(ngx_http_request_t *r);

/*
 * The exchange of a location, in whichever phase: NGX_DECLINED where there is
 * none, NGX_OK, NGX_AGAIN, or a status.
 */
ngx_int_t ngx_http_akl_k8s_exchange_run(ngx_http_request_t *r);


#endif /* NGX_HTTP_AKL_K8S_EXCHANGE_H */

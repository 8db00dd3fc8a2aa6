/*
 * Introspection of minted tokens.
 */

#ifndef NGX_HTTP_AKL_K8S_INTROSPECT_H
#define NGX_HTTP_AKL_K8S_INTROSPECT_H

#include "../module.h"


/* The content handler of akl_k8s_introspect (RFC 7662). */
ngx_int_t ngx_http_akl_k8s_introspect_handler(ngx_http_request_t *r);


#endif /* NGX_HTTP_AKL_K8S_INTROSPECT_H */

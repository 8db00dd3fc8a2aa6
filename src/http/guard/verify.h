/*
 * The answer of akl_k8s_verify.
 */

#ifndef NGX_HTTP_AKL_K8S_VERIFY_H
#define NGX_HTTP_AKL_K8S_VERIFY_H

#include "../module.h"


ngx_int_t ngx_http_akl_k8s_verify_handler(ngx_http_request_t *r);


#endif /* NGX_HTTP_AKL_K8S_VERIFY_H */

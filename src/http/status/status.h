/*
 * The status page.
 */

#ifndef NGX_HTTP_AKL_K8S_STATUS_H
#define NGX_HTTP_AKL_K8S_STATUS_H

#include "../module.h"


/* The content handler of akl_k8s_status. */
ngx_int_t ngx_http_akl_k8s_status_handler(ngx_http_request_t *r);


#endif /* NGX_HTTP_AKL_K8S_STATUS_H */

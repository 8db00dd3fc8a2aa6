/*
 * Requirements, held against claims.
 */

#ifndef NGX_HTTP_AKL_K8S_REQUIRE_H
#define NGX_HTTP_AKL_K8S_REQUIRE_H

#include "../module.h"


/*
 * Holds the request's claims against the location's akl_k8s_require, sets the
 * outcome: AKL_OK or AKL_CLAIM_NOT_ALLOWED.
 */
void ngx_http_akl_k8s_require_check(ngx_http_request_t *r,
    ngx_http_akl_k8s_ctx_t *ctx);


#endif /* NGX_HTTP_AKL_K8S_REQUIRE_H */

/*
 * The location that takes revocations.
 */

#ifndef NGX_HTTP_AKL_K8S_REVOKE_H
#define NGX_HTTP_AKL_K8S_REVOKE_H

#include "../module.h"


/*
 * Content handlers: of akl_k8s_revoke, of "akl_k8s_revoke self", and of
 * "akl_k8s_revoke vault", which is Vault's auth/token/revoke-self.
 */
ngx_int_t ngx_http_akl_k8s_revoke_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_akl_k8s_revoke_self_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_akl_k8s_revoke_vault_handler(ngx_http_request_t *r);


#endif /* NGX_HTTP_AKL_K8S_REVOKE_H */

/*
 * What Vault's clients ask of the token that they were given.
 */

#ifndef NGX_HTTP_AKL_K8S_SELF_H
#define NGX_HTTP_AKL_K8S_SELF_H

#include "../module.h"


/*
 * The content handler of "akl_k8s_introspect vault": GET is Vault's
 * auth/token/lookup-self, PUT and POST its auth/token/renew-self.
 */
ngx_int_t ngx_http_akl_k8s_self_handler(ngx_http_request_t *r);

/*
 * The token of a request to Vault: of X-Vault-Token, else of "Authorization:
 * Bearer".  NGX_OK, NGX_DECLINED (none) or NGX_ERROR; *token points into the
 * request.
 */
ngx_int_t ngx_http_akl_k8s_self_token(ngx_http_request_t *r,
    ngx_str_t *token);


#endif /* NGX_HTTP_AKL_K8S_SELF_H */

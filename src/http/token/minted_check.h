/*
 * What a minted token is held against: form, signature and claims; nothing is
 * remembered here.
 */

#ifndef NGX_HTTP_AKL_K8S_MINTED_CHECK_H
#define NGX_HTTP_AKL_K8S_MINTED_CHECK_H

#include "../module.h"


/* The reason that belongs to an error of the JWS half. */
akl_reason_t ngx_http_akl_k8s_minted_reason(akl_jws_error_t error);

/*
 * Verifies the signature by the keys of these auth configs (of .._config_t *):
 * AKL_OK with *config, which the token names, and the index of the key in it;
 * or why not.  A token that names a config costs as many signatures as that one
 * has keys for it, any other token costs one at most.
 */
akl_reason_t ngx_http_akl_k8s_minted_signature(akl_jws_t *jws,
    ngx_array_t *configs, ngx_http_akl_k8s_config_t **config, size_t *used);

/*
 * Holds the claims of a verified token against its config: issuer, times,
 * audience.  AKL_OK with its "exp" and "iat" (seconds), or why not.
 */
akl_reason_t ngx_http_akl_k8s_minted_claims(akl_jws_t *jws,
    ngx_http_akl_k8s_config_t *config, int64_t *exp, int64_t *iat);


#endif /* NGX_HTTP_AKL_K8S_MINTED_CHECK_H */

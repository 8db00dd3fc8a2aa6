/*
 * What is published: the set of public keys, and how documents are served.
 */

#ifndef NGX_HTTP_AKL_K8S_JWKS_H
#define NGX_HTTP_AKL_K8S_JWKS_H

#include "../module.h"


/*
 * Builds the JWK set of these auth configs (array of .._config_t *) into
 * pub->document, each key once; with pub->spiffe as the bundle of a trust
 * domain (SPIFFE Trust Domain and Bundle, section 4).  NULL, or a static cause.
 */
const char *ngx_http_akl_k8s_jwks_build(ngx_conf_t *cf,
    ngx_http_akl_k8s_publication_t *pub, ngx_array_t *configs);

/* Sets pub->etag by the document's digest.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_http_akl_k8s_etag(ngx_conf_t *cf,
    ngx_http_akl_k8s_publication_t *pub);

/* The content handlers. */
ngx_int_t ngx_http_akl_k8s_jwks_handler(ngx_http_request_t *r);
ngx_int_t ngx_http_akl_k8s_discovery_handler(ngx_http_request_t *r);


#endif /* NGX_HTTP_AKL_K8S_JWKS_H */

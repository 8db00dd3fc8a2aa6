/*
 * Publication: akl_k8s_jwks (RFC 7517) and akl_k8s_discovery.  The documents
 * are built at configuration and served as they are; conditional requests
 * are nginx's own business.
 */

#include <ngx_config.h>

#include <openssl/evp.h>

#include "../respond.h"
#include "jwks.h"


#define NGX_HTTP_AKL_K8S_ETAG_BYTES  16


static ngx_int_t ngx_http_akl_k8s_jwks_add(json_t *keys, akl_jwks_t *jwks,
    ngx_uint_t spiffe);
static ngx_int_t ngx_http_akl_k8s_jwks_bundle(json_t *root);
static ngx_int_t ngx_http_akl_k8s_publish_document(ngx_http_request_t *r,
    const char *type);


const char *
ngx_http_akl_k8s_jwks_build(ngx_conf_t *cf,
    ngx_http_akl_k8s_publication_t *pub, ngx_array_t *configs)
{
    size_t                       len;
    json_t                      *root, *keys;
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    ngx_http_akl_k8s_config_t  **config;

    if (configs->nelts == 0) {
        return "has no auth config to publish the keys of";
    }

    root = json_object();
    keys = json_array();

    if (json_object_set_new(root, "keys", keys) != 0) {
        json_decref(root);
        return "out of memory";
    }

    rc = NGX_OK;
    config = configs->elts;

    for (i = 0; i < configs->nelts && rc == NGX_OK; i++) {
        rc = ngx_http_akl_k8s_jwks_add(keys, &config[i]->keys, pub->spiffe);
    }

    if (rc == NGX_OK && pub->spiffe) {
        rc = ngx_http_akl_k8s_jwks_bundle(root);
    }

    len = json_dumpb(root, NULL, 0, JSON_COMPACT);

    pub->document.data = ngx_pnalloc(cf->pool, len);

    if (rc != NGX_OK || len == 0 || pub->document.data == NULL) {
        json_decref(root);
        return "out of memory";
    }

    pub->document.len = json_dumpb(root, (char *) pub->document.data, len,
                                   JSON_COMPACT);
    json_decref(root);

    return NULL;
}


static ngx_int_t
ngx_http_akl_k8s_jwks_add(json_t *keys, akl_jwks_t *jwks, ngx_uint_t spiffe)
{
    size_t   i, k;
    json_t  *jwk, *known;

    for (i = 0; i < jwks->n; i++) {
        jwk = akl_jwk_export(&jwks->keys[i]);
        if (jwk == NULL) {
            return NGX_ERROR;
        }

        known = NULL;

        json_array_foreach(keys, k, known) {
            if (json_equal(json_object_get(known, "kid"),
                           json_object_get(jwk, "kid")))
            {
                break;
            }
        }

        if (k < json_array_size(keys)) {
            json_decref(jwk);
            continue;
        }

        if (spiffe
            && json_object_set_new(jwk, "use", json_string("jwt-svid")) != 0)
        {
            json_decref(jwk);
            return NGX_ERROR;
        }

        if (json_array_append_new(keys, jwk) != 0) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * SPIFFE Trust Domain and Bundle, section 4.1: the sequence number grows with
 * each change.  Keys change by a new configuration only, so its time will do.
 */

static ngx_int_t
ngx_http_akl_k8s_jwks_bundle(json_t *root)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    if (json_object_set_new(root, "spiffe_sequence",
                            json_integer((json_int_t) tp->sec * 1000
                                         + tp->msec))
        != 0
        || json_object_set_new(root, "spiffe_refresh_hint",
                               json_integer(NGX_HTTP_AKL_K8S_MAX_AGE))
           != 0)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_http_akl_k8s_etag(ngx_conf_t *cf, ngx_http_akl_k8s_publication_t *pub)
{
    u_char        *p;
    unsigned int   len;
    unsigned char  digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(pub->document.data, pub->document.len, digest, &len,
                   EVP_sha256(), NULL)
        != 1)
    {
        return NGX_ERROR;
    }

    pub->etag.len = 2 + 2 * NGX_HTTP_AKL_K8S_ETAG_BYTES;

    pub->etag.data = ngx_pnalloc(cf->pool, pub->etag.len);
    if (pub->etag.data == NULL) {
        return NGX_ERROR;
    }

    p = pub->etag.data;
    *p++ = '"';
    p = ngx_hex_dump(p, digest, NGX_HTTP_AKL_K8S_ETAG_BYTES);
    *p = '"';

    return NGX_OK;
}


ngx_int_t
ngx_http_akl_k8s_jwks_handler(ngx_http_request_t *r)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    return ngx_http_akl_k8s_publish_document(r, alcf->publication->spiffe
                                                ? NGX_HTTP_AKL_K8S_JSON
                                                : "application/jwk-set+json");
}


ngx_int_t
ngx_http_akl_k8s_discovery_handler(ngx_http_request_t *r)
{
    return ngx_http_akl_k8s_publish_document(r, NGX_HTTP_AKL_K8S_JSON);
}


static ngx_int_t
ngx_http_akl_k8s_publish_document(ngx_http_request_t *r, const char *type)
{
    ngx_int_t                     rc;
    ngx_http_akl_k8s_document_t   document;
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    rc = ngx_http_akl_k8s_allow(r, NGX_HTTP_GET|NGX_HTTP_HEAD);
    if (rc != NGX_OK) {
        return rc;
    }

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    ngx_memzero(&document, sizeof(ngx_http_akl_k8s_document_t));

    document.status = NGX_HTTP_OK;
    document.type = type;
    document.body = alcf->publication->document;
    document.etag = alcf->publication->etag;
    document.cacheable = 1;

    return ngx_http_akl_k8s_respond(r, &document);
}

/*
 * Publication: akl_k8s_jwks (RFC 7517) and akl_k8s_discovery.  The documents
 * are built at configuration and served as they are; conditional requests
 * are nginx's own business.
 */

#include <ngx_config.h>

#include <openssl/evp.h>

#include "../respond.h"
#include "discovery.h"


#define NGX_HTTP_AKL_K8S_ETAG_BYTES  16


static char *ngx_http_akl_k8s_publication(ngx_conf_t *cf,
    ngx_http_akl_k8s_loc_conf_t *alcf, ngx_http_handler_pt handler,
    ngx_uint_t n);
static ngx_int_t ngx_http_akl_k8s_publish_one(ngx_conf_t *cf,
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_publication_t *pub);
static const char *ngx_http_akl_k8s_jwks_build(ngx_conf_t *cf,
    ngx_http_akl_k8s_publication_t *pub, ngx_array_t *configs);
static ngx_int_t ngx_http_akl_k8s_jwks_add(json_t *keys, akl_jwks_t *jwks);
static ngx_int_t ngx_http_akl_k8s_etag(ngx_conf_t *cf,
    ngx_http_akl_k8s_publication_t *pub);
static ngx_int_t ngx_http_akl_k8s_jwks_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_akl_k8s_discovery_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_akl_k8s_publish_document(ngx_http_request_t *r,
    const char *type);


char *
ngx_http_akl_k8s_jwks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    return ngx_http_akl_k8s_publication(cf, conf,
                                        ngx_http_akl_k8s_jwks_handler,
                                        cf->args->nelts - 1);
}


char *
ngx_http_akl_k8s_discovery(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf = conf;

    char                            *rv;
    ngx_str_t                       *value;
    ngx_http_akl_k8s_publication_t  *pub;

    rv = ngx_http_akl_k8s_publication(cf, alcf,
                                      ngx_http_akl_k8s_discovery_handler, 1);

    if (rv != NGX_CONF_OK || cf->args->nelts != 3) {
        return rv;
    }

    value = cf->args->elts;

    if (ngx_strncmp(value[2].data, "jwks_uri=", 9) != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\" of "
                           "\"akl_k8s_discovery\"%s", &value[2],
                           ngx_http_akl_k8s_swallowed(cf, &value[2]));
        return NGX_CONF_ERROR;
    }

    pub = alcf->publication;

    pub->jwks_uri.data = value[2].data + 9;
    pub->jwks_uri.len = value[2].len - 9;

    if (!ngx_http_akl_k8s_is_url(&pub->jwks_uri)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" of \"akl_k8s_discovery\" is no http "
                           "or https URL", &value[2]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * The document is built when all auth configs are known, which is after the
 * locations are merged: those that inherit it have a pointer.  The first "n"
 * arguments are names of auth configs.
 */

static char *
ngx_http_akl_k8s_publication(ngx_conf_t *cf, ngx_http_akl_k8s_loc_conf_t *alcf,
    ngx_http_handler_pt handler, ngx_uint_t n)
{
    char                             *rv;
    ngx_str_t                        *value, *name;
    ngx_uint_t                        i;
    ngx_http_akl_k8s_main_conf_t     *amcf;
    ngx_http_akl_k8s_publication_t   *pub, **slot;

    rv = ngx_http_akl_k8s_serve(cf, alcf, handler);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    pub = ngx_pcalloc(cf->pool, sizeof(ngx_http_akl_k8s_publication_t));
    if (pub == NULL) {
        return NGX_CONF_ERROR;
    }

    pub->discovery = (handler == ngx_http_akl_k8s_discovery_handler);
    ngx_http_akl_k8s_here(cf, &pub->where);

    if (n) {
        pub->names = ngx_array_create(cf->pool, n, sizeof(ngx_str_t));
        if (pub->names == NULL) {
            return NGX_CONF_ERROR;
        }

        value = cf->args->elts;

        for (i = 1; i <= n; i++) {
            name = ngx_array_push(pub->names);
            if (name == NULL) {
                return NGX_CONF_ERROR;
            }

            *name = value[i];
        }
    }

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    if (amcf->publications == NULL) {
        amcf->publications = ngx_array_create(cf->pool, 4,
                                     sizeof(ngx_http_akl_k8s_publication_t *));
        if (amcf->publications == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    slot = ngx_array_push(amcf->publications);
    if (slot == NULL) {
        return NGX_CONF_ERROR;
    }

    *slot = pub;
    alcf->publication = pub;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_akl_k8s_publish(ngx_conf_t *cf)
{
    ngx_uint_t                        i;
    ngx_http_akl_k8s_main_conf_t     *amcf;
    ngx_http_akl_k8s_publication_t  **pub;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    if (amcf->publications == NULL) {
        return NGX_OK;
    }

    pub = amcf->publications->elts;

    for (i = 0; i < amcf->publications->nelts; i++) {
        if (ngx_http_akl_k8s_publish_one(cf, amcf, pub[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_publish_one(ngx_conf_t *cf,
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_publication_t *pub)
{
    ngx_str_t                   *name;
    ngx_uint_t                   i;
    const char                  *cause;
    ngx_array_t                  configs;
    ngx_http_akl_k8s_config_t  **config;

    if (pub->names) {
        if (ngx_array_init(&configs, cf->temp_pool, pub->names->nelts,
                           sizeof(ngx_http_akl_k8s_config_t *))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        name = pub->names->elts;

        for (i = 0; i < pub->names->nelts; i++) {
            config = ngx_array_push(&configs);
            if (config == NULL) {
                return NGX_ERROR;
            }

            *config = ngx_http_akl_k8s_find_config(amcf, &name[i]);

            if (*config == NULL) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "unknown auth config \"%V\" in \"%s\"%s in "
                              "%V:%ui",
                              &name[i], pub->discovery ? "akl_k8s_discovery"
                                                       : "akl_k8s_jwks",
                              ngx_http_akl_k8s_swallowed(cf, &name[i]),
                              &pub->where.file, pub->where.line);
                return NGX_ERROR;
            }
        }

    } else {
        configs = amcf->configs;
    }

    if (pub->discovery) {
        config = configs.elts;
        cause = ngx_http_akl_k8s_discovery_build(cf, pub, config[0]);

    } else {
        cause = ngx_http_akl_k8s_jwks_build(cf, pub, &configs);
    }

    if (cause == NULL && ngx_http_akl_k8s_etag(cf, pub) != NGX_OK) {
        cause = "out of memory";
    }

    if (cause) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "\"%s\" %s in %V:%ui",
                      pub->discovery ? "akl_k8s_discovery" : "akl_k8s_jwks",
                      cause, &pub->where.file, pub->where.line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static const char *
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
        rc = ngx_http_akl_k8s_jwks_add(keys, &config[i]->keys);
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
ngx_http_akl_k8s_jwks_add(json_t *keys, akl_jwks_t *jwks)
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

        if (json_array_append_new(keys, jwk) != 0) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
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


static ngx_int_t
ngx_http_akl_k8s_jwks_handler(ngx_http_request_t *r)
{
    return ngx_http_akl_k8s_publish_document(r, "application/jwk-set+json");
}


static ngx_int_t
ngx_http_akl_k8s_discovery_handler(ngx_http_request_t *r)
{
    return ngx_http_akl_k8s_publish_document(r, "application/json");
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

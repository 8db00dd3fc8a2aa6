/*
 * Publication: akl_k8s_jwks (RFC 7517) and akl_k8s_discovery.  The documents
 * are built at configuration and served as they are; conditional requests
 * are nginx's own business.
 */

#include <ngx_config.h>

#include <openssl/evp.h>

#include "discovery.h"


#define NGX_HTTP_AKL_K8S_ETAG_BYTES  16


typedef struct {
    ngx_http_akl_k8s_loc_conf_t  *conf;
    ngx_uint_t                    discovery;
    u_char                       *file;         /* where it was configured */
    ngx_uint_t                    line;
} ngx_http_akl_k8s_publication_t;


static char *ngx_http_akl_k8s_publication(ngx_conf_t *cf, void *conf,
    ngx_uint_t discovery);
static ngx_int_t ngx_http_akl_k8s_publish_one(ngx_conf_t *cf,
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_publication_t *pub);
static const char *ngx_http_akl_k8s_jwks_build(ngx_conf_t *cf,
    ngx_http_akl_k8s_loc_conf_t *alcf, ngx_array_t *configs);
static ngx_int_t ngx_http_akl_k8s_jwks_add(json_t *keys, akl_jwks_t *jwks);
static ngx_int_t ngx_http_akl_k8s_etag(ngx_conf_t *cf,
    ngx_http_akl_k8s_loc_conf_t *alcf);
static ngx_int_t ngx_http_akl_k8s_jwks_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_akl_k8s_discovery_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_akl_k8s_document(ngx_http_request_t *r,
    ngx_str_t *type);


char *
ngx_http_akl_k8s_jwks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf = conf;

    ngx_str_t   *value, *name;
    ngx_uint_t   i;

    value = cf->args->elts;

    if (cf->args->nelts > 1) {
        alcf->publish_names = ngx_array_create(cf->pool, cf->args->nelts - 1,
                                               sizeof(ngx_str_t));
        if (alcf->publish_names == NULL) {
            return NGX_CONF_ERROR;
        }

        for (i = 1; i < cf->args->nelts; i++) {
            name = ngx_array_push(alcf->publish_names);
            if (name == NULL) {
                return NGX_CONF_ERROR;
            }

            *name = value[i];
        }
    }

    return ngx_http_akl_k8s_publication(cf, conf, 0);
}


char *
ngx_http_akl_k8s_discovery(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf = conf;

    ngx_str_t  *value, *name;

    value = cf->args->elts;

    alcf->publish_names = ngx_array_create(cf->pool, 1, sizeof(ngx_str_t));
    if (alcf->publish_names == NULL) {
        return NGX_CONF_ERROR;
    }

    name = ngx_array_push(alcf->publish_names);
    if (name == NULL) {
        return NGX_CONF_ERROR;
    }

    *name = value[1];

    if (cf->args->nelts == 3) {
        if (ngx_strncmp(value[2].data, "jwks_uri=", 9) != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\" of "
                               "\"akl_k8s_discovery\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        alcf->jwks_uri.data = value[2].data + 9;
        alcf->jwks_uri.len = value[2].len - 9;

        if (!ngx_http_akl_k8s_is_url(&alcf->jwks_uri)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of \"akl_k8s_discovery\" is no http "
                               "or https URL", &value[2]);
            return NGX_CONF_ERROR;
        }
    }

    return ngx_http_akl_k8s_publication(cf, conf, 1);
}


static char *
ngx_http_akl_k8s_publication(ngx_conf_t *cf, void *conf, ngx_uint_t discovery)
{
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_akl_k8s_main_conf_t    *amcf;
    ngx_http_akl_k8s_publication_t  *pub;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->handler == ngx_http_akl_k8s_jwks_handler
        || clcf->handler == ngx_http_akl_k8s_discovery_handler)
    {
        return "is duplicate";
    }

    clcf->handler = discovery ? ngx_http_akl_k8s_discovery_handler
                              : ngx_http_akl_k8s_jwks_handler;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    if (amcf->publications == NULL) {
        amcf->publications = ngx_array_create(cf->pool, 4,
                                       sizeof(ngx_http_akl_k8s_publication_t));
        if (amcf->publications == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    pub = ngx_array_push(amcf->publications);
    if (pub == NULL) {
        return NGX_CONF_ERROR;
    }

    pub->conf = conf;
    pub->discovery = discovery;
    pub->file = cf->conf_file->file.name.data;
    pub->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


ngx_int_t
ngx_http_akl_k8s_publish(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_http_akl_k8s_main_conf_t    *amcf;
    ngx_http_akl_k8s_publication_t  *pub;

    amcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_akl_k8s_module);

    if (amcf->publications == NULL) {
        return NGX_OK;
    }

    pub = amcf->publications->elts;

    for (i = 0; i < amcf->publications->nelts; i++) {
        if (ngx_http_akl_k8s_publish_one(cf, amcf, &pub[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_publish_one(ngx_conf_t *cf,
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_publication_t *pub)
{
    ngx_str_t                     *name;
    ngx_uint_t                     i;
    const char                    *cause;
    ngx_array_t                    configs;
    ngx_http_akl_k8s_config_t    **config;
    ngx_http_akl_k8s_loc_conf_t   *alcf;

    alcf = pub->conf;

    if (alcf->publish_names) {
        if (ngx_array_init(&configs, cf->temp_pool,
                           alcf->publish_names->nelts,
                           sizeof(ngx_http_akl_k8s_config_t *))
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        name = alcf->publish_names->elts;

        for (i = 0; i < alcf->publish_names->nelts; i++) {
            config = ngx_array_push(&configs);
            if (config == NULL) {
                return NGX_ERROR;
            }

            *config = ngx_http_akl_k8s_find_config(amcf, &name[i]);

            if (*config == NULL) {
                ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                              "unknown auth config \"%V\" in \"%s\" in %s:%ui",
                              &name[i], pub->discovery ? "akl_k8s_discovery"
                                                       : "akl_k8s_jwks",
                              pub->file, pub->line);
                return NGX_ERROR;
            }
        }

    } else {
        configs = amcf->configs;
    }

    if (pub->discovery) {
        config = configs.elts;
        cause = ngx_http_akl_k8s_discovery_build(cf, alcf, config[0]);

    } else {
        cause = ngx_http_akl_k8s_jwks_build(cf, alcf, &configs);
    }

    if (cause == NULL && ngx_http_akl_k8s_etag(cf, alcf) != NGX_OK) {
        cause = "out of memory";
    }

    if (cause) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "\"%s\" %s in %s:%ui",
                      pub->discovery ? "akl_k8s_discovery" : "akl_k8s_jwks",
                      cause, pub->file, pub->line);
        return NGX_ERROR;
    }

    return NGX_OK;
}


static const char *
ngx_http_akl_k8s_jwks_build(ngx_conf_t *cf, ngx_http_akl_k8s_loc_conf_t *alcf,
    ngx_array_t *configs)
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

    alcf->published.data = ngx_pnalloc(cf->pool, len);

    if (rc != NGX_OK || len == 0 || alcf->published.data == NULL) {
        json_decref(root);
        return "out of memory";
    }

    alcf->published.len = json_dumpb(root, (char *) alcf->published.data, len,
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
ngx_http_akl_k8s_etag(ngx_conf_t *cf, ngx_http_akl_k8s_loc_conf_t *alcf)
{
    u_char        *p;
    unsigned int   len;
    unsigned char  digest[EVP_MAX_MD_SIZE];

    if (EVP_Digest(alcf->published.data, alcf->published.len, digest, &len,
                   EVP_sha256(), NULL)
        != 1)
    {
        return NGX_ERROR;
    }

    alcf->etag.len = 2 + 2 * NGX_HTTP_AKL_K8S_ETAG_BYTES;

    alcf->etag.data = ngx_pnalloc(cf->pool, alcf->etag.len);
    if (alcf->etag.data == NULL) {
        return NGX_ERROR;
    }

    p = alcf->etag.data;
    *p++ = '"';
    p = ngx_hex_dump(p, digest, NGX_HTTP_AKL_K8S_ETAG_BYTES);
    *p = '"';

    return NGX_OK;
}


static ngx_int_t
ngx_http_akl_k8s_jwks_handler(ngx_http_request_t *r)
{
    static ngx_str_t  type = ngx_string("application/jwk-set+json");

    return ngx_http_akl_k8s_document(r, &type);
}


static ngx_int_t
ngx_http_akl_k8s_discovery_handler(ngx_http_request_t *r)
{
    static ngx_str_t  type = ngx_string("application/json");

    return ngx_http_akl_k8s_document(r, &type);
}


static ngx_int_t
ngx_http_akl_k8s_document(ngx_http_request_t *r, ngx_str_t *type)
{
    ngx_int_t                     rc;
    ngx_buf_t                    *b;
    ngx_str_t                     value;
    ngx_chain_t                   out;
    ngx_table_elt_t              *h;
    ngx_http_akl_k8s_loc_conf_t  *alcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        ngx_str_set(&value, "GET, HEAD");

        if (ngx_http_akl_k8s_add_header(r, "Allow", &value) == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return rc;
    }

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_akl_k8s_module);

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = alcf->published.len;
    r->headers_out.content_type = *type;
    r->headers_out.content_type_len = type->len;
    r->headers_out.content_type_lowcase = NULL;

    h = ngx_http_akl_k8s_add_header(r, "ETag", &alcf->etag);
    if (h == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.etag = h;

    ngx_str_set(&value, "public, max-age=300");

    if (ngx_http_akl_k8s_add_header(r, "Cache-Control", &value) == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->pos = alcf->published.data;
    b->last = b->pos + alcf->published.len;
    b->memory = 1;
    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}

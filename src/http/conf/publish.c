/*
 * akl_k8s_jwks and akl_k8s_discovery: which auth configs they are about, and
 * the documents, made once all of these are known.
 */

#include "../request.h"
#include "../token/discovery.h"
#include "../token/jwks.h"
#include "conf.h"
#include "serve.h"
#include "publish.h"


typedef struct {
    ngx_str_t    name;
    uintptr_t    offset;            /* in the publication */
} ngx_http_akl_k8s_discovery_url_t;

#define ngx_http_akl_k8s_discovery_member(member)                             \
    { ngx_string(#member "="),                                                \
      offsetof(ngx_http_akl_k8s_publication_t, member) }

static const ngx_http_akl_k8s_discovery_url_t
    ngx_http_akl_k8s_discovery_urls[] =
{
    ngx_http_akl_k8s_discovery_member(jwks_uri),
    ngx_http_akl_k8s_discovery_member(token_endpoint),
    ngx_http_akl_k8s_discovery_member(introspection_endpoint),
    ngx_http_akl_k8s_discovery_member(revocation_endpoint),
    { ngx_null_string, 0 }
};


static ngx_int_t ngx_http_akl_k8s_discovery_url(ngx_conf_t *cf,
    ngx_http_akl_k8s_publication_t *pub, ngx_str_t *value);
static char *ngx_http_akl_k8s_publication(ngx_conf_t *cf,
    ngx_http_akl_k8s_loc_conf_t *alcf,
    const ngx_http_akl_k8s_service_t *service, ngx_uint_t n);
static ngx_int_t ngx_http_akl_k8s_publish_one(ngx_conf_t *cf,
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_publication_t *pub);
static ngx_int_t ngx_http_akl_k8s_publish_bundle(ngx_conf_t *cf,
    ngx_http_akl_k8s_publication_t *pub, ngx_array_t *configs);


char *
ngx_http_akl_k8s_jwks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   n, spiffe;

    value = cf->args->elts;
    n = cf->args->nelts - 1;

    spiffe = (n && ngx_strcmp(value[n].data, "spiffe") == 0);

    rv = ngx_http_akl_k8s_publication(cf, alcf, &ngx_http_akl_k8s_serve_jwks,
                                      n - spiffe);

    if (rv == NGX_CONF_OK) {
        alcf->publication->spiffe = spiffe;
    }

    return rv;
}


char *
ngx_http_akl_k8s_discovery(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_loc_conf_t  *alcf = conf;

    char        *rv;
    ngx_str_t   *value;
    ngx_uint_t   i;

    rv = ngx_http_akl_k8s_publication(cf, alcf,
                                      &ngx_http_akl_k8s_serve_discovery, 1);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    value = cf->args->elts;

    for (i = 2; i < cf->args->nelts; i++) {
        if (ngx_http_akl_k8s_discovery_url(cf, alcf->publication, &value[i])
            != NGX_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_akl_k8s_discovery_url(ngx_conf_t *cf,
    ngx_http_akl_k8s_publication_t *pub, ngx_str_t *value)
{
    size_t       len;
    ngx_str_t   *url;
    ngx_uint_t   i;

    for (i = 0; ngx_http_akl_k8s_discovery_urls[i].name.len; i++) {

        len = ngx_http_akl_k8s_discovery_urls[i].name.len;

        if (value->len < len
            || ngx_strncmp(value->data,
                           ngx_http_akl_k8s_discovery_urls[i].name.data, len)
               != 0)
        {
            continue;
        }

        url = (ngx_str_t *) ((u_char *) pub
                             + ngx_http_akl_k8s_discovery_urls[i].offset);

        if (url->data) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of \"akl_k8s_discovery\" is given "
                               "twice", value);
            return NGX_ERROR;
        }

        url->data = value->data + len;
        url->len = value->len - len;

        if (!ngx_http_akl_k8s_is_url(url)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"%V\" of \"akl_k8s_discovery\" is no http "
                               "or https URL", value);
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\" of "
                       "\"akl_k8s_discovery\"%s", value,
                       ngx_http_akl_k8s_swallowed(cf, value));

    return NGX_ERROR;
}


/*
 * The document is built when all auth configs are known, which is after the
 * locations are merged: those that inherit it have a pointer.  The first "n"
 * arguments are names of auth configs.
 */

static char *
ngx_http_akl_k8s_publication(ngx_conf_t *cf, ngx_http_akl_k8s_loc_conf_t *alcf,
    const ngx_http_akl_k8s_service_t *service, ngx_uint_t n)
{
    char                             *rv;
    ngx_str_t                        *value, *name;
    ngx_uint_t                        i;
    ngx_http_akl_k8s_main_conf_t     *amcf;
    ngx_http_akl_k8s_publication_t   *pub, **slot;

    rv = ngx_http_akl_k8s_serve(cf, alcf, service);

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    pub = ngx_pcalloc(cf->pool, sizeof(ngx_http_akl_k8s_publication_t));
    if (pub == NULL) {
        return NGX_CONF_ERROR;
    }

    pub->discovery = (service == &ngx_http_akl_k8s_serve_discovery);
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

    } else if (pub->spiffe
               && ngx_http_akl_k8s_publish_bundle(cf, pub, &configs) != NGX_OK)
    {
        return NGX_ERROR;

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


/*
 * A bundle is about one trust domain, and its keys sign JWT-SVIDs: these know
 * no EdDSA (JWT-SVID section 2.1).
 */

static ngx_int_t
ngx_http_akl_k8s_publish_bundle(ngx_conf_t *cf,
    ngx_http_akl_k8s_publication_t *pub, ngx_array_t *configs)
{
    size_t                       k;
    akl_str_t                    domain, first;
    ngx_uint_t                   i;
    const char                  *cause;
    ngx_http_akl_k8s_config_t  **config;

    config = configs->elts;
    first.len = 0;

    for (i = 0; i < configs->nelts; i++) {

        cause = akl_subject_spiffe(&config[i]->subject, &domain);

        if (cause) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"token_subject\" of akl_k8s_auth_config \"%V\" %s, "
                          "which \"akl_k8s_jwks\" with \"spiffe\" needs in "
                          "%V:%ui", &config[i]->name, cause,
                          &pub->where.file, pub->where.line);
            return NGX_ERROR;
        }

        if (first.len && !akl_str_eq(first, domain)) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"akl_k8s_jwks\" with \"spiffe\" is about several "
                          "trust domains, \"%*s\" and \"%*s\" in %V:%ui",
                          first.len, first.data, domain.len, domain.data,
                          &pub->where.file, pub->where.line);
            return NGX_ERROR;
        }

        first = domain;

        for (k = 0; k < config[i]->keys.n; k++) {

            if (config[i]->keys.keys[k].alg != AKL_ALG_EDDSA) {
                continue;
            }

            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "akl_k8s_auth_config \"%V\" has an Ed25519 key, by "
                          "which no JWT-SVID can be signed, but "
                          "\"akl_k8s_jwks\" with \"spiffe\" publishes it in "
                          "%V:%ui", &config[i]->name,
                          &pub->where.file, pub->where.line);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}

/*
 * What can only be checked when all blocks are read, and the digest of all
 * that a verdict depends on.
 */

#include <ngx_config.h>

#include <openssl/err.h>

#include "conf.h"


/* ms; nginx's own default, where "resolver_timeout" does not say */
#define NGX_HTTP_AKL_K8S_RESOLVER_TIMEOUT  30000


static char *ngx_http_akl_k8s_check_config(ngx_conf_t *cf,
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_config_t *config);
static char *ngx_http_akl_k8s_check_hosts(ngx_conf_t *cf,
    ngx_http_akl_k8s_config_t *config);
static ngx_int_t ngx_http_akl_k8s_generation(
    ngx_http_akl_k8s_config_t *config);
static void ngx_http_akl_k8s_digest_str(EVP_MD_CTX *md, const void *data,
    size_t len);
static void ngx_http_akl_k8s_digest_list(EVP_MD_CTX *md, akl_list_t *list);
static void ngx_http_akl_k8s_digest_int(EVP_MD_CTX *md, int64_t value);


char *
ngx_http_akl_k8s_check(ngx_conf_t *cf, ngx_http_akl_k8s_main_conf_t *amcf)
{
    ngx_uint_t                   i;
    ngx_http_akl_k8s_config_t  **config;

    config = amcf->configs.elts;

    for (i = 0; i < amcf->configs.nelts; i++) {
        if (ngx_http_akl_k8s_check_config(cf, amcf, config[i])
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_akl_k8s_check_config(ngx_conf_t *cf,
    ngx_http_akl_k8s_main_conf_t *amcf, ngx_http_akl_k8s_config_t *config)
{
    ngx_uint_t                   i;
    ngx_http_core_loc_conf_t    *clcf;
    ngx_http_akl_k8s_method_t  **method;

    method = amcf->methods.elts;

    for (i = 0; i < amcf->methods.nelts; i++) {
        if (method[i]->id.len == config->access_id.len
            && ngx_memcmp(method[i]->id.data, config->access_id.data,
                          config->access_id.len)
               == 0)
        {
            config->method = method[i];
        }
    }

    if (config->method == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "unknown access_id \"%V\" of akl_k8s_auth_config \"%V\" "
                      "in %V:%ui", &config->access_id, &config->name,
                      &config->where_access_id.file,
                      config->where_access_id.line);
        return NGX_CONF_ERROR;
    }

    if (config->method->public_key
        && !akl_jwk_same_public(config->method->public_key,
                                &config->signing_key))
    {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "signing_key of akl_k8s_auth_config \"%V\" does not "
                      "belong to the public_key of akl_k8s_auth_method \"%V\" "
                      "in %V:%ui", &config->name, &config->access_id,
                      &config->where_signing_key.file,
                      config->where_signing_key.line);
        return NGX_CONF_ERROR;
    }

    ngx_conf_init_value(config->cache_valid, amcf->cache_valid);
    ngx_conf_init_value(config->cache_refused, amcf->cache_refused);
    ngx_conf_init_msec_value(config->review_timeout, amcf->review_timeout);
    ngx_conf_init_msec_value(config->connect_timeout, amcf->connect_timeout);
    ngx_conf_init_uint_value(config->max_reviews, amcf->max_reviews);
    ngx_conf_init_uint_value(config->max_queue, amcf->max_queue);

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    config->resolver_timeout = NGX_HTTP_AKL_K8S_RESOLVER_TIMEOUT;

    if (clcf->resolver && clcf->resolver->connections.nelts) {
        config->resolver = clcf->resolver;

        if (clcf->resolver_timeout != NGX_CONF_UNSET_MSEC) {
            config->resolver_timeout = clcf->resolver_timeout;
        }
    }

    if (ngx_http_akl_k8s_check_hosts(cf, config) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_akl_k8s_generation(config) != NGX_OK) {
        ERR_clear_error();
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_akl_k8s_check_hosts(ngx_conf_t *cf, ngx_http_akl_k8s_config_t *config)
{
    char                    *cause;
    ngx_uint_t               i;
    ngx_akl_host_t          *host;
    ngx_http_akl_k8s_url_t  *url;

    if (ngx_array_init(&config->hosts, cf->pool, config->host_urls->nelts,
                       sizeof(ngx_akl_host_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    url = config->host_urls->elts;

    for (i = 0; i < config->host_urls->nelts; i++) {
        host = ngx_array_push(&config->hosts);
        if (host == NULL) {
            return NGX_CONF_ERROR;
        }

        ngx_memzero(host, sizeof(ngx_akl_host_t));

        /* behind a proxy it is the proxy that resolves names */

        cause = ngx_akl_host_parse(cf, &url[i].url, config->resolver != NULL
                                                    || config->proxy_url.len,
                                   host);

        if (cause == NGX_CONF_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (cause != NGX_CONF_OK) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "invalid k8s_host \"%V\": %s in %V:%ui",
                          &url[i].url, cause, &url[i].where.file,
                          url[i].where.line);
            return NGX_CONF_ERROR;
        }
    }

    if (config->proxy_url.len == 0) {
        return NGX_CONF_OK;
    }

    cause = ngx_akl_proxy_parse(cf, &config->proxy_url,
                                config->resolver != NULL, &config->proxy);

    if (cause != NGX_CONF_OK && cause != NGX_CONF_ERROR) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "invalid k8s_proxy \"%V\": %s in %V:%ui",
                      &config->proxy_url, cause, &config->where_proxy.file,
                      config->where_proxy.line);
        return NGX_CONF_ERROR;
    }

    return cause;
}


/*
 * A verdict or a minted token made under another configuration must never be
 * found again.  Credentials that may change are named, not digested: a new
 * reviewer does not make an old verdict wrong.
 */

static ngx_int_t
ngx_http_akl_k8s_generation(ngx_http_akl_k8s_config_t *config)
{
    unsigned                    len;
    EVP_MD_CTX                 *md;
    ngx_uint_t                  i;
    ngx_cidr_t                 *cidr;
    ngx_http_akl_k8s_url_t     *url;
    ngx_http_akl_k8s_claim_t   *claim;
    ngx_http_akl_k8s_method_t  *method;

    md = EVP_MD_CTX_new();

    if (md == NULL || EVP_DigestInit_ex(md, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(md);
        return NGX_ERROR;
    }

    method = config->method;

#define ngx_http_akl_k8s_digest(s)                                            \
    ngx_http_akl_k8s_digest_str(md, (s).data, (s).len)

    ngx_http_akl_k8s_digest(config->name);
    ngx_http_akl_k8s_digest(config->access_id);
    ngx_http_akl_k8s_digest_list(md, &method->bounds.namespaces);
    ngx_http_akl_k8s_digest_list(md, &method->bounds.pod_names);
    ngx_http_akl_k8s_digest_list(md, &method->bounds.sa_names);

    ngx_http_akl_k8s_digest_int(md, method->bounds.selector.n);

    for (i = 0; i < method->bounds.selector.n; i++) {
        ngx_http_akl_k8s_digest(method->bounds.selector.elts[i].key);
        ngx_http_akl_k8s_digest(method->bounds.selector.elts[i].value);
    }

    ngx_http_akl_k8s_digest_list(md, &method->audiences);
    ngx_http_akl_k8s_digest_int(md, method->access_expires);
    ngx_http_akl_k8s_digest_int(md, method->token_ttl);

    if (method->bound_ips) {
        cidr = method->bound_ips->elts;

        ngx_http_akl_k8s_digest_int(md, method->bound_ips->nelts);

        for (i = 0; i < method->bound_ips->nelts; i++) {
            ngx_http_akl_k8s_digest_str(md, &cidr[i], sizeof(ngx_cidr_t));
        }
    }

    ngx_http_akl_k8s_digest_str(md, config->signing_key.thumbprint,
                                sizeof(config->signing_key.thumbprint));
    ngx_http_akl_k8s_digest_int(md, config->type);
    ngx_http_akl_k8s_digest(config->review_path);

    url = config->host_urls->elts;

    ngx_http_akl_k8s_digest_int(md, config->host_urls->nelts);

    for (i = 0; i < config->host_urls->nelts; i++) {
        ngx_http_akl_k8s_digest(url[i].url);
    }

    ngx_http_akl_k8s_digest(config->server_name);
    ngx_http_akl_k8s_digest(config->proxy_url);

    ngx_http_akl_k8s_digest(config->ca.path);

    if (config->ca.path.len == 0) {
        ngx_http_akl_k8s_digest(config->ca.text);
    }

    /* a shorter time, or none, holds for what was kept before as well */

    ngx_http_akl_k8s_digest_int(md, config->cache_valid);
    ngx_http_akl_k8s_digest_int(md, config->cache_refused);

    ngx_http_akl_k8s_digest_int(md, config->ca_system);
    ngx_http_akl_k8s_digest_int(md, config->reviewer_self);
    ngx_http_akl_k8s_digest_list(md, &config->issuers);

    ngx_http_akl_k8s_digest(config->jwks.path);

    if (config->jwks.path.len == 0) {
        ngx_http_akl_k8s_digest(config->jwks.text);
    }

    ngx_http_akl_k8s_digest(config->token_issuer);
    ngx_http_akl_k8s_digest_list(md, &config->token_audiences);
    ngx_http_akl_k8s_digest(config->token_subject);
    ngx_http_akl_k8s_digest_int(md, config->token_binding);

    if (config->token_claims) {
        claim = config->token_claims->elts;

        for (i = 0; i < config->token_claims->nelts; i++) {
            ngx_http_akl_k8s_digest(claim[i].name);
            ngx_http_akl_k8s_digest(claim[i].value.value);
        }
    }

    i = EVP_DigestFinal_ex(md, config->generation, &len);
    EVP_MD_CTX_free(md);

    return (i == 1) ? NGX_OK : NGX_ERROR;
}


static void
ngx_http_akl_k8s_digest_str(EVP_MD_CTX *md, const void *data, size_t len)
{
    ngx_http_akl_k8s_digest_int(md, len);
    (void) EVP_DigestUpdate(md, data, len);
}


static void
ngx_http_akl_k8s_digest_list(EVP_MD_CTX *md, akl_list_t *list)
{
    size_t  i;

    ngx_http_akl_k8s_digest_int(md, list->n);

    for (i = 0; i < list->n; i++) {
        ngx_http_akl_k8s_digest_str(md, list->elts[i].data, list->elts[i].len);
    }
}


static void
ngx_http_akl_k8s_digest_int(EVP_MD_CTX *md, int64_t value)
{
    (void) EVP_DigestUpdate(md, &value, sizeof(value));
}

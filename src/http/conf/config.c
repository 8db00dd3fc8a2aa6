/*
 * akl_k8s_auth_config: how to ask one cluster, and what to sign with.
 */

#include <ngx_config.h>

#include "../request.h"
#include "conf.h"


static ngx_http_akl_k8s_setter(access_id);
static ngx_http_akl_k8s_setter(signing_key);
static ngx_http_akl_k8s_setter(verification_key);
static ngx_http_akl_k8s_setter(cluster_type);
static ngx_http_akl_k8s_setter(auth_type);
static ngx_http_akl_k8s_setter(host);
static ngx_http_akl_k8s_setter(ca);
static ngx_http_akl_k8s_setter(reviewer);
static ngx_http_akl_k8s_setter(client_cert);
static ngx_http_akl_k8s_setter(client_key);
static ngx_http_akl_k8s_setter(rancher_key);
static ngx_http_akl_k8s_setter(rancher_cluster);
static ngx_http_akl_k8s_setter(in_cluster);
static ngx_http_akl_k8s_setter(issuer);
static ngx_http_akl_k8s_setter(no_issuer);

static char *ngx_http_akl_k8s_config_checked(ngx_conf_t *cf,
    ngx_http_akl_k8s_block_t *block, ngx_str_t *value,
    akl_credential_type_t type, ngx_http_akl_k8s_source_t *src,
    const char *(*check)(ngx_str_t *text, const char **warn));
static void ngx_http_akl_k8s_config_cleanup(void *data);


/* name, arguments at most, may be repeated, setter */

#define ngx_http_akl_k8s_row(name, max, repeat, set)                          \
    { ngx_string(name), 1, max, repeat, ngx_http_akl_k8s_config_##set }


/* in the order of NGX_HTTP_AKL_K8S_ACCESS_ID and the others */

const ngx_http_akl_k8s_directive_t  ngx_http_akl_k8s_config_table[] = {
    ngx_http_akl_k8s_row("access_id", 1, 0, access_id),
    ngx_http_akl_k8s_row("signing_key", 1, 0, signing_key),
    ngx_http_akl_k8s_row("verification_key", 1, 1, verification_key),
    ngx_http_akl_k8s_row("cluster_api_type", 1, 0, cluster_type),
    ngx_http_akl_k8s_row("k8s_auth_type", 1, 0, auth_type),
    ngx_http_akl_k8s_row("k8s_host", NGX_HTTP_AKL_K8S_MANY, 1, host),
    ngx_http_akl_k8s_row("k8s_ca_cert", 1, 0, ca),
    ngx_http_akl_k8s_row("token_reviewer_jwt", 1, 0, reviewer),
    ngx_http_akl_k8s_row("k8s_client_certificate", 1, 0, client_cert),
    ngx_http_akl_k8s_row("k8s_client_key", 1, 0, client_key),
    ngx_http_akl_k8s_row("rancher_api_key", 1, 0, rancher_key),
    ngx_http_akl_k8s_row("rancher_cluster_id", 1, 0, rancher_cluster),
    ngx_http_akl_k8s_row("use_gw_service_account", 1, 0, in_cluster),
    ngx_http_akl_k8s_row("k8s_issuer", NGX_HTTP_AKL_K8S_MANY, 0, issuer),
    ngx_http_akl_k8s_row("disable_issuer_validation", 1, 0, no_issuer),
    ngx_http_akl_k8s_row("k8s_jwks", 1, 0, jwks),
    ngx_http_akl_k8s_row("k8s_tls_server_name", 1, 0, server_name),
    ngx_http_akl_k8s_row("k8s_proxy", 1, 0, proxy),
    ngx_http_akl_k8s_row("token_issuer", 1, 0, token_issuer),
    ngx_http_akl_k8s_row("token_audience", NGX_HTTP_AKL_K8S_AUDIENCES, 0,
                         token_audiences),
    ngx_http_akl_k8s_row("token_subject", 1, 0, token_subject),
    ngx_http_akl_k8s_row("token_binding", 1, 0, token_binding),
    ngx_http_akl_k8s_row("token_claims", NGX_HTTP_AKL_K8S_MANY, 1,
                         token_claims),
    ngx_http_akl_k8s_row("akl_k8s_cache_valid", 2, 0, cache),
    ngx_http_akl_k8s_row("akl_k8s_review_timeout", 2, 0, timeout),
    ngx_http_akl_k8s_row("akl_k8s_max_reviews", 2, 0, reviews),
    { ngx_null_string, 0, 0, 0, NULL }
};


char *
ngx_http_akl_k8s_auth_config(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_akl_k8s_main_conf_t  *amcf = conf;

    char                        *rv;
    akl_jwk_t                   *key;
    ngx_str_t                   *value;
    ngx_uint_t                   i;
    ngx_pool_cleanup_t          *cln;
    ngx_http_akl_k8s_block_t     block;
    ngx_http_akl_k8s_config_t   *config, **configs;
    ngx_http_akl_k8s_reading_t   reading;

    value = cf->args->elts;

    rv = (char *) akl_check_config_name(ngx_http_akl_k8s_str(&value[1]));

    if (rv) {
        return rv;
    }

    if (ngx_http_akl_k8s_find_config(amcf, &value[1])) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "duplicate akl_k8s_auth_config \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_http_akl_k8s_config_t));
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    config = cln->data;
    ngx_memzero(config, sizeof(ngx_http_akl_k8s_config_t));
    cln->handler = ngx_http_akl_k8s_config_cleanup;

    config->name = value[1];
    config->index = amcf->configs.nelts;
    config->cache_valid = NGX_CONF_UNSET;
    config->cache_refused = NGX_CONF_UNSET;
    config->review_timeout = NGX_CONF_UNSET_MSEC;
    config->connect_timeout = NGX_CONF_UNSET_MSEC;
    config->max_reviews = NGX_CONF_UNSET_UINT;
    config->max_queue = NGX_CONF_UNSET_UINT;
    ngx_http_akl_k8s_here(cf, &config->where);

    config->host_urls = ngx_array_create(cf->pool, 1,
                                         sizeof(ngx_http_akl_k8s_url_t));
    configs = ngx_array_push(&amcf->configs);

    if (config->host_urls == NULL || configs == NULL) {
        return NGX_CONF_ERROR;
    }

    *configs = config;

    ngx_memzero(&reading, sizeof(ngx_http_akl_k8s_reading_t));
    reading.config = config;

    if (ngx_array_init(&reading.verification, cf->pool, 1, sizeof(akl_jwk_t))
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&block, sizeof(ngx_http_akl_k8s_block_t));
    ngx_str_set(&block.name, "akl_k8s_auth_config");
    block.directives = ngx_http_akl_k8s_config_table;
    block.conf = &reading;

    rv = ngx_http_akl_k8s_block(cf, &block);

    if (rv == NGX_CONF_OK) {
        rv = ngx_http_akl_k8s_config_end(cf, &block);
    }

    if (config->keys.n == 0) {

        /* they did not get into the set that the cleanup frees */

        key = reading.verification.elts;

        for (i = 0; i < reading.verification.nelts; i++) {
            akl_jwk_clear(&key[i]);
        }
    }

    return rv;
}


static ngx_http_akl_k8s_setter(access_id)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    config->access_id = args[0];
    ngx_http_akl_k8s_here(cf, &config->where_access_id);

    return NGX_CONF_OK;
}


static ngx_http_akl_k8s_setter(signing_key)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    int                         rc;
    const char                 *cause, *look;
    ngx_http_akl_k8s_source_t   src;

    ngx_http_akl_k8s_here(cf, &config->where_signing_key);

    if (ngx_http_akl_k8s_source(cf, block->directive, &args[0],
                                AKL_CREDENTIAL_PEM, &src)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    rc = akl_jwk_private_from_pem(&config->signing_key,
                                  ngx_http_akl_k8s_str(&src.text), &cause);

    look = (rc != 0) ? akl_look_text(AKL_USE_PRIVATE_KEY,
                                     ngx_http_akl_k8s_str(&src.text))
                     : "";

    /* one that is refused may be a key all the same */

    ngx_explicit_memzero(src.text.data, src.text.len);

    if (rc != 0) {
        ngx_memzero(&config->signing_key, sizeof(akl_jwk_t));
        return ngx_http_akl_k8s_source_cause(cf, NGX_LOG_EMERG, &src, cause,
                                             look);
    }

    return NGX_CONF_OK;
}


static ngx_http_akl_k8s_setter(verification_key)
{
    ngx_http_akl_k8s_reading_t  *reading = block->conf;

    akl_jwk_t                   jwk, *key;
    const char                 *cause;
    ngx_http_akl_k8s_source_t   src;

    if (ngx_http_akl_k8s_source(cf, block->directive, &args[0],
                                AKL_CREDENTIAL_PEM, &src)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    if (akl_jwk_public_from_pem(&jwk, ngx_http_akl_k8s_str(&src.text), &cause)
        != 0)
    {
        return ngx_http_akl_k8s_source_cause(cf, NGX_LOG_EMERG, &src, cause,
                             akl_look_text(AKL_USE_PUBLIC_KEY,
                                           ngx_http_akl_k8s_str(&src.text)));
    }

    key = ngx_array_push(&reading->verification);
    if (key == NULL) {
        akl_jwk_clear(&jwk);
        return NGX_CONF_ERROR;
    }

    *key = jwk;

    return NGX_CONF_OK;
}


static ngx_http_akl_k8s_setter(cluster_type)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    if (ngx_strcmp(args[0].data, "native_k8s") == 0
        || ngx_strcmp(args[0].data, "native-k8s") == 0)
    {
        config->type = NGX_HTTP_AKL_K8S_NATIVE;

    } else if (ngx_strcmp(args[0].data, "rancher") == 0) {
        config->type = NGX_HTTP_AKL_K8S_RANCHER;

    } else {
        return "must be native_k8s or rancher";
    }

    return NGX_CONF_OK;
}


static ngx_http_akl_k8s_setter(auth_type)
{
    ngx_http_akl_k8s_reading_t  *reading = block->conf;

    if (ngx_strcmp(args[0].data, "certificate") == 0) {
        reading->certificate = 1;

    } else if (ngx_strcmp(args[0].data, "token") != 0) {
        return "must be token or certificate";
    }

    return NGX_CONF_OK;
}


static ngx_http_akl_k8s_setter(host)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    ngx_uint_t               i;
    ngx_http_akl_k8s_url_t  *url;

    for (i = 0; i < n; i++) {
        url = ngx_array_push(config->host_urls);
        if (url == NULL) {
            return NGX_CONF_ERROR;
        }

        url->url = args[i];
        ngx_http_akl_k8s_here(cf, &url->where);
    }

    return NGX_CONF_OK;
}


static ngx_http_akl_k8s_setter(ca)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    if (ngx_strcmp(args[0].data, "system") == 0) {
        config->ca_system = 1;
        return NGX_CONF_OK;
    }

    return ngx_http_akl_k8s_config_checked(cf, block, &args[0],
                                           AKL_CREDENTIAL_PEM, &config->ca,
                                           ngx_http_akl_k8s_check_ca);
}


static ngx_http_akl_k8s_setter(reviewer)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    if (ngx_strcmp(args[0].data, "self") == 0) {
        config->reviewer_self = 1;
        return NGX_CONF_OK;
    }

    return ngx_http_akl_k8s_config_checked(cf, block, &args[0],
                                           AKL_CREDENTIAL_TEXT,
                                           &config->reviewer,
                                           ngx_http_akl_k8s_check_jwt);
}


/* reads a source and tells what is wrong with it, or hardly meant */

static char *
ngx_http_akl_k8s_config_checked(ngx_conf_t *cf,
    ngx_http_akl_k8s_block_t *block, ngx_str_t *value,
    akl_credential_type_t type, ngx_http_akl_k8s_source_t *src,
    const char *(*check)(ngx_str_t *text, const char **warn))
{
    const char  *cause, *warn;

    if (ngx_http_akl_k8s_source(cf, block->directive, value, type, src)
        != NGX_CONF_OK)
    {
        return NGX_CONF_ERROR;
    }

    warn = NULL;
    cause = check(&src->text, &warn);

    if (cause) {
        return ngx_http_akl_k8s_source_cause(cf, NGX_LOG_EMERG, src, cause,
                                             "");
    }

    if (warn) {
        ngx_http_akl_k8s_source_cause(cf, NGX_LOG_WARN, src, warn, "");
    }

    return NGX_CONF_OK;
}


static ngx_http_akl_k8s_setter(client_cert)
{
    ngx_http_akl_k8s_config_t   *config = ngx_http_akl_k8s_config_of(block);
    ngx_http_akl_k8s_reading_t  *reading = block->conf;

    ngx_http_akl_k8s_here(cf, &reading->where_client);

    return ngx_http_akl_k8s_source(cf, block->directive, &args[0],
                                   AKL_CREDENTIAL_PEM,
                                   &config->client_cert);
}


static ngx_http_akl_k8s_setter(client_key)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    return ngx_http_akl_k8s_source(cf, block->directive, &args[0],
                                   AKL_CREDENTIAL_PEM, &config->client_key);
}


/* an opaque key, whatever it looks like */

static ngx_http_akl_k8s_setter(rancher_key)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    return ngx_http_akl_k8s_source(cf, block->directive, &args[0],
                                   AKL_CREDENTIAL_TEXT, &config->reviewer);
}


static ngx_http_akl_k8s_setter(rancher_cluster)
{
    ngx_http_akl_k8s_reading_t  *reading = block->conf;

    char  *cause;

    cause = (char *) akl_check_cluster_id(ngx_http_akl_k8s_str(&args[0]));

    if (cause) {
        return cause;
    }

    reading->cluster_id = args[0];

    return NGX_CONF_OK;
}


static ngx_http_akl_k8s_setter(in_cluster)
{
    ngx_http_akl_k8s_reading_t  *reading = block->conf;

    ngx_int_t  flag;

    ngx_http_akl_k8s_here(cf, &reading->where_mount);

    flag = ngx_http_akl_k8s_parse_flag(&args[0]);

    if (flag == 0) {
        return NGX_CONF_OK;
    }

    if (flag == 1) {
        ngx_str_set(&reading->mount, AKL_POD_MOUNT);
        return NGX_CONF_OK;
    }

    if (args[0].len == 0 || args[0].data[0] != '/') {
        return "must be on, off or a directory";
    }

    reading->mount = args[0];

    return NGX_CONF_OK;
}


static ngx_http_akl_k8s_setter(issuer)
{
    ngx_http_akl_k8s_config_t  *config = ngx_http_akl_k8s_config_of(block);

    return ngx_http_akl_k8s_texts(cf, block->directive, "issuer",
                                  akl_check_issuer, &config->issuers, args, n);
}


static ngx_http_akl_k8s_setter(no_issuer)
{
    ngx_http_akl_k8s_reading_t  *reading = block->conf;

    ngx_int_t  flag;

    flag = ngx_http_akl_k8s_parse_flag(&args[0]);

    if (flag == NGX_ERROR) {
        return "must be on or off";
    }

    reading->no_issuer = flag;

    return NGX_CONF_OK;
}


static void
ngx_http_akl_k8s_config_cleanup(void *data)
{
    ngx_http_akl_k8s_config_t  *config = data;

    /* the first of the keys is the signing key itself */

    if (config->keys.n) {
        akl_jwks_clear(&config->keys);

    } else {
        akl_jwk_clear(&config->signing_key);
    }
}

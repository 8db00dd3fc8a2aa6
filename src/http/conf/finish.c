/*
 * What an akl_k8s_auth_config comes to when its block ends.
 */

#include <ngx_config.h>

#include "../../k8s/auth_config.h"
#include "conf.h"


#define NGX_HTTP_AKL_K8S_REVIEWS                                              \
    "/apis/authentication.k8s.io/v1/tokenreviews"


static char *ngx_http_akl_k8s_config_kind(ngx_conf_t *cf,
    ngx_http_akl_k8s_block_t *block);
static char *ngx_http_akl_k8s_config_reviewer(ngx_conf_t *cf,
    ngx_http_akl_k8s_block_t *block);
static char *ngx_http_akl_k8s_config_in_pod(ngx_conf_t *cf,
    ngx_http_akl_k8s_block_t *block);
static ngx_int_t ngx_http_akl_k8s_config_keep_env(ngx_conf_t *cf);
static char *ngx_http_akl_k8s_config_path(ngx_conf_t *cf,
    ngx_http_akl_k8s_reading_t *reading);
static char *ngx_http_akl_k8s_config_issuers(ngx_conf_t *cf,
    ngx_http_akl_k8s_reading_t *reading);
static char *ngx_http_akl_k8s_config_keys(ngx_conf_t *cf,
    ngx_http_akl_k8s_reading_t *reading);
static char *ngx_http_akl_k8s_config_missing(ngx_conf_t *cf,
    ngx_http_akl_k8s_config_t *config, const char *name);
static char *ngx_http_akl_k8s_config_foreign(ngx_conf_t *cf,
    ngx_http_akl_k8s_config_t *config, const char *name, const char *kind);


char *
ngx_http_akl_k8s_config_end(ngx_conf_t *cf, ngx_http_akl_k8s_block_t *block)
{
    char                        *rv;
    ngx_conf_file_t              place, *conf_file;
    ngx_http_akl_k8s_config_t   *config;
    ngx_http_akl_k8s_reading_t  *reading;

    reading = block->conf;
    config = reading->config;

    rv = ngx_http_akl_k8s_config_kind(cf, block);

    if (rv == NGX_CONF_OK && reading->mount.len) {

        /* messages are about the directive, not about the block's end */

        conf_file = cf->conf_file;

        place = *conf_file;
        place.file.name = reading->where_mount.file;
        place.line = reading->where_mount.line;

        cf->conf_file = &place;
        rv = ngx_http_akl_k8s_config_in_pod(cf, block);
        cf->conf_file = conf_file;
    }

    if (rv != NGX_CONF_OK) {
        return rv;
    }

    rv = ngx_http_akl_k8s_config_reviewer(cf, block);

    if (rv == NGX_CONF_OK) {
        rv = ngx_http_akl_k8s_config_path(cf, reading);
    }

    if (rv == NGX_CONF_OK) {
        rv = ngx_http_akl_k8s_config_issuers(cf, reading);
    }

    if (rv == NGX_CONF_OK) {
        rv = ngx_http_akl_k8s_config_keys(cf, reading);
    }

    if (config->token_issuer.len == 0) {
        ngx_str_set(&config->token_issuer, "akl_k8s");
    }

    if (config->token_subject.len == 0) {
        ngx_str_set(&config->token_subject, AKL_SUBJECT_DEFAULT);

        (void) akl_subject_parse(&config->subject,
                                 ngx_http_akl_k8s_str(&config->token_subject),
                                 ngx_http_akl_k8s_str(&config->name));
    }

    return rv;
}


/* what is missing, what is of the other cluster type or credential */

static char *
ngx_http_akl_k8s_config_kind(ngx_conf_t *cf, ngx_http_akl_k8s_block_t *block)
{
    unsigned                     given;
    ngx_uint_t                   i;
    const char                  *name, *with;
    ngx_http_akl_k8s_config_t   *config;
    ngx_http_akl_k8s_reading_t  *reading;

    static const struct {
        ngx_uint_t   index;
        unsigned     bit;
    } bits[] = {
        { NGX_HTTP_AKL_K8S_ACCESS_ID, AKL_GIVEN_ACCESS_ID },
        { NGX_HTTP_AKL_K8S_SIGNING_KEY, AKL_GIVEN_SIGNING_KEY },
        { NGX_HTTP_AKL_K8S_HOST, AKL_GIVEN_HOST },
        { NGX_HTTP_AKL_K8S_CA, AKL_GIVEN_CA },
        { NGX_HTTP_AKL_K8S_REVIEWER, AKL_GIVEN_REVIEWER },
        { NGX_HTTP_AKL_K8S_AUTH_TYPE, AKL_GIVEN_AUTH_TYPE },
        { NGX_HTTP_AKL_K8S_CLIENT_CERT, AKL_GIVEN_CLIENT_CERT },
        { NGX_HTTP_AKL_K8S_CLIENT_KEY, AKL_GIVEN_CLIENT_KEY },
        { NGX_HTTP_AKL_K8S_RANCHER_KEY, AKL_GIVEN_RANCHER_KEY },
        { NGX_HTTP_AKL_K8S_RANCHER_CLUSTER, AKL_GIVEN_RANCHER_CLUSTER },
        { NGX_HTTP_AKL_K8S_IN_CLUSTER, AKL_GIVEN_IN_CLUSTER }
    };

    reading = block->conf;
    config = reading->config;
    given = 0;

    for (i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
        if (ngx_http_akl_k8s_seen(block, bits[i].index)) {
            given |= bits[i].bit;
        }
    }

    if (reading->mount.len) {
        given |= AKL_GIVEN_HOST|AKL_GIVEN_CA;
    }

    name = akl_auth_config_check(given,
                                 config->type == NGX_HTTP_AKL_K8S_RANCHER,
                                 reading->certificate, &with);

    if (name == NULL) {
        return NGX_CONF_OK;
    }

    return with ? ngx_http_akl_k8s_config_foreign(cf, config, name, with)
                : ngx_http_akl_k8s_config_missing(cf, config, name);
}


static char *
ngx_http_akl_k8s_config_reviewer(ngx_conf_t *cf,
    ngx_http_akl_k8s_block_t *block)
{
    const char                  *cause, *warn;
    ngx_conf_file_t              place, *conf_file;
    ngx_http_akl_k8s_config_t   *config;
    ngx_http_akl_k8s_reading_t  *reading;

    reading = block->conf;
    config = reading->config;

    if (config->type == NGX_HTTP_AKL_K8S_RANCHER) {
        return NGX_CONF_OK;
    }

    if (!reading->certificate) {

        /* without one, the submitted token is the bearer of its review */

        if (config->reviewer.text.len == 0 && !config->reviewer_self) {
            config->reviewer_self = 1;

            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "token_reviewer_jwt of akl_k8s_auth_config \"%V\" "
                          "is left at \"self\", so the account of each pod "
                          "needs the right to create tokenreviews, in %V:%ui",
                          &config->name, &config->where.file,
                          config->where.line);
        }

        if (config->reviewer_self && config->jwks_auto) {
            ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                          "\"k8s_jwks auto\" of akl_k8s_auth_config \"%V\" "
                          "has no effect without a reviewer to fetch keys "
                          "with in %V:%ui", &config->name,
                          &config->where.file, config->where.line);
        }

        return NGX_CONF_OK;
    }

    warn = NULL;
    cause = akl_credential_pair(ngx_http_akl_k8s_str(&config->client_cert.text),
                                ngx_http_akl_k8s_str(&config->client_key.text),
                                &warn);
    if (cause == NULL && warn == NULL) {
        return NGX_CONF_OK;
    }

    /* the message is about the directive, not about the block's end */

    conf_file = cf->conf_file;

    place = *conf_file;
    place.file.name = reading->where_client.file;
    place.line = reading->where_client.line;

    cf->conf_file = &place;
    (void) ngx_http_akl_k8s_source_cause(cf, cause ? NGX_LOG_EMERG
                                                   : NGX_LOG_WARN,
                                         &config->client_cert,
                                         cause ? cause : warn, "");
    cf->conf_file = conf_file;

    return cause ? NGX_CONF_ERROR : NGX_CONF_OK;
}


/* host from the environment nginx was started with, the rest is mounted */

static char *
ngx_http_akl_k8s_config_in_pod(ngx_conf_t *cf,
    ngx_http_akl_k8s_block_t *block)
{
    char                        *host, *port;
    u_char                      *p;
    ngx_str_t                    path, directive;
    const char                  *cause, *warn;
    ngx_http_akl_k8s_url_t      *url;
    ngx_http_akl_k8s_config_t   *config;
    ngx_http_akl_k8s_reading_t  *reading;

    reading = block->conf;
    config = reading->config;

    ngx_str_set(&directive, "use_gw_service_account");

    if (config->host_urls->nelts == 0) {
        host = getenv("KUBERNETES_SERVICE_HOST");
        port = getenv("KUBERNETES_SERVICE_PORT");

        if (host == NULL || port == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "use_gw_service_account: "
                               "KUBERNETES_SERVICE_HOST and "
                               "KUBERNETES_SERVICE_PORT are not in the "
                               "environment, this is no pod");
            return NGX_CONF_ERROR;
        }

        url = ngx_array_push(config->host_urls);
        if (url == NULL) {
            return NGX_CONF_ERROR;
        }

        url->url.data = ngx_pnalloc(cf->pool,
                                    sizeof("https://[]:") + ngx_strlen(host)
                                    + ngx_strlen(port));
        if (url->url.data == NULL) {
            return NGX_CONF_ERROR;
        }

        p = ngx_sprintf(url->url.data,
                        ngx_strchr(host, ':') ? "https://[%s]:%s"
                                              : "https://%s:%s", host, port);
        url->url.len = p - url->url.data;
        url->where = reading->where_mount;

        if (ngx_http_akl_k8s_config_keep_env(cf) != NGX_OK) {
            return NGX_CONF_ERROR;
        }
    }

    path.len = reading->mount.len + sizeof("/ca.crt") - 1;
    path.data = ngx_pnalloc(cf->pool, path.len + 1);
    if (path.data == NULL) {
        return NGX_CONF_ERROR;
    }

    warn = NULL;

    if (config->ca.text.len == 0 && !config->ca_system) {
        (void) ngx_sprintf(path.data, "%V/ca.crt%Z", &reading->mount);

        if (ngx_http_akl_k8s_source(cf, &directive, &path,
                                    AKL_CREDENTIAL_PEM, &config->ca)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }

        cause = ngx_http_akl_k8s_check_ca(&config->ca.text, &warn);

        if (cause) {
            return ngx_http_akl_k8s_source_cause(cf, NGX_LOG_EMERG,
                                                 &config->ca, cause, "");
        }

        if (warn) {
            ngx_http_akl_k8s_source_cause(cf, NGX_LOG_WARN, &config->ca, warn,
                                          "");
        }
    }

    if (config->reviewer.text.len == 0 && !config->reviewer_self
        && !reading->certificate)
    {
        path.len = reading->mount.len + sizeof("/token") - 1;
        path.data = ngx_pnalloc(cf->pool, path.len + 1);
        if (path.data == NULL) {
            return NGX_CONF_ERROR;
        }

        (void) ngx_sprintf(path.data, "%V/token%Z", &reading->mount);

        if (ngx_http_akl_k8s_source(cf, &directive, &path,
                                    AKL_CREDENTIAL_TEXT, &config->reviewer)
            != NGX_CONF_OK)
        {
            return NGX_CONF_ERROR;
        }

        /* the pod's own token is bound to the pod, as it should be here */

        cause = ngx_http_akl_k8s_check_jwt(&config->reviewer.text, NULL);

        if (cause) {
            return ngx_http_akl_k8s_source_cause(cf, NGX_LOG_EMERG,
                                                 &config->reviewer, cause,
                                                 "");
        }
    }

    return NGX_CONF_OK;
}


/*
 * nginx hands a new binary, and keeps without a master, only what "env"
 * names: the next configuration would not find the cluster.
 */

static ngx_int_t
ngx_http_akl_k8s_config_keep_env(ngx_conf_t *cf)
{
    ngx_str_t        *name;
    ngx_uint_t        i;
    ngx_core_conf_t  *ccf;

    static ngx_str_t  names[] = {
        ngx_string("KUBERNETES_SERVICE_HOST"),
        ngx_string("KUBERNETES_SERVICE_PORT")
    };

    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    for (i = 0; i < 2; i++) {
        name = ngx_array_push(&ccf->env);
        if (name == NULL) {
            return NGX_ERROR;
        }

        *name = names[i];
    }

    return NGX_OK;
}


static char *
ngx_http_akl_k8s_config_path(ngx_conf_t *cf,
    ngx_http_akl_k8s_reading_t *reading)
{
    u_char                     *p;
    ngx_http_akl_k8s_config_t  *config;

    config = reading->config;

    if (config->type == NGX_HTTP_AKL_K8S_NATIVE) {
        ngx_str_set(&config->review_path, NGX_HTTP_AKL_K8S_REVIEWS);
        return NGX_CONF_OK;
    }

    config->review_path.len = sizeof("/k8s/clusters/") - 1
                              + reading->cluster_id.len
                              + sizeof(NGX_HTTP_AKL_K8S_REVIEWS) - 1;

    p = ngx_pnalloc(cf->pool, config->review_path.len);
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    config->review_path.data = p;

    (void) ngx_sprintf(p, "/k8s/clusters/%V" NGX_HTTP_AKL_K8S_REVIEWS,
                       &reading->cluster_id);

    config->api_path.data = p;
    config->api_path.len = config->review_path.len
                           - (sizeof(NGX_HTTP_AKL_K8S_REVIEWS) - 1);

    return NGX_CONF_OK;
}


static char *
ngx_http_akl_k8s_config_issuers(ngx_conf_t *cf,
    ngx_http_akl_k8s_reading_t *reading)
{
    akl_str_t                  *elts;
    ngx_http_akl_k8s_config_t  *config;

    config = reading->config;

    if (reading->no_issuer) {
        config->issuers.n = 0;
        return NGX_CONF_OK;
    }

    if (config->issuers.n) {
        return NGX_CONF_OK;
    }

    elts = ngx_palloc(cf->pool, sizeof(akl_str_t));
    if (elts == NULL) {
        return NGX_CONF_ERROR;
    }

    elts[0] = akl_str("kubernetes/serviceaccount");

    config->issuers.elts = elts;
    config->issuers.n = 1;

    ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                  "k8s_issuer of akl_k8s_auth_config \"%V\" is left at "
                  "\"kubernetes/serviceaccount\", which no projected token "
                  "carries, in %V:%ui", &config->name, &config->where.file,
                  config->where.line);

    return NGX_CONF_OK;
}


static char *
ngx_http_akl_k8s_config_keys(ngx_conf_t *cf,
    ngx_http_akl_k8s_reading_t *reading)
{
    akl_jwk_t                  *keys, *more;
    ngx_uint_t                  i;
    ngx_http_akl_k8s_config_t  *config;

    config = reading->config;
    more = reading->verification.elts;

    /* akl_jwks_clear() frees it */

    keys = malloc((reading->verification.nelts + 1) * sizeof(akl_jwk_t));
    if (keys == NULL) {
        return NGX_CONF_ERROR;
    }

    keys[0] = config->signing_key;

    for (i = 0; i < reading->verification.nelts; i++) {
        keys[i + 1] = more[i];
    }

    config->keys.keys = keys;
    config->keys.n = reading->verification.nelts + 1;

    return NGX_CONF_OK;
}


static char *
ngx_http_akl_k8s_config_missing(ngx_conf_t *cf,
    ngx_http_akl_k8s_config_t *config, const char *name)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "akl_k8s_auth_config \"%V\" has no \"%s\" in %V:%ui",
                  &config->name, name, &config->where.file,
                  config->where.line);

    return NGX_CONF_ERROR;
}


static char *
ngx_http_akl_k8s_config_foreign(ngx_conf_t *cf,
    ngx_http_akl_k8s_config_t *config, const char *name, const char *kind)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"%s\" of akl_k8s_auth_config \"%V\" goes with %s only "
                  "in %V:%ui", name, &config->name, kind, &config->where.file,
                  config->where.line);

    return NGX_CONF_ERROR;
}


char *
ngx_http_akl_k8s_source_cause(ngx_conf_t *cf, ngx_uint_t level,
    ngx_http_akl_k8s_source_t *src, const char *cause, const char *look)
{
    if (src->path.len) {
        ngx_conf_log_error(level, cf, 0, "%V \"%V\": %s%s", &src->directive,
                           &src->path, cause, look);
    } else {
        ngx_conf_log_error(level, cf, 0, "%V: %s%s", &src->directive, cause,
                           look);
    }

    return NGX_CONF_ERROR;
}
